"""A data set's silhouettes in another form: averaged over runs of frames, at another size.

Small sets of coarse silhouettes (USF's half-cycles of 32 x 22) teach a net better as gait energy images (Han
and Bhanu, 2006), one for each half-cycle, than frame by frame.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from gait.data.errors import DataError
from gait.data.records import Partition
from gait.data.source import Found, Listing, Loaded, Preparation, make_walk
from gait.inputs import Walk

Images = NDArray[np.uint8]


@dataclass(frozen=True)
class Reshaped:
    """``average`` frames become one grey one (0: as they are); ``size`` (height, width), or None."""

    whole: Preparation
    average: int = 0
    size: tuple[int, int] | None = None

    @property
    def parallel(self) -> bool:
        """As the whole."""
        return self.whole.parallel

    def find(self) -> Listing:
        """As the whole."""
        return self.whole.find()

    def load(self, found: Found) -> Loaded:
        """The silhouettes so; joints are left out of averaged walks, for no frame has them any more.

        Raises DataError, naming the sequence, where there are no silhouettes.
        """
        loaded = self.whole.load(found)
        if not loaded.walk.silhouettes.size:
            raise DataError("has no silhouettes", where=str(found.entry), wanted="silhouettes to reshape")
        return replace(loaded, walk=self._reshaped(loaded.walk))

    def partition(self, people: frozenset[str]) -> Partition:
        """As the whole."""
        return self.whole.partition(people)

    def _reshaped(self, walk: Walk) -> Walk:
        images = walk.silhouettes
        if self.size is not None:
            images, points = fitted(images, walk.joints_2d, self.size)
            walk = replace(walk, silhouettes=images, joints_2d=points)
        if not self.average:
            return walk
        return make_walk(averaged(images, self.average), layout=walk.layout)


def averaged(silhouettes: Images, run: int) -> Images:
    """(T, H, W) -> (ceil(T / run), H, W): the mean of each ``run`` frames; the last run may be shorter."""
    parts = [silhouettes[start : start + run] for start in range(0, len(silhouettes), run)]
    return np.stack([np.rint(part.mean(axis=0)).astype(np.uint8) for part in parts])


def fitted(
    images: Images, points: NDArray[np.float32], size: tuple[int, int]
) -> tuple[Images, NDArray[np.float32]]:
    """Scaled to that height, then cut or filled with ground alike on both sides; joints go with them."""
    height, width = size
    factor = height / images.shape[1]
    wide = max(1, round(images.shape[2] * factor))
    first = (width - wide) // 2
    # From pixel centres to pixel centres, then to the new middle.
    move = np.array([[factor, 0, (factor - 1) / 2 + first], [0, factor, (factor - 1) / 2]])
    if factor == 1:
        scaled = images
    else:
        way = cv2.INTER_LINEAR if factor > 1 else cv2.INTER_AREA
        scaled = np.stack(
            [np.asarray(cv2.resize(image, (wide, height), interpolation=way)) for image in images]
        )
    if first >= 0:
        made: Images = np.zeros((len(images), height, width), np.uint8)
        made[:, :, first : first + wide] = scaled
    else:
        made = np.ascontiguousarray(scaled[:, :, -first : -first + width])
    return made, _moved(points, move)


def _moved(points: NDArray[Any], move: NDArray[np.float64]) -> NDArray[np.float32]:
    if not points.shape[-1]:
        return points
    placed = np.array(points, np.float32)
    present = (points[..., :2] != 0).any(axis=-1, keepdims=True)
    placed[..., :2] = np.where(present, points[..., :2] @ move[:, :2].T + move[:, 2], 0)
    return placed
