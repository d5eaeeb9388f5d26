"""From an exported ONNX to what one runtime loads fastest: OpenVINO's own files, or a TensorRT engine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import openvino as ov

from engines.runtimes.cuda import NoGpu, find_gpu
from engines.runtimes.engine_check import check_weights
from engines.runtimes.openvino_core import core
from engines.runtimes.tensorrt_build import BuildOptions
from engines.runtimes.tensorrt_operators import check_operators
from engines.runtimes.tensorrt_runtime import SUFFIX, load_tensorrt
from stream.errors import ResourceError, WeightsError

Step = Callable[[str, int, int], None]


def to_openvino(onnx: Path) -> Path:
    """``.xml`` and ``.bin`` beside the ONNX, in its own precision, with all that it says of itself."""
    check_weights(onnx)
    target = onnx.with_suffix(".xml")
    try:
        model = core().read_model(onnx)
        ov.save_model(model, target, compress_to_fp16=False)
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1][:200]
        raise WeightsError(f"OpenVINO cannot convert this net ({reason})", where=str(onnx)) from error
    return target


def to_tensorrt(onnx: Path, options: BuildOptions | None = None, step: Step | None = None) -> Path:
    """The engine beside the ONNX. The graph is judged first, so that a machine without a GPU tells it too."""
    check_operators(onnx)
    found = find_gpu()
    if isinstance(found, NoGpu):
        raise ResourceError(
            f"TensorRT takes every operator of this graph, but no engine can be built here: {found.reason}",
            where=str(onnx),
            fix="Run the same command on the machine with the GPU: an engine fits the GPU that built it",
        )
    load_tensorrt(onnx, build=options, step=step).close()
    return onnx.with_suffix(SUFFIX)
