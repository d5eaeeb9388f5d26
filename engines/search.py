"""Where to look for people nobody follows yet: a fixed round over tiles, and places where something changed.

The detector sees a person whose height is a sixth of a tile or more, so squares of several sizes cover it.
The order of the round is fixed; changes are judged on a coarse sample of the frame.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.regions import Region
from stream.messages import Box

SMALLEST_SHARE: Final = 0.17
"""Height of the smallest person over the side of the tile that still shows them to the detector."""
STEP_SHARE: Final = 0.6
"""Neighbouring tiles overlap by the rest, so that whoever is cut by one stands whole in the next."""
SAMPLE: Final = 8
"""Every 8th pixel of every 8th row: 160x90 of a 720p frame, in 0.05 ms."""
CHANGE: Final = 18
"""Grey levels (of 255) by which a pixel differs when something moved, well above a camera's noise."""
MIN_CELLS: Final = 12
"""Changed samples that make a place worth looking at: a 60 px person gives about 20."""
GROWN: Final = 1.5
"""Side of a tile over the extent of the change that it shows."""


@dataclass(frozen=True)
class Plan:
    """The tiles of one frame size, coarse to fine within a round of even spacing."""

    tiles: tuple[Region, ...]
    smallest: float

    @classmethod
    def of(cls, width: int, height: int, smallest_px: int) -> Plan:
        """Cover a frame so that everyone from ``smallest_px`` to the full height stands in some tile."""
        smallest = min(smallest_px / SMALLEST_SHARE, float(min(width, height)))
        levels = [[Region((width - 1) / 2, (height - 1) / 2, float(max(width, height)))]]
        side = float(min(width, height))
        while side > smallest * 1.2:
            levels.append(_grid(width, height, side))
            side /= 2.0
        levels.append(_grid(width, height, smallest))
        return cls(tuple(_interleaved(levels)), smallest)

    def round(self, first: int, count: int) -> list[Region]:
        """``count`` tiles of the endless round, from number ``first`` on."""
        return [self.tiles[(first + k) % len(self.tiles)] for k in range(min(count, len(self.tiles)))]


def _grid(width: int, height: int, side: float) -> list[Region]:
    """Squares of ``side`` that cover the frame, row by row."""

    def centres(extent: int) -> NDArray[np.float64]:
        count = 1 + max(math.ceil((extent - side) / (side * STEP_SHARE)), 0)
        if count == 1:
            return np.array([(extent - 1) / 2])
        return np.linspace(side / 2, extent - side / 2, count) - 0.5

    return [Region(float(x), float(y), side) for y in centres(height) for x in centres(width)]


def _interleaved(levels: Sequence[Sequence[Region]]) -> list[Region]:
    """All tiles in one order in which each level is spread evenly and neighbours do not follow each other."""
    spread = []
    for number, level in enumerate(levels):
        stride = _coprime(len(level))
        for turn in range(len(level)):
            spread.append(((turn + 0.5) / len(level), number, level[turn * stride % len(level)]))
    return [tile for *_, tile in sorted(spread, key=lambda entry: entry[:2])]


def _coprime(count: int) -> int:
    """A stride near the golden section of ``count`` that visits every index once."""
    stride = max(round(count * 0.382), 1)
    while math.gcd(stride, count) != 1:
        stride += 1
    return stride


class ChangeWatch:
    """Remembers a coarse sample of a camera's last frames and says where something moved."""

    def __init__(self) -> None:
        self._last: NDArray[np.uint8] | None = None

    def places(self, frame: NDArray[np.uint8], known: Sequence[Box]) -> list[Box]:
        """Boxes (image pixels) of changes since the last frame outside the ``known`` ones, largest first."""
        sample = np.ascontiguousarray(frame[SAMPLE // 2 :: SAMPLE, SAMPLE // 2 :: SAMPLE, 1])
        last, self._last = self._last, sample
        if last is None or last.shape != sample.shape:
            return []
        moved = (cv2.absdiff(sample, last) > CHANGE).astype(np.uint8)
        for box in known:
            left, top, right, bottom = (int(edge // SAMPLE) for edge in box)
            moved[max(top - 1, 0) : max(bottom + 2, 0), max(left - 1, 0) : max(right + 2, 0)] = 0
        if np.count_nonzero(moved) < MIN_CELLS:
            return []
        return _blobs(moved)


def _blobs(moved: NDArray[np.uint8]) -> list[Box]:
    joined = cv2.dilate(moved, np.ones((5, 3), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(joined, connectivity=8)
    changed = np.bincount(labels[moved > 0], minlength=count)
    order = sorted(range(1, count), key=lambda k: (-int(changed[k]), k))
    boxes = []
    for k in order:
        if changed[k] >= MIN_CELLS:
            left, top, wide, high = (float(v) * SAMPLE for v in stats[k, :4])
            boxes.append((left, top, left + wide, top + high))
    return boxes


def tile_around(box: Box, plan: Plan, width: int, height: int) -> Region:
    """A tile of a useful size around a place, moved inside the frame as far as it fits."""
    extent = max(box[2] - box[0], box[3] - box[1])
    side = min(max(extent * GROWN, plan.smallest / 2.0), float(max(width, height)))
    return Region(
        _inside((box[0] + box[2]) / 2, side, width), _inside((box[1] + box[3]) / 2, side, height), side
    )


def _inside(centre: float, side: float, extent: int) -> float:
    if side >= extent:
        return (extent - 1) / 2
    return min(max(centre, side / 2 - 0.5), extent - side / 2 - 0.5)
