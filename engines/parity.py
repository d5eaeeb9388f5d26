"""Whether an exported graph computes what it was exported from: arrays in, the largest relative error out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from engines.runtimes.choose import load_net
from engines.runtimes.net import NetOptions
from engines.runtimes.openvino_core import core
from stream.errors import ResourceError, WeightsError

Values = NDArray[np.float32]
Runner = Callable[[Mapping[str, Values]], dict[str, Values]]
Runtime = Literal["openvino", "onnxruntime"]
RUNTIMES: Final[tuple[Runtime, ...]] = ("openvino", "onnxruntime")

# Of the output's largest value. Kernels add in different orders; f32 leaves two orders of magnitude of room.
WINDOW_LIMIT: Final = 1e-4
STREAMING_LIMIT: Final = 1e-5
# The pose nets are fifty layers deep and their masks' logits reach 1500.
TFLITE_LIMIT: Final = 1e-3
CHECKED_PICTURES: Final = 3


class Parity(msgspec.Struct, frozen=True):
    """One comparison: ``error`` is the largest difference over the reference's largest value."""

    runtime: Runtime
    form: Literal["window", "streaming", "net"]
    against: Literal["torch", "window", "tflite"]
    error: float
    limit: float

    @property
    def ok(self) -> bool:
        """Whether the error is within its limit; not a number never is."""
        return self.error <= self.limit


@dataclass(frozen=True)
class StreamingNames:
    """How the tensors of a streaming pair are called."""

    frames: str
    real: str
    mapped: str
    states: tuple[str, ...]
    next_prefix: str


def runner(path: Path, runtime: Runtime) -> Runner:
    """The graph as a function of named arrays, in float32 on one CPU thread."""
    try:
        return _openvino(path) if runtime == "openvino" else _onnxruntime(path)
    except ModuleNotFoundError as error:
        raise ResourceError(
            f"{runtime} is not installed ({error})", fix="Install the extra `train`"
        ) from error
    except RuntimeError as error:
        raise WeightsError(f"{runtime} cannot read the graph ({error})", where=str(path)) from error


def _openvino(path: Path) -> Runner:
    compiled = core().compile_model(
        str(path), "CPU", {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}
    )
    names = [output.get_any_name() for output in compiled.outputs]

    def run(arrays: Mapping[str, Values]) -> dict[str, Values]:
        results = compiled(dict(arrays))
        return {name: np.array(results[i]) for i, name in enumerate(names)}

    return run


def _onnxruntime(path: Path) -> Runner:
    import onnxruntime as ort  # noqa: PLC0415 - only exporting needs it; the pipeline's install has none

    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]

    def run(arrays: Mapping[str, Values]) -> dict[str, Values]:
        return dict(zip(names, session.run(None, dict(arrays)), strict=True))

    return run


def run_streaming(
    trunk: Runner, head: Runner, frames: Values, states: Mapping[str, Values], names: StreamingNames, lag: int
) -> Values:
    """(N, T, *frame_shape) frame by frame, ``lag`` frames of padding last, the maximum, the head."""
    memory: dict[str, Values] = dict(states)
    blank, real = np.zeros_like(frames[:, 0]), np.ones((len(frames), 1), np.float32)
    best: Values | None = None
    for t in range(frames.shape[1] + lag):
        inside = t < frames.shape[1]
        out = trunk(
            {
                names.frames: np.ascontiguousarray(frames[:, t]) if inside else blank,
                names.real: real if inside else np.zeros_like(real),
                **memory,
            }
        )
        memory = {name: out[names.next_prefix + name] for name in names.states}
        best = out[names.mapped] if best is None else np.maximum(best, out[names.mapped])
    if best is None:
        raise WeightsError("a sequence without frames has no embedding", wanted="at least one frame")
    return next(iter(head({names.mapped: best}).values()))


def relative_error(found: NDArray[Any], wanted: NDArray[Any]) -> float:
    """The largest difference over the largest value wanted; infinite for another shape or no number."""
    if found.shape != wanted.shape:
        return float("inf")
    difference = float(np.abs(found.astype(np.float64) - wanted).max())
    largest = float(np.abs(wanted).max())
    if not np.isfinite(difference):
        return float("inf")
    return difference / largest if largest > 0 else difference


def tflite_parity(tflite: Path, converted: Path) -> list[Parity]:
    """The converted net in each runtime, several pictures at once, against the .tflite one by one."""
    reference = load_net(tflite, "openvino", NetOptions(threads=1))
    ((name, spec),) = reference.inputs.items()
    pictures = np.random.default_rng(0).random((CHECKED_PICTURES, *spec.shape[1:])).astype(np.float32)
    wanted = [reference.run({name: pictures[k : k + 1]}) for k in range(CHECKED_PICTURES)]
    results = []
    for runtime in RUNTIMES:
        found = load_net(converted, runtime, NetOptions(threads=1, batch=0)).run({name: pictures})
        error = max(
            _error(found[output], np.concatenate([one[output] for one in wanted]))
            for output in reference.outputs
        )
        results.append(Parity(runtime, "net", "tflite", error, TFLITE_LIMIT))
    return results


def _error(found: NDArray[Any], wanted: NDArray[Any]) -> float:
    """Relative, but for outputs below 1, as a presence of 1e-7 is, absolute."""
    return relative_error(found, wanted) * min(float(np.abs(wanted).max()), 1.0)
