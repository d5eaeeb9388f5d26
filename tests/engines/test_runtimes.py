"""Every runtime behind one protocol: the same answers by name, the same refusals, whatever runs the net."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import helper

from engines.export import export_onnx
from engines.runtimes import choose
from engines.runtimes.choose import Choice, load_net
from engines.runtimes.net import FREE, NetOptions, PixelInput
from engines.runtimes.torch_runtime import TorchNet, exact_floats
from gait.models import registry
from stream.errors import ConfigError, GaitwayError, ResourceError, WeightsError
from tests.engines.small_nets import doubling, save

RUNTIMES = ("openvino", "onnxruntime", "torch")
IMAGE = np.random.default_rng(0).normal(size=(2, 3)).astype(np.float32)
ONE = NetOptions(threads=1, batch=0)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return doubling(tmp_path_factory.mktemp("nets") / "small.onnx")


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_arrays_go_in_and_out_by_name_in_any_batch(small: Path, runtime: str) -> None:
    net = load_net(small, runtime, ONE)
    assert net.inputs["image"].shape == (FREE, 3)
    assert net.outputs["doubled"].dtype == "float32"
    for rows in (1, 2, 5):
        image = np.ones((rows, 3), np.float32)
        assert np.array_equal(net.run({"image": image})["doubled"], 2 * image)
    answers = net.run_each([{"image": IMAGE}, {"image": -IMAGE}])
    assert np.array_equal(answers[1]["doubled"], -2 * IMAGE)
    info = net.describe()
    assert (info.runtime, info.precision, info.threads, len(info.sha256)) == (runtime, "f32", 1, 64)
    assert info.version


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_results_are_copies(small: Path, runtime: str) -> None:
    net = load_net(small, runtime, ONE)
    first = net.run({"image": IMAGE})["doubled"]
    net.run({"image": -IMAGE})
    assert np.array_equal(first, 2 * IMAGE)


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize(
    "arrays",
    [{}, {"other": IMAGE}, {"image": IMAGE[:, :2]}, {"image": IMAGE.astype(np.float64)}, {"image": IMAGE[0]}],
)
def test_wrong_inputs_are_named(small: Path, runtime: str, arrays: dict[str, np.ndarray]) -> None:
    with pytest.raises(WeightsError, match="input"):
        load_net(small, runtime, ONE).run(arrays)


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("data", [None, b"", b"no net", b"\x08\x09\x12\x04abcd" * 9])
def test_a_missing_or_broken_file_is_one_clear_line(runtime: str, data: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(WeightsError) as caught:
        load_net(path, runtime, ONE)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("factor", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_refused(runtime: str, factor: float, tmp_path: Path) -> None:
    path = doubling(tmp_path / "nan.onnx", factor=factor)
    with pytest.raises(WeightsError, match="NaN or infini"):
        load_net(path, runtime, ONE)


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("factor", [float("nan"), float("inf")])
def test_a_rectifier_does_not_hide_them(runtime: str, factor: float, tmp_path: Path) -> None:
    """On zeros a broken weight gives NaN, of which some rectifiers make 0: a sound answer, and a wrong one."""
    weights = np.ones((2, 1, 1, 1), np.float32)
    weights[0] = factor
    path = rectified(tmp_path / "net.onnx", {"weights": weights})
    with pytest.raises(WeightsError, match=r"weight .*holds NaN or infinity"):
        load_net(path, runtime, ONE)


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_an_infinite_limit_is_no_weight(runtime: str, tmp_path: Path) -> None:
    sound = {"weights": np.ones((2, 1, 1, 1), np.float32)}
    path = rectified(tmp_path / "net.onnx", sound, limit=float("inf"))
    answer = load_net(path, runtime, ONE).run({"image": np.full((1, 1, 2, 2), -3, np.float32)})
    assert np.array_equal(answer["answer"], np.full((1, 2, 2, 2), -3, np.float32))


def rectified(path: Path, weights: dict[str, np.ndarray], limit: float = 0.0) -> Path:
    """image (1, 1, 2, 2) -> convolution -> Relu, or Min with an infinite limit."""
    last = helper.make_node("Relu", ["seen"], ["answer"])
    if limit:
        last = helper.make_node("Min", ["seen", "limit"], ["answer"])
        weights = weights | {"limit": np.array([limit], np.float32)}
    nodes = [helper.make_node("Conv", ["image", "weights"], ["seen"]), last]
    return save(path, nodes, {"image": (1, 1, 2, 2)}, {"answer": (1, 2, 2, 2)}, weights)


@pytest.mark.parametrize(
    ("runtime", "device", "said"),
    [
        ("openvino", "NPU9", "no device 'NPU9'"),
        ("onnxruntime", "GPU", "on the processor, not on 'GPU'"),
        ("torch", "banana", "no device 'banana'"),
        ("torch", "mps", "no device 'mps'"),
        ("torch", "cuda:99", "NVIDIA GPU|no device"),
    ],
)
def test_a_device_that_is_not_there_is_said(small: Path, runtime: str, device: str, said: str) -> None:
    with pytest.raises((ConfigError, ResourceError), match=said):
        load_net(small, runtime, ONE, device=device)


@pytest.mark.gpu
@pytest.mark.parametrize("speed", ["eager", "compiled", "graphs"])
def test_on_a_real_gpu_torch_answers_as_on_the_processor(speed: str, tmp_path: Path) -> None:
    if not torch.cuda.is_available():
        pytest.skip("torch finds no NVIDIA GPU")
    weights = {"weights": np.random.default_rng(0).random((2, 1, 1, 1), np.float32)}
    path = rectified(tmp_path / "net.onnx", weights)
    image = {"image": np.random.default_rng(1).random((1, 1, 2, 2), np.float32)}
    exact = TorchNet(path, ONE).run(image)["answer"]
    net = TorchNet(path, ONE, device="cuda", speed=speed)
    for _ in range(3):
        np.testing.assert_allclose(net.run(image)["answer"], exact, rtol=1e-6)


def test_floats_on_a_gpu_are_whole() -> None:
    exact_floats()
    assert not torch.backends.cudnn.allow_tf32
    assert not torch.backends.cuda.matmul.allow_tf32


def short_of_memory(net: TorchNet, most: int) -> list[int]:
    """The net on a device that holds ``most`` rows; the rows of each try."""
    tried: list[int] = []
    real = net._run

    def run(*tensors: torch.Tensor) -> object:
        tried.append(len(tensors[0]))
        if len(tensors[0]) > most:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return real(*tensors)

    net._run = run
    return tried


def test_a_batch_too_large_for_the_gpu_is_cut_and_said(small: Path) -> None:
    net = TorchNet(small, NetOptions(threads=1, batch=0))
    tried = short_of_memory(net, 2)
    images = np.arange(15, dtype=np.float32).reshape(5, 3)
    assert np.array_equal(net.run({"image": images})["doubled"], 2 * images)
    assert tried == [5, 2, 2, 1]
    assert net.describe().note == "batches of 2: no GPU memory for 5"
    assert np.array_equal(net.run({"image": images})["doubled"], 2 * images)
    assert tried[4:] == [2, 2, 1]


def test_a_single_row_too_large_for_the_gpu_is_an_error(small: Path) -> None:
    net = TorchNet(small, NetOptions(threads=1, batch=0))
    short_of_memory(net, 0)
    with pytest.raises(ResourceError, match="the GPU's memory is full"):
        net.run({"image": np.zeros((4, 3), np.float32)})


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_outputs_can_be_chosen_and_an_unknown_one_is_named(small: Path, runtime: str) -> None:
    assert set(load_net(small, runtime, NetOptions(outputs=("doubled",), batch=0)).outputs) == {"doubled"}
    with pytest.raises(WeightsError):
        load_net(small, runtime, NetOptions(outputs=("nothing",)))


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("bgr", [False, True])
def test_pixels_are_normalised_and_reordered_for_planar_nets(runtime: str, bgr: bool, tmp_path: Path) -> None:
    path = save(
        tmp_path / "planar.onnx",
        [helper.make_node("ReduceMean", ["images"], ["mean"], axes=[2, 3], keepdims=0)],
        {"images": (1, 3, 4, 5)},
        {"mean": (1, 3)},
        {},
    )
    pixels = np.random.default_rng(2).integers(0, 255, (1, 4, 5, 3), dtype=np.uint8)
    net = load_net(path, runtime, NetOptions(threads=1), pixels=PixelInput(10.0, 2.0, planar=True, bgr=bgr))
    assert net.inputs["images"].shape == (1, 4, 5, 3)
    wanted = (pixels[..., :: 1 if bgr else -1].astype(np.float64).mean(axis=(1, 2)) - 10.0) / 2.0
    assert net.run({"images": pixels})["mean"] == pytest.approx(wanted, abs=1e-3)
    with pytest.raises(WeightsError, match="uint8"):
        net.run({"images": pixels.astype(np.float32)})


@pytest.mark.parametrize("family", ["silskeletongait", "hybridgait", "siamesegait", "gaitgraph2"])
def test_every_family_answers_alike_in_every_runtime(family: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = registry.build(family, "tiny").eval()
    frames = 12
    window = export_onnx(net, tmp_path / family, frames=frames).window
    arrays = {"frames": net.flat_input(net.example(1, frames)).numpy()}
    answers = []
    for runtime in RUNTIMES:
        # A window's rows are whole sequences: zeros of one row, which `load_net` tries, are none.
        loaded = choose._load(runtime, window, ONE, None, "CPU")
        answers.append(loaded.run(arrays)["embedding"])
    for other in answers[1:]:
        np.testing.assert_allclose(other, answers[0], atol=2e-5)


def test_the_streaming_trunk_answers_alike_with_its_states(tmp_path: Path) -> None:
    torch.manual_seed(0)
    exported = export_onnx(registry.build("silskeletongait", "tiny").eval(), tmp_path / "net", frames=8)
    rng = np.random.default_rng(0)
    answers = []
    for runtime in RUNTIMES:
        net = load_net(exported.trunk, runtime, ONE)
        arrays = {
            name: rng.random((2, *spec.shape[1:])).astype(np.float32)
            for name, spec in sorted(net.inputs.items())
        }
        rng = np.random.default_rng(0)
        answers.append(net.run(arrays)["map"])
    for other in answers[1:]:
        np.testing.assert_allclose(other, answers[0], atol=1e-4)


def test_bf16_in_torch_is_near_and_says_so(small: Path) -> None:
    net = TorchNet(small, NetOptions(precision="bf16", batch=0))
    assert net.describe().precision == "bf16"
    assert net.run({"image": IMAGE})["doubled"] == pytest.approx(2 * IMAGE, rel=1e-2)


def test_what_a_runtime_cannot_do_is_said(small: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="bf16"):
        load_net(small, "onnxruntime", NetOptions(precision="bf16"))
    with pytest.raises(ConfigError, match=r"cannot read a \.tflite"):
        choose.choose("onnxruntime", ".tflite")
    if not torch.cuda.is_available():
        with pytest.raises(ResourceError, match="no NVIDIA GPU"):
            TorchNet(small, device="cuda")
        with pytest.raises(ResourceError, match="CUDA graphs need"):
            TorchNet(small, speed="graphs")
    strange = save(
        tmp_path / "strange.onnx",
        [helper.make_node("Hardmax", ["image"], ["out"])],
        {"image": (1, 3)},
        {"out": (1, 3)},
        {},
    )
    with pytest.raises(WeightsError, match="knows no Hardmax"):
        TorchNet(strange)


def test_a_runtime_that_is_not_installed_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choose, "installed", lambda name: None)
    for runtime, way in (("onnxruntime", "train"), ("tensorrt", "gpu"), ("openvino", "pip install openvino")):
        with pytest.raises(ResourceError, match=way):
            choose.choose(runtime)


def test_type_stubs_are_no_runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty folder of the name, as stubs leave one, is not taken for the package."""
    (tmp_path / "tensorrt").mkdir()
    monkeypatch.syspath_prepend(str(tmp_path))
    assert choose.installed("tensorrt") is None


def test_what_is_configured_is_what_runs() -> None:
    assert choose.choose("torch") == Choice("torch", "as configured")


def _operator(
    node: onnx.NodeProto, inputs: dict, weights: dict, tmp_path: Path
) -> tuple[np.ndarray, np.ndarray]:
    """The same node in torch and in ONNX Runtime."""
    shapes = {name: value.shape for name, value in inputs.items()}
    path = save(tmp_path / "one.onnx", [node], shapes, {node.output[0]: None}, weights)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    wanted = session.run(None, inputs)[0]
    save(path, [node], shapes, {node.output[0]: wanted.shape}, weights)
    return TorchNet(path, NetOptions(batch=0)).run(inputs)[node.output[0]], wanted


DATA = np.random.default_rng(5).normal(size=(2, 4, 6, 5)).astype(np.float32)
LONG = np.int64
KERNEL = np.random.default_rng(6).normal(size=(4, 1, 3, 3)).astype(np.float32)


@pytest.mark.parametrize(
    ("operator", "attributes", "weights"),
    [
        ("Conv", {"group": 4, "pads": [1, 0, 2, 1], "strides": [2, 1]}, {"w": KERNEL}),
        ("ConvTranspose", {"pads": [1, 1, 1, 1], "strides": [2, 2]}, {"w": KERNEL}),
        ("MaxPool", {"kernel_shape": [3, 3], "pads": [1, 1, 0, 0], "strides": [1, 2]}, {}),
        ("AveragePool", {"kernel_shape": [2, 2], "strides": [2, 2], "pads": [1, 1, 1, 1]}, {}),
        ("Resize", {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"},
         {"": None, "scales": np.array([1, 1, 2, 2], np.float32)}),
        ("Resize", {"mode": "linear"}, {"": None, "scales": np.array([1, 1, 2, 2], np.float32)}),
        ("Slice", {}, {"s": np.array([1, -1], LONG), "e": np.array([5, -9], LONG), "a": np.array([2, 3], LONG),
                       "t": np.array([2, -1], LONG)}),
        ("Reshape", {}, {"shape": np.array([0, -1, 5], LONG)}),
        ("Pad", {}, {"pads": np.array([0, 1, 0, 2, 0, 0, 3, 0], LONG), "value": np.array(1.5, np.float32)}),
        ("Softmax", {"axis": 1}, {}),
        ("ReduceMax", {"axes": [1, 3], "keepdims": 0}, {}),
        ("ReduceSum", {}, {"axes": np.array([-1], LONG)}),
        ("ReduceL2", {"axes": [1]}, {}),
        ("Transpose", {"perm": [0, 2, 3, 1]}, {}),
        ("PRelu", {}, {"slope": np.random.default_rng(7).random((4, 1, 1)).astype(np.float32)}),
        ("LeakyRelu", {"alpha": 0.2}, {}),
        ("Clip", {}, {"low": np.array(-0.5, np.float32), "high": np.array(0.25, np.float32)}),
        ("Gather", {"axis": 2}, {"places": np.array([[0, -1], [3, 2]], LONG)}),
        ("Flatten", {"axis": 2}, {}),
        ("Unsqueeze", {}, {"axes": np.array([0, -1], LONG)}),
        ("Expand", {}, {"shape": np.array([3, 1, 4, 1, 1], LONG)}),
        ("LayerNormalization", {}, {"gain": np.ones(5, np.float32), "shift": np.ones(5, np.float32)}),
        ("Split", {"axis": 1}, {"sizes": np.array([1, 3], LONG)}),
        ("Div", {}, {"by": np.array(3, np.float32)}),
        ("GlobalAveragePool", {}, {}),
        ("Erf", {}, {}),
    ],
)  # fmt: skip
def test_operators_in_torch_compute_what_onnx_says(operator, attributes, weights, tmp_path: Path) -> None:
    outputs = ["out", "rest"] if operator == "Split" else ["out"]
    data = np.broadcast_to(DATA[0, :, :1], (4, 1, 5)).copy()[:, :, :1] if operator == "Expand" else DATA
    node = helper.make_node(operator, ["data", *weights], outputs, **attributes)
    held = {name: value for name, value in weights.items() if value is not None}
    found, wanted = _operator(node, {"data": data}, held, tmp_path)
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_errors_are_ours(small: Path) -> None:
    with pytest.raises(GaitwayError):
        load_net(small.with_suffix(".nothing"), "openvino")
