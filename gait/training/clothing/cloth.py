"""Cloth on a mask: as thick as it is where it lies on the body, hung where it leaves it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from gait.training.clothing.body_parts import FOREARM, HEAD, SHANK, THIGH, TRUNK, UPPER_ARM, Parsed
from gait.training.clothing.figure import ANKLES, KNEES, NECK, PELVIS, Figure, Floats, Masks
from gait.training.clothing.figure import HEAD as HEAD_JOINT
from gait.training.clothing.outfits import Outfit
from gait.training.clothing.swing import draped, pendulum

LEVELS: Final = 12
"""Heights at which hanging cloth is known."""
CLOTH_HZ: Final = 1.1
"""A skirt's own swing: a pendulum of its length."""
SHIN_HZ: Final = 3.0
ROUND_TO_FLAT: Final = 2 / np.pi
"""A hem is as long as the widest stride stretches it flat; round the legs it stands this share as wide."""
CUFF: Final = 0.92
"""Sleeves end at this share of the forearm, trousers at this share of the shank."""
NECK_ENDS: Final = 0.45
"""The neck's share of the way from its foot to the head's middle."""
BITS: Final = 3
"""Fixed-point bits of a corner's position."""


def lying(mask: Masks, parsed: Parsed, outfit: Outfit, stature: float, lags: Floats) -> None:
    """Adds to a mask (h, w) what lies on the body; ``lags`` (2,) is how far the shins' cloth trails."""
    thick = _thickness(parsed, outfit) * np.float32(stature)
    on = thick > 0
    if not on.any():
        return
    rows, columns, thick = parsed.rows[on], parsed.columns[on], thick[on]
    if outfit.trousers:
        part, along = parsed.part[on], parsed.along[on]
        # Cloth is carried behind a shin that swings: as if the shin were still a little where it was.
        trailing = part == SHANK
        shift = float(np.mean(lags)) * outfit.loose * np.clip(along[trailing], 0, 1)
        moved = np.rint(columns[trailing] + shift).astype(np.int64)
        rows = np.concatenate([rows, rows[trailing]])
        columns = np.concatenate([columns, np.clip(moved, 0, mask.shape[1] - 1)])
        thick = np.concatenate([thick, thick[trailing]])
    _grow(mask, rows, columns, thick)


def _thickness(parsed: Parsed, outfit: Outfit) -> NDArray[np.float32]:
    """(N,) shares of stature."""
    part, along = parsed.part, parsed.along
    thick = np.zeros(len(part), np.float32)
    thick[part == TRUNK] = outfit.padding
    thick[(part == UPPER_ARM) | ((part == FOREARM) & (along < CUFF))] = outfit.sleeves
    thick[(part == HEAD) & (along < NECK_ENDS)] = outfit.collar
    if outfit.trousers:
        down = np.where(part == SHANK, 1 + along, along)
        legs = (part == THIGH) | ((part == SHANK) & (along < CUFF))
        thick = np.where(legs, outfit.trousers * (0.3 + 0.35 * np.clip(down, 0, 2)), thick).astype(np.float32)
    return thick


def _grow(
    mask: Masks, rows: NDArray[np.int64], columns: NDArray[np.int64], thick: NDArray[np.float32]
) -> None:
    """Fills every pixel whose nearest of the given pixels is no further away than that one's ``thick``."""
    room = int(np.ceil(thick.max())) + 2
    top, left = max(0, int(rows.min()) - room), max(0, int(columns.min()) - room)
    part = mask[top : int(rows.max()) + room + 1, left : int(columns.max()) + room + 1]
    source = np.full(part.shape, 255, np.uint8)
    source[rows - top, columns - left] = 0
    away, owner = cv2.distanceTransformWithLabels(
        source, cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    table = np.zeros(int(owner.max()) + 1, np.float32)
    table[owner[rows - top, columns - left]] = thick
    part[away <= table[owner]] = 255


def shin_lags(figure: Figure) -> Floats:
    """(T, 2) pixels by which the cloth of each shin trails its ankle, along x."""
    relative = figure.joints[:, ANKLES, 0] - figure.joints[:, KNEES, 0]
    return pendulum(relative, SHIN_HZ, 0.6) - relative


def hanging(parsed: Sequence[Parsed], figure: Figure, outfit: Outfit) -> list[NDArray[np.int32]]:
    """The outlines, one a frame, of what hangs from the hips round both legs; fixed-point corners."""
    joints, stature = figure.joints, figure.stature
    pelvis = joints[:, PELVIS]
    leg = float(np.median(joints[:, ANKLES, 1].max(axis=1) - pelvis[:, 1]))
    length = max(outfit.hanging * leg, 0.02 * stature)
    down = np.linspace(0.0, 1.0, LEVELS)
    top = pelvis[:, 1] - 0.03 * stature
    levels = top[:, None] + down * (length + 0.03 * stature)
    reach = np.stack(
        [_reach(one, level, centre) for one, level, centre in zip(parsed, levels, pelvis[:, 0], strict=True)]
    )
    lining = (outfit.padding if outfit.coat else 0.004) * stature
    widening = outfit.flare * length / 2 * down
    rest = ROUND_TO_FLAT * reach.sum(axis=2).max(axis=0) / 2
    out = np.maximum(draped(reach, 0.08 + 0.3 * outfit.loose), rest[:, None]) + lining + widening[:, None]
    sway = _sway(figure) * outfit.loose * outfit.hanging
    left = pelvis[:, :1] - out[..., 0] + sway[:, None] * down**2
    right = pelvis[:, :1] + out[..., 1] + sway[:, None] * down**2
    xs = np.concatenate([left, right[:, ::-1]], axis=1)
    ys = np.concatenate([levels, levels[:, ::-1]], axis=1)
    corners = np.stack([xs, ys], axis=-1) * (1 << BITS)
    return list(np.rint(corners).astype(np.int32))


def _reach(parsed: Parsed, levels: Floats, centre: float) -> Floats:
    """(LEVELS, 2) how far left and right of ``centre`` cloth taut round the legs stands at each level."""
    inside = parsed.of(TRUNK, THIGH, SHANK) & (parsed.rows >= levels[0]) & (parsed.rows <= levels[-1])
    if np.count_nonzero(inside) < 3:
        return np.zeros((len(levels), 2))
    points = np.stack([parsed.columns[inside], parsed.rows[inside]], axis=1).astype(np.int32)
    hull = cv2.convexHull(points)[:, 0].astype(np.float64)
    start, end = hull, np.roll(hull, -1, axis=0)
    low, high = np.minimum(start[:, 1], end[:, 1]), np.maximum(start[:, 1], end[:, 1])
    at = np.clip(levels, hull[:, 1].min(), hull[:, 1].max())[:, None]
    share = (at - start[:, 1]) / np.where(high > low, end[:, 1] - start[:, 1], 1.0)
    crossing = np.where((at >= low) & (at <= high), start[:, 0] + share * (end - start)[:, 0], np.nan)
    return np.stack([centre - np.nanmin(crossing, axis=1), np.nanmax(crossing, axis=1) - centre], axis=1)


def _sway(figure: Figure) -> Floats:
    """(T,) pixels by which a hem swings past what drives it, along x."""
    drive = figure.joints[:, KNEES, 0].mean(axis=1) - figure.joints[:, PELVIS, 0]
    return pendulum(drive, CLOTH_HZ, 0.35)


def hood(mask: Masks, parsed: Parsed, joints: Floats, figure: Figure, frame: int, outfit: Outfit) -> None:
    """Adds a hood: up, round the head and down to the shoulders; down, a roll behind the neck."""
    stature, neck, head = figure.stature, joints[NECK], joints[HEAD_JOINT]
    if outfit.hood == "up":
        own = parsed.of(HEAD)
        if not own.any():
            return
        points = np.stack([parsed.columns[own], parsed.rows[own]], axis=1).astype(np.float64)
        # A finger's breadth of cloth and air round the head, less of it before the face.
        away = points - head
        ahead = away[:, 0] * figure.ahead[frame] > 0.02 * stature
        wider = points + away * np.where(ahead, 0.06, 0.24 + 4 * outfit.padding)[:, None]
        wide = 0.035 + 0.045 * abs(figure.across[frame])
        foot = neck + np.array([[-wide, -0.005], [wide, -0.005]]) * stature
        fill(mask, np.concatenate([wider, foot]))
    elif outfit.hood == "down":
        behind = neck + np.array([-0.050 * figure.ahead[frame], -0.012]) * stature
        half = stature * np.array([0.032 + 0.028 * abs(figure.across[frame]), 0.026])
        corner = tuple(np.rint(half).astype(int).tolist())
        cv2.ellipse(mask, tuple(np.rint(behind).astype(int).tolist()), corner, 0, 0, 360, 255, -1)


def fill(mask: Masks, points: Floats, round_px: float = 0.0) -> None:
    """Fills the convex outline of ``points`` (N, 2), its corners rounded by ``round_px``."""
    corners = np.rint(points * (1 << BITS)).astype(np.int32)
    hull = cv2.convexHull(corners)
    cv2.fillConvexPoly(mask, hull, 255, cv2.LINE_8, BITS)
    width = round(2 * round_px)
    if width > 1:
        cv2.polylines(mask, [hull], True, 255, width, cv2.LINE_8, BITS)
