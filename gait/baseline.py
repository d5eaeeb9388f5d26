"""The honest baseline: who somebody is by their average silhouette and the proportions of their bones.

It learns nothing. It goes through the same door as the trained nets (``gait/embedder.py``), works where
clothes and view stay as they were at enrolment, and gives way to the trained model elsewhere.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from gait.embedder import Answer, ModelInfo, Vector
from stream.messages import Sample

VERSION: Final = 1
HEIGHT: Final = 64
WIDTH: Final = 44

Floats = NDArray[np.float32]


class BaselineConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the vector is made of; every number is part of the model's digest.

    ``memory_samples`` bounds a tracklet's memory.
    """

    memory_samples: int = 256  # ten seconds of the 25 Hz grid, 0.75 MB
    rows: int = 32  # the average silhouette is kept at half size: finer detail is alignment noise
    columns: int = 22
    appearance_share: float = 0.8

    def __post_init__(self) -> None:
        if self.memory_samples < 1:
            raise ValueError("`memory_samples` must be above 0")


@dataclass(frozen=True)
class _Kept:
    """One valid sample, as remembered."""

    captured_ns: int
    weight: float
    silhouette: NDArray[np.uint8]
    bones: Floats | None


@dataclass
class BaselineMemory:
    """The last valid samples of one tracklet, oldest first."""

    samples: deque[_Kept] = field(default_factory=deque)


class BaselineEmbedder:
    """An ``Embedder`` over the average silhouette and the body's proportions."""

    def __init__(self, config: BaselineConfig | None = None) -> None:
        self._config = config or BaselineConfig()
        text = f"gaitway-baseline {VERSION} ".encode() + msgspec.json.encode(self._config)
        size = self._config.rows * self._config.columns
        self._model = ModelInfo("baseline", hashlib.sha256(text).hexdigest()[:32], size)

    @property
    def model(self) -> ModelInfo:
        """Name, digest of all parameters, dimension."""
        return self._model

    def open(self) -> BaselineMemory:
        """Fresh memory for a new tracklet."""
        return BaselineMemory(deque(maxlen=self._config.memory_samples))

    def extend(self, memories: Sequence[BaselineMemory], samples: Sequence[Sample]) -> None:
        """Remember the valid samples; invalid ones leave no trace."""
        for memory, sample in zip(memories, samples, strict=True):
            if sample.valid and sample.weight > 0:
                memory.samples.append(
                    _Kept(sample.captured_ns, sample.weight, sample.silhouette.numpy(), None)
                )

    def cut(self, memory: BaselineMemory) -> None:
        """The segment ended: forget what came before."""
        memory.samples.clear()

    def embed(self, memory: BaselineMemory, start_ns: int, end_ns: int) -> Answer | None:
        """The vector of the samples captured in [start_ns, end_ns]; None where none is remembered."""
        window = [kept for kept in memory.samples if start_ns <= kept.captured_ns <= end_ns]
        if not window:
            return None
        weights = np.array([kept.weight for kept in window], dtype=np.float32)
        average = np.tensordot(weights / weights.sum(), np.stack([k.silhouette for k in window]), axes=1)
        small = cv2.resize(
            average / np.float32(255), (self._config.columns, self._config.rows), interpolation=cv2.INTER_AREA
        )
        return Answer(_unit(small.ravel() - small.mean()), len(window), float(min(1.0, weights.mean())))


def _unit(vector: Floats) -> Vector:
    """The vector at length one; a vector of nothing stays nothing."""
    length = float(np.linalg.norm(vector))
    scaled: Vector = (vector / np.float32(length) if length > 0 else vector).astype(np.float32)
    return scaled
