"""Silhouettes from a YOLO segmentation net, in place of those that come along with the pose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engines.regions import Region, crop
from engines.silhouettes import MIN_PIXELS, Silhouette, mask_iou
from engines.watch import Sighting
from engines.yolo_detector import YoloNet
from stream.errors import WeightsError

AROUND: Final = 1.3
"""Side of the square that the net is shown over the person's longer side: as much again as a stride needs."""
SAME: Final = 0.4
"""Overlap with the landmark net's own silhouette from which on a mask is that person's."""


class Outliner:
    """Gives everybody the mask of the segmentation net that is theirs; who has none keeps their own."""

    def __init__(self, net: YoloNet) -> None:
        if not net.gives_masks:
            raise WeightsError(
                "this net gives no masks",
                where=net.describe().name,
                wanted="a -seg net for `silhouettes`",
                fix="Name it as the detector, or set silhouettes: blazepose",
            )
        self._net = net

    def outline(self, frame: NDArray[np.uint8], people: Sequence[Sighting]) -> list[Sighting]:
        """The same people, outlined anew."""
        squares = [_square(one.seen.silhouette) for one in people]
        crops = [crop(frame, square, self._net.side) for square in squares]
        answers = self._net.outline(crops) if crops else []
        return [
            self._best(one, square, logits)
            for one, square, (_, logits) in zip(people, squares, answers, strict=True)
        ]

    def _best(self, one: Sighting, square: Region, masks: NDArray[np.float32]) -> Sighting:
        to_image = square.to_image(self._net.side)
        candidates = [
            Silhouette(logits > 0, logits, to_image)
            for logits in masks
            if np.count_nonzero(logits > 0) >= MIN_PIXELS
        ]
        own = one.seen.silhouette
        best = max(candidates, key=lambda mask: mask_iou(mask, own), default=None)
        if best is None or mask_iou(best, own) < SAME:
            return one
        return replace(one, seen=replace(one.seen, silhouette=best))


def _square(silhouette: Silhouette) -> Region:
    left, top, right, bottom = silhouette.box
    side = AROUND * max(right - left, bottom - top)
    return Region((left + right - 1) / 2, (top + bottom - 1) / 2, side)
