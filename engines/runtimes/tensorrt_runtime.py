"""TensorRT behind the Net protocol: pinned buffers, one stream, a CUDA graph per batch size.

A batch of a size not seen before runs once as it is (TensorRT sets itself up then), is captured, and from the
second time on is one launch. Where the GPU's memory does not hold the largest batch, half of it is tried, and
so on; larger calls are then cut, and ``describe`` says so.
"""

from __future__ import annotations

import ctypes
import importlib
import math
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from engines.runtimes.base import LoadedNet, chosen, in_parts
from engines.runtimes.cuda import Cuda, NoGpu, OutOfGpuMemoryError, find_gpu
from engines.runtimes.net import FREE, Arrays, NetInfo, NetOptions, TensorSpec, check_inputs
from engines.runtimes.tensorrt_build import Builder, BuildOptions, Step, options_beside, sides_of
from engines.weights import sha256_of
from stream.errors import ConfigError, ResourceError, WeightsError

if TYPE_CHECKING:
    import tensorrt as trt

SUFFIX: Final = ".engine"
MAX_GRAPHS: Final = 8
"""Batch sizes that have a graph of their own; the rest are launched call by call."""
TYPES: Final = {
    "FLOAT": "float32",
    "HALF": "float16",
    "INT8": "int8",
    "INT32": "int32",
    "INT64": "int64",
    "BOOL": "bool",
    "UINT8": "uint8",
}


def load_tensorrt(
    path: Path,
    options: NetOptions | None = None,
    *,
    build: BuildOptions | None = None,
    step: Step | None = None,
) -> TensorRtNet:
    """The net at ``path`` (.onnx) on this machine's GPU; its engine is built beside it where it must be."""
    found = find_gpu()
    if isinstance(found, NoGpu):
        raise ResourceError(
            f"TensorRT needs an NVIDIA GPU: {found.reason}", where=str(path), fix="Use runtime: auto"
        )
    try:
        api = importlib.import_module("tensorrt")
        api.Builder  # noqa: B018 - type stubs alone make an empty package of this name
    except (ImportError, AttributeError) as error:
        raise ResourceError(
            "TensorRT is not installed", where=str(path), fix="pip install -e '.[gpu]', or use runtime: auto"
        ) from error
    return TensorRtNet(path, Builder(api, found, step), Cuda(), options, build)


@dataclass
class _Tensor:
    """A named input or output and its two buffers, for the largest batch."""

    spec: TensorSpec
    is_input: bool
    device: int
    pinned: int

    @property
    def row_shape(self) -> tuple[int, ...]:
        return self.spec.shape[1:] if self.spec.shape and self.spec.shape[0] == FREE else self.spec.shape

    def shape(self, rows: int) -> tuple[int, ...]:
        """Its shape in a batch of ``rows``."""
        return (rows, *self.row_shape) if self.spec.shape and self.spec.shape[0] == FREE else self.spec.shape

    def size(self, rows: int) -> int:
        """Its bytes in a batch of ``rows``."""
        return math.prod(self.shape(rows)) * np.dtype(self.spec.dtype).itemsize

    def host(self, rows: int) -> NDArray[Any]:
        """The pinned buffer as an array, not a copy."""
        buffer = (ctypes.c_char * self.size(rows)).from_address(self.pinned)
        values: NDArray[Any] = np.ndarray(self.shape(rows), self.spec.dtype, memoryview(buffer))
        return values


class TensorRtNet(LoadedNet):
    """An engine with its context and buffers. Not for two threads at once; ``close`` gives all back."""

    def __init__(
        self,
        path: Path,
        builder: Builder,
        cuda: Cuda,
        options: NetOptions | None = None,
        build: BuildOptions | None = None,
    ) -> None:
        options = options or NetOptions()
        # An engine that somebody exported with options of their own is used, or built again, with these.
        build = build or options_beside(path.with_suffix(SUFFIX)) or BuildOptions()
        if options.precision != "f32":
            raise ConfigError(
                f"precision {options.precision} for TensorRT",
                wanted="a net that was converted to it, and precision f32",
                fix="python run_pipeline.py calibrate precision NAME",
            )
        self._api, self._cuda, self._name = builder.api, cuda, path.name
        self._context: trt.IExecutionContext
        self._engine: trt.ICudaEngine
        self._context, self._engine, why = _open(path, builder, build)
        self._tensors: dict[str, _Tensor] = {}
        self._graphs: dict[int, Any] = {}
        self._warm: set[int] = set()
        self._batch = options.batch
        self._most, note = self._allocate(build.batch[2])
        specs = {name: self._given(one) for name, one in self._tensors.items()}
        self._inputs = {name: spec for name, spec in specs.items() if self._tensors[name].is_input}
        outputs = {name: spec for name, spec in specs.items() if not self._tensors[name].is_input}
        try:
            self._outputs = chosen(outputs, options.outputs, str(path))
        except WeightsError:
            self.close()
            raise
        notes = [note, f"engine built: {why}" if why else ""]
        self._info = NetInfo(
            path.name,
            sha256_of(path),
            "tensorrt",
            str(self._api.__version__),
            builder.gpu.name,
            builder.key(path, build).precision,
            1,
            1,
            "; ".join(filter(None, notes)),
        )

    def run(self, arrays: Arrays) -> dict[str, NDArray[Any]]:
        """One inference; a batch beyond the largest is cut; the results are the caller's own copies."""
        check_inputs(self._inputs, arrays)
        free = [name for name in arrays if self._tensors[name].spec.shape[:1] == (FREE,)]
        if not free:
            return self._infer(arrays, 1)
        rows = sorted({len(arrays[name]) for name in free})
        if len(rows) > 1:
            raise WeightsError(f"inputs of {rows} rows", where=self._name, wanted="as many each")
        return in_parts(lambda part: self._infer(part, len(part[free[0]])), arrays, free, self._most)

    def close(self) -> None:
        """Give graphs, buffers and the stream back."""
        for graph in self._graphs.values():
            self._cuda.free_graph(graph)
        self._graphs.clear()
        self._free()
        self._cuda.close()

    def _given(self, tensor: _Tensor) -> TensorSpec:
        spec = tensor.spec
        return TensorSpec(spec.name, spec.dtype, tensor.shape(self._batch)) if self._batch else spec

    def _allocate(self, most: int) -> tuple[int, str]:
        """Buffers for the largest batch that the GPU's memory holds, and a remark where it is less."""
        wanted = most
        while True:
            try:
                self._buffers(most)
            except OutOfGpuMemoryError:
                self._free()
                if most == 1:
                    self._cuda.close()
                    raise
                most //= 2
            else:
                return most, "" if most == wanted else f"batches of {most}: no GPU memory for {wanted}"

    def _buffers(self, most: int) -> None:
        api, engine = self._api, self._engine
        for place in range(int(engine.num_io_tensors)):
            name = engine.get_tensor_name(place)
            kind = TYPES.get(str(engine.get_tensor_dtype(name)).rpartition(".")[2])
            if kind is None:
                raise WeightsError(f"tensor {name!r} is of a type NumPy has not", where=self._name)
            shape = tuple(max(side, FREE) for side in sides_of(engine.get_tensor_shape(name)))
            is_input = engine.get_tensor_mode(name) == api.TensorIOMode.INPUT
            tensor = self._tensors[name] = _Tensor(TensorSpec(name, kind, shape), is_input, 0, 0)
            size = max(tensor.size(most), 1)
            tensor.device = self._cuda.device(size)
            tensor.pinned = self._cuda.pinned(size)
            self._context.set_tensor_address(name, tensor.device)

    def _free(self) -> None:
        for tensor in self._tensors.values():
            if tensor.device:
                self._cuda.free_device(tensor.device)
            if tensor.pinned:
                self._cuda.free_pinned(tensor.pinned)
        self._tensors.clear()

    def _infer(self, arrays: Arrays, rows: int) -> dict[str, NDArray[Any]]:
        for name, array in arrays.items():
            self._tensors[name].host(rows)[...] = array
        if rows in self._graphs:
            self._cuda.launch(self._graphs[rows])
        else:
            self._shape(rows)
            if rows in self._warm and len(self._graphs) < MAX_GRAPHS:
                self._capture(rows)
            else:
                self._queue(rows)
                self._warm.add(rows)
        self._cuda.wait()
        return {name: self._tensors[name].host(rows).copy() for name in self._outputs}

    def _shape(self, rows: int) -> None:
        for name, tensor in self._tensors.items():
            if tensor.is_input and not self._context.set_input_shape(name, tensor.shape(rows)):
                raise WeightsError(
                    f"the engine refuses {tensor.shape(rows)} for {name!r}",
                    where=self._name,
                    fix="Build it again",
                )

    def _capture(self, rows: int) -> None:
        """Record the copies and the inference, then run what was recorded."""
        self._cuda.begin_capture()
        try:
            self._queue(rows)
        except ResourceError:
            with suppress(ResourceError):  # the capture must end; what broke it is what is told
                self._cuda.end_capture()
            raise
        self._graphs[rows] = self._cuda.end_capture()
        self._cuda.launch(self._graphs[rows])

    def _queue(self, rows: int) -> None:
        for tensor in self._tensors.values():
            if tensor.is_input:
                self._cuda.upload(tensor.device, tensor.pinned, tensor.size(rows))
        if not self._context.execute_async_v3(int(self._cuda.stream)):
            raise ResourceError(
                "TensorRT could not run the net", where=self._name, fix="See the driver's log"
            )
        for tensor in self._tensors.values():
            if not tensor.is_input:
                self._cuda.download(tensor.pinned, tensor.device, tensor.size(rows))


def _open(
    path: Path, builder: Builder, build: BuildOptions
) -> tuple[trt.IExecutionContext, trt.ICudaEngine, str]:
    """The execution context, its engine, and why that was built; what does not load is built once more."""
    target = path.with_suffix(SUFFIX)
    runtime: trt.Runtime = builder.api.Runtime(builder.api.Logger(builder.api.Logger.ERROR))
    data, why = builder.engine(path, target, build)
    engine = runtime.deserialize_cuda_engine(data)
    if engine is None and not why:
        target.unlink(missing_ok=True)
        data, why = builder.engine(path, target, build)
        engine = runtime.deserialize_cuda_engine(data)
    if engine is None:
        raise WeightsError("TensorRT does not load the engine that it built", where=str(target))
    context = engine.create_execution_context()
    if context is None:
        raise OutOfGpuMemoryError(
            "no GPU memory for the engine's own work", where=str(target), fix="Close what else uses the GPU"
        )
    return context, engine, why
