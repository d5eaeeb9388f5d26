"""``bench models``: every runtime and the floor are measured, and a wrong family is told."""

from __future__ import annotations

import argparse
import builtins
import sys
from typing import Any

import pytest

from benchmarks import models, models_race
from benchmarks.models_race import matrix_gflop, medians, size_of
from stream.errors import ConfigError, ResourceError


def run(*flags: str) -> dict[str, Any]:
    parser = argparse.ArgumentParser()
    models.configure(parser)
    return dict(models.run(parser.parse_args(flags)).figures)


def test_one_family_is_measured_in_every_runtime_beside_its_floor() -> None:
    figures = run("--family", "gaitgraph2", "--turns", "1", "--threads", "1")
    assert figures["gaitgraph2.size"] == "tiny"
    assert figures["gaitgraph2.frames"] == 60
    for runtime in ("torch", "onnxruntime", "openvino"):
        share = figures[f"gaitgraph2.{runtime}_share_of_floor"]
        per_s = figures[f"gaitgraph2.{runtime}_sequences_per_s"]
        assert per_s > 0
        assert share == pytest.approx(per_s / figures["gaitgraph2.floor_sequences_per_s"])
    rate = figures["gaitgraph2.matrix_gflops_per_s"] / figures["gaitgraph2.gflops"]
    assert figures["gaitgraph2.floor_sequences_per_s"] == pytest.approx(rate)


def test_works_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models_race, "SHORTEST_S", 0.0)
    calls: list[str] = []
    found = medians({"one": lambda: calls.append("one"), "other": lambda: calls.append("other")}, 2)
    assert set(found) == {"one", "other"}
    assert calls[-4:] == ["one", "other", "one", "other"]


def test_a_product_of_1536_square_matrices_is_seven_gflop() -> None:
    assert matrix_gflop() == pytest.approx(7.247757312)


def test_the_published_size_goes_by_each_familys_own_name() -> None:
    assert size_of("gaitgraph2", "published") == "published"
    assert size_of("hybridgait", "published") == "1441"
    assert size_of("hybridgait", "tiny") == "tiny"


def test_an_unknown_family_is_told_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match="Did you mean gaitgraph2"):
        run("--family", "gaitgraph")


def test_without_torch_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def refuse(name: str, *rest: Any) -> Any:
        if name == "benchmarks.models_race":
            raise ModuleNotFoundError("No module named 'torch'", name="torch")
        return real(name, *rest)

    monkeypatch.delitem(sys.modules, "benchmarks.models_race")
    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(ResourceError, match="torch is not installed"):
        run()
