"""Tubes to pixels: one person as a small picture with coverage, drawn back to front."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from cv2.typing import MatLike
from numpy.typing import NDArray

from gait.walkers.camera import NEAR_M, Camera
from gait.walkers.tubes import Tube, corners, low_rings
from gait.walkers.vectors import Floats, cross, length

SHIFT = 4
"""Fixed-point bits of a corner's position."""
STRENGTH_UNIT = 200
"""Light of strength 1 as it is stored beside the colours."""
AMBIENT = 0.16
PATCH_SHARE = 0.014
"""About the width of a patch, as a share of a person's height."""
REACH_PX = 20_000
"""Corners further off the picture are held there, within what fixed point can carry."""


@dataclass(frozen=True)
class Light:
    """``towards`` (3,) unit, to the lamp; strengths ``key`` and ``sky``; ``tint`` (3,) red, green, blue."""

    towards: Floats
    key: float
    sky: float
    tint: Floats


@dataclass(frozen=True)
class Patches:
    """``corners`` (n, 4, 2) pixels, far to near; ``colours`` (n, 4) blue, green, red, light: 1-255."""

    corners: Floats
    colours: Floats


@dataclass(frozen=True)
class Layer:
    """``bgr`` uint8 (h, w, 3) times ``cover`` uint8 (h, w); ``left``, ``top`` in the frame or outside it."""

    bgr: NDArray[np.uint8]
    cover: NDArray[np.uint8]
    left: int
    top: int


def sides_for(height_px: float) -> int:
    """Corners to a ring: as many as can be told apart."""
    return int(np.clip(round(height_px / 20), 8, 16))


def supersampling_for(height_px: float) -> int:
    """Finer pixels for small people, whose edges matter most."""
    return 3 if height_px < 140 else 2


def patches(tubes: list[Tube], camera: Camera, light: Light) -> Patches:
    """The patches that face the camera, shaded."""
    quads, inside, colours, nudge = _surface(tubes)
    a, b, c, d = quads.transpose(1, 0, 2)
    middle = (a + b + c + d) / 4
    normal = cross(c - a, d - b)
    normal /= np.maximum(length(normal), 1e-12)[:, None]
    normal *= np.where(_dot(normal, middle - inside) < 0, -1.0, 1.0)[:, None]
    sight = camera.at - middle
    distance = length(sight)
    facing = (_dot(normal, sight) > -0.02 * distance) & (camera.to_camera(middle)[:, 2] > NEAR_M)
    order = np.flatnonzero(facing)
    order = order[np.argsort((nudge - distance)[order], kind="stable")]
    pixels, _ = camera.project(quads[order])
    strength = _strength(normal[order], sight[order] / distance[order, None], light) * STRENGTH_UNIT
    albedo = colours[order][:, ::-1] * light.tint[::-1] * 255
    return Patches(pixels, np.column_stack([albedo, strength]).clip(1, 255))


def _dot(a: Floats, b: Floats) -> Floats:
    return np.asarray(np.einsum("ij,ij->i", a, b))


def _surface(tubes: list[Tube]) -> tuple[Floats, Floats, Floats, Floats]:
    """All quads (n, 4, 3), a point inside the body for each (n, 3), their colours (n, 3) and nudges (n,)."""
    sides = tubes[0].paint.shape[1]
    rings, low = corners(tubes, sides), low_rings(tubes)
    near, far = rings[low], rings[low + 1]
    quads = np.stack([near, np.roll(near, -1, axis=1), np.roll(far, -1, axis=1), far], axis=2)
    axis = (near.mean(axis=1) + far.mean(axis=1)) / 2
    inside = np.broadcast_to(axis[:, None], (low.size, sides, 3))
    paint = np.concatenate([tube.paint for tube in tubes])
    nudge = np.repeat(np.concatenate([tube.nudge for tube in tubes]), sides)
    return quads.reshape(-1, 4, 3), inside.reshape(-1, 3), paint.reshape(-1, 3), nudge


def _strength(normal: Floats, sight: Floats, light: Light) -> Floats:
    """A lamp that wraps softly round, light from the sky, and a darker rim where the surface turns away."""
    lamp = np.clip((normal @ light.towards + 0.35) / 1.35, 0, 1)
    sky = 0.5 + 0.5 * normal[:, 2]
    rim = 0.70 + 0.30 * np.clip(_dot(normal, sight), 0, 1) ** 0.7
    return np.asarray((light.key * lamp + light.sky * sky + AMBIENT) * rim)


def draw(what: Patches, window: tuple[int, int, int, int], height_px: float) -> Layer:
    """Paint the patches into ``window`` (left, top, right, bottom) on a finer grid, then reduce.

    Light is smoothed over the size of a patch before it meets the colours, so that flat patches look round
    while stripes and eyes stay sharp.
    """
    left, top, right, bottom = window
    width, height, fine = right - left, bottom - top, supersampling_for(height_px)
    canvas = np.zeros((height * fine, width * fine, 4), np.uint8)
    moved = np.clip(what.corners - (left, top), -REACH_PX, REACH_PX) * fine - 0.5
    fixed = np.round(moved * (1 << SHIFT)).astype(np.int32)
    for quad, colour in zip(fixed, what.colours.tolist(), strict=True):
        cv2.fillConvexPoly(canvas, quad, colour, cv2.LINE_8, SHIFT)
    strength = cv2.extractChannel(canvas, 3)
    _, cover = cv2.threshold(strength, 0, 255, cv2.THRESH_BINARY)
    side = 2 * round(PATCH_SHARE * height_px * fine / 2) + 1
    light = cv2.divide(_smoothed(strength, side), _smoothed(cover, side), scale=255)
    albedo = cv2.cvtColor(canvas, cv2.COLOR_BGRA2BGR)
    lit = cv2.multiply(albedo, cv2.cvtColor(light, cv2.COLOR_GRAY2BGR), scale=1 / STRENGTH_UNIT)
    return Layer(_reduced(lit, width, height), _reduced(cover, width, height), left, top)


def _smoothed(image: MatLike, side: int) -> MatLike:
    return cv2.blur(cv2.blur(image, (side, side)), (side, side))


def _reduced(image: MatLike, width: int, height: int) -> NDArray[np.uint8]:
    smooth = cv2.blur(image, (3, 3))
    return np.asarray(cv2.resize(smooth, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
