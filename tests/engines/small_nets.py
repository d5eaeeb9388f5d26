"""Nets of a few numbers for tests of what surrounds nets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper


def save(path: Path, nodes: list[onnx.NodeProto], inputs: dict, outputs: dict, weights: dict) -> Path:
    """An ONNX file; shapes by name, a text side is free."""
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs.items()],
        [onnx.numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 9
    onnx.save(model, path)
    return path


def doubling(path: Path, batch: str | int = "batch", factor: float = 2.0) -> Path:
    """image (batch, 3) -> doubled (batch, 3)."""
    return save(
        path,
        [helper.make_node("Mul", ["image", "factor"], ["doubled"])],
        {"image": (batch, 3)},
        {"doubled": (batch, 3)},
        {"factor": np.array([factor], np.float32)},
    )
