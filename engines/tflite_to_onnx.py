"""A BlazePose .tflite as ONNX: planes first inside, names and layouts as they were outside, a free batch.

So the net runs in every runtime that has no reader for .tflite. Weights kept in half precision or sparsely
are written out as 32-bit floats, which changes none of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from engines.runtimes.engine_file import write_whole
from engines.tflite import TfliteNet, TfliteOperator, TfliteTensor, read_tflite
from engines.weights import cache_folder, sha256_of
from stream.errors import WeightsError

OPSET: Final = 17
BATCH: Final = "batch"
SOURCE_KEY: Final = "source_sha256"
SAME: Final = 0
RELU, RELU6 = 1, 3
KEEPS: Final = ("DEQUANTIZE", "DENSIFY")
"""Operators that only say how a weight is stored."""
TO_PLANES: Final = (0, 3, 1, 2)
TO_PIXELS: Final = (0, 2, 3, 1)


def ensure_onnx(tflite: Path, folder: Path | None = None) -> Path:
    """The converted net in the cache, made once per source file."""
    target = (folder or cache_folder()) / f"{tflite.stem}.onnx"
    digest = sha256_of(tflite)
    if not _made_from(target, digest):
        convert(tflite, target)
    return target


def convert(tflite: Path, target: Path) -> Path:
    """Write the net in ``tflite`` as ONNX to ``target``; raises WeightsError."""
    writer = _Writer(read_tflite(tflite))
    try:
        model = writer.model(tflite.stem)
    except KeyError as error:
        raise WeightsError(f"no way to write {error} as ONNX", where=str(tflite)) from error
    helper.set_model_props(model, {SOURCE_KEY: sha256_of(tflite)})
    onnx.checker.check_model(model, full_check=True)
    write_whole(target, model.SerializeToString())
    return target


def _made_from(target: Path, digest: str) -> bool:
    if not target.is_file():
        return False
    try:
        onnx.checker.check_model(str(target))
        properties = onnx.load(str(target)).metadata_props
    except (OSError, ValueError, onnx.checker.ValidationError):
        return False
    return any((entry.key, entry.value) == (SOURCE_KEY, digest) for entry in properties)


@dataclass
class _Writer:
    """Collects nodes and weights; ``named`` is each tensor's name in the ONNX graph, planes first."""

    net: TfliteNet
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    weights: dict[str, NDArray[Any]] = field(default_factory=dict)
    named: dict[int, str] = field(default_factory=dict)
    constants: dict[int, NDArray[Any]] = field(default_factory=dict)
    padded: dict[int, tuple[int, NDArray[Any]]] = field(default_factory=dict)

    def model(self, name: str) -> onnx.ModelProto:
        """The whole net."""
        for place, tensor in enumerate(self.net.tensors):
            if tensor.values is not None:
                self.constants[place] = tensor.values
        for place in self.net.inputs:
            self.named[place] = self._planes(self._tensor(place).name, place)
        for operator in self.net.operators:
            self._write(operator)
        for place in self.net.outputs:
            self._give(place)
        graph = helper.make_graph(
            self.nodes,
            name,
            [self._value(place) for place in self.net.inputs],
            [self._value(place) for place in self.net.outputs],
            [numpy_helper.from_array(np.ascontiguousarray(v), k) for k, v in self.weights.items()],
        )
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="gaitway"
        )
        model.ir_version = 9  # what ONNX Runtime of the last two years reads
        return model

    def _write(self, operator: TfliteOperator) -> None:
        if operator.name in KEEPS:
            self.constants[operator.outputs[0]] = self.constants[operator.inputs[0]].astype(np.float32)
            return
        if operator.name == "PAD" and self._only_convolutions(operator.outputs[0]):
            self.padded[operator.outputs[0]] = (operator.inputs[0], self.constants[operator.inputs[1]])
            return
        found = WRITERS[operator.name](self, operator)
        self.named[operator.outputs[0]] = self._activated(found, operator.options.get("activation", 0))

    def node(self, kind: str, inputs: list[str], **attributes: Any) -> str:
        """Add a node; the name of what it gives."""
        name = f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], name=name, **attributes))
        return name

    def weight(self, values: NDArray[Any]) -> str:
        """Add a weight; its name."""
        name = f"weight_{len(self.weights)}"
        self.weights[name] = values
        return name

    def source(self, place: int) -> str:
        """The name of an operator's input; constants of four sides have their planes first too."""
        if place in self.constants:
            values = self.constants[place]
            return self.weight(values.transpose(TO_PLANES) if values.ndim == 4 else values)
        return self.named[place]

    def shape(self, place: int) -> tuple[int, ...]:
        """As the .tflite says: pixels first."""
        return self._tensor(place).shape

    def _tensor(self, place: int) -> TfliteTensor:
        return self.net.tensors[place]

    def _planes(self, name: str, place: int) -> str:
        return self.node("Transpose", [name], perm=TO_PLANES) if len(self.shape(place)) == 4 else name

    def pixels(self, place: int) -> str:
        """An input in the layout that the .tflite knows."""
        name = self.named[place]
        return self.node("Transpose", [name], perm=TO_PIXELS) if len(self.shape(place)) == 4 else name

    def _give(self, place: int) -> None:
        """Call an output what it was called, in its own layout."""
        self.nodes.append(helper.make_node("Identity", [self.pixels(place)], [self._tensor(place).name]))

    def _value(self, place: int) -> onnx.ValueInfoProto:
        tensor = self._tensor(place)
        return helper.make_tensor_value_info(tensor.name, TensorProto.FLOAT, [BATCH, *tensor.shape[1:]])

    def _activated(self, name: str, activation: int) -> str:
        if activation == RELU:
            return self.node("Relu", [name])
        if activation == RELU6:
            bounds = [self.weight(np.array(bound, np.float32)) for bound in (0, 6)]
            return self.node("Clip", [name, *bounds])
        if activation:
            raise KeyError(f"activation {activation}")
        return name

    def _only_convolutions(self, place: int) -> bool:
        """Whether all that reads a padded tensor is a convolution without padding of its own."""
        users = [operator for operator in self.net.operators if place in operator.inputs]
        return place not in self.net.outputs and all(
            user.name in ("CONV_2D", "DEPTHWISE_CONV_2D") and user.options["padding"] != SAME
            for user in users
        )


def _convolution(writer: _Writer, operator: TfliteOperator) -> str:
    source, kernel, *bias = operator.inputs
    values = writer.constants[kernel]
    depthwise = operator.name == "DEPTHWISE_CONV_2D"
    weights = values.transpose((3, 0, 1, 2) if depthwise else TO_PLANES)
    options = operator.options
    strides, dilations = _pair(options, "stride"), _pair(options, "dilation")
    if source in writer.padded:
        source, amounts = writer.padded[source]
        pads = [int(amounts[side, end]) for end in (0, 1) for side in (1, 2)]
    else:
        pads = _pads(writer.shape(source), weights.shape[2:], strides, dilations, options["padding"])
    inputs = [writer.source(source), writer.weight(weights)]
    inputs += [writer.weight(writer.constants[place]) for place in bias if place >= 0]
    group = writer.shape(source)[3] if depthwise else 1
    return writer.node(
        "Conv",
        inputs,
        kernel_shape=list(weights.shape[2:]),
        strides=strides,
        dilations=dilations,
        pads=pads,
        group=group,
    )


def _pool(writer: _Writer, operator: TfliteOperator) -> str:
    options, source = operator.options, operator.inputs[0]
    kernel, strides = [options["height"], options["width"]], _pair(options, "stride")
    pads = _pads(writer.shape(source), kernel, strides, [1, 1], options["padding"])
    return writer.node("MaxPool", [writer.source(source)], kernel_shape=kernel, strides=strides, pads=pads)


def _resize(writer: _Writer, operator: TfliteOperator) -> str:
    options = operator.options
    before, after = (writer.shape(place) for place in (operator.inputs[0], operator.outputs[0]))
    scales = np.array([1, 1, after[1] / before[1], after[2] / before[2]], np.float32)
    mode = "align_corners" if options["align_corners"] else "asymmetric"
    if options["half_pixel_centers"]:
        mode = "half_pixel"
    names = [writer.source(operator.inputs[0]), "", writer.weight(scales)]
    return writer.node("Resize", names, mode="linear", coordinate_transformation_mode=mode)


def _reshape(writer: _Writer, operator: TfliteOperator) -> str:
    target = writer.constants[operator.inputs[1]].astype(np.int64).copy()
    if target[0] == 1:
        target[0] = 0  # the batch, as it comes
    if len(target) == 4:
        raise KeyError("RESHAPE to four sides")
    return writer.node("Reshape", [writer.pixels(operator.inputs[0]), writer.weight(target)])


def _concatenation(writer: _Writer, operator: TfliteOperator) -> str:
    rank = len(writer.shape(operator.outputs[0]))
    axis = operator.options["axis"] % rank
    if rank == 4:
        axis = TO_PLANES.index(axis)
    return writer.node("Concat", [writer.source(place) for place in operator.inputs], axis=axis)


def _padding(writer: _Writer, operator: TfliteOperator) -> str:
    amounts = writer.constants[operator.inputs[1]][list(TO_PLANES)]
    flat = np.concatenate([amounts[:, 0], amounts[:, 1]]).astype(np.int64)
    return writer.node("Pad", [writer.source(operator.inputs[0]), writer.weight(flat)])


def _depth_to_space(writer: _Writer, operator: TfliteOperator) -> str:
    block = operator.options["block"]
    return writer.node("DepthToSpace", [writer.source(operator.inputs[0])], blocksize=block, mode="DCR")


def _plain(kind: str) -> Callable[[_Writer, TfliteOperator], str]:
    return lambda writer, operator: writer.node(kind, [writer.source(place) for place in operator.inputs])


WRITERS: Final[dict[str, Callable[[_Writer, TfliteOperator], str]]] = {
    "ADD": _plain("Add"),
    "CONCATENATION": _concatenation,
    "CONV_2D": _convolution,
    "DEPTHWISE_CONV_2D": _convolution,
    "DEPTH_TO_SPACE": _depth_to_space,
    "LOGISTIC": _plain("Sigmoid"),
    "MAX_POOL_2D": _pool,
    "MUL": _plain("Mul"),
    "PAD": _padding,
    "RELU": _plain("Relu"),
    "RESHAPE": _reshape,
    "RESIZE_BILINEAR": _resize,
}


def _pair(options: dict[str, int], name: str) -> list[int]:
    return [options[f"{name}_h"], options[f"{name}_w"]]


def _pads(
    shape: tuple[int, ...],
    kernel: tuple[int, ...] | list[int],
    strides: list[int],
    dilations: list[int],
    padding: int,
) -> list[int]:
    """ONNX's begins and ends; TensorFlow's SAME puts the odd one at the end."""
    if padding != SAME:
        return [0, 0, 0, 0]
    begins, ends = [], []
    for side, width, stride, dilation in zip(shape[1:3], kernel, strides, dilations, strict=True):
        reach = (width - 1) * dilation + 1
        missing = max((math.ceil(side / stride) - 1) * stride + reach - side, 0)
        begins.append(missing // 2)
        ends.append(missing - missing // 2)
    return begins + ends
