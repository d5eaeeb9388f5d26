"""The gallery's bench measures what it says, on few templates."""

import argparse
from pathlib import Path

import pytest

from benchmarks import gallery as bench


def test_a_small_run_has_every_bar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "STARTED", 400)
    monkeypatch.setattr(bench, "CHUNK", 200)
    monkeypatch.setattr(bench, "ROUND_S", 0.001)
    result = bench.run(argparse.Namespace(sizes=(200, 400), folder=tmp_path))
    assert {bar.name: bar.value for bar in result.bars}["recall"] == 1.0
    assert result.figures["400.batch_64.queries_per_s"] > 0
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("text", ["many", "10", "1e9", "5000000"])
def test_sizes_without_sense_are_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        bench._sizes(text)
    assert bench._sizes("1000") == (1000, 100_000)
