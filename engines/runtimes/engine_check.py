"""Reading an ONNX file, with one clear line where it is none, or where its weights are no numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx

from stream.errors import WeightsError


def load_graph(path: Path) -> onnx.ModelProto:
    """The model at ``path``, checked; raises WeightsError."""
    if not path.is_file():
        raise WeightsError("no such net", where=str(path), fix="Export it: python run_pipeline.py export")
    try:
        onnx.checker.check_model(str(path))
        return onnx.load(str(path))
    except (OSError, ValueError, onnx.checker.ValidationError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise WeightsError(f"this is no ONNX net ({reason})", where=str(path), wanted=".onnx") from error


def check_weights(path: Path) -> None:
    """Raises WeightsError where a weight is NaN or infinite: such a net answers, and answers wrongly."""
    for tensor in load_graph(path).graph.initializer:
        values = onnx.numpy_helper.to_array(tensor)
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            raise WeightsError(
                f"weight {tensor.name!r} holds NaN or infinity",
                where=str(path),
                fix="Export the net again from sound weights",
            )
