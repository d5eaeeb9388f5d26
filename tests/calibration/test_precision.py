"""Narrower numbers: half precision computes the same to its own accuracy, int8 nearly; a loss is seen and refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto

from calibration import precision
from calibration.half import to_half
from calibration.precision import Judged, fastest_fit, judge, make, person_walk
from engines.export import export_onnx, read_metadata
from engines.runtimes.choose import load_net
from engines.runtimes.net import NetOptions
from engines.runtimes.tensorrt_operators import check_operators, precision_of
from gait.models import registry
from stream.errors import ConfigError, WeightsError
from tests.strategies_skeletons import worn

SMALL = {"channels": (4, 8, 8, 16), "blocks": (1, 1, 1, 1), "embedding": 8}


@pytest.fixture(scope="module")
def stem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("precision") / "net"
    export_onnx(worn(registry.build("silskeletongait", "tiny", **SMALL)), path, frames=8)
    return path


def answer(path: Path, runtime: str = "onnxruntime") -> np.ndarray:
    net = load_net(path, runtime, NetOptions(threads=1, batch=0))
    rng = np.random.default_rng(0)
    arrays = {
        name: rng.random((2, *spec.shape[1:])).astype(spec.dtype) for name, spec in sorted(net.inputs.items())
    }
    return next(iter(net.run(arrays).values()))


@pytest.mark.parametrize("part", ["trunk", "head"])
def test_half_precision_takes_and_gives_f32_and_computes_the_same(
    stem: Path, part: str, tmp_path: Path
) -> None:
    source = Path(f"{stem}.{part}.onnx")
    model = to_half(onnx.load(str(source)))
    path = tmp_path / "half.onnx"
    onnx.save(model, str(path))
    kinds = {value.type.tensor_type.elem_type for value in [*model.graph.input, *model.graph.output]}
    assert kinds == {TensorProto.FLOAT}
    convolutions = {node.input[1] for node in model.graph.node if node.op_type == "Conv"}
    stored = {tensor.name: tensor.data_type for tensor in model.graph.initializer}
    assert all(stored[name] == TensorProto.FLOAT16 for name in convolutions)
    wanted = answer(source)
    np.testing.assert_allclose(answer(path), wanted, atol=5e-3 * np.abs(wanted).max())
    check_operators(path)
    if part == "trunk":
        assert precision_of(path) == "f16"


def test_a_precision_says_itself_and_keeps_the_nets_digest(stem: Path) -> None:
    variant = make(stem, "f16")
    said, before = (read_metadata(f"{path}.trunk.onnx") for path in (variant.stem, stem))
    assert (said.precision, before.precision) == ("float16", "float32")
    assert said.digest == before.digest
    assert make(stem, "bf16").stem == stem
    with pytest.raises(WeightsError, match="no such net"):
        make(stem.with_name("none"), "int8")


def test_what_costs_too_much_is_not_chosen() -> None:
    def of(name: str, loss: float, ms: float) -> Judged:
        return Judged(name, 90 - loss, loss, 1.0, ms, 1.0)

    judged = [of("f32", 0, 4), of("bf16", 0.2, 3), of("int8", 0.4, 1)]
    assert [one.fit for one in judged] == [True, True, False]
    assert fastest_fit(judged).precision == "bf16"
    assert not Judged("int8", 0.0, float("nan"), 0.0, 1.0, 1.0).fit


def test_people_who_judge_are_others_than_those_who_set_the_ranges() -> None:
    one, again, other = (
        person_walk(precision.JUDGED_FROM, 0),
        person_walk(precision.JUDGED_FROM, 0),
        person_walk(precision.CALIBRATED_FROM, 0),
    )
    np.testing.assert_array_equal(one.silhouettes, again.silhouettes)
    assert not np.array_equal(one.silhouettes[:5], other.silhouettes[:5])
    with pytest.raises(ConfigError, match="2 or more"):
        judge(Path("none"), 1)


@pytest.mark.slow
def test_int8_is_near_f32_in_the_pipelines_own_embedder(stem: Path) -> None:
    told = []
    judged = judge(stem, 3, ("bf16", "int8"), lambda done, total: told.append((done, total)))
    assert [one.precision for one in judged] == ["f32", "bf16", "int8"]
    assert told == [(1, 3), (2, 3), (3, 3)]
    assert judged[0].similarity == 1.0
    assert all(one.similarity > 0.98 for one in judged)
    path = Path(f"{stem}.int8.trunk.onnx")
    assert precision_of(path) == "int8"
    check_operators(path)
    kinds = [node.op_type for node in onnx.load(str(path)).graph.node]
    assert kinds.count("QuantizeLinear") > 0
    assert len(judged[2].kept_f32) < kinds.count("Conv")
