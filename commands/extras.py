"""Parts that only some users install: import them when asked for, and say how to get them when absent."""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import Final

from stream.errors import ResourceError

EXTRAS: Final = {
    "torch": "train",
    "safetensors": "train",
    "onnx": "train",
    "onnxruntime": "train",
    "transformers": "clothing",
    "diffusers": "clothing",
    "accelerate": "clothing",
    "PIL": "clothing",
    "ultralytics": "yolo",
    "opentelemetry": "otel",
}


def needing_extra(module: str) -> ModuleType:
    """Import one of our own modules; raises ResourceError naming the extra that it lacks."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        extra = EXTRAS.get((error.name or "").split(".")[0])
        if extra is None:
            raise
        raise ResourceError(
            f"this needs {error.name}, which is not installed",
            fix=f"pip install -c constraints.txt -e '.[{extra}]'",
        ) from error
