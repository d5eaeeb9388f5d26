"""Which runtime runs a net here, and why: ``auto`` takes TensorRT on an NVIDIA GPU, else the CPU's best."""

from __future__ import annotations

import importlib
import importlib.util
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final, Literal

from engines.runtimes.cuda import NoGpu, find_gpu
from engines.runtimes.net import Net, NetOptions, PixelInput, RuntimeName, check_finite
from stream.errors import ConfigError, ResourceError

Wanted = Literal["auto", "openvino", "onnxruntime", "torch", "tensorrt"]
EXTRA: Final = {"onnxruntime": "train", "torch": "train", "tensorrt": "gpu"}
READS: Final = {"openvino": (".onnx", ".tflite", ".xml")}
"""What a runtime reads; the others read .onnx alone."""


@dataclass(frozen=True)
class Choice:
    """A runtime and the reason for it, in words for the user."""

    runtime: RuntimeName
    reason: str


def installed(name: str) -> str | None:
    """The version of a runtime's package, None where it is not there; type stubs do not count."""
    if importlib.util.find_spec(name) is None:
        return None
    try:
        return version(name)
    except PackageNotFoundError:
        return str(getattr(importlib.import_module(name), "__version__", "")) or None


def choose(wanted: Wanted = "auto", suffix: str = ".onnx") -> Choice:
    """The runtime for a net of that file type; raises ResourceError where the one wanted is not there."""
    if wanted != "auto":
        return _as_told(wanted, suffix)
    why_not = _no_tensorrt(suffix)
    if not why_not:
        return Choice("tensorrt", "an NVIDIA GPU with TensorRT")
    if installed("openvino"):
        return Choice("openvino", f"the fastest on processors; no TensorRT: {why_not}")
    if installed("onnxruntime") and suffix == ".onnx":
        return Choice("onnxruntime", f"OpenVINO is not installed; no TensorRT: {why_not}")
    raise ResourceError("no runtime for nets is installed", fix="pip install openvino")


def _as_told(wanted: RuntimeName, suffix: str) -> Choice:
    if suffix not in READS.get(wanted, (".onnx",)):
        raise ConfigError(
            f"{wanted} cannot read a {suffix} net",
            wanted=".onnx",
            fix="Convert it: python run_pipeline.py export blazepose --format onnx",
        )
    if installed(wanted) is None:
        extra = EXTRA.get(wanted)
        raise ResourceError(
            f"the runtime {wanted} is not installed",
            fix=f"pip install -c constraints.txt -e '.[{extra}]'" if extra else f"pip install {wanted}",
        )
    return Choice(wanted, "as configured")


def _no_tensorrt(suffix: str) -> str:
    """Why TensorRT cannot be used; empty where it can."""
    found = find_gpu()
    if isinstance(found, NoGpu):
        return found.reason
    if installed("tensorrt") is None:
        return "the package tensorrt is not installed"
    if installed("onnx") is None:
        return "the package onnx, which checks a net before it is built, is not installed"
    return "" if suffix == ".onnx" else f"it cannot read a {suffix} net"


def load_net(
    path: Path,
    wanted: Wanted = "auto",
    options: NetOptions | None = None,
    *,
    pixels: PixelInput | None = None,
    device: str = "CPU",
) -> Net:
    """The net at ``path`` in the runtime wanted, tried on zeros once; its ``describe`` says what it is."""
    options = options or NetOptions()
    choice = choose(wanted, path.suffix)
    net = _load(choice.runtime, path, options, pixels, device)
    check_finite(net)
    return net


def _load(
    runtime: RuntimeName, path: Path, options: NetOptions, pixels: PixelInput | None, device: str
) -> Net:
    """Each runtime's module is imported only where it is used."""
    if runtime == "openvino":
        net: Net = _module("openvino_runtime").OpenVinoNet(path, options, pixels=pixels, device=device)
        return net
    if runtime == "onnxruntime":
        if device.upper() != "CPU":
            raise ConfigError(
                f"ONNX Runtime runs nets on the processor, not on {device!r}",
                where=str(path),
                wanted="device CPU, or another runtime",
            )
        net = _module("onnxruntime_runtime").OnnxRuntimeNet(path, options)
    elif runtime == "torch":
        net = _module("torch_runtime").TorchNet(path, options, device=device)
    else:
        net = _module("tensorrt_runtime").load_tensorrt(path, options)
    return net if pixels is None else _module("pixels").PixelNet(net, pixels)


def _module(name: str) -> Any:
    return importlib.import_module(f"engines.runtimes.{name}")
