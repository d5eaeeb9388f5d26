"""A generated walk, small and quick: capsules along a swinging skeleton, aligned as real silhouettes are.

For checks and examples that need plausible input and no data; rendered people are ``gait.walkers``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from gait.inputs import Walk
from gait.silhouette import align, transform_points
from gait.skeleton import GAITWAY16

_CANVAS: Final = 256
_HIP_PX: Final = 130.0
_PX_PER_M: Final = 120.0
_STRIDE_HZ: Final = 0.95
_GRID_HZ: Final = 25.0


@dataclass(frozen=True)
class Build:
    """What tells one generated walker from another; lengths in metres, swings in radians."""

    thigh_m: float
    shank_m: float
    torso_m: float
    arm_m: float
    girth_m: float
    leg_swing: float
    arm_swing: float

    @classmethod
    def of(cls, seed: int) -> Build:
        """A walker by number."""
        low = np.array([0.38, 0.38, 0.46, 0.24, 0.10, 0.35, 0.25])
        high = np.array([0.48, 0.46, 0.58, 0.32, 0.17, 0.55, 0.65])
        values = np.random.default_rng(seed).uniform(low, high)
        return cls(*(float(value) for value in values))


def sample_walk(seed: int, frames: int = 30, phase: float = 0.0, width: int = 44) -> Walk:
    """``frames`` instants of walker ``seed`` at 25 Hz, seen from the side, from ``phase`` of the cycle on."""
    build = Build.of(seed)
    joints = np.stack([_pose(build, phase + t * _STRIDE_HZ / _GRID_HZ) for t in range(frames)])
    images, points = zip(*(_seen(pose, build, width) for pose in joints), strict=True)
    return Walk(np.stack(images), np.stack(points), joints.astype(np.float32))


def _pose(build: Build, cycle: float) -> NDArray[np.float64]:
    """(16, 3) metres about the pelvis, walking towards +x, y down, the right side nearer (z < 0)."""
    joints = np.zeros((GAITWAY16.size, 3))
    for side, sign, depth in (("right", 1.0, -0.09), ("left", -1.0, 0.09)):
        swing = sign * np.sin(2 * np.pi * cycle)
        thigh = build.leg_swing * swing
        bend = 0.25 + 0.35 * max(0.0, sign * np.cos(2 * np.pi * cycle))
        knee = build.thigh_m * _down(thigh)
        ankle = knee + build.shank_m * _down(thigh - bend)
        for joint, place in (("hip", np.zeros(2)), ("knee", knee), ("ankle", ankle)):
            joints[GAITWAY16.index(f"{side}_{joint}")] = (*place, depth)
        shoulder = np.array([0.0, -build.torso_m])
        elbow = shoulder + build.arm_m * _down(-build.arm_swing * swing)
        wrist = elbow + build.arm_m * _down(-build.arm_swing * swing + 0.3)
        for joint, place in (("shoulder", shoulder), ("elbow", elbow), ("wrist", wrist)):
            joints[GAITWAY16.index(f"{side}_{joint}")] = (*place, 1.6 * depth)
    for joint, share in (("spine", 0.5), ("neck", 1.0), ("head", 1.35)):
        joints[GAITWAY16.index(joint), 1] = -share * build.torso_m
    return joints


def _down(angle: float) -> NDArray[np.float64]:
    """The unit vector that hangs down, swung forwards by ``angle``."""
    return np.array([np.sin(angle), np.cos(angle)])


def _seen(
    pose: NDArray[np.float64], build: Build, width: int
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """The aligned silhouette of a pose, and its joints in that silhouette's pixels."""
    image = np.zeros((_CANVAS, _CANVAS), np.uint8)
    points = pose[:, :2] * _PX_PER_M + (_CANVAS / 2, _HIP_PX)
    limb = max(2, round(build.girth_m * _PX_PER_M))
    for a, b in GAITWAY16.edges:
        trunk = {GAITWAY16.joints[a], GAITWAY16.joints[b]} <= {"pelvis", "spine", "neck"}
        start, end = (tuple(np.round(points[k]).astype(int).tolist()) for k in (a, b))
        cv2.line(image, start, end, 255, round(1.6 * limb) if trunk else limb)
    head = tuple(np.round(points[GAITWAY16.index("head")]).astype(int).tolist())
    cv2.circle(image, head, limb, 255, -1)
    aligned = align(image, width=width)
    assert aligned is not None, "a drawn walker has a silhouette"
    placed = transform_points(np.concatenate([points, np.ones((len(points), 1))], axis=1), aligned.transform)
    return aligned.image, placed
