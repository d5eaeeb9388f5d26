"""Where a camera stands and which way somebody passes it."""

from __future__ import annotations

import numpy as np

from gait.walkers.camera import Camera
from gait.walkers.path import Path


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
