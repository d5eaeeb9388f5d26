"""What this machine offers the nets: runtimes, devices, processor features, weights with their digests.

Nothing is fetched or compiled to find out.
"""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Final, Literal

import msgspec

from engines.runtimes.choose import choose, installed
from engines.runtimes.cuda import NoGpu, find_gpu, gpu_in_words
from engines.weights import ALL, Weights, cache_folder, sha256_of
from stream.errors import ResourceError

RUNTIMES: Final = (
    ("openvino", "openvino"),
    ("onnxruntime", "onnxruntime"),
    ("torch", "torch"),
    ("tensorrt", "tensorrt"),
)
"""Runtime and the module that brings it."""
FEATURES: Final = (
    "avx2",
    "avx512f",
    "avx512_vnni",
    "avx512_bf16",
    "avx512_fp16",
    "amx_bf16",
    "amx_int8",
    "asimd",
    "bf16",
)
"""Processor features that decide which kernels run, as Linux names them."""


class RuntimeFound(msgspec.Struct, frozen=True):
    """An inference runtime; ``version`` is None where it is not installed, ``note`` a remark for people."""

    name: str
    version: str | None
    devices: tuple[str, ...] = ()
    precisions: tuple[str, ...] = ()
    note: str = ""

    @property
    def available(self) -> bool:
        """Whether it can be used here."""
        return self.version is not None


class WeightsFound(msgspec.Struct, frozen=True):
    """A net's file in the cache; ``sha256`` is what its bytes hash to, empty where it is missing."""

    name: str
    path: str
    state: Literal["ready", "missing", "damaged"]
    sha256: str
    wanted_sha256: str


class Inventory(msgspec.Struct, frozen=True):
    """All of it."""

    cpu: str
    cores: int
    cpu_flags: tuple[str, ...]
    runtimes: tuple[RuntimeFound, ...]
    weights: tuple[WeightsFound, ...]
    auto: str
    """The runtime that ``auto`` takes here, and why."""


def take_inventory(cache: Path | None = None) -> Inventory:
    """Look around."""
    folder = cache or cache_folder()
    usable = getattr(os, "sched_getaffinity", None)
    flags = set((_cpuinfo("flags") or _cpuinfo("Features")).split())
    return Inventory(
        cpu=_cpuinfo("model name") or platform.processor() or platform.machine(),
        cores=len(usable(0)) if usable else os.cpu_count() or 1,
        cpu_flags=tuple(name for name in FEATURES if name in flags),
        runtimes=tuple(_runtime(name, module) for name, module in RUNTIMES),
        weights=tuple(_weights(entry, folder) for entry in ALL),
        auto=_auto(),
    )


def _auto() -> str:
    try:
        choice = choose()
    except ResourceError as error:
        return f"none: {error}"
    return f"{choice.runtime}: {choice.reason}"


def _runtime(name: str, module: str) -> RuntimeFound:
    found = installed(module)
    if found is None:
        return RuntimeFound(name, None)
    if name == "openvino":
        return _openvino(found)
    if name == "tensorrt":
        gpu = find_gpu()
        if isinstance(gpu, NoGpu):
            return RuntimeFound(name, found, note=f"cannot be used: {gpu.reason}")
        return RuntimeFound(name, found, (gpu_in_words(gpu),))
    return RuntimeFound(name, found, ("CPU",))


def _openvino(found: str) -> RuntimeFound:
    """OpenVINO's devices by full name, and the precisions of its CPU."""
    from engines.runtimes.openvino_core import core  # noqa: PLC0415 - a second of loading for this question

    shared = core()
    devices = tuple(
        f"{name}: {shared.get_property(name, 'FULL_DEVICE_NAME')}".strip()
        for name in shared.available_devices
    )
    capable = (
        shared.get_property("CPU", "OPTIMIZATION_CAPABILITIES") if "CPU" in shared.available_devices else []
    )
    precisions = tuple(sorted(str(entry).lower() for entry in capable))
    note = "nets run in f32 unless the configuration says bf16" if "bf16" in precisions else ""
    return RuntimeFound("openvino", found, devices, precisions, note)


def _weights(entry: Weights, folder: Path) -> WeightsFound:
    path = folder / entry.name
    try:
        digest = sha256_of(path)
    except OSError:
        return WeightsFound(entry.name, str(path), "missing", "", entry.sha256)
    state: Literal["ready", "damaged"] = "ready" if digest == entry.sha256 else "damaged"
    return WeightsFound(entry.name, str(path), state, digest, entry.sha256)


def _cpuinfo(key: str) -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    lines = (line.partition(":") for line in text.splitlines())
    return next((value.strip() for name, _, value in lines if name.strip() == key), "")
