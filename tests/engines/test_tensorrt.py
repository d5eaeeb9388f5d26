"""TensorRT, as far as it can be tested without one: every call, flag and order; what is rebuilt, refused, cut."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest
from onnx import helper

from engines.parity import relative_error
from engines.runtimes import choose, tensorrt_runtime
from engines.runtimes.choose import load_net
from engines.runtimes.cuda import Cuda, Gpu, NoGpu, OutOfGpuMemoryError, find_gpu, gpu_in_words
from engines.runtimes.engine_file import Sidecar, sidecar_of
from engines.runtimes.net import NetOptions
from engines.runtimes.tensorrt_build import WORKSPACE_BYTES, Builder, BuildOptions
from engines.runtimes.tensorrt_operators import check_operators, precision_of
from engines.runtimes.tensorrt_runtime import TensorRtNet, load_tensorrt
from engines.tflite_to_onnx import convert
from engines.weights import POSE_LANDMARKS, ensure
from stream.errors import ConfigError, ResourceError, WeightsError
from tests.engines.fake_tensorrt import DataType, FakeCudaApi, FakeTensorRt
from tests.engines.small_nets import doubling, save

GPU = Gpu("Fake GPU", "9.0", 12080, 12080, 8 << 30)
IMAGE = np.arange(6, dtype=np.float32).reshape(2, 3)
USUAL = BuildOptions(batch=(1, 2, 4))


@pytest.fixture
def onnx_path(tmp_path: Path) -> Path:
    return doubling(tmp_path / "net.onnx")


def net_of(
    path: Path, api: FakeTensorRt, *, build: BuildOptions | None = USUAL, free_bytes: int = 1 << 30
) -> TensorRtNet:
    cuda = FakeCudaApi(api.log, free_bytes)
    api.cuda = cuda
    return TensorRtNet(path, Builder(api, GPU), Cuda(cuda), NetOptions(batch=0), build)


@pytest.mark.parametrize("version", ["10.13.0.35", "11.0.0.114"])
def test_an_engine_is_built_by_these_calls_in_this_order(onnx_path: Path, version: str) -> None:
    api = FakeTensorRt(version)
    Builder(api, GPU).engine(onnx_path, onnx_path.with_suffix(".engine"), USUAL)
    assert [entry for entry in api.log if entry[0] != "OnnxParser"] == [
        ("Builder",),
        ("create_network", 1 << 1),  # strongly typed, and nothing else
        ("parse", True),
        ("create_builder_config",),
        ("set_memory_pool_limit", "workspace", WORKSPACE_BYTES),
        ("clear_flag", "TF32"),
        ("create_timing_cache", b""),
        ("set_timing_cache", "cache:", False),
        ("create_optimization_profile",),
        ("set_shape", "image", (1, 3), (2, 3), (4, 3)),
        ("add_optimization_profile",),
        ("build_serialized_network",),
    ]


def test_a_network_is_plain_where_every_one_is_strongly_typed(onnx_path: Path) -> None:
    api = FakeTensorRt("12.0.0")
    api.NetworkDefinitionCreationFlag = object()
    Builder(api, GPU).engine(onnx_path, onnx_path.with_suffix(".engine"), USUAL)
    assert ("create_network", 0) in api.log


def test_compatible_engines_bring_no_runtime_and_their_progress_is_told(onnx_path: Path) -> None:
    api, told = FakeTensorRt(), []
    options = BuildOptions((1, 2, 4), 1 << 20, version_compatible=True, hardware_compatible=True)
    builder = Builder(api, GPU, lambda *step: told.append(step))
    builder.engine(onnx_path, onnx_path.with_suffix(".engine"), options)
    assert api.log[5:10] == [
        ("set_memory_pool_limit", "workspace", 1 << 20),
        ("clear_flag", "TF32"),
        ("set_flag", "VERSION_COMPATIBLE"),
        ("set_flag", "EXCLUDE_LEAN_RUNTIME"),
        ("hardware_compatibility_level", "ampere+"),
    ]
    assert told == [("tactics", 0, 2), ("tactics", 1, 2), ("tactics", 2, 2)]


@pytest.mark.parametrize("held", [b"kept", b"damaged", b"foreign"])
def test_a_timing_cache_is_used_and_one_that_is_not_ours_replaced(onnx_path: Path, held: bytes) -> None:
    cache = onnx_path.parent / "timing.cache"
    cache.write_bytes(held)
    api = FakeTensorRt()
    Builder(api, GPU).engine(onnx_path, onnx_path.with_suffix(".engine"), USUAL)
    used = [entry[1] for entry in api.log if entry[0] == "set_timing_cache"][-1]
    assert used == ("cache:kept" if held == b"kept" else "cache:")
    assert cache.read_bytes() == b"timed"


def test_an_engine_is_loaded_again_without_building(onnx_path: Path) -> None:
    net_of(onnx_path, FakeTensorRt()).close()
    api = FakeTensorRt()
    net = net_of(onnx_path, api)
    assert "Builder" not in api.log.names()
    assert ("deserialize_cuda_engine", b"engine of 10.13.0.35") in api.log
    assert net.describe().note == ""


def test_an_engine_exported_with_other_options_is_used_as_it_is(onnx_path: Path) -> None:
    """A run asks for no options: it takes those of the export, also where it has to build again."""
    other = BuildOptions((1, 2, 3), 1 << 20, hardware_compatible=True)
    net_of(onnx_path, FakeTensorRt(), build=other).close()
    api = FakeTensorRt()
    net = net_of(onnx_path, api, build=None)
    assert "Builder" not in api.log.names()
    assert net._most == 3
    net.close()
    api = FakeTensorRt("10.14.0.1")
    assert "another tensorrt" in net_of(onnx_path, api, build=None).describe().note
    assert ("set_shape", "image", (1, 3), (2, 3), (3, 3)) in api.log
    sidecar_of(onnx_path.with_suffix(".engine")).write_bytes(b"{}")
    assert net_of(onnx_path, FakeTensorRt(), build=None)._most == BuildOptions().batch[2]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"tensorrt": "10.14"}, "tensorrt"),
        ({"driver": 1}, "driver"),
        ({"gpu": "Other"}, "gpu"),
        ({"capability": "8.6"}, "capability"),
        ({"precision": "f16"}, "precision"),
        ({"batch": (1, 1, 1)}, "batch"),
        ({"onnx_sha256": "0"}, "onnx_sha256"),
        ({"workspace_bytes": 1}, "workspace_bytes"),
        ({"version_compatible": True}, "version_compatible"),
        ({"hardware_compatible": True}, "hardware_compatible"),
    ],
)
def test_an_engine_for_anything_else_is_built_again(onnx_path: Path, change: dict, why: str) -> None:
    builder, target = Builder(FakeTensorRt(), GPU), onnx_path.with_suffix(".engine")
    builder.engine(onnx_path, target, USUAL)
    said = msgspec.json.decode(sidecar_of(target).read_bytes(), type=Sidecar)
    other = Sidecar(msgspec.structs.replace(said.key, **change), said.engine_sha256)
    sidecar_of(target).write_bytes(msgspec.json.encode(other))
    assert builder.engine(onnx_path, target, USUAL)[1] == f"it was built for another {why}"
    assert builder.engine(onnx_path, target, USUAL)[1] == ""


@pytest.mark.parametrize(
    "harm", ["foreign engine", "cut engine", "no sidecar", "bad sidecar", "empty sidecar"]
)
def test_a_foreign_or_damaged_engine_is_never_loaded(onnx_path: Path, harm: str) -> None:
    target = onnx_path.with_suffix(".engine")
    net_of(onnx_path, FakeTensorRt()).close()
    sidecar = sidecar_of(target)
    if harm == "no sidecar":
        sidecar.unlink()
    elif harm.endswith("sidecar"):
        sidecar.write_bytes(b"" if harm == "empty sidecar" else b'{"key": 1}')
    else:
        target.write_bytes(b"somebody else's" if harm == "foreign engine" else target.read_bytes()[:5])
    api = FakeTensorRt()
    net = net_of(onnx_path, api)
    loaded = [entry[1] for entry in api.log if entry[0] == "deserialize_cuda_engine"]
    assert loaded == [b"engine of 10.13.0.35"]
    assert "engine built" in net.describe().note
    assert np.array_equal(net.run({"image": IMAGE})["doubled"], 2 * IMAGE)


def test_an_engine_that_tensorrt_refuses_is_built_once_more_and_then_said(onnx_path: Path) -> None:
    net_of(onnx_path, FakeTensorRt()).close()
    api = FakeTensorRt()
    api.deserialize_fails = 1
    assert "engine built" in net_of(onnx_path, api).describe().note
    api.deserialize_fails = 2
    with pytest.raises(WeightsError, match="does not load the engine that it built"):
        net_of(onnx_path, api)


def test_a_batch_runs_is_captured_and_then_launched(onnx_path: Path) -> None:
    api = FakeTensorRt()
    net = net_of(onnx_path, api)
    seen = []
    for turn in range(3):
        api.log.clear()
        assert np.array_equal(net.run({"image": IMAGE + turn})["doubled"], 2 * (IMAGE + turn))
        seen.append(list(api.log))
    queue = [("cudaMemcpyAsync", "up", 24), ("execute_async_v3", 7), ("cudaMemcpyAsync", "down", 24)]
    shape, wait = ("set_input_shape", "image", (2, 3)), ("cudaStreamSynchronize",)
    assert seen[0] == [shape, *queue, wait]
    assert seen[1] == [
        shape,
        ("cudaStreamBeginCapture", "thread"),
        *queue,
        ("cudaStreamEndCapture",),
        ("cudaGraphInstantiate", 0),
        ("cudaGraphDestroy",),
        ("cudaGraphLaunch",),
        wait,
    ]
    assert seen[2] == [("cudaGraphLaunch",), wait]


def test_results_are_copies_and_everything_is_given_back(onnx_path: Path) -> None:
    api = FakeTensorRt()
    net = net_of(onnx_path, api)
    first = net.run({"image": IMAGE})["doubled"]
    for _ in range(2):
        net.run({"image": -IMAGE})
    assert np.array_equal(first, 2 * IMAGE)
    net.close()
    assert api.cuda.held == {}
    assert api.log.names()[-1] == "cudaStreamDestroy"
    assert "cudaGraphExecDestroy" in api.log.names()


def test_a_batch_beyond_the_largest_is_cut(onnx_path: Path) -> None:
    api = FakeTensorRt()
    image = np.arange(27, dtype=np.float32).reshape(9, 3)
    assert np.array_equal(net_of(onnx_path, api).run({"image": image})["doubled"], 2 * image)
    shapes = [entry[2] for entry in api.log if entry[0] == "set_input_shape"]
    assert shapes == [(4, 3), (4, 3), (1, 3)]


def test_too_little_gpu_memory_means_smaller_batches_said(onnx_path: Path) -> None:
    api = FakeTensorRt()
    net = net_of(onnx_path, api, free_bytes=60)  # two tensors of 12 bytes a row: 2 rows fit, 4 do not
    assert "batches of 2: no GPU memory for 4" in net.describe().note
    image = np.arange(15, dtype=np.float32).reshape(5, 3)
    assert np.array_equal(net.run({"image": image})["doubled"], 2 * image)
    with pytest.raises(OutOfGpuMemoryError, match="memory is full"):
        net_of(onnx_path, FakeTensorRt(), free_bytes=10)
    api = FakeTensorRt()
    api.context_fails = True
    with pytest.raises(OutOfGpuMemoryError, match="engine's own work"):
        net_of(onnx_path, api)


@pytest.mark.parametrize("image", [IMAGE.astype(np.float64), IMAGE[:, :2], IMAGE[0]])
def test_wrong_inputs_are_named(onnx_path: Path, image: np.ndarray) -> None:
    with pytest.raises(WeightsError, match="input 'image' is"):
        net_of(onnx_path, FakeTensorRt()).run({"image": image})


def test_what_goes_wrong_while_building_or_running_is_one_line(onnx_path: Path, tmp_path: Path) -> None:
    api = FakeTensorRt()
    api.build_fails = True
    with pytest.raises(ResourceError, match="could not build an engine \\(out of everything\\)"):
        net_of(onnx_path, api)
    api = FakeTensorRt()
    api.parse_errors = ["node 3: unsupported"]
    with pytest.raises(WeightsError, match="node 3"):
        net_of(onnx_path, api)
    api = FakeTensorRt()
    api.run_fails = True
    with pytest.raises(ResourceError, match="could not run"):
        net_of(onnx_path, api).run({"image": IMAGE})
    api = FakeTensorRt()
    api.refused_shapes = {(2, 3)}
    with pytest.raises(WeightsError, match="refuses"):
        net_of(onnx_path, api).run({"image": IMAGE})
    api = FakeTensorRt()
    api.dtype = DataType.FP8
    with pytest.raises(WeightsError, match="type NumPy has not"):
        net_of(onnx_path, api)
    api = FakeTensorRt(shape=(-1, -1))
    with pytest.raises(WeightsError, match="free sides beyond the batch"):
        net_of(doubling(tmp_path / "free.onnx"), api)
    with pytest.raises(ConfigError, match="bf16"):
        TensorRtNet(
            onnx_path, Builder(FakeTensorRt(), GPU), Cuda(FakeCudaApi()), NetOptions(precision="bf16")
        )
    with pytest.raises(ValueError, match="least"):
        BuildOptions(batch=(2, 1, 4))


def test_weights_that_are_no_numbers_are_refused_before_the_build(tmp_path: Path) -> None:
    api = FakeTensorRt()
    with pytest.raises(WeightsError, match="'factor' holds NaN"):
        net_of(doubling(tmp_path / "nan.onnx", factor=float("nan")), api)
    assert "build_serialized_network" not in api.log.names()


def test_operators_beyond_the_documented_set_are_named_before_the_build(tmp_path: Path) -> None:
    shapes = {"image": (1, 3)}, {"out": (1, 3)}
    strange = save(tmp_path / "a.onnx", [helper.make_node("Hardmax", ["image"], ["out"])], *shapes, {})
    with pytest.raises(WeightsError, match="the operator Hardmax"):
        check_operators(strange)
    api = FakeTensorRt()
    with pytest.raises(WeightsError, match="documented set"):
        net_of(strange, api)
    assert "Builder" not in api.log.names()
    quantised = save(
        tmp_path / "b.onnx",
        [
            helper.make_node("QuantizeLinear", ["image", "scale", "zero"], ["q"]),
            helper.make_node("DequantizeLinear", ["q", "scale", "zero"], ["out"]),
        ],
        *shapes,
        {"scale": np.array(0.1, np.float32), "zero": np.array(3, np.int8)},
    )
    with pytest.raises(WeightsError, match="zero point that is not 0"):
        check_operators(quantised)
    assert precision_of(quantised) == "int8"
    assert precision_of(doubling(tmp_path / "c.onnx")) == "f32"
    with pytest.raises(WeightsError, match="no such net"):
        check_operators(tmp_path / "none.onnx")


def test_a_gpu_is_found_or_the_reason_is_told() -> None:
    found = find_gpu(FakeCudaApi())
    assert found == GPU
    assert gpu_in_words(found) == "Fake GPU (8 GiB, compute 9.0, CUDA 12.8)"
    none = FakeCudaApi()
    none.devices = 0
    old = FakeCudaApi()
    old.broken = 35
    unknown = FakeCudaApi()
    unknown.broken = 999
    assert "no NVIDIA GPU" in find_gpu(none).reason
    assert "too old" in find_gpu(old).reason
    assert "cudaErrorUnknown" in find_gpu(unknown).reason

    class NoLibrary:
        def cudaDriverGetVersion(self) -> None:
            raise RuntimeError("Failed to dlopen libcuda.so.1")

    assert "cannot be loaded" in find_gpu(NoLibrary()).reason


def test_without_a_gpu_tensorrt_says_why_and_auto_goes_on(
    onnx_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tensorrt_runtime, "find_gpu", lambda: NoGpu("no driver"))
    with pytest.raises(ResourceError, match="needs an NVIDIA GPU: no driver"):
        load_tensorrt(onnx_path)
    monkeypatch.setattr(choose, "find_gpu", lambda: NoGpu("no driver"))
    assert choose.choose().runtime == "openvino"
    assert "no driver" in choose.choose().reason


def test_auto_takes_tensorrt_where_all_of_it_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choose, "find_gpu", lambda: GPU)
    monkeypatch.setattr(choose, "installed", lambda name: "10.13" if name != "onnxruntime" else None)
    assert choose.choose().runtime == "tensorrt"
    assert choose.choose(suffix=".tflite").runtime == "openvino"
    assert "cannot read a .tflite" in choose.choose(suffix=".tflite").reason
    monkeypatch.setattr(choose, "installed", lambda name: None if name == "tensorrt" else "1")
    assert "the package tensorrt is not installed" in choose.choose().reason
    monkeypatch.setattr(choose, "installed", lambda name: None)
    with pytest.raises(ResourceError, match="no runtime"):
        choose.choose()


def gpu_and_tensorrt() -> None:
    found = find_gpu()
    if isinstance(found, NoGpu):
        pytest.skip(f"no GPU: {found.reason}")
    if choose.installed("tensorrt") is None:
        pytest.skip("tensorrt is not installed")


@pytest.mark.gpu
def test_on_a_real_gpu_the_landmark_net_answers_as_on_the_processor(tmp_path: Path) -> None:
    gpu_and_tensorrt()
    source = ensure(POSE_LANDMARKS)
    path = convert(source, tmp_path / "landmarks.onnx")
    pixels = np.random.default_rng(0).random((1, 256, 256, 3), np.float32)
    exact = load_net(source, "openvino", NetOptions(threads=1)).run({"input_1": pixels})
    net = load_tensorrt(path, NetOptions(), build=BuildOptions((1, 1, 2)))
    answer = net.run({"input_1": pixels})
    net.close()
    for name, values in exact.items():
        assert relative_error(answer[name], values) < 1e-3


@pytest.mark.gpu
def test_on_a_real_gpu_an_engine_doubles(onnx_path: Path) -> None:
    gpu_and_tensorrt()
    net = load_tensorrt(onnx_path, NetOptions(batch=0), build=USUAL)
    for _ in range(3):
        assert np.array_equal(net.run({"image": IMAGE})["doubled"], 2 * IMAGE)
    net.close()
