"""Clothes re-dyed and re-textured in pictures: outlines stay what they are, light and folds too.

What is upper and lower clothing is told by landmarks and mask. Each is moved from its own mean over the whole
track to the new colour by the same amount in every frame, so colours are as steady as they were. Patterns
lie in the body's own coordinates, along its bones and across them, and move with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d

from gait.skeleton import GAITWAY16
from gait.training.clothing.body_parts import FOREARM, SHANK, THIGH, TRUNK, UPPER_ARM, Parsed, parse
from gait.training.clothing.dyes import Cloth, Dye
from gait.training.clothing.figure import NECK, PELVIS, Floats, Masks
from gait.training.clothing.looked import Looked
from stream.sources.base import Image

Colours = NDArray[np.float32]

LIGHT_KEPT: Final = 0.9
"""Of light and shade on the old cloth, on the new one."""
TINT_KEPT: Final = 0.3
WRIST: Final = 0.9
"""Hands begin at this share of the forearm, feet at this share of the shin."""
BONE_LENGTH: Final = {TRUNK: 0.29, UPPER_ARM: 0.18, FOREARM: 0.15, THIGH: 0.245, SHANK: 0.246}
"""Shares of stature, for patterns to be as wide everywhere."""
UNLIKE: Final = 18.0
"""A sleeve's pixel this far in a and b from the trunk's mean, of skin's colour, is skin."""
FINEST_PX: Final = 6.0
"""Finer patterns would shimmer as the picture's pixels pass over them."""
SOFT: Final = 0.004
"""Of stature: how softly a dye ends."""


@dataclass(frozen=True)
class Regions:
    """A crop's garments: pixels of each, and the coordinates ``u`` along and ``v`` across, in statures."""

    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    upper: NDArray[np.bool_]
    lower: NDArray[np.bool_]
    u: NDArray[np.float32]
    v: NDArray[np.float32]


class Dyer:
    """A track that can be dyed again and again; what its variants share is worked out once."""

    def __init__(self, track: Looked) -> None:
        self.track = track
        self.joints = track.file.joints()
        heights = []
        for crop in track.file.crops:
            rows = np.flatnonzero(track.mask(crop).any(axis=1))
            heights.append(float(np.ptp(rows) + 1) if rows.size else np.nan)
        known = np.array(heights)
        known = np.where(np.isnan(known), np.nanmedian(known), known)
        self.statures = uniform_filter1d(known, min(25, len(known)), mode="nearest")
        self._finest = FINEST_PX / float(self.statures.min())
        self._upper, self._lower = self._means()

    def dyed(self, number: int, dye: Dye) -> Image:
        """Crop ``number`` of the track in its new colours, BGR."""
        crop = self.track.file.crops[number]
        image, regions = self.track.image(crop), self.regions(number)
        lab = to_lab(image)
        soft = SOFT * self.statures[number]
        for cloth, mean, own in (
            (dye.upper, self._upper, regions.upper),
            (dye.lower, self._lower, regions.lower),
        ):
            if cloth is not None and own.any():
                fit = msgspec.structs.replace(cloth, pitch=max(cloth.pitch, self._finest))
                _dye(lab, regions, own, fit, mean, soft)
        return to_bgr(lab)

    def regions(self, number: int) -> Regions:
        """The garments of crop ``number``."""
        crop = self.track.file.crops[number]
        stature, joints = float(self.statures[number]), self.joints[number]
        parts = parse(self.track.mask(crop), joints, stature)
        lab = to_lab(self.track.image(crop))[parts.rows, parts.columns]
        upper = parts.of(TRUNK, UPPER_ARM) | (parts.of(FOREARM) & (parts.along < WRIST))
        lower = parts.of(THIGH) | (parts.of(SHANK) & (parts.along < WRIST))
        upper &= ~_bare(lab, parts.of(TRUNK), parts.of(UPPER_ARM, FOREARM))
        # A hand swings before the thighs.
        lower &= ~_bare(lab, parts.of(THIGH), parts.of(THIGH, SHANK))
        u, v = _coordinates(parts, joints, stature)
        return Regions(parts.rows, parts.columns, upper, lower, u, v)

    def _means(self) -> tuple[Colours, Colours]:
        """The mean colour of upper and of lower clothes over the track."""
        sums = np.zeros((2, 3)), np.zeros(2)
        for number, crop in enumerate(self.track.file.crops):
            regions = self.regions(number)
            lab = to_lab(self.track.image(crop))[regions.rows, regions.columns]
            for which, own in enumerate((regions.upper, regions.lower)):
                sums[0][which] += lab[own].sum(axis=0)
                sums[1][which] += np.count_nonzero(own)
        means = sums[0] / np.maximum(sums[1], 1)[:, None]
        return means[0].astype(np.float32), means[1].astype(np.float32)


def to_lab(image: Image) -> Colours:
    """BGR bytes as L*a*b*."""
    return np.asarray(cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_BGR2LAB), np.float32)


def to_bgr(lab: Colours) -> Image:
    """The way back; what no screen shows is cut."""
    bgr = cv2.cvtColor(lab, cv2.COLOR_LAB2BGR)
    return np.rint(np.clip(bgr, 0, 1) * 255).astype(np.uint8)


def _dye(
    lab: Colours, regions: Regions, own: NDArray[np.bool_], cloth: Cloth, mean: Colours, soft: float
) -> None:
    """Changes ``lab`` where the garment is, softly towards its border."""
    rows, columns = regions.rows[own], regions.columns[own]
    kept = np.array([LIGHT_KEPT, TINT_KEPT, TINT_KEPT], np.float32)
    first, second = np.array(cloth.colour, np.float32), np.array(cloth.second, np.float32)
    share = _pattern(cloth, regions.u[own], regions.v[own])[:, None]
    target = first + share * (second - first)
    old = lab[rows, columns]
    new = target + kept * (old - mean)
    new[:, 0] = np.clip(new[:, 0], 2, 98)
    inside = np.zeros(lab.shape[:2], np.float32)
    inside[rows, columns] = 1
    alpha = np.asarray(cv2.GaussianBlur(inside, (0, 0), max(0.5, soft)))
    weight = np.clip(2 * alpha[rows, columns] - 0.5, 0, 1)[:, None]
    lab[rows, columns] = old + weight * (new - old)


def _pattern(cloth: Cloth, u: NDArray[np.float32], v: NDArray[np.float32]) -> NDArray[np.float32]:
    """(N,) how much of the second colour, 0 to 1, without hard edges that would shimmer."""
    along, across = (0.5 + 0.5 * np.tanh(2.5 * np.sin(2 * np.pi * place / cloth.pitch)) for place in (u, v))
    shares = {"plain": np.zeros_like(u), "hoops": along, "stripes": across, "checks": (along + across) / 2}
    return np.asarray(shares[cloth.pattern], np.float32)


def _coordinates(
    parts: Parsed, joints: Floats, stature: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """(N,) each: along the bone from its first joint, and across it, in statures."""
    u, v = np.zeros((2, len(parts.part)), np.float32)
    points = np.stack([parts.columns, parts.rows], axis=1)
    for part, start, end in _AXES:
        own = parts.part == part
        axis = joints[end] - joints[start]
        length = max(float(np.hypot(*axis)), 1e-6)
        away = points[own] - joints[start]
        across = (away @ np.array([-axis[1], axis[0]])) / length / stature
        along = (away @ axis) / length**2 * BONE_LENGTH[part]
        if part == TRUNK:
            u[own], v[own] = along, across
            continue
        # Of two limbs the nearer axis is the pixel's own.
        nearer = np.abs(across) < np.abs(np.where(v[own] == 0, np.inf, v[own]))
        u[own], v[own] = np.where(nearer, along, u[own]), np.where(nearer, across, v[own])
    return u, v


def _axes() -> tuple[tuple[int, int, int], ...]:
    limbs = (
        (UPPER_ARM, "shoulder", "elbow"),
        (FOREARM, "elbow", "wrist"),
        (THIGH, "hip", "knee"),
        (SHANK, "knee", "ankle"),
    )
    sided = tuple(
        (part, GAITWAY16.index(f"{side}_{start}"), GAITWAY16.index(f"{side}_{end}"))
        for part, start, end in limbs
        for side in ("left", "right")
    )
    return ((TRUNK, PELVIS, NECK), *sided)


_AXES: Final = _axes()


def _bare(lab: Colours, core: NDArray[np.bool_], limbs: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(N,) the limbs' pixels that are skin: of its colour, and unlike what the core wears."""
    if not core.any():
        return np.zeros(len(lab), np.bool_)
    away = lab[:, 1:] - np.median(lab[core], axis=0)[1:]
    return np.asarray(limbs & _skin(lab) & (np.hypot(away[:, 0], away[:, 1]) > UNLIKE))


def _skin(lab: Colours) -> NDArray[np.bool_]:
    """(N,) of a colour that skin has, from the lightest to the darkest: a hue between pink and orange."""
    light, a, b = lab.T
    hue = np.degrees(np.arctan2(b, a))
    return np.asarray((np.hypot(a, b) > 9) & (hue > 20) & (hue < 85) & (light > 15) & (light < 92))


def garment_mask(shape: tuple[int, int], regions: Regions) -> Masks:
    """The upper and lower clothes as a mask of the crop."""
    mask = np.zeros(shape, np.uint8)
    own = regions.upper | regions.lower
    mask[regions.rows[own], regions.columns[own]] = 255
    return mask
