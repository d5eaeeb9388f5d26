"""evaluate --protocol kth: what it refuses, and what it makes of passes, misses included."""

import argparse
from pathlib import Path
from typing import Any

import pytest

from commands import kth
from gait.data.errors import DataError
from gait.evaluation.baselines import baseline
from gait.evaluation.controls import control
from gait.evaluation.kth import Pass
from gait.sample import sample_walk
from stream.errors import ConfigError, SourceError


def arguments(**given: Any) -> argparse.Namespace:
    usual = {"weights": None, "baseline": None, "control": "", "json": True}
    return argparse.Namespace(
        **usual, **{"train": None, "lda": False, "out": None, "submission": None} | given
    )


def passes() -> list[Pass]:
    """Two people, four passes each; the last one of the second was not found."""
    return [
        Pass(person, "d1", number, 0, 9, sample_walk(int(person), 10, phase=0.2 * number))
        if (person, number) != ("2", 4)
        else Pass(person, "d1", number, 0, 0, None)
        for person in ("1", "2")
        for number in range(1, 5)
    ]


def test_options_that_mean_nothing_here_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--weights"):
        kth.run_kth(arguments(lda=True), tmp_path)


def test_a_folder_without_clips_is_refused_before_any_net_is_loaded(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no walking clip"):
        kth.perceived_passes(tmp_path)


def test_a_clip_that_shows_nothing_is_named(tmp_path: Path) -> None:
    empty = tmp_path / "person11_walking_d1_uncomp.avi"
    empty.write_bytes(b"")
    with pytest.raises(SourceError, match="no picture"):
        next(kth._pictures(empty))


def test_a_baseline_and_a_net_are_judged_alike_and_the_missing_pass_is_a_miss_of_both() -> None:
    families = pytest.importorskip("gait.models.registry")
    family = families.family("silskeletongait")
    fields = {"channels": (4, 4, 4, 4), "blocks": (1, 1, 1, 1), "embedding": 8, "stem_stride": 2}
    net = family.build(family.config(**fields))
    simple = kth.judge(baseline("average-silhouette"), passes(), control(""))
    before, after = kth.judge_net(net, passes(), control(""))
    for found in (simple, before, after):
        (same,) = found
        assert (same.name, same.probes, same.unanswered) == ("d1", 4, 1)
        assert same.hits <= 3
    assert simple[0].hits == 3
