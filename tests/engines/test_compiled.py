"""From ONNX to what a runtime loads: the same answers from OpenVINO's files; no engine without a GPU, said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engines import compiled
from engines.compiled import to_openvino, to_tensorrt
from engines.runtimes.choose import load_net
from engines.runtimes.cuda import Cuda, Gpu, NoGpu
from engines.runtimes.net import NetOptions
from engines.runtimes.tensorrt_build import Builder, BuildOptions
from engines.runtimes.tensorrt_runtime import TensorRtNet
from stream.errors import ResourceError, WeightsError
from tests.engines.fake_tensorrt import FakeCudaApi, FakeTensorRt
from tests.engines.small_nets import doubling

IMAGE = np.arange(6, dtype=np.float32).reshape(2, 3)


def test_openvinos_files_answer_as_the_onnx(tmp_path: Path) -> None:
    path = to_openvino(doubling(tmp_path / "net.onnx"))
    assert path == tmp_path / "net.xml"
    net = load_net(path, "openvino", NetOptions(batch=0))
    assert np.array_equal(net.run({"image": IMAGE})["doubled"], 2 * IMAGE)
    (tmp_path / "bad.onnx").write_bytes(b"no net")
    with pytest.raises(WeightsError, match="this is no ONNX net"):
        to_openvino(tmp_path / "bad.onnx")


def test_without_a_gpu_the_graph_is_judged_and_the_reason_given(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(compiled, "find_gpu", lambda: NoGpu("no driver"))
    with pytest.raises(ResourceError, match=r"takes every operator.*no driver"):
        to_tensorrt(doubling(tmp_path / "net.onnx"))
    (tmp_path / "bad.onnx").write_bytes(b"no net")
    with pytest.raises(WeightsError, match="no ONNX net"):
        to_tensorrt(tmp_path / "bad.onnx")


def test_an_engine_is_built_beside_the_onnx_and_its_progress_told(tmp_path: Path, monkeypatch) -> None:
    gpu = Gpu("Fake GPU", "9.0", 12080, 12080, 8 << 30)
    api, told = FakeTensorRt(), []

    def load(path, options=None, *, build=None, step=None):
        api.cuda = FakeCudaApi(api.log)
        return TensorRtNet(path, Builder(api, gpu, step), Cuda(api.cuda), options, build)

    monkeypatch.setattr(compiled, "find_gpu", lambda: gpu)
    monkeypatch.setattr(compiled, "load_tensorrt", load)
    options = BuildOptions((1, 2, 4))
    made = to_tensorrt(doubling(tmp_path / "net.onnx"), options, lambda *step: told.append(step))
    assert made == tmp_path / "net.engine"
    assert made.read_bytes() == b"engine of 10.13.0.35"
    assert told[-1] == ("tactics", 2, 2)
    assert api.cuda.held == {}
