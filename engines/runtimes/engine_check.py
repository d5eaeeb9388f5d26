"""Reading an ONNX file, with one clear line where it is none, or where its weights are no numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import onnx
from google.protobuf.message import DecodeError

from engines.runtimes.net import damaged, is_no_weight
from stream.errors import WeightsError

MULTIPLIES: Final = ("Conv", "ConvTranspose", "MatMul", "Gemm", "BatchNormalization")


def load_graph(path: Path) -> onnx.ModelProto:
    """The model at ``path``, checked; raises WeightsError."""
    if not path.is_file():
        raise WeightsError("no such net", where=str(path), fix="Export it: python run_pipeline.py export")
    try:
        onnx.checker.check_model(str(path))
        return onnx.load(str(path))
    except (OSError, ValueError, DecodeError, onnx.checker.ValidationError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise WeightsError(f"this is no ONNX net ({reason})", where=str(path), wanted=".onnx") from error


def check_weights(path: Path) -> None:
    """Raises WeightsError where a weight is no number: such a net answers, and answers wrongly.

    A rectifier can turn NaN into 0, so the answers alone do not always tell. Infinity may stand in masks and
    limits, but in no weight that is multiplied by.
    """
    check_graph(load_graph(path).graph, str(path))


def check_graph(graph: onnx.GraphProto, where: str) -> None:
    """The same of a graph that has been read."""
    multiplied = {name for node in graph.node if node.op_type in MULTIPLIES for name in node.input}
    for tensor in graph.initializer:
        values = onnx.numpy_helper.to_array(tensor)
        if is_no_weight(values, multiplied=tensor.name in multiplied):
            raise damaged(tensor.name, where)
