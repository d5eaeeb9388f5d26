"""Clothes and bags laid over a walker's masks: what changes from day to day without changing the person.

Drawn about the joints, so that they move with the body: a coat is the convex hull of the trunk and the thighs
down to a hem, a bag a box behind or beside the trunk.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

Masks = NDArray[np.uint8]
Points = NDArray[np.float32]

HIPS: Final = (1, 4)
KNEES: Final = (2, 5)
ANKLES: Final = (3, 6)
SHOULDERS: Final = (13, 10)
ARM_BONES: Final = ((13, 14), (14, 15), (10, 11), (11, 12))
SPINE, NECK = 7, 8


@dataclass(frozen=True)
class Cover:
    """``hem`` from 0 at the hips over 1 at the knees to 2 at the ankles, None for no coat; widths in heights.

    ``ease`` is how far cloth stands off the trunk, ``flare`` how much further at the hem, ``sleeve`` how
    much wider arms are; ``bag`` its size, ``bag_at`` where on the trunk, ``bag_aside`` from behind (-1) to
    ahead.
    """

    hem: float | None = None
    ease: float = 0.0
    flare: float = 0.0
    sleeve: float = 0.0
    bag: float = 0.0
    bag_at: float = 0.5
    bag_aside: float = -1.0

    @classmethod
    def sample(cls, rng: np.random.Generator, coat: float, bag: float) -> Cover:
        """Today's: a coat and a bag each with its chance."""
        wears, carries = rng.random() < coat, rng.random() < bag
        hem, ease, flare, sleeve = (rng.uniform(*of) for of in _RANGES)
        size, at = rng.uniform(0.03, 0.075), rng.uniform(0.1, 0.9)
        aside = float(rng.choice([-1.0, -1.0, 0.0, 0.6]))
        return cls(
            hem=float(hem) if wears else None,
            ease=float(ease) if wears else 0.0,
            flare=float(flare) if wears else 0.0,
            sleeve=float(sleeve) if wears else 0.0,
            bag=float(size) if carries else 0.0,
            bag_at=float(at),
            bag_aside=aside,
        )


# Hem from a jacket's to a long coat's; the rest in heights: an anorak stands 3 % of 1.7 m off the body.
_RANGES: Final = ((-0.05, 1.55), (0.004, 0.03), (0.0, 0.02), (0.002, 0.018))


def covered(masks: Masks, joints: Points, height_px: float, towards: float, cover: Cover) -> Masks:
    """Masks (T, h, w) with the cover on; joints (T, 16, 2) pixels; ``towards`` 1 walks right, -1 left."""
    out = masks.copy()
    for t, image in enumerate(out):
        if cover.hem is not None:
            _coat(image, joints[t], height_px, cover)
        if cover.bag:
            _bag(image, joints[t], height_px, towards, cover)
    return out


def _coat(image: Masks, at: Points, height_px: float, cover: Cover) -> None:
    trunk = max(1.0, (0.035 + cover.ease) * height_px)
    assert cover.hem is not None, "asked for with a coat on"
    discs = [(at[SPINE], 1.1 * trunk), (at[NECK], 0.75 * trunk)]
    discs += [(at[k], 0.8 * trunk) for k in SHOULDERS] + [(at[k], 1.15 * trunk) for k in HIPS]
    for hip, knee, ankle in zip(HIPS, KNEES, ANKLES, strict=True):
        # A long coat hangs from the thigh and does not follow the shin that swings behind.
        shin = 0.35 * at[ankle] + 0.65 * (at[knee] + (0.0, 0.5 * abs(at[knee][1] - at[hip][1]) * 2.0))
        hem = min(max(cover.hem, 0.0), 2.0)
        end = at[hip] + (at[knee] - at[hip]) * min(hem, 1.0) + (shin - at[knee]) * max(hem - 1.0, 0.0)
        discs.append((end, max(1.0, (0.03 + cover.ease + cover.flare) * height_px)))
    hull = cv2.convexHull(np.concatenate([_circle(*disc) for disc in discs]))
    cv2.fillConvexPoly(image, np.round(hull).astype(np.int32), 255)
    for a, b in ARM_BONES:
        width = max(1, round(2 * (0.02 + cover.sleeve) * height_px))
        cv2.line(image, _pixel(at[a]), _pixel(at[b]), 255, width)


def _bag(image: Masks, at: Points, height_px: float, towards: float, cover: Cover) -> None:
    hips, neck = at[list(HIPS)].mean(axis=0), at[NECK]
    middle = hips + (neck - hips) * cover.bag_at
    off = (0.05 * abs(towards) + 0.02 + cover.ease) * height_px * cover.bag_aside
    middle = middle + np.array([off * (towards if towards else 1.0), 0.0])
    size = cover.bag * height_px
    axes = (max(1, round(size * (0.8 + 0.2 * (1 - abs(towards))))), max(1, round(1.5 * size)))
    cv2.ellipse(image, _pixel(middle), axes, 0.0, 0.0, 360.0, 255, -1)


_TURN: Final = np.linspace(0, 2 * np.pi, 12, endpoint=False)
_ROUND: Final = np.stack([np.cos(_TURN), np.sin(_TURN)], axis=1)


def _circle(middle: NDArray[np.floating], radius: float) -> Points:
    return np.asarray(middle + radius * _ROUND, np.float32)


def _pixel(point: NDArray[np.floating]) -> tuple[int, int]:
    x, y = np.clip(np.round(point), -10_000, 10_000).astype(int).tolist()
    return x, y
