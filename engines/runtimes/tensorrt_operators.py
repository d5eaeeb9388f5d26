"""Whether TensorRT can take a graph, told before minutes of building: its documented operators and limits.

From NVIDIA's support matrix of its ONNX parser. Plug-ins are not used.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import onnx

from engines.runtimes.engine_check import load_graph
from stream.errors import WeightsError

_NAMES: Final = (
    "Abs Acos Acosh Add And ArgMax ArgMin Asin Asinh Atan Atanh AveragePool BatchNormalization Cast Ceil "
    "Celu Clip Concat Constant ConstantOfShape Conv ConvTranspose Cos Cosh CumSum DepthToSpace "
    "DequantizeLinear Div Dropout Einsum Elu Equal Erf Exp Expand EyeLike Flatten Floor GRU Gather "
    "GatherElements GatherND Gemm GlobalAveragePool GlobalLpPool GlobalMaxPool Greater GreaterOrEqual "
    "HardSigmoid Identity If InstanceNormalization IsNaN LRN LSTM LayerNormalization LeakyRelu Less "
    "LessOrEqual Log LogSoftmax Loop LpNormalization LpPool MatMul Max MaxPool Mean Min Mul Neg "
    "NonMaxSuppression Not Or PRelu Pad Pow QuantizeLinear RNN RandomUniform RandomUniformLike Range "
    "ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum "
    "ReduceSumSquare Relu Reshape Resize ReverseSequence Round Scan ScatterElements ScatterND Selu Shape "
    "Sigmoid Sign Sin Sinh Size Slice Softmax Softplus Softsign SpaceToDepth Split Sqrt Squeeze Sub Sum "
    "Tan Tanh ThresholdedRelu Tile TopK Transpose Unsqueeze Upsample Where Xor "
)
SUPPORTED: Final = frozenset(_NAMES.split())
CONSTANT_INPUTS: Final = {
    "Slice": ((3, "axes"),),
    "Squeeze": ((1, "axes"),),
    "Unsqueeze": ((1, "axes"),),
    "TopK": ((1, "K"),),
    "CumSum": ((1, "axis"),),
    "InstanceNormalization": ((1, "scale"), (2, "B")),
}
"""Inputs that must be known when the engine is built."""
FLOATING: Final = (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16, onnx.TensorProto.BFLOAT16)


def check_operators(path: Path) -> None:
    """Raises WeightsError that names every node beyond TensorRT's documented set."""
    troubles = list(dict.fromkeys(find_troubles(load_graph(path).graph)))
    if troubles:
        raise WeightsError(
            "TensorRT does not take this graph: " + "; ".join(troubles[:5]),
            where=str(path),
            wanted="operators of its documented set",
            fix="Run it with the runtime openvino or onnxruntime",
        )


def find_troubles(graph: onnx.GraphProto) -> Iterator[str]:
    """What of a graph is beyond the documented set, in words."""
    constants = {tensor.name: tensor for tensor in graph.initializer}
    known = constants.keys() | {node.output[0] for node in graph.node if node.op_type == "Constant"}
    for node in graph.node:
        if node.domain not in ("", "ai.onnx"):
            yield f"{node.op_type} of the domain {node.domain}"
        elif node.op_type not in SUPPORTED:
            yield f"the operator {node.op_type}"
        else:
            yield from _limits(node, known, constants)


def _limits(node: onnx.NodeProto, known: set[str], constants: dict[str, onnx.TensorProto]) -> Iterator[str]:
    for place, name in CONSTANT_INPUTS.get(node.op_type, ()):
        if place < len(node.input) and node.input[place] and node.input[place] not in known:
            yield f"{node.op_type} whose {name} is computed"
    attributes = {entry.name: onnx.helper.get_attribute_value(entry) for entry in node.attribute}
    if node.op_type in ("AveragePool", "MaxPool") and len(attributes.get("kernel_shape", (1, 1))) not in (
        2,
        3,
    ):
        yield f"{node.op_type} that is not in 2 or 3 sides"
    if node.op_type == "MaxPool" and len(node.output) > 1:
        yield "MaxPool with indices"
    if node.op_type == "Resize" and attributes.get("mode", b"nearest") not in (
        b"nearest",
        b"linear",
        b"cubic",
    ):
        yield "Resize of another mode than nearest, linear and cubic"
    if node.op_type in ("QuantizeLinear", "DequantizeLinear") and len(node.input) > 2:
        zero = constants.get(node.input[2])
        if zero is None or onnx.numpy_helper.to_array(zero).any():
            yield f"{node.op_type} with a zero point that is not 0"


def precision_of(path: Path) -> str:
    """What a strongly typed engine will compute in: as the ONNX says, int8 where it quantises."""
    graph = load_graph(path).graph
    if any(node.op_type == "QuantizeLinear" for node in graph.node):
        return "int8"
    sizes = dict.fromkeys(FLOATING, 0)
    for tensor in graph.initializer:
        if tensor.data_type in sizes:
            sizes[tensor.data_type] += math.prod(tensor.dims)
    widest = max(FLOATING, key=lambda kind: sizes[kind])
    return {FLOATING[0]: "f32", FLOATING[1]: "f16", FLOATING[2]: "bf16"}[widest]
