"""Head, face, hair and neck. Lengths are shares of half the head's height."""

from __future__ import annotations

import numpy as np

from gait.walkers.body import Body, Colour
from gait.walkers.motion import Axes, Pose
from gait.walkers.tubes import Tube, between, patch_angles, plain, profile
from gait.walkers.vectors import UP, Floats, cross, unit

HALF_SHARE = 0.56
"""Half the head's height as drawn, as a share of ``Body.head_size``."""
# t from the chin (-1) to the crown (1); half width, front, back.
SKULL = (
    (-1.00, 0.05, 0.40, -0.20),
    (-0.94, 0.22, 0.54, -0.05),
    (-0.80, 0.38, 0.64, 0.15),
    (-0.55, 0.51, 0.71, 0.40),
    (-0.25, 0.58, 0.73, 0.68),
    (0.05, 0.62, 0.72, 0.84),
    (0.30, 0.65, 0.75, 0.89),
    (0.55, 0.63, 0.72, 0.83),
    (0.78, 0.51, 0.56, 0.67),
    (0.93, 0.31, 0.34, 0.42),
    (1.00, 0.06, 0.06, 0.08),
)
SKULL_T = np.array(
    [-1.0, -0.94, -0.8, -0.62, -0.45, -0.28, -0.1, 0.08, 0.26, 0.42, 0.56, 0.7, 0.82, 0.92, 0.98, 1.0]
)


SKULL_SHAPE = profile(SKULL, SKULL_T)
_POLAR = np.linspace(0.06, np.pi - 0.06, 5)
BALL_WIDE, BALL_ALONG = np.sin(_POLAR), np.cos(_POLAR)
"""Rings of a ball of radius 1."""


def head(body: Body, pose: Pose, sides: int, outline: bool = False) -> list[Tube]:
    """Neck, skull, face and what hangs from it; ``outline`` leaves out what no silhouette shows."""
    axes, centre, size = pose.head, pose.joints[..., 9, :], body.head_size * HALF_SHARE
    tubes = [_neck(body, pose, sides), _skull(body, axes, centre, size, sides)]
    tubes += _face(body, axes, centre, size, sides, outline)
    if body.hair == "long":
        tubes.append(_tail(body, axes, centre, size, sides))
    elif body.hair == "bun":
        at = centre + size * (0.42 * axes.up - 0.98 * axes.forward)
        big = 0.7 + 0.3 * body.hair_volume
        tubes.append(ball(at, axes, np.array([0.32, 0.32, 0.30]) * size * big, body.hair_colour, sides))
    return tubes


def _hairline(body: Body, sides: int) -> tuple[Floats, Floats]:
    """(sides,) between which heights there is hair: high over the brow, past the ear, down to the nape."""
    ahead = np.sin(patch_angles(sides))
    if body.hair == "bald":
        return np.where(ahead < 0.05, -0.45, 9.0), np.full(sides, 0.3)
    # Brow and temples, then a step down before the ear, then down the back of the head.
    low = np.where(ahead > 0.3, 0.62, np.where(ahead > 0.0, 0.10, -0.60))
    return low, np.full(sides, 9.0)


def _skull(body: Body, axes: Axes, middle: Floats, size: float, sides: int) -> Tube:
    t = SKULL_T
    half = SKULL_SHAPE * size * (body.head_width, body.head_depth, body.head_depth)
    low, high = _hairline(body, sides)
    at = between(t)[:, None]
    hairy = (at > low) & (at < high)
    paint = np.where(hairy[..., None], np.array(body.hair_colour), np.array(body.skin))
    if body.hair != "bald":
        # Hair has thickness, most at the crown and the back.
        volume = body.hair_volume
        # Full hair stands off sides and back, hardly the brow.
        thick = np.array([0.09 * volume, 0.05 * min(volume, 1.0), 0.07 * volume])
        half *= 1 + thick * np.clip((t - 0.1) / 0.4, 0, 1)[:, None]
        t = t * np.where(t > 0, 1 + 0.06 * volume, 1.0)
    centre = middle[..., None, :] + (t * size)[:, None] * axes.up[..., None, :]
    return Tube.of(centre, axes.left, axes.forward, half, paint)


def _neck(body: Body, pose: Pose, sides: int) -> Tube:
    """From under the collar to under the jaw."""
    low = pose.joints[..., 8, :] - body.stature * (0.012 * pose.chest.up + 0.006 * pose.chest.forward)
    high = pose.joints[..., 9, :] - body.head_size * (0.22 * pose.head.up + 0.05 * pose.head.forward)
    u = np.linspace(0, 1, 5)[:, None]
    radius = (
        np.interp(u, [0, 0.3, 1], [0.036, 0.031, 0.028]) * body.stature * body.girth**0.5 * body.neck_girth
    )
    front = unit(cross(pose.head.left, unit(high - low)))
    half = radius * np.array([0.95, 1.0, 1.05])
    collar = -0.05 * np.clip(1 - 2 * between(u[:, 0]), 0, 1)
    centre = (1 - u) * low[..., None, :] + u * high[..., None, :]
    return Tube.of(centre, pose.head.left, front, half, plain(body.skin, 5, sides) * 0.9, collar)


def _face(body: Body, axes: Axes, centre: Floats, size: float, sides: int, outline: bool) -> list[Tube]:
    """Nose, ears, eyes, brows and mouth: small, but they tell front from side."""
    skin, hair = np.array(body.skin), np.array(body.hair_colour)

    def lump(at: tuple[float, float, float], half: tuple[float, float, float], colour: Floats) -> Tube:
        """``at`` to the left, up and ahead of the head's middle."""
        left, up, ahead = at
        where = centre + size * (left * axes.left + up * axes.up + ahead * axes.forward)
        red, green, blue = colour.tolist()
        return ball(where, axes, np.array(half) * size, (red, green, blue), sides)

    nose = lump((0, -0.18, 0.73), (0.10, 0.12, 0.13), skin * 0.97)
    ears = [lump((0.61 * side, -0.06, -0.04), (0.07, 0.17, 0.12), skin * 0.93) for side in (-1.0, 1.0)]
    if outline:
        return [nose, *ears]
    lips, white, iris = skin * (0.86, 0.62, 0.60), np.array([0.93, 0.92, 0.90]), np.array([0.12, 0.09, 0.07])
    face = [
        nose,
        lump((0, 0.00, 0.69), (0.065, 0.12, 0.14), skin),
        lump((0, -0.50, 0.665), (0.20, 0.065, 0.055), lips),
    ]
    for side, ear in zip((-1.0, 1.0), ears, strict=True):
        face += [
            ear,
            lump((0.25 * side, 0.10, 0.625), (0.11, 0.07, 0.065), white),
            lump((0.25 * side, 0.10, 0.665), (0.055, 0.055, 0.05), iris),
            lump((0.26 * side, 0.25, 0.655), (0.15, 0.045, 0.035), hair * 0.9),
        ]
    return face


def _tail(body: Body, axes: Axes, centre: Floats, size: float, sides: int) -> Tube:
    """Long hair: it hangs straight down from the back of the head."""
    t = np.array([0.5, 0.2, -0.2, -0.6, -1.0, -1.4, -1.75, -1.9])
    t = np.where(t < 0, t * body.hair_length, t)
    full = 0.85 + 0.15 * body.hair_volume
    wide = np.array([0.30, 0.60, 0.68, 0.70, 0.69, 0.64, 0.46, 0.15]) * size * full
    deep = np.array([0.20, 0.34, 0.36, 0.34, 0.30, 0.25, 0.18, 0.06]) * size * full
    back = unit(axes.forward * np.array([1.0, 1.0, 0.3]))
    middle = centre[..., None, :] + (t * size)[:, None] * (0.5 * axes.up + 0.5 * UP)[..., None, :]
    middle = middle - ((0.58 + 0.06 * (0.5 - t)) * size)[:, None] * back[..., None, :]
    half = np.stack([wide, deep, deep], axis=1)
    return Tube.of(middle, axes.left, back, half, plain(body.hair_colour, t.size, sides) * 0.93, nudge=0.03)


def ball(at: Floats, axes: Axes, half: Floats, colour: Colour, sides: int) -> Tube:
    """An ellipsoid: ``half`` to the sides, up and down, and to front and back."""
    # Rings run from back to front, so that a face's features have a cap towards the viewer.
    ring = BALL_WIDE[:, None] * half[[0, 1, 1]]
    centre = at[..., None, :] - (BALL_ALONG * half[2])[:, None] * axes.forward[..., None, :]
    return Tube.of(centre, axes.left, axes.up, ring, plain(colour, BALL_WIDE.size, sides))
