"""ONNX Runtime behind the Net protocol, on processors, in f32: the second opinion, and ARM's first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import onnxruntime as ort
from numpy.typing import NDArray

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


class OnnxRuntimeNet:
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
        self._inputs = {
            spec.name: _with_batch(spec, options.batch) for spec in map(_spec, self._session.get_inputs())
        }
        self._outputs = _chosen(
            {spec.name: _with_batch(spec, options.batch) for spec in map(_spec, self._session.get_outputs())},
            options.outputs,
            path,
        )
        self._info = NetInfo(
            path.name, sha256_of(path), "onnxruntime", ort.__version__, "CPU", "f32", threads, 1
        )

    @property
    def inputs(self) -> Mapping[str, TensorSpec]:
        """What ``run`` wants, by name."""
        return self._inputs

    @property
    def outputs(self) -> Mapping[str, TensorSpec]:
        """What ``run`` gives, by name."""
        return self._outputs

    def describe(self) -> NetInfo:
        """The runtime, its version, the device and the precision."""
        return self._info

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

    def run_each(self, batches: Sequence[Arrays]) -> list[dict[str, NDArray[Any]]]:
        """Independent inferences, one after the other."""
        return [self.run(arrays) for arrays in batches]


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


def _with_batch(spec: TensorSpec, batch: int) -> TensorSpec:
    """The spec with a free first side set to ``batch``; 0 leaves it free."""
    if not spec.shape or spec.shape[0] != FREE or not batch:
        return spec
    return TensorSpec(spec.name, spec.dtype, (batch, *spec.shape[1:]))


def _chosen(found: dict[str, TensorSpec], wanted: tuple[str, ...], path: Path) -> dict[str, TensorSpec]:
    if unknown := sorted(set(wanted) - found.keys()):
        raise WeightsError(f"no output {unknown[0]!r}", where=str(path), wanted=f"one of {sorted(found)}")
    return {name: found[name] for name in wanted} if wanted else found


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
