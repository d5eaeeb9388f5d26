"""The honest baseline: who somebody is by how their average silhouette differs from everybody's.

It goes through the same door as the trained nets (``gait/embedder.py``), works where clothes and view stay
much as they were at enrolment, and gives way to the trained model elsewhere. The average silhouette is that
of Han and Bhanu (2006), "Individual recognition using gait energy image". Two things are done about the view,
both with the directions that the 3D joints face: people who walk to the left are mirrored, and what is
subtracted is the average person seen from the same directions, sample by sample. Proportions of the 3D bones
are left out: measured over rendered walkers, the pose net's bones tell people apart no better than chance.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from gait.embedder import Answer, ModelInfo, Vector
from gait.silhouette import HEIGHT, WIDTH
from stream.messages import Array, Sample

VERSION: Final = 3
VIEWS_FILE: Final = Path(__file__).with_name("baseline_views.npy")
"""uint8 (V, 64, 44): the average person walking right, from -90 (away) to 90 degrees (towards the camera).

Made of rendered walkers by ``calibration/baseline.py``.
"""
VIEWS_DEGREES: Final = np.arange(-90, 91, 15)
STEADY: Final = 13
"""Samples that a direction is the median of."""
RIGHT_HIP, LEFT_HIP, LEFT_SHOULDER, RIGHT_SHOULDER = 1, 4, 10, 13

Floats = NDArray[np.float32]


class BaselineConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a window keeps; every number is part of the model's digest.

    ``memory_samples`` bounds a tracklet's memory. ``steady_share``: a silhouette whose area differs from the
    window's median by more than this share is two people in one, or half of one, and is left out.
    """

    memory_samples: int = 256  # ten seconds of the 25 Hz grid, 0.75 MB
    steady_share: float = 0.3  # a walker's area swings by a fifth between mid-stance and full stride

    def __post_init__(self) -> None:
        if self.memory_samples < 1 or not 0 < self.steady_share < 1:
            raise ValueError("`memory_samples` must be above 0 and `steady_share` inside (0, 1)")


@dataclass(frozen=True)
class _Kept:
    """One valid sample; ``aside`` (2,) from the body's left to its right side: x and z, metres."""

    captured_ns: int
    weight: float
    silhouette: NDArray[np.uint8]
    aside: Floats | None


@dataclass
class BaselineMemory:
    """The last valid samples of one tracklet, oldest first."""

    samples: deque[_Kept] = field(default_factory=deque)


class BaselineEmbedder:
    """An ``Embedder`` over average silhouettes; its vectors have 64 x 44 numbers."""

    def __init__(self, config: BaselineConfig | None = None) -> None:
        self._config = config or BaselineConfig()
        self._views: Floats = np.load(VIEWS_FILE, allow_pickle=False).astype(np.float32)
        text = f"gaitway-baseline {VERSION} ".encode() + msgspec.json.encode(self._config)
        digest = hashlib.sha256(text + VIEWS_FILE.read_bytes()).hexdigest()[:32]
        self._model = ModelInfo("baseline", digest, HEIGHT * WIDTH)

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
                silhouette = sample.silhouette.numpy()
                memory.samples.append(
                    _Kept(sample.captured_ns, sample.weight, silhouette, aside_of(sample.joints_3d))
                )

    def cut(self, memory: BaselineMemory) -> None:
        """The segment ended: forget what came before."""
        memory.samples.clear()

    def embed(self, memory: BaselineMemory, start_ns: int, end_ns: int) -> Answer | None:
        """The vector of the samples captured in [start_ns, end_ns]; None where nothing can be told."""
        window = [kept for kept in memory.samples if start_ns <= kept.captured_ns <= end_ns]
        if not window:
            return None
        silhouettes = np.stack([kept.silhouette for kept in window]).astype(np.float32)
        weights = np.array([kept.weight for kept in window], dtype=np.float32)
        weights = weights * self._steady(silhouettes)
        shares = weights / weights.sum()
        average = np.tensordot(shares, silhouettes, axes=1)
        leftwards, views = view_shares([kept.aside for kept in window])
        usual = np.tensordot(shares @ views, self._views, axes=1)
        residual: Floats = ((average[:, ::-1] if leftwards else average) - usual).astype(np.float32)
        length = float(np.linalg.norm(residual))
        if length == 0:
            return None
        vector: Vector = (residual / np.float32(length)).ravel()
        return Answer(vector, int((weights > 0).sum()), float(min(1.0, weights.mean())))

    def _steady(self, silhouettes: Floats) -> NDArray[np.bool_]:
        """(T,) which silhouettes have about the area of the median one."""
        areas = silhouettes.sum(axis=(1, 2))
        usual = np.median(areas)
        steady: NDArray[np.bool_] = np.abs(areas - usual) <= self._config.steady_share * usual
        return steady


def aside_of(joints_3d: Array | None) -> Floats | None:
    """(2,) from the left hip and shoulder to the right, x and z in metres; None without 3D joints."""
    if joints_3d is None:
        return None
    joints = joints_3d.numpy()
    across = joints[RIGHT_HIP] - joints[LEFT_HIP] + joints[RIGHT_SHOULDER] - joints[LEFT_SHOULDER]
    level: Floats = across[[0, 2]]
    return level if np.isfinite(level).all() else None


def view_shares(asides: Sequence[Floats | None]) -> tuple[bool, Floats]:
    """Whether a window's person walks left, and of each sample (T,) its shares (T, 13) in the nearest views.

    Camera frame: x right, y down, z ahead. Who walks to the right has their right side near the camera.
    Directions are medians over about half a second; without any, the person walks right, seen from the side.
    """
    known = [aside for aside in asides if aside is not None]
    if not known:
        asides = known = [np.array([0.0, -1.0], np.float32)] * len(asides)
    usual = np.median(np.stack(known), axis=0)
    every = np.stack([usual if aside is None else aside for aside in asides])
    padded = np.pad(every, ((STEADY // 2, STEADY // 2), (0, 0)), mode="edge")
    x, z = np.median(sliding_window_view(padded, STEADY, axis=0), axis=-1).T
    leftwards = bool(usual[1] > 0)
    degrees = np.degrees(np.arctan2(-x, np.maximum(z if leftwards else -z, 0.0)))
    distance = np.abs(VIEWS_DEGREES - degrees[:, None]) / (VIEWS_DEGREES[1] - VIEWS_DEGREES[0])
    return leftwards, np.maximum(0.0, 1.0 - distance).astype(np.float32)
