"""An ONNX graph in half precision: weights and what flows between nodes, but for those that would overflow.

Inputs and outputs stay in f32, so that nobody who runs it need know. Sums of squares, roots and norms, which
leave the range of half precision (65,504), are computed in f32 between casts.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

WIDE: Final = frozenset(
    {
        "Pow",
        "ReduceSum",
        "ReduceL2",
        "ReduceMean",
        "Sqrt",
        "Div",
        "Clip",
        "LayerNormalization",
        "Softmax",
        "Exp",
    }
)
"""Operators that are left in f32."""
LARGEST: Final = 65504.0


def to_half(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy of the model whose narrow part computes in half precision."""
    typed = onnx.shape_inference.infer_shapes(model)
    floats = _float_values(typed.graph)
    graph, nodes = typed.graph, list(typed.graph.node)
    given = [value.name for value in _given(graph, floats)]
    kept = [_cast(name, _narrow(name), TensorProto.FLOAT16) for name in given]
    renamed = {name: _narrow(name) for name in given}
    weights = []
    for tensor in graph.initializer:
        weights.append(tensor)
        if tensor.data_type == TensorProto.FLOAT:
            values = np.clip(numpy_helper.to_array(tensor), -LARGEST, LARGEST).astype(np.float16)
            weights.append(numpy_helper.from_array(values, _narrow(tensor.name)))
            renamed[tensor.name] = _narrow(tensor.name)
    outputs = {value.name for value in graph.output}
    for place, node in enumerate(nodes):
        if node.op_type in WIDE:
            kept += _wide(node, place, renamed, floats, {tensor.name for tensor in graph.initializer})
        else:
            kept += _half(node, renamed, floats, outputs)
    used = {name for node in kept for name in node.input}
    del graph.node[:]
    graph.node.extend(kept)
    del graph.initializer[:]
    graph.initializer.extend(tensor for tensor in weights if tensor.name in used)
    del graph.value_info[:]
    onnx.checker.check_model(typed, full_check=True)
    return typed


def _float_values(graph: onnx.GraphProto) -> set[str]:
    """Names of everything that is a 32-bit float."""
    values = [*graph.value_info, *graph.input, *graph.output]
    names = {value.name for value in values if value.type.tensor_type.elem_type == TensorProto.FLOAT}
    return names | {tensor.name for tensor in graph.initializer if tensor.data_type == TensorProto.FLOAT}


def _given(graph: onnx.GraphProto, floats: set[str]) -> list[onnx.ValueInfoProto]:
    weights = {tensor.name for tensor in graph.initializer}
    return [value for value in graph.input if value.name in floats and value.name not in weights]


def _half(
    node: onnx.NodeProto, renamed: dict[str, str], floats: set[str], outputs: set[str]
) -> list[onnx.NodeProto]:
    """A node on half-precision values; what the graph gives is cast back."""
    for k, name in enumerate(node.input):
        node.input[k] = renamed.get(name, name)
    casts = []
    for k, name in enumerate(node.output):
        if name in floats:
            renamed[name] = node.output[k] = _narrow(name)
            if name in outputs:
                casts.append(_cast(_narrow(name), name, TensorProto.FLOAT))
    return [node, *casts]


def _wide(
    node: onnx.NodeProto,
    place: int,
    renamed: dict[str, str],
    floats: set[str],
    weights: set[str],
) -> list[onnx.NodeProto]:
    """A node in f32 between casts; its weights are taken as they were."""
    before, after = [], []
    for k, name in enumerate(node.input):
        if name in renamed and name not in weights:
            widened = f"{name}_wide_{place}"
            before.append(_cast(renamed[name], widened, TensorProto.FLOAT))
            node.input[k] = widened
    for name in node.output:
        if name in floats:
            renamed[name] = _narrow(name)
            after.append(_cast(name, _narrow(name), TensorProto.FLOAT16))
    return [*before, node, *after]


def _narrow(name: str) -> str:
    return f"{name}_half"


def _cast(source: str, target: str, kind: int) -> onnx.NodeProto:
    return helper.make_node("Cast", [source], [target], name=f"cast_{target}", to=kind)
