"""The Net protocol: what the rest of the house knows of an inference runtime.

A net is a pure function of named arrays. Two calls with the same input give the same bytes, in any thread or
process of one machine; ``describe`` says what it runs on, so that an answer can be traced to it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from stream.errors import WeightsError

Arrays = Mapping[str, NDArray[Any]]
Precision = Literal["f32", "bf16"]


@dataclass(frozen=True)
class TensorSpec:
    """A named input or output; ``shape`` is fixed when the net is loaded."""

    name: str
    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class PixelInput:
    """Feed the net 8-bit BGR pixels, NHWC; it computes ``(RGB - mean) / scale`` itself."""

    mean: float
    scale: float


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
        if array.shape != spec.shape or array.dtype != np.dtype(spec.dtype):
            raise WeightsError(
                f"input {name!r} is {array.dtype} {array.shape}",
                wanted=f"{spec.dtype} {spec.shape}",
                where="engines/runtimes",
            )
