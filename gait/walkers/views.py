"""Where a camera stands and which way somebody passes it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gait.walkers.camera import Camera
from gait.walkers.path import Path
from gait.walkers.seeds import stream

MIDDLE_M = 0.9
"""The height at which a camera that watches people aims."""
CLEAR_M = 1.8
"""Nobody passes nearer than this."""


@dataclass(frozen=True)
class View:
    """A camera and how somebody passes it, as ``path_past`` has it; ``bend`` is a share of the length."""

    camera: Camera
    view_deg: float
    distance_m: float
    bend: float = 0.0

    def path(self, length_m: float) -> Path:
        """A path of about ``length_m`` metres whose middle is ``distance_m`` away."""
        towards = abs(np.cos(np.deg2rad(self.view_deg)))
        distance = max(self.distance_m, CLEAR_M + 0.5 * towards * length_m)
        return path_past(self.camera, self.view_deg, distance, length_m, self.bend * length_m)


def sample_view(
    seed: int,
    number: int = 0,
    view_deg: float | None = None,
    size: tuple[int, int] = (1280, 720),
) -> View:
    """View ``number`` of seed ``seed``: from a table's height to a lamp post's, near and far, any lens.

    ``view_deg`` fixes the direction to a degree or so; else any. A third of all paths are curved.
    """
    rng = stream(seed, "view", number)
    angle = float(rng.uniform(0, 360)) if view_deg is None else view_deg + float(rng.normal(0, 1.5))
    distance = float(np.exp(rng.uniform(np.log(3.2), np.log(14.0))))
    height = float(np.exp(rng.uniform(np.log(0.7), np.log(3.8))))
    # People fill from a sixth to most of the picture's height.
    focal = size[1] * distance / 1.75 * float(rng.uniform(0.17, 0.7))
    pitch = float(np.arctan2(height - MIDDLE_M, distance) + rng.normal(0, 0.02))
    bend = float(rng.normal(0, 0.05)) if rng.random() < 1 / 3 else 0.0
    camera = Camera(size[0], size[1], focal, height=height, pitch=pitch)
    return View(camera, angle % 360, distance, bend)


def path_past(
    camera: Camera, view_deg: float, distance_m: float, length_m: float = 6.0, bend_m: float = 0.0
) -> Path:
    """A path whose middle lies ``distance_m`` ahead of the camera.

    ``view_deg``: 0 towards the camera, 90 side-on to the right, 180 away, 270 side-on to the left.
    ``bend_m``: how far the middle lies left of the straight line between the ends, for curved paths.
    """
    turn = camera.heading + np.pi + np.deg2rad(view_deg)
    way, left = np.array([np.cos(turn), np.sin(turn)]), np.array([-np.sin(turn), np.cos(turn)])
    ahead = np.array([np.cos(camera.heading), np.sin(camera.heading)])
    u = np.linspace(-1.0, 1.0, 41)[:, None]
    middle = np.array([camera.x, camera.y]) + distance_m * ahead
    points = middle + 0.5 * length_m * u * way - bend_m * u**2 * left
    tangent = 0.5 * length_m * way - 2 * bend_m * u * left
    return Path(points, np.arctan2(tangent[:, 1], tangent[:, 0]))
