"""Several people before one camera without colours: the nearer hide the farther."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from gait.walkers.rapid import Sight
from gait.walkers.vectors import Floats


@dataclass(frozen=True)
class Shown:
    """One of several people: ``sight`` with what can be seen, ``share`` (T,) of the whole mask that is."""

    sight: Sight
    share: Floats


def together(sights: Sequence[Sight]) -> list[Shown]:
    """What can be seen of each of several people who pass the same camera at the same T instants.

    Boxes and joints stay those of the whole person. Raises ValueError for sights of unequal length.
    """
    if len({len(sight.masks) for sight in sights}) > 1:
        raise ValueError(f"sights of {sorted({len(sight.masks) for sight in sights})} instants")
    depths = [sight.joints_3d[..., 2].mean(axis=1) for sight in sights]
    shown = []
    for sight, depth in zip(sights, depths, strict=True):
        others = [pair for pair in zip(sights, depths, strict=True) if pair[0] is not sight]
        shown.append(_shown(sight, [(other, there < depth) for other, there in others]))
    return shown


def _shown(sight: Sight, others: list[tuple[Sight, NDArray[np.bool_]]]) -> Shown:
    masks = sight.masks.copy()
    for other, nearer in others:
        for number in np.flatnonzero(nearer & _meet(sight.boxes, other.boxes)).tolist():
            masks[number][_laid(other, sight, number) >= 128] = 0
    whole = np.maximum(sight.masks.sum(axis=(1, 2), dtype=np.float64), 1.0)
    return Shown(replace(sight, masks=masks), masks.sum(axis=(1, 2)) / whole)


def _meet(a: Floats, b: Floats) -> NDArray[np.bool_]:
    """(T,) whether boxes (T, 4) overlap."""
    return np.asarray(((a[:, :2] < b[:, 2:]) & (b[:, :2] < a[:, 2:])).all(axis=1))


def _laid(other: Sight, sight: Sight, number: int) -> NDArray[np.uint8]:
    """The other's mask in the pixels of this one's."""
    (scale, *corner), (own_scale, *own_corner) = other.to_image[number], sight.to_image[number]
    ratio = scale / own_scale
    shift = (np.array(corner) - own_corner) / own_scale + 0.5 * ratio - 0.5
    matrix = np.array([[ratio, 0.0, shift[0]], [0.0, ratio, shift[1]]])
    height, width = sight.masks.shape[1:]
    return np.asarray(cv2.warpAffine(other.masks[number], matrix, (width, height)), np.uint8)
