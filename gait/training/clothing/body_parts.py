"""Which part of the body a mask's pixel shows, and how far along it; told by landmarks and mask alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gait.skeleton import GAITWAY16
from gait.training.clothing.figure import Floats, Masks

TRUNK, HEAD, UPPER_ARM, FOREARM, THIGH, SHANK = range(6)
PARTS: Final = ("trunk", "head", "upper arm", "forearm", "thigh", "shank")

# Part, from joint, to joint, half width as a share of stature: which of two bones owns a pixel between them.
BONES: Final = (
    (TRUNK, "pelvis", "neck", 0.060),
    (TRUNK, "left_hip", "left_shoulder", 0.040),
    (TRUNK, "right_hip", "right_shoulder", 0.040),
    (TRUNK, "left_hip", "right_hip", 0.050),
    (HEAD, "neck", "head", 0.030),
    (UPPER_ARM, "left_shoulder", "left_elbow", 0.028),
    (UPPER_ARM, "right_shoulder", "right_elbow", 0.028),
    (FOREARM, "left_elbow", "left_wrist", 0.022),
    (FOREARM, "right_elbow", "right_wrist", 0.022),
    (THIGH, "left_hip", "left_knee", 0.045),
    (THIGH, "right_hip", "right_knee", 0.045),
    (SHANK, "left_knee", "left_ankle", 0.032),
    (SHANK, "right_knee", "right_ankle", 0.032),
)
_PART = np.array([bone[0] for bone in BONES], np.int8)
_FROM = np.array([GAITWAY16.index(bone[1]) for bone in BONES])
_TO = np.array([GAITWAY16.index(bone[2]) for bone in BONES])
_HALF = np.array([bone[3] for bone in BONES])
SKULL: Final = 0.055
"""The head's own half width, a disc round its joint."""


@dataclass(frozen=True)
class Parsed:
    """A mask's N body pixels: ``rows`` and ``columns``, ``part``, ``along`` the bone: 0 to 1 and beyond."""

    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    part: NDArray[np.int8]
    along: NDArray[np.float32]

    def of(self, *parts: int) -> NDArray[np.bool_]:
        """(N,) which belong to one of ``parts``."""
        return np.isin(self.part, parts)


def parse(mask: Masks, joints: Floats, stature: float) -> Parsed:
    """The parse of one mask (h, w) by its joints (16, 2)."""
    rows, columns = np.nonzero(mask)
    points = np.stack([columns, rows], axis=1).astype(np.float32)
    start = joints[_FROM].astype(np.float32)
    bone = joints[_TO].astype(np.float32) - start
    length2 = np.maximum((bone**2).sum(axis=1), 1e-6)
    # |p - a|^2 and (p - a) . b for all pixels and bones by matrix products: far quicker than differences.
    dots = points @ bone.T - (start * bone).sum(axis=1)
    along = dots / length2
    far2 = (points**2).sum(axis=1)[:, None] - 2 * points @ start.T + (start**2).sum(axis=1)
    near = np.clip(along, 0, 1)
    gap = np.sqrt(np.maximum(far2 - 2 * near * dots + near**2 * length2, 0)) - (_HALF * stature).astype(
        np.float32
    )
    skull = np.hypot(*(points - joints[9].astype(np.float32)).T) - np.float32(SKULL * stature)
    gap[:, 4] = np.minimum(gap[:, 4], skull)
    owner = gap.argmin(axis=1)
    return Parsed(rows, columns, _PART[owner], along[np.arange(len(owner)), owner])
