"""The engines' race: who runs, what is said of each, and that a narrower one is set against the exact one."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks import engines, engines_race
from benchmarks.report import cpu_flags
from gait.models import registry
from gait.models.family import GaitNet
from stream.errors import ConfigError
from tests.strategies_skeletons import worn

SMALL = {"channels": (4, 8, 8, 16), "blocks": (1, 1, 1, 1), "embedding": 8}


@pytest.fixture(scope="module")
def net() -> GaitNet:
    torch.manual_seed(0)
    return worn(registry.build("silskeletongait", "tiny", **SMALL)).eval()


def told(*flags: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    engines.configure(parser)
    return parser.parse_args(list(flags))


def test_every_contestant_answers_the_same_person(net: GaitNet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines_race, "net_of", lambda arguments: net)
    monkeypatch.setattr(engines_race, "ALONE_FROM", 3)
    flags = ("--batch", "1", "--batch", "3", "--turns", "1", "--people", "4", "--threads", "1")
    result = engines.run(told(*flags))
    figures = result.figures
    names = {"torch_f32", "openvino_f32", "onnxruntime_f32"}
    if cpu_flags() & {"avx512_bf16", "amx_bf16", "bf16"}:
        names |= {"torch_bf16", "openvino_bf16"}
    for batch in (1, 3):
        assert {name.split(".")[1] for name in figures if name.startswith(f"batch_{batch}.")} >= names
        assert figures[f"batch_{batch}.best"] in names
        assert figures[f"batch_{batch}.openvino_f32.relative_error"] < 1e-4
        assert 0 < figures[f"batch_{batch}.torch_f32.share_of_matrix_rate"] < 2
    assert figures["judged_by_people"] == 4
    assert figures["openvino_f32.rank1"] == figures["torch_f32.rank1"]
    assert all(figures[f"{name}.cosine"] == pytest.approx(1.0, abs=0.01) for name in names)
    ratios = [value for name, value in figures.items() if "openvino_over_torch" in name]
    assert result.bars[0].value == min(ratios)


def test_the_gpus_contestants_are_the_same_graph(
    net: GaitNet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the processor, uncompiled: the code that a GPU runs, with the device's name alone changed."""
    monkeypatch.setattr(engines_race, "SPEEDS", {"eager": None})
    real = engines_race.in_torch
    monkeypatch.setattr(
        engines_race, "in_torch", lambda n, _, precision, mode: real(n, "cpu", precision, mode)
    )
    works = engines_race.on_gpu(net, tmp_path / "none.onnx", 60)
    assert set(works) == {"cuda_eager_f32", "cuda_eager_f16", "cuda_eager_bf16"}
    example = net.example(2, 30)
    exact = net.vector(net(example)).detach().numpy()
    for name, bound in (("f32", 1e-5), ("f16", 0.02), ("bf16", 0.1)):
        answer = works[f"cuda_eager_{name}"].load()(example)()
        assert answer.dtype == np.float32
        assert np.abs(answer - exact).max() < bound


def test_a_wrong_neighbour_costs_rank_one(net: GaitNet) -> None:
    """Vectors by hand: of two people one is taken for the other by the second contestant."""
    right = np.array([[1, 0], [1, 0], [0, 1], [0, 1]], np.float32)
    wrong = np.array([[1, 0], [1, 0], [0, 1], [1, 0]], np.float32)

    def of(vectors: np.ndarray) -> engines_race.Contestant:
        return engines_race.Contestant(
            lambda: lambda part: lambda: vectors[part[:, 0, 0].int().numpy()], ("cpu", "f32")
        )

    walkers = torch.arange(4).reshape(2, 2, 1, 1).float()
    figures = engines_race.judged({"torch_f32": of(right), "int8": of(wrong)}, walkers, 3)
    assert (figures["torch_f32.rank1"], figures["int8.rank1"]) == (1.0, 0.5)
    assert figures["int8.cosine"] == 0.75


@pytest.mark.parametrize("flags", [("--turns", "0"), ("--batch", "0"), ("--people", "-1")])
def test_a_bench_of_nothing_is_refused(flags: tuple[str, str]) -> None:
    with pytest.raises(ConfigError, match="a bench of nothing"):
        engines.run(told(*flags))


def test_trained_weights_are_judged_and_random_ones_are_not() -> None:
    assert told("--shipped").weights.is_file()
    assert told().people is None
