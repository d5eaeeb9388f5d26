"""A .tflite is read by its tables and written as ONNX that computes the same, in any batch."""

from __future__ import annotations

import struct
from contextlib import suppress
from pathlib import Path

import flatbuffers
import numpy as np
import pytest

from engines.runtimes.choose import load_net
from engines.runtimes.net import FREE, NetOptions
from engines.tflite import read_tflite
from engines.tflite_to_onnx import convert, ensure_onnx
from engines.weights import ALL, cache_folder, is_sound
from stream.errors import WeightsError

CODES = {"ADD": 0, "CONV_2D": 3, "DEPTHWISE_CONV_2D": 4, "DEPTH_TO_SPACE": 5, "DEQUANTIZE": 6, "LOGISTIC": 14,
         "MAX_POOL_2D": 17, "RESHAPE": 22, "RESIZE_BILINEAR": 23, "PAD": 34, "DENSIFY": 124, "MEAN": 40}  # fmt: skip
KINDS = {"float32": 0, "float16": 1, "int32": 2}


class Maker:
    """A .tflite of a few operators, table by table."""

    def __init__(self) -> None:
        self.b = flatbuffers.Builder(1024)
        self.buffers, self.tensors, self.operators, self.codes = [b""], [], [], []

    def tensor(
        self, name: str, shape: tuple[int, ...], values: np.ndarray | None = None, sparsity=None
    ) -> int:
        buffer = 0
        if values is not None:
            self.buffers.append(values.tobytes())
            buffer = len(self.buffers) - 1
        kind = KINDS[str(values.dtype)] if values is not None else 0
        self.tensors.append((name, shape, kind, buffer, sparsity))
        return len(self.tensors) - 1

    def operator(
        self, name: str, inputs: list[int], outputs: list[int], **options: tuple[int, str, int]
    ) -> None:
        if CODES[name] not in self.codes:
            self.codes.append(CODES[name])
        self.operators.append((self.codes.index(CODES[name]), inputs, outputs, options))

    def ints(self, values) -> int:
        return self.b.CreateNumpyVector(np.asarray(values, np.int32))

    def table(self, fields: dict[int, tuple[str, int]]) -> int:
        self.b.StartObject(max(fields, default=0) + 1)
        for number, (kind, value) in fields.items():
            if kind == "o":
                self.b.PrependUOffsetTRelativeSlot(number, value, 0)
            elif kind == "b":
                self.b.PrependInt8Slot(number, value, 0)
            else:
                self.b.PrependInt32Slot(number, value, 0)
        return self.b.EndObject()

    def tables(self, places: list[int]) -> int:
        self.b.StartVector(4, len(places), 4)
        for place in reversed(places):
            self.b.PrependUOffsetTRelative(place)
        return self.b.EndVector()

    def sparsity(self, order, blocks, levels) -> int:
        made = []
        for level in levels:
            if isinstance(level, int):
                made.append(self.table({0: ("b", 0), 1: ("i", level)}))
            else:
                lists = [self.table({0: ("o", self.ints(values))}) for values in level]
                made.append(
                    self.table(
                        {0: ("b", 1), 2: ("b", 1), 3: ("o", lists[0]), 4: ("b", 1), 5: ("o", lists[1])}
                    )
                )
        return self.table(
            {0: ("o", self.ints(order)), 1: ("o", self.ints(blocks)), 2: ("o", self.tables(made))}
        )

    def bytes(self, inputs: list[int], outputs: list[int], subgraphs: int = 1) -> bytes:
        tensors = []
        for name, shape, kind, buffer, sparsity in self.tensors:
            fields = {
                0: ("o", self.ints(shape)),
                1: ("b", kind),
                2: ("i", buffer),
                3: ("o", self.b.CreateString(name)),
            }
            if sparsity is not None:
                fields[6] = ("o", self.sparsity(*sparsity))
            tensors.append(self.table(fields))
        operators = []
        for code, ins, outs, options in self.operators:
            held = self.table({number: (kind, value) for number, kind, value in options.values()})
            operators.append(
                self.table(
                    {0: ("i", code), 1: ("o", self.ints(ins)), 2: ("o", self.ints(outs)), 4: ("o", held)}
                )
            )
        graph = self.table(
            {0: ("o", self.tables(tensors)), 1: ("o", self.ints(inputs)), 2: ("o", self.ints(outputs)),
             3: ("o", self.tables(operators))}
        )  # fmt: skip
        buffers = []
        for data in self.buffers:
            buffers.append(self.table({0: ("o", self.b.CreateByteVector(data))} if data else {}))
        codes = [self.table({0: ("b", min(code, 127)), 3: ("i", code)}) for code in self.codes]
        model = self.table(
            {0: ("i", 3), 1: ("o", self.tables(codes)), 2: ("o", self.tables([graph] * subgraphs)),
             4: ("o", self.tables(buffers))}
        )  # fmt: skip
        self.b.Finish(model, file_identifier=b"TFL3")
        return bytes(self.b.Output())


def conv(padding: int, stride: int, activation: int) -> dict:
    return {"p": (0, "b", padding), "w": (1, "i", stride), "h": (2, "i", stride), "a": (3, "b", activation)}


KERNEL = np.random.default_rng(1).normal(size=(4, 3, 3, 2)).astype(np.float16)
SPARSE = np.zeros((4, 1, 1, 4), np.float16)
SPARSE[1, 0, 0, 2], SPARSE[3, 0, 0, 0] = 1.5, -2.0


def small_net() -> bytes:
    """Padding, a strided convolution from half weights, a sparse one, a sigmoid: (1, 6, 6, 2) -> (1, 3, 3, 4)."""
    make = Maker()
    image = make.tensor("image", (1, 6, 6, 2))
    pads = make.tensor("pads", (4, 2), np.array([[0, 0], [1, 1], [1, 1], [0, 0]], np.int32))
    padded = make.tensor("padded", (1, 8, 8, 2))
    half = make.tensor("half", (4, 3, 3, 2), KERNEL)
    full = make.tensor("full", (4, 3, 3, 2))
    bias = make.tensor("bias", (4,), np.array([0.1, 0.2, 0.3, 0.4], np.float32))
    first = make.tensor("first", (1, 3, 3, 4))
    values = SPARSE[SPARSE != 0]
    order = ([0, 1, 2, 3], [], [4, 1, 1, ([0, 0, 1, 1, 2], [2, 0])])
    sparse = make.tensor("sparse", (4, 1, 1, 4), values, order)
    dense, single = make.tensor("dense", (4, 1, 1, 4)), make.tensor("single", (4, 1, 1, 4))
    second = make.tensor("second", (1, 3, 3, 4))
    answer = make.tensor("answer", (1, 3, 3, 4))
    make.operator("PAD", [image, pads], [padded])
    make.operator("DEQUANTIZE", [half], [full])
    make.operator("CONV_2D", [padded, full, bias], [first], **conv(1, 2, 3))
    make.operator("DENSIFY", [sparse], [dense])
    make.operator("DEQUANTIZE", [dense], [single])
    make.operator("CONV_2D", [first, single, -1], [second], **conv(0, 1, 0))
    make.operator("LOGISTIC", [second], [answer])
    return make.bytes([image], [answer])


def by_hand(image: np.ndarray) -> np.ndarray:
    padded = np.pad(image.astype(np.float64), ((0, 0), (1, 1), (1, 1), (0, 0)))
    first = np.zeros((len(image), 3, 3, 4))
    for y in range(3):
        for x in range(3):
            patch = padded[:, 2 * y : 2 * y + 3, 2 * x : 2 * x + 3]
            first[:, y, x] = np.einsum("nhwc,ohwc->no", patch, KERNEL.astype(np.float64))
    first = np.clip(first + np.array([0.1, 0.2, 0.3, 0.4]), 0, 6)
    return 1 / (1 + np.exp(-np.einsum("nhwc,oc->nhwo", first, SPARSE[:, 0, 0].astype(np.float64))))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "small.tflite"
    file.write_bytes(small_net())
    return file


def test_half_and_sparse_weights_are_read_in_full(path: Path) -> None:
    net = read_tflite(path)
    named = {tensor.name: tensor for tensor in net.tensors}
    np.testing.assert_array_equal(named["half"].values, KERNEL)
    np.testing.assert_array_equal(named["sparse"].values, SPARSE)
    assert [operator.name for operator in net.operators][:3] == ["PAD", "DEQUANTIZE", "CONV_2D"]
    assert net.operators[2].options["stride_w"] == 2
    assert net.operators[2].options["dilation_h"] == 1


@pytest.mark.parametrize("runtime", ["openvino", "onnxruntime", "torch"])
def test_the_onnx_computes_what_the_tflite_says_in_any_batch(
    path: Path, runtime: str, tmp_path: Path
) -> None:
    net = load_net(convert(path, tmp_path / "small.onnx"), runtime, NetOptions(batch=0, threads=1))
    assert net.inputs["image"].shape == (FREE, 6, 6, 2)
    image = np.random.default_rng(2).random((3, 6, 6, 2)).astype(np.float32)
    np.testing.assert_allclose(net.run({"image": image})["answer"], by_hand(image), atol=1e-5)


def test_blocks_of_a_sparse_tensor_lie_where_they_belong(tmp_path: Path) -> None:
    """(4, 2) in blocks of 2 along the first side: only the lower block of the second column is there."""
    make = Maker()
    values = np.array([5, 6], np.float32)
    make.tensor("w", (4, 2), values, ([0, 1, 2], [0], [2, ([0, 0, 1], [1]), 2]))
    (tmp_path / "b.tflite").write_bytes(make.bytes([], []))
    wanted = np.zeros((4, 2), np.float32)
    wanted[2, 1], wanted[3, 1] = 5, 6
    np.testing.assert_array_equal(read_tflite(tmp_path / "b.tflite").tensors[0].values, wanted)


def test_a_conversion_is_made_once_and_again_for_another_source(path: Path, tmp_path: Path) -> None:
    made = ensure_onnx(path, tmp_path / "cache")
    before = made.stat().st_mtime_ns
    assert ensure_onnx(path, tmp_path / "cache").stat().st_mtime_ns == before
    made.write_bytes(b"harmed")
    assert load_net(ensure_onnx(path, tmp_path / "cache"), "openvino").outputs.keys() == {"answer"}
    path.write_bytes(path.read_bytes() + b"\0")
    assert ensure_onnx(path, tmp_path / "cache").stat().st_mtime_ns != before


def test_a_file_cut_anywhere_is_refused_in_one_line(path: Path) -> None:
    whole = path.read_bytes()
    for length in [0, 3, 8, *range(12, len(whole) - 8, 37)]:
        path.write_bytes(whole[:length])
        with pytest.raises(WeightsError) as caught:
            read_tflite(path)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)


def test_a_harmed_file_never_gives_a_stack_trace(path: Path) -> None:
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(200):
        harmed = bytearray(whole)
        place = int(rng.integers(0, len(whole) - 4))
        harmed[place : place + 4] = struct.pack("<I", int(rng.integers(0, 2**32)))
        path.write_bytes(bytes(harmed))
        with suppress(WeightsError):
            read_tflite(path)


def test_what_the_reader_does_not_know_is_named(tmp_path: Path) -> None:
    make = Maker()
    make.operator("MEAN", [make.tensor("a", (1, 2))], [make.tensor("b", (1, 2))])
    path = tmp_path / "net.tflite"
    path.write_bytes(make.bytes([0], [1]))
    with pytest.raises(WeightsError, match="operator 40"):
        read_tflite(path)
    path.write_bytes(Maker().bytes([], [], subgraphs=2))
    with pytest.raises(WeightsError, match="2 subgraphs"):
        read_tflite(path)
    with pytest.raises(WeightsError, match="no such net"):
        read_tflite(tmp_path / "none.tflite")


@pytest.mark.parametrize("weights", ALL, ids=lambda weights: weights.name)
def test_blazepose_as_onnx_agrees_with_the_tflite_in_every_runtime(weights, tmp_path: Path) -> None:
    """Within 1e-3 of each output's largest value, three pictures at once against one by one."""
    path = cache_folder() / weights.name
    if not is_sound(path, weights):
        pytest.skip(f"{weights.name} is not in the cache")
    reference = load_net(path, "openvino", NetOptions(threads=1))
    shape = reference.inputs["input_1"].shape
    images = np.random.default_rng(0).random((3, *shape[1:])).astype(np.float32)
    wanted = [reference.run({"input_1": images[k : k + 1]}) for k in range(3)]
    converted = ensure_onnx(path, tmp_path)
    for runtime in ("openvino", "onnxruntime", "torch"):
        found = load_net(converted, runtime, NetOptions(batch=0, threads=1)).run({"input_1": images})
        for name in wanted[0]:
            together = np.concatenate([one[name] for one in wanted])
            largest = max(float(np.abs(together).max()), 1e-3)
            assert np.abs(found[name] - together).max() <= 1e-3 * largest, (runtime, name)
