"""ONNX Runtime behind the Net protocol, on processors, in f32: the second opinion, and ARM's first."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import onnxruntime as ort
from numpy.typing import NDArray

from engines.runtimes.base import LoadedNet, chosen, with_batch
from engines.runtimes.engine_check import check_weights
from engines.runtimes.net import (
    FREE,
    Arrays,
    NetInfo,
    NetOptions,
    TensorSpec,
    check_inputs,
    usable_threads,
)
from engines.weights import sha256_of
from stream.errors import ConfigError, WeightsError

TYPES: Final = {
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(double)": "float64",
    "tensor(uint8)": "uint8",
    "tensor(int8)": "int8",
    "tensor(int32)": "int32",
    "tensor(int64)": "int64",
    "tensor(bool)": "bool",
}
"""ONNX Runtime's names of types, and NumPy's."""


class OnnxRuntimeNet(LoadedNet):
    """One session on the CPU. Streams are not offered: inferences follow each other, each on all threads."""

    def __init__(self, path: Path, options: NetOptions | None = None) -> None:
        options = options or NetOptions()
        if options.precision != "f32":
            raise ConfigError(
                f"ONNX Runtime runs no net in {options.precision} on a CPU",
                wanted="precision f32, or the runtime openvino",
            )
        threads = usable_threads(options.threads)
        self._session = _session(path, threads)
        check_weights(path)
        self._inputs = with_batch(map(_spec, self._session.get_inputs()), options.batch)
        outputs = with_batch(map(_spec, self._session.get_outputs()), options.batch)
        self._outputs = chosen(outputs, options.outputs, str(path))
        self._info = NetInfo(
            path.name, sha256_of(path), "onnxruntime", ort.__version__, "CPU", "f32", threads, 1
        )

    def run(self, arrays: Arrays) -> dict[str, NDArray[Any]]:
        """One inference; the results are the caller's own copies."""
        check_inputs(self._inputs, arrays)
        names = list(self._outputs)
        try:
            return dict(zip(names, self._session.run(names, dict(arrays)), strict=True))
        except RUN_ERRORS as error:
            raise WeightsError(
                f"ONNX Runtime failed in this net ({_first_line(error)})", where=self._info.name
            ) from error


_STATE: Any = ort.capi.onnxruntime_pybind11_state
LOAD_ERRORS: Final[tuple[type[Exception], ...]] = (
    _STATE.InvalidProtobuf,
    _STATE.InvalidGraph,
    _STATE.InvalidArgument,
    _STATE.NotImplemented,
    _STATE.NoModel,
    _STATE.Fail,
)
RUN_ERRORS: Final[tuple[type[Exception], ...]] = (
    _STATE.InvalidArgument,
    _STATE.Fail,
    _STATE.RuntimeException,
)


def _session(path: Path, threads: int) -> ort.InferenceSession:
    if not path.is_file():
        raise WeightsError("no such net", where=str(path))
    if path.suffix != ".onnx":
        raise WeightsError(
            "ONNX Runtime reads .onnx alone",
            where=str(path),
            fix="Convert it: python run_pipeline.py export blazepose --format onnx",
        )
    settings = ort.SessionOptions()
    settings.intra_op_num_threads = threads
    settings.inter_op_num_threads = 1
    settings.log_severity_level = 4  # what goes wrong is raised, and said once
    # Threads that wait in a loop would take the cores of the other stages.
    settings.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return ort.InferenceSession(str(path), settings, providers=["CPUExecutionProvider"])
    except LOAD_ERRORS as error:
        raise WeightsError(
            f"ONNX Runtime cannot read this net ({_first_line(error)})", where=str(path), wanted=".onnx"
        ) from error


def _spec(tensor: Any) -> TensorSpec:
    sides = tuple(side if isinstance(side, int) else FREE for side in tensor.shape)
    return TensorSpec(tensor.name, TYPES.get(tensor.type, tensor.type), sides)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
