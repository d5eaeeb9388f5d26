"""Where to look for people nobody follows yet: a fixed round over tiles, and places where something changed.

The detector sees a person whose height is a quarter of a tile or more, so squares of several sizes cover it.
The order of the round is fixed; changes are judged on a coarse sample of the frame.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.regions import Region
from stream.messages import Box

SMALLEST_SHARE: Final = 0.22
"""Height of the smallest person over the side of the tile that still shows them to the detector: of people
alone in a tile it found 41 % at a share of 0.17, 79 % at 0.2 and all from 0.25 to 0.65."""
LEVEL_RATIO: Final = 0.5
"""The next level's tiles are at most so much smaller: whoever is too small for one fits the next well."""
STEP_SHARE: Final = 0.7
"""Neighbouring tiles overlap by the rest, so that whoever is cut by one stands whole in the next."""
SAMPLE: Final = 6
"""Every 6th pixel of every 6th row: 213x120 of a 720p frame, in 0.1 ms."""
LAG: Final = 3
"""Frames over which change is judged: in an eighth of a second a far walker moves by a limb's width."""
CHANGE: Final = 18
"""Grey levels (of 255) by which a pixel differs when something moved, well above a camera's noise."""
MIN_CELLS: Final = 10
"""Changed samples that make a place worth looking at: a 60 px person gives about 20."""
ENTRY_REACH: Final = 2
"""Samples between an edge and a change that touches it."""
ENTRY_LEAST: Final = 0.06
"""Height of a change over the frame's that may be somebody entering."""
ENTRY_WIDTH: Final = 0.3
"""Width over height of the box of somebody seen whole."""
ENTRY_SIDE: Final = 1.3
"""Side of a region over the height of the person, as the detector would have placed it."""
GROWN: Final = 2.0
"""Side of a tile over the extent of the change that it shows: the detector is surest at half a tile."""


@dataclass(frozen=True)
class Plan:
    """The tiles of one frame size, coarse to fine within a round of even spacing."""

    tiles: tuple[Region, ...]
    smallest: float
    largest: float

    @classmethod
    def of(cls, width: int, height: int, smallest_px: int) -> Plan:
        """Cover a frame so that everyone from ``smallest_px`` to the full height stands in some tile."""
        whole, largest = float(max(width, height)), float(min(width, height))
        smallest = min(smallest_px / SMALLEST_SHARE, largest)
        count = 1 + math.ceil(math.log(smallest / largest) / math.log(LEVEL_RATIO) - 1e-9)
        levels = [[Region((width - 1) / 2, (height - 1) / 2, whole)]]
        levels += [_grid(width, height, float(side)) for side in np.geomspace(largest, smallest, count)]
        return cls(tuple(_interleaved(levels)), smallest, whole)

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
        self._samples: deque[NDArray[np.uint8]] = deque(maxlen=LAG)

    def places(self, frame: NDArray[np.uint8], known: Sequence[Box]) -> list[Box]:
        """Boxes (image pixels) of changes since the last frame outside the ``known`` ones, largest first."""
        sample = np.ascontiguousarray(frame[SAMPLE // 2 :: SAMPLE, SAMPLE // 2 :: SAMPLE, 1])
        last = self._samples[0] if self._samples else None
        self._samples.append(sample)
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


def entering(box: Box, width: int, height: int) -> Region | None:
    """The region of the person whose visible part ``box`` is, if it touches the left or right edge.

    Of people half in view the detector proposes few; the landmark net, shown this region, knows nearly all.
    """
    high, reach = box[3] - box[1], ENTRY_REACH * SAMPLE
    left, right = box[0] <= reach, box[2] >= width - reach
    if left == right or high < ENTRY_LEAST * height:
        return None
    half = max(box[2] - box[0], ENTRY_WIDTH * high) / 2
    x = box[2] - half if left else box[0] + half
    return Region(x, (box[1] + box[3]) / 2, ENTRY_SIDE * high)


def tile_around(box: Box, plan: Plan) -> Region:
    """A tile of a useful size around a place; it may reach beyond the frame, whence people enter."""
    extent = max(box[2] - box[0], box[3] - box[1])
    side = min(max(extent * GROWN, plan.smallest / 2.0), plan.largest)
    return Region((box[0] + box[2]) / 2, (box[1] + box[3]) / 2, side)
