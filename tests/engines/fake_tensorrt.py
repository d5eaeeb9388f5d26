"""TensorRT and CUDA that only write down what is asked of them, and compute ``output = 2 * input`` in place of a net.

``log`` holds every call in order, with its arguments. Failures are set by attributes: ``build_fails``, ``parse_errors``,
``deserialize_fails`` (how often), ``free_bytes`` of the GPU, ``refused_shapes``.
"""

from __future__ import annotations

import ctypes
import enum
from types import SimpleNamespace
from typing import Any

import numpy as np


class Log(list):
    def add(self, name: str, *arguments: Any) -> None:
        self.append((name, *arguments))

    def names(self) -> list[str]:
        return [entry[0] for entry in self]


class Dims(list):
    pass


class Flags(enum.IntEnum):
    EXPLICIT_BATCH = 0
    STRONGLY_TYPED = 1


class BuilderFlag(enum.IntEnum):
    """As TensorRT 11 has them: no FP16, no INT8."""

    TF32 = 7
    VERSION_COMPATIBLE = 13
    EXCLUDE_LEAN_RUNTIME = 14


class DataType(enum.Enum):
    FLOAT = 0
    HALF = 1
    INT8 = 2
    FP8 = 6

    def __str__(self) -> str:
        return f"DataType.{self.name}"


class Mode(enum.Enum):
    INPUT = 1
    OUTPUT = 2


class FakeTensorRt:
    """Stands for the module ``tensorrt``."""

    NetworkDefinitionCreationFlag = Flags
    BuilderFlag = BuilderFlag
    DataType = DataType
    TensorIOMode = Mode
    MemoryPoolType = SimpleNamespace(WORKSPACE="workspace")
    HardwareCompatibilityLevel = SimpleNamespace(AMPERE_PLUS="ampere+")
    Dims = Dims

    class ILogger:
        Severity = SimpleNamespace(INTERNAL_ERROR=0, ERROR=1, WARNING=2)

    class IProgressMonitor:
        pass

    def __init__(self, version: str = "10.13.0.35", shape: tuple[int, ...] = (-1, 3)) -> None:
        self.__version__ = version
        self.shape, self.dtype = shape, DataType.FLOAT
        self.log = Log()
        self.build_fails = False
        self.parse_errors: list[str] = []
        self.deserialize_fails = 0
        self.context_fails = False
        self.refused_shapes: set[tuple[int, ...]] = set()
        self.run_fails = False
        self.cuda: FakeCudaApi | None = None

    def Logger(self, severity: int) -> str:
        return f"logger-{severity}"

    Logger.ERROR = 1  # type: ignore[attr-defined]

    def Builder(self, logger: Any) -> Any:
        self.log.add("Builder")
        return Recorder(self, logger)

    def OnnxParser(self, network: Any, logger: Any) -> Any:
        self.log.add("OnnxParser", network)
        return FakeParser(self)

    def Runtime(self, logger: Any) -> Any:
        self.log.add("Runtime")
        return FakeRuntime(self)


class FakeParser:
    def __init__(self, api: FakeTensorRt) -> None:
        self.api = api

    @property
    def num_errors(self) -> int:
        return len(self.api.parse_errors)

    def parse(self, data: bytes, path: str) -> bool:
        self.api.log.add("parse", len(data) > 0)
        return not self.api.parse_errors

    def get_error(self, index: int) -> str:
        return self.api.parse_errors[index]


class Recorder:
    """The builder, its network and its configuration."""

    def __init__(self, api: FakeTensorRt, logger: Any) -> None:
        self.api, self.log, self.logger = api, api.log, logger
        self.num_inputs = 1

    def create_network(self, flags: int) -> Recorder:
        self.log.add("create_network", flags)
        return self

    def get_input(self, place: int) -> Any:
        return SimpleNamespace(name="image", shape=Dims(self.api.shape))

    def create_builder_config(self) -> Recorder:
        self.log.add("create_builder_config")
        return self

    def set_memory_pool_limit(self, pool: str, size: int) -> None:
        self.log.add("set_memory_pool_limit", pool, size)

    def set_flag(self, flag: BuilderFlag) -> None:
        self.log.add("set_flag", flag.name)

    def clear_flag(self, flag: BuilderFlag) -> None:
        self.log.add("clear_flag", flag.name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in ("hardware_compatibility_level", "progress_monitor"):
            self.log.add(name, value if isinstance(value, str) else "monitor")
        super().__setattr__(name, value)

    def create_timing_cache(self, data: bytes) -> str | None:
        self.log.add("create_timing_cache", data)
        return None if data == b"damaged" else f"cache:{data.decode()}"

    def set_timing_cache(self, cache: str, ignore_mismatch: bool) -> bool:
        self.log.add("set_timing_cache", cache, ignore_mismatch)
        return cache != "cache:foreign"

    def get_timing_cache(self) -> Any:
        return SimpleNamespace(serialize=lambda: b"timed")

    def create_optimization_profile(self) -> Recorder:
        self.log.add("create_optimization_profile")
        return self

    def set_shape(self, name: str, least: Dims, usual: Dims, most: Dims) -> None:
        self.log.add("set_shape", name, tuple(least), tuple(usual), tuple(most))

    def add_optimization_profile(self, profile: Any) -> int:
        self.log.add("add_optimization_profile")
        return 0

    def build_serialized_network(self, network: Any, config: Any) -> bytes | None:
        self.log.add("build_serialized_network")
        monitor = self.__dict__.get("progress_monitor")
        if monitor is not None:
            monitor.phase_start("tactics", None, 2)
            assert monitor.step_complete("tactics", 0)
            monitor.phase_finish("tactics")
        if self.api.build_fails:
            self.logger.log(self.api.ILogger.Severity.WARNING, "only a warning")
            self.logger.log(self.api.ILogger.Severity.ERROR, "out of everything")
            return None
        return f"engine of {self.api.__version__}".encode()


class FakeRuntime:
    def __init__(self, api: FakeTensorRt) -> None:
        self.api = api

    def deserialize_cuda_engine(self, data: bytes) -> FakeEngine | None:
        self.api.log.add("deserialize_cuda_engine", data)
        if self.api.deserialize_fails:
            self.api.deserialize_fails -= 1
            return None
        return FakeEngine(self.api)


class FakeEngine:
    num_io_tensors = 2

    def __init__(self, api: FakeTensorRt) -> None:
        self.api = api

    def create_execution_context(self) -> FakeContext | None:
        self.api.log.add("create_execution_context")
        return None if self.api.context_fails else FakeContext(self.api)

    def get_tensor_name(self, place: int) -> str:
        return ("image", "doubled")[place]

    def get_tensor_mode(self, name: str) -> Mode:
        return Mode.INPUT if name == "image" else Mode.OUTPUT

    def get_tensor_shape(self, name: str) -> Dims:
        return Dims(self.api.shape)

    def get_tensor_dtype(self, name: str) -> DataType:
        return self.api.dtype


class FakeContext:
    """Doubles the bytes at the input's address into the output's, for the rows that were set."""

    def __init__(self, api: FakeTensorRt) -> None:
        self.api, self.addresses, self.set = api, {}, ()

    def set_tensor_address(self, name: str, address: int) -> bool:
        self.api.log.add("set_tensor_address", name)
        self.addresses[name] = address
        return True

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        self.api.log.add("set_input_shape", name, tuple(shape))
        self.set = tuple(shape)
        return tuple(shape) not in self.api.refused_shapes

    def execute_async_v3(self, stream: int) -> bool:
        self.api.log.add("execute_async_v3", stream)
        shape = self.set
        self.api.cuda.work(lambda: self.double(shape))
        return not self.api.run_fails

    def double(self, shape: tuple[int, ...]) -> None:
        count = int(np.prod(shape))
        here, there = (
            np.ctypeslib.as_array((ctypes.c_float * count).from_address(self.addresses[name]))
            for name in ("image", "doubled")
        )
        there[:] = 2 * here


class Status(int):
    name = "cudaErrorUnknown"


class FakeCudaApi:
    """Stands for ``cuda.bindings.runtime``: device memory is host memory, a capture is a list of work."""

    cudaMemcpyKind = SimpleNamespace(cudaMemcpyHostToDevice="up", cudaMemcpyDeviceToHost="down")
    cudaStreamCaptureMode = SimpleNamespace(cudaStreamCaptureModeThreadLocal="thread")

    def __init__(self, log: Log | None = None, free_bytes: int = 1 << 30) -> None:
        self.log = log if log is not None else Log()
        self.free_bytes = free_bytes
        self.held: dict[int, Any] = {}
        self.recording: list[Any] | None = None
        self.driver, self.devices, self.broken = 12080, 1, 0

    def work(self, job: Any) -> None:
        if self.recording is None:
            job()
        else:
            self.recording.append(job)

    def cudaDriverGetVersion(self) -> tuple[Any, ...]:
        return Status(self.broken), self.driver

    def cudaRuntimeGetVersion(self) -> tuple[Any, ...]:
        return Status(0), 12080

    def cudaGetDeviceCount(self) -> tuple[Any, ...]:
        return Status(0 if self.devices else 100), self.devices

    def cudaGetDeviceProperties(self, index: int) -> tuple[Any, ...]:
        found = SimpleNamespace(name=b"Fake GPU\0\0", major=9, minor=0, totalGlobalMem=8 << 30)
        return Status(0), found

    def cudaStreamCreate(self) -> tuple[Any, ...]:
        self.log.add("cudaStreamCreate")
        return Status(0), 7

    def cudaStreamDestroy(self, stream: int) -> tuple[Any, ...]:
        self.log.add("cudaStreamDestroy")
        return (Status(0),)

    def _give(self, size: int) -> int:
        buffer = (ctypes.c_char * size)()
        address = ctypes.addressof(buffer)
        self.held[address] = buffer
        return address

    def cudaMalloc(self, size: int) -> tuple[Any, ...]:
        self.log.add("cudaMalloc", size)
        if size > self.free_bytes:
            return Status(2), None
        self.free_bytes -= size
        return Status(0), self._give(size)

    def cudaMallocHost(self, size: int) -> tuple[Any, ...]:
        self.log.add("cudaMallocHost", size)
        return Status(0), self._give(size)

    def cudaFree(self, address: int) -> tuple[Any, ...]:
        self.log.add("cudaFree")
        self.free_bytes += len(self.held.pop(address))
        return (Status(0),)

    def cudaFreeHost(self, address: int) -> tuple[Any, ...]:
        self.log.add("cudaFreeHost")
        del self.held[address]
        return (Status(0),)

    def cudaMemcpyAsync(self, to: int, source: int, size: int, kind: str, stream: int) -> tuple[Any, ...]:
        self.log.add("cudaMemcpyAsync", kind, size)
        self.work(lambda: ctypes.memmove(to, source, size))
        return (Status(0),)

    def cudaStreamSynchronize(self, stream: int) -> tuple[Any, ...]:
        self.log.add("cudaStreamSynchronize")
        return (Status(0),)

    def cudaStreamBeginCapture(self, stream: int, mode: str) -> tuple[Any, ...]:
        self.log.add("cudaStreamBeginCapture", mode)
        self.recording = []
        return (Status(0),)

    def cudaStreamEndCapture(self, stream: int) -> tuple[Any, ...]:
        self.log.add("cudaStreamEndCapture")
        graph, self.recording = self.recording, None
        return Status(0), graph

    def cudaGraphInstantiate(self, graph: Any, flags: int) -> tuple[Any, ...]:
        self.log.add("cudaGraphInstantiate", flags)
        return Status(0), list(graph)

    def cudaGraphDestroy(self, graph: Any) -> tuple[Any, ...]:
        self.log.add("cudaGraphDestroy")
        return (Status(0),)

    def cudaGraphLaunch(self, graph: Any, stream: int) -> tuple[Any, ...]:
        self.log.add("cudaGraphLaunch")
        for job in graph:
            job()
        return (Status(0),)

    def cudaGraphExecDestroy(self, graph: Any) -> tuple[Any, ...]:
        self.log.add("cudaGraphExecDestroy")
        return (Status(0),)
