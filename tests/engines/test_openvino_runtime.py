"""OpenVINO behind the Net protocol: typed, named, deterministic, and clear about what it cannot read."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from engines.runtimes.net import PixelInput
from engines.runtimes.openvino_runtime import OpenVinoNet, OpenVinoOptions
from stream.errors import ResourceError, WeightsError


@pytest.fixture(scope="module")
def convolution(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """image (1, 8, 8, 3) -> mixed (1, 8, 8, 2) and its doubled twin; weights from a seed."""
    weights = np.random.default_rng(0).normal(size=(3, 2)).astype(np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["image", "weights"], ["mixed"]),
            helper.make_node("Add", ["mixed", "mixed"], ["twice"]),
        ],
        "mix",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, (1, 8, 8, 3))],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, (1, 8, 8, 2)) for name in ("mixed", "twice")],
        [helper.make_tensor("weights", TensorProto.FLOAT, (3, 2), weights.ravel())],
    )
    path = tmp_path_factory.mktemp("nets") / "mix.onnx"
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 9
    onnx.save(model, path)
    return path


IMAGE = np.random.default_rng(1).normal(size=(1, 8, 8, 3)).astype(np.float32)


def test_arrays_go_in_and_out_by_name(convolution: Path) -> None:
    net = OpenVinoNet(convolution)
    assert net.inputs["image"].shape == (1, 8, 8, 3)
    assert net.inputs["image"].dtype == "float32"
    answer = net.run({"image": IMAGE})
    weights = np.random.default_rng(0).normal(size=(3, 2)).astype(np.float32)
    assert answer["mixed"] == pytest.approx(IMAGE @ weights, abs=1e-4)
    assert answer["twice"] == pytest.approx(2 * answer["mixed"])


def test_results_are_copies_that_the_next_run_does_not_touch(convolution: Path) -> None:
    net = OpenVinoNet(convolution)
    first = net.run({"image": IMAGE})["mixed"]
    kept = first.copy()
    net.run({"image": -IMAGE})
    assert np.array_equal(first, kept)


@pytest.mark.parametrize("options", [OpenVinoOptions(threads=1), OpenVinoOptions(threads=2, streams=2)])
def test_bytes_do_not_depend_on_threads_streams_or_company(
    convolution: Path, options: OpenVinoOptions
) -> None:
    plain = OpenVinoNet(convolution).run({"image": IMAGE})["mixed"]
    batches = [{"image": IMAGE * k} for k in (3, 1, 2, 1, 5)]
    answers = OpenVinoNet(convolution, options).run_each(batches)
    assert len(answers) == 5
    assert answers[1]["mixed"].tobytes() == answers[3]["mixed"].tobytes() == plain.tobytes()


def test_outputs_can_be_chosen_and_a_batch_set(convolution: Path) -> None:
    net = OpenVinoNet(convolution, OpenVinoOptions(outputs=("twice",), batch=3))
    assert set(net.outputs) == {"twice"}
    assert net.run({"image": np.repeat(IMAGE, 3, axis=0)})["twice"].shape == (3, 8, 8, 2)


def test_pixels_are_normalised_and_turned_to_rgb_inside(convolution: Path) -> None:
    pixels = np.random.default_rng(2).integers(0, 255, (1, 8, 8, 3), dtype=np.uint8)
    net = OpenVinoNet(convolution, pixels=PixelInput(mean=127.5, scale=127.5))
    assert net.inputs["image"].dtype == "uint8"
    by_hand = OpenVinoNet(convolution).run({"image": (pixels[..., ::-1].astype(np.float32) - 127.5) / 127.5})
    assert net.run({"image": pixels})["mixed"] == pytest.approx(by_hand["mixed"], abs=1e-4)


def test_the_description_says_what_runs(convolution: Path) -> None:
    info = OpenVinoNet(convolution, OpenVinoOptions(precision="f32", threads=1)).describe()
    assert (info.runtime, info.precision, info.threads, info.streams) == ("openvino", "f32", 1, 1)
    assert len(info.sha256) == 64
    assert info.device


@pytest.mark.parametrize(
    "arrays",
    [
        {},
        {"picture": IMAGE},
        {"image": IMAGE, "more": IMAGE},
        {"image": IMAGE[:, :4]},
        {"image": IMAGE.astype(np.float64)},
    ],
)
def test_wrong_inputs_are_named(convolution: Path, arrays: dict[str, np.ndarray]) -> None:
    with pytest.raises(WeightsError, match="input"):
        OpenVinoNet(convolution).run(arrays)


@pytest.mark.parametrize("data", [None, b"", b"not a net", b"\x1c\x00\x00\x00TFL3" + b"\x00" * 50])
@pytest.mark.parametrize("suffix", [".onnx", ".tflite"])
def test_a_missing_or_broken_file_is_one_clear_line(data: bytes | None, suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"net{suffix}"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(WeightsError) as caught:
        OpenVinoNet(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_unknown_output_or_device_is_named(convolution: Path) -> None:
    with pytest.raises(WeightsError, match="cannot adapt"):
        OpenVinoNet(convolution, OpenVinoOptions(outputs=("nothing",)))
    with pytest.raises(ResourceError, match="no device 'NPU9'"):
        OpenVinoNet(convolution, device="NPU9")


SIGNALLED = """
import gc, os, signal, sys
from pathlib import Path
from engines.runtimes.openvino_runtime import OpenVinoNet
first, second = (OpenVinoNet(Path(sys.argv[1])) for _ in range(2))
del first
gc.collect()
del second
gc.collect()
signal.signal(signal.SIGCHLD, lambda *_: print("handled"))
os.kill(os.getpid(), signal.SIGCHLD)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGCHLD"), reason="this system has no SIGCHLD")
def test_nets_may_come_and_go_before_a_signal(convolution: Path) -> None:
    """With a core for each net, their signal stacks were put back in the wrong order: a segmentation fault."""
    done = subprocess.run(
        [sys.executable, "-c", SIGNALLED, str(convolution)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout.strip()) == (0, "handled"), done.stderr
