"""A track's skeleton as clothes need it: every joint in every frame, how tall, which way it faces."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d

from gait.data.errors import DataError
from gait.skeleton import GAITWAY16, Layout, convert

Floats = NDArray[np.float64]
Masks = NDArray[np.uint8]

LIMBS: Final = tuple(name for name in GAITWAY16.joints if name not in ("spine", "head"))
LEFT_SHOULDER, RIGHT_SHOULDER = GAITWAY16.indices("left_shoulder", "right_shoulder")
LEFT_HIP, RIGHT_HIP = GAITWAY16.indices("left_hip", "right_hip")
KNEES = GAITWAY16.indices("left_knee", "right_knee")
ANKLES = GAITWAY16.indices("left_ankle", "right_ankle")
HIPS = [LEFT_HIP, RIGHT_HIP]
PELVIS, SPINE, NECK, HEAD = GAITWAY16.indices("pelvis", "spine", "neck", "head")

SURE: Final = 0.05
"""A joint less sure than this is taken from its neighbours in time."""
HALF_SHOULDERS: Final = 0.106
"""Shares of stature: half the way from shoulder to shoulder (Drillis and Contini 1966 give 0.129 with the
arms' flesh, which the joints lie inside of)."""
SMOOTHED: Final = 25
"""Frames, about a stride: nobody turns faster, and what a stride does to the trunk averages out."""


@dataclass(frozen=True)
class Figure:
    """``joints`` (T, 16, 2) pixels in ``GAITWAY16``'s order, none missing; ``stature`` in pixels.

    ``ahead`` (T,): how far to the right in the picture one unit forwards goes, -1 to 1; ``across`` (T,):
    likewise one unit to the walker's left; the rest of either points along the view.
    """

    joints: Floats
    stature: float
    ahead: Floats
    across: Floats

    @classmethod
    def of(
        cls, masks: Masks, joints_2d: NDArray[Any], joints_3d: NDArray[Any] | None, layout: Layout
    ) -> Figure:
        """Of masks (T, h, w) and joints (T, K, 3) in their pixels; raises DataError for a limb never seen."""
        known = convert(joints_2d, layout, GAITWAY16).points
        joints = whole_joints(known)
        stature = _stature(masks)
        across = _leftwards(joints) / (2 * HALF_SHOULDERS * stature)
        depth = None if joints_3d is None else _depth(joints_3d, layout)
        if depth is None:
            across = np.clip(_smooth(across), -1, 1)
            ahead = np.sqrt(1 - across**2) * _bent_knees(joints)
        else:
            ahead, across = depth
        return cls(joints, stature, ahead, across)


def whole_joints(known: NDArray[np.float32]) -> Floats:
    """(T, 16, 2) with what is missing taken from the frames around; a head or spine never seen, guessed."""
    frames = np.arange(len(known))
    out = np.zeros((*known.shape[:2], 2))
    for number, name in enumerate(GAITWAY16.joints):
        seen = np.flatnonzero(known[:, number, 2] > SURE)
        if seen.size:
            for axis in (0, 1):
                out[:, number, axis] = np.interp(frames, seen, known[seen, number, axis])
        elif name in LIMBS:
            raise DataError(f"no {name.replace('_', ' ')} in any frame", wanted="joints of the whole body")
    for number, share in ((SPINE, 0.5), (HEAD, 1.36)):
        if not (known[:, number, 2] > SURE).any():
            out[:, number] = out[:, PELVIS] + share * (out[:, NECK] - out[:, PELVIS])
    return out


def _stature(masks: Masks) -> float:
    """The median height of whoever is in them, pixels."""
    rows = np.asarray((masks > 0).any(axis=2))
    there = rows.any(axis=1)
    if not there.any():
        raise DataError("nobody is in any of its silhouettes")
    rows = rows[there]
    first, last = rows.argmax(axis=1), rows.shape[1] - rows[:, ::-1].argmax(axis=1)
    return float(np.median(last - first))


def _leftwards(joints: Floats) -> Floats:
    """(T,) pixels from the right shoulder to the left one, along x."""
    return np.asarray(joints[:, LEFT_SHOULDER, 0] - joints[:, RIGHT_SHOULDER, 0])


def _depth(joints_3d: NDArray[Any], layout: Layout) -> tuple[Floats, Floats] | None:
    """Ahead and across from metres, x right and z away from the camera; None where they do not tell."""
    points = convert(joints_3d, layout, GAITWAY16, confidence=False).points.astype(np.float64)
    left = points[:, [LEFT_SHOULDER, LEFT_HIP]] - points[:, [RIGHT_SHOULDER, RIGHT_HIP]]
    flat = left[..., [0, 2]].mean(axis=1)
    if not np.isfinite(flat).all():
        return None
    flat = _smooth(flat)
    length = np.hypot(flat[:, 0], flat[:, 1])
    if (length < 1e-6).any():
        return None
    # Whoever walks to the right has their left side away from the camera.
    return np.asarray(flat[:, 1] / length), np.asarray(flat[:, 0] / length)


def _bent_knees(joints: Floats) -> float:
    """1 for a walker who faces right, -1 for left: knees bend forwards, over a whole track."""
    hips, knees, ankles = joints[:, HIPS, 0], joints[:, KNEES, 0], joints[:, ANKLES, 0]
    return 1.0 if float((knees - (hips + ankles) / 2).mean()) >= 0 else -1.0


def _smooth(values: Floats) -> Floats:
    return np.asarray(uniform_filter1d(values, min(SMOOTHED, len(values)), axis=0, mode="nearest"))
