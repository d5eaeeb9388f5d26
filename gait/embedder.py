"""The one door through which every recogniser goes: the spine's baseline and the compiled nets alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from stream.messages import Sample

Vector = NDArray[np.float32]


@dataclass(frozen=True)
class ModelInfo:
    """What made a vector; galleries of another ``digest`` are refused, not compared."""

    name: str
    digest: str
    dimension: int


@dataclass(frozen=True)
class Answer:
    """A window's unit-length vector, the number of valid samples in it and their mean weight.

    ``start_ns`` and ``end_ns``: the capture times of its first and last sample, where they differ from those
    asked for.
    """

    vector: Vector
    samples: int
    quality: float
    start_ns: int | None = None
    end_ns: int | None = None


class Embedder(Protocol):
    """Samples in, vectors out, with memory per tracklet.

    ``extend`` is called once per batch, over all people and cameras, so that a net runs once per batch; it
    may be called with several samples of one tracklet, in time order. Memory is the embedder's own and
    bounded; the caller only keeps it, one per tracklet, and asks with it.
    """

    @property
    def model(self) -> ModelInfo:
        """What makes the vectors."""
        ...

    def open(self) -> Any:
        """Fresh memory for a new tracklet."""
        ...

    def extend(self, memories: Sequence[Any], samples: Sequence[Sample]) -> None:
        """Take in one sample for each memory (a memory may occur several times)."""
        ...

    def cut(self, memory: Any) -> None:
        """The segment ended: samples to come are not joined to those before."""
        ...

    def embed(self, memory: Any, start_ns: int, end_ns: int) -> Answer | None:
        """The answer for the samples captured in [start_ns, end_ns]; None where none is valid."""
        ...


@runtime_checkable
class Lagging(Protocol):
    """An embedder whose net looks some frames ahead, so that the last samples wait for those to come."""

    def settle(self, memory: Any) -> None:
        """The segment ended, nothing more comes: let what waits into the answers."""
        ...
