"""Bags on a mask: boxes held to the body's axes, which hang and swing where they are not strapped on.

Half sizes are shares of stature: a day pack of 44 x 30 x 18 cm, a shoulder bag of 28 x 36 x 10, a shopping
bag of 34 x 32 x 11, as shops sell them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from gait.skeleton import GAITWAY16
from gait.training.clothing.cloth import fill
from gait.training.clothing.figure import NECK, PELVIS, Figure, Floats, Masks
from gait.training.clothing.outfits import Bag
from gait.training.clothing.swing import pendulum

BACK: Final = 0.058
"""From the trunk's axis to the back."""
SHOULDER_HZ: Final = 0.75
HAND_HZ: Final = 0.85
"""Of pendulums of 45 and 35 cm."""
ROUND: Final = 0.012


@dataclass(frozen=True)
class Box:
    """``centre`` (T, 2) pixels; half sizes along the body's height, to its side and ahead, pixels."""

    centre: Floats
    up: Floats
    half: tuple[float, float, float]


def boxes(figure: Figure, bags: tuple[Bag, ...]) -> list[Box]:
    """Where each bag is in every frame."""
    return [_KINDS[bag.kind](figure, bag) for bag in bags]


def paint(mask: Masks, box: Box, figure: Figure, frame: int) -> None:
    """Adds a box to the mask of a frame."""
    tall, wide, deep = box.half
    up = box.up[frame]
    across = np.array([abs(figure.across[frame]) * wide + abs(figure.ahead[frame]) * deep, 0.0])
    centre = box.centre[frame]
    corners = np.array([centre + a * tall * up + b * across for a in (-1, 1) for b in (-1, 1)])
    fill(mask, corners, ROUND * figure.stature)


def _backpack(figure: Figure, bag: Bag) -> Box:
    stature, size = figure.stature, bag.size**0.5
    up = _trunk(figure)
    tall, wide, deep = 0.118 * size, 0.075 * size, 0.042 * bag.size
    behind = np.zeros_like(up)
    behind[:, 0] = -figure.ahead * (BACK + deep) * stature
    centre = figure.joints[:, NECK] - up * (tall + 0.01) * stature + behind
    return Box(centre, up, _pixels(stature, tall, wide, deep))


def _shoulder(figure: Figure, bag: Bag) -> Box:
    stature, size, sign = figure.stature, bag.size, 1.0 if bag.side == "left" else -1.0
    tall, wide, deep = 0.072 * size, 0.022 * size, 0.094 * size
    at = figure.joints[:, GAITWAY16.index(f"{bag.side}_hip")].copy()
    at[:, 0] += sign * figure.across * (0.05 + wide) * stature
    at[:, 1] += 0.01 * stature
    return Box(_hung(at, SHOULDER_HZ), _upright(at), _pixels(stature, tall, wide, deep))


def _hand(figure: Figure, bag: Bag) -> Box:
    stature, size = figure.stature, bag.size
    wrist, ankle = (figure.joints[:, GAITWAY16.index(f"{bag.side}_{name}")] for name in ("wrist", "ankle"))
    # Nobody lets a bag drag on the ground.
    room = float(np.median(ankle[:, 1].max() - wrist[:, 1])) / stature
    tall, wide, deep = min(0.086 * size, 0.45 * max(room, 0.1)), 0.028 * size, 0.080 * size
    at = wrist.copy()
    at[:, 1] += (0.075 + tall) * stature
    return Box(_hung(at, HAND_HZ), _upright(at), _pixels(stature, tall, wide, deep))


_KINDS: Final[dict[str, Callable[[Figure, Bag], Box]]] = {
    "backpack": _backpack,
    "shoulder": _shoulder,
    "hand": _hand,
}


def _hung(at: Floats, turns_hz: float) -> Floats:
    """Half of the swing is the hand's, half the bag's own."""
    out = at.copy()
    out[:, 0] = (at[:, 0] + pendulum(at[:, 0], turns_hz, 0.4)) / 2
    return out


def _trunk(figure: Figure) -> Floats:
    """(T, 2) unit vectors from pelvis to neck."""
    up = figure.joints[:, NECK] - figure.joints[:, PELVIS]
    return np.asarray(up / np.maximum(np.hypot(*up.T), 1e-6)[:, None])


def _upright(at: Floats) -> Floats:
    return np.tile([0.0, -1.0], (len(at), 1))


def _pixels(stature: float, *half: float) -> tuple[float, float, float]:
    tall, wide, deep = (share * stature for share in half)
    return tall, wide, deep
