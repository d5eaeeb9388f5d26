"""What we need of CUDA, and whether it is there: through NVIDIA's own bindings, never through torch.

``find_gpu`` answers with a GPU or with the reason why there is none, in words for the user.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any, Final

from stream.errors import ResourceError

MODULE: Final = "cuda.bindings.runtime"
OUT_OF_MEMORY: Final = 2  # cudaErrorMemoryAllocation
OLD_DRIVER: Final = 35  # cudaErrorInsufficientDriver
NO_DEVICE: Final = 100  # cudaErrorNoDevice


class OutOfGpuMemoryError(ResourceError):
    """The GPU's memory does not hold what was asked for; whoever asked may try with less."""


@dataclass(frozen=True)
class Gpu:
    """The device in use; ``driver`` and ``runtime`` are CUDA versions as NVIDIA writes them (12080: 12.8)."""

    name: str
    capability: str
    driver: int
    runtime: int
    memory_bytes: int


@dataclass(frozen=True)
class NoGpu:
    """Why no GPU can be used."""

    reason: str


def find_gpu(api: Any | None = None) -> Gpu | NoGpu:
    """The first GPU, or why there is none."""
    if api is None:
        try:
            api = importlib.import_module(MODULE)
        except ImportError as error:
            return NoGpu(f"the CUDA bindings are not installed ({error.name or error})")
    try:
        driver, runtime = _call(api.cudaDriverGetVersion()), _call(api.cudaRuntimeGetVersion())
        if not _call(api.cudaGetDeviceCount()):
            return NoGpu("CUDA finds no NVIDIA GPU")
        found = _call(api.cudaGetDeviceProperties(0))
    except ResourceError as error:
        return NoGpu(error.what)
    except RuntimeError as error:  # the bindings' word for a driver library that is not there
        return NoGpu(f"the NVIDIA driver's library cannot be loaded ({str(error).splitlines()[0]})")
    name = found.name.decode(errors="replace").rstrip("\0")
    return Gpu(name, f"{found.major}.{found.minor}", driver, runtime, int(found.totalGlobalMem))


def gpu_in_words(found: Gpu) -> str:
    """A GPU as ``doctor`` shows it."""
    driver = f"CUDA {found.driver // 1000}.{found.driver % 1000 // 10}"
    return f"{found.name} ({found.memory_bytes >> 30} GiB, compute {found.capability}, {driver})"


class Cuda:
    """Device and pinned memory, one stream, and graphs of what was captured on it."""

    def __init__(self, api: Any | None = None) -> None:
        self._api: Any = importlib.import_module(MODULE) if api is None else api
        self.stream: Any = _call(self._api.cudaStreamCreate())

    def device(self, size: int) -> int:
        """``size`` bytes of the GPU's memory; OutOfGpuMemoryError where it has not as many."""
        return int(_call(self._api.cudaMalloc(size)))

    def pinned(self, size: int) -> int:
        """``size`` bytes of the host's memory that the GPU can copy from by itself."""
        return int(_call(self._api.cudaMallocHost(size)))

    def free_device(self, address: int) -> None:
        """Give device memory back."""
        _call(self._api.cudaFree(address))

    def free_pinned(self, address: int) -> None:
        """Give pinned memory back."""
        _call(self._api.cudaFreeHost(address))

    def upload(self, device: int, host: int, size: int) -> None:
        """Queue a copy to the GPU on the stream."""
        kind = self._api.cudaMemcpyKind.cudaMemcpyHostToDevice
        _call(self._api.cudaMemcpyAsync(device, host, size, kind, self.stream))

    def download(self, host: int, device: int, size: int) -> None:
        """Queue a copy from the GPU on the stream."""
        kind = self._api.cudaMemcpyKind.cudaMemcpyDeviceToHost
        _call(self._api.cudaMemcpyAsync(host, device, size, kind, self.stream))

    def wait(self) -> None:
        """Until all that was queued is done."""
        _call(self._api.cudaStreamSynchronize(self.stream))

    def begin_capture(self) -> None:
        """What is queued from here on is recorded instead of run."""
        mode = self._api.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal
        _call(self._api.cudaStreamBeginCapture(self.stream, mode))

    def end_capture(self) -> Any:
        """What was recorded, as a graph that can be launched."""
        graph = _call(self._api.cudaStreamEndCapture(self.stream))
        try:
            return _call(self._api.cudaGraphInstantiate(graph, 0))
        finally:
            _call(self._api.cudaGraphDestroy(graph))

    def launch(self, graph: Any) -> None:
        """Queue a whole graph."""
        _call(self._api.cudaGraphLaunch(graph, self.stream))

    def free_graph(self, graph: Any) -> None:
        """Give a graph back."""
        _call(self._api.cudaGraphExecDestroy(graph))

    def close(self) -> None:
        """Give the stream back."""
        _call(self._api.cudaStreamDestroy(self.stream))


def _call(answer: tuple[Any, ...]) -> Any:
    """What a CUDA function answered, its error raised: the bindings return (error, value...)."""
    error, *values = answer
    code = int(error)
    if code == OUT_OF_MEMORY:
        raise OutOfGpuMemoryError(
            "the GPU's memory is full", where="CUDA", fix="Close what else uses the GPU, or lower the batch"
        )
    if code == OLD_DRIVER:
        raise ResourceError(
            "no NVIDIA driver, or one too old for this CUDA", where="CUDA", fix="Install a newer driver"
        )
    if code == NO_DEVICE:
        raise ResourceError("CUDA finds no NVIDIA GPU", where="CUDA")
    if code:
        raise ResourceError(f"CUDA failed with {getattr(error, 'name', code)}", where="CUDA")
    return values[0] if values else None
