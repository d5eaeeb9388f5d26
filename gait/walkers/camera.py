"""A pinhole camera over the ground.

Camera frame: x right, y down, z ahead, metres; pixels count from the top left.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
NEAR_M = 0.3
"""Nothing nearer is drawn."""


@dataclass(frozen=True)
class Camera:
    """``x``, ``y``, ``height`` metres; ``heading`` as paths, ``pitch`` down, radians; ``focal`` pixels."""

    width: int = 1280
    height_px: int = 720
    focal: float = 1100.0
    x: float = 0.0
    y: float = 0.0
    height: float = 1.5
    heading: float = np.pi / 2
    pitch: float = 0.05

    @cached_property
    def at(self) -> Floats:
        """(3,) where the camera is, world metres."""
        return np.array([self.x, self.y, self.height])

    @cached_property
    def axes(self) -> Floats:
        """(3, 3) rows: right, down and ahead in world coordinates."""
        level = np.array([np.cos(self.heading), np.sin(self.heading), 0.0])
        ahead = np.cos(self.pitch) * level - np.array([0.0, 0.0, np.sin(self.pitch)])
        right = np.array([np.sin(self.heading), -np.cos(self.heading), 0.0])
        return np.stack([right, np.cross(ahead, right), ahead])

    def to_camera(self, points: Floats) -> Floats:
        """World (..., 3) -> camera frame (..., 3)."""
        return np.asarray((points - self.at) @ self.axes.T)

    def project(self, points: Floats) -> tuple[Floats, Floats]:
        """World (..., 3) -> pixels (..., 2) and depth (...) in metres."""
        local = self.to_camera(points)
        depth = np.maximum(local[..., 2], NEAR_M)
        pixels = local[..., :2] * (self.focal / depth)[..., None]
        return pixels + np.array([self.width / 2, self.height_px / 2]), local[..., 2]

    def distance_for(self, stature: float, height_px: float) -> float:
        """How far away a person of ``stature`` metres is about ``height_px`` tall."""
        return self.focal * stature / height_px

    def ground(self, pixel_x: float, depth: float) -> tuple[float, float]:
        """The ground point at column ``pixel_x`` and ``depth`` metres ahead, measured along the ground."""
        aside = (
            (pixel_x - self.width / 2)
            / self.focal
            * (depth * np.cos(self.pitch) + self.height * np.sin(self.pitch))
        )
        level = np.array([np.cos(self.heading), np.sin(self.heading)])
        right = np.array([np.sin(self.heading), -np.cos(self.heading)])
        x, y = np.array([self.x, self.y]) + depth * level + aside * right
        return float(x), float(y)
