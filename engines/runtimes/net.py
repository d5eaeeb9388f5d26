"""The Net protocol: what the rest of the house knows of an inference runtime.

A net is a pure function of named arrays. Two calls with the same input give the same bytes, in any thread or
process of one machine; ``describe`` says what it runs on, so that an answer can be traced to it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from stream.errors import WeightsError

Arrays = Mapping[str, NDArray[Any]]
Precision = Literal["f32", "bf16"]
RuntimeName = Literal["openvino", "onnxruntime", "torch", "tensorrt"]

FREE: Final = -1
"""A side that is free: the batch of a net loaded with ``batch=0``."""


@dataclass(frozen=True)
class TensorSpec:
    """A named input or output; ``shape`` is fixed when the net is loaded, but for a side that is ``FREE``."""

    name: str
    dtype: str
    shape: tuple[int, ...]

    def fits(self, array: NDArray[Any]) -> bool:
        """Whether ``array`` is of this type and shape."""
        return (
            array.dtype == np.dtype(self.dtype)
            and array.ndim == len(self.shape)
            and all(side in (FREE, found) for side, found in zip(self.shape, array.shape, strict=True))
        )


@dataclass(frozen=True)
class PixelInput:
    """Feed the net 8-bit BGR pixels, NHWC; it computes ``(RGB - mean) / scale`` itself.

    ``planar``: the net wants channels before rows, as nets from torch do; ``bgr``: it wants BGR.
    """

    mean: float
    scale: float
    planar: bool = False
    bgr: bool = False


@dataclass(frozen=True)
class NetOptions:
    """How a net is loaded, by any runtime. ``threads`` 0 means every core this process may use.

    Of several inferences ``streams`` run side by side on threads / streams cores each, where the runtime can.
    ``batch`` replaces the first side of every input; 0 leaves it free. ``outputs`` keeps only those.
    """

    precision: Precision = "f32"
    threads: int = 0
    streams: int = 1
    batch: int = 1
    outputs: tuple[str, ...] = ()


class NetInfo(msgspec.Struct, frozen=True):
    """What ran: named in the event log's side file and by ``doctor``."""

    name: str
    sha256: str
    runtime: str
    version: str
    device: str
    precision: str
    threads: int
    streams: int
    note: str = ""


class Net(Protocol):
    """A compiled function over named arrays."""

    @property
    def inputs(self) -> Mapping[str, TensorSpec]:
        """What ``run`` wants, by name."""
        ...

    @property
    def outputs(self) -> Mapping[str, TensorSpec]:
        """What ``run`` gives, by name."""
        ...

    def describe(self) -> NetInfo:
        """The runtime, its version, the device and the precision."""
        ...

    def run(self, arrays: Arrays) -> dict[str, NDArray[Any]]:
        """One inference; the results are the caller's own copies. Raises WeightsError on a wrong input."""
        ...

    def run_each(self, batches: Sequence[Arrays]) -> list[dict[str, NDArray[Any]]]:
        """Independent inferences, in flight together where the runtime can; results in the order given."""
        ...


def check_inputs(specs: Mapping[str, TensorSpec], arrays: Arrays) -> None:
    """Refuse arrays that are not what the net was loaded for."""
    if specs.keys() != arrays.keys():
        raise WeightsError(
            f"net was given inputs {sorted(arrays)}", wanted=str(sorted(specs)), where="engines/runtimes"
        )
    for name, spec in specs.items():
        array = arrays[name]
        if not spec.fits(array):
            raise WeightsError(
                f"input {name!r} is {array.dtype} {array.shape}",
                wanted=f"{spec.dtype} {spec.shape}",
                where="engines/runtimes",
            )


def check_finite(net: Net) -> None:
    """Run once on zeros and refuse an answer that is no number: weights with NaN make such, silently."""
    zeros = {
        name: np.zeros([max(side, 1) for side in spec.shape], spec.dtype) for name, spec in net.inputs.items()
    }
    for name, values in net.run(zeros).items():
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            raise WeightsError(
                f"output {name!r} is NaN or infinite on zeros: damaged weights, or a precision too narrow",
                where=net.describe().name,
                fix="Export the net again, or run it in f32",
            )


def is_no_weight(values: NDArray[Any], *, multiplied: bool) -> bool:
    """Whether floats hold NaN, or, where something is multiplied by them, infinity."""
    if values.dtype.kind != "f":
        return False
    return not bool(np.isfinite(values).all()) if multiplied else bool(np.isnan(values).any())


def damaged(name: str, where: str) -> WeightsError:
    """The error for a weight that is no number."""
    return WeightsError(
        f"weight {name!r} holds NaN or infinity", where=where, fix="Export the net again from sound weights"
    )


def usable_threads(wanted: int) -> int:
    """``wanted``, or every core that this process may use for 0."""
    if wanted > 0:
        return wanted
    usable = getattr(os, "sched_getaffinity", None)
    return len(usable(0)) if usable else os.cpu_count() or 1
