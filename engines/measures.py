"""What perception measures about a person, and the message it becomes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.followers import Seen
from engines.pose import LAYOUT
from engines.watch import Sighting
from stream.messages import Array, Box, Person, Quality

FRAME_BLUR_STEP: Final = 4
"""A frame's sharpness is measured on every 4th pixel: enough to tell a shaken frame from its neighbours."""


def person_of(sighting: Sighting, everyone: Sequence[Sighting], width: int, height: int) -> Person:
    """The message for one of ``everyone`` in a frame of ``width`` x ``height`` pixels."""
    seen = sighting.seen
    box = seen.silhouette.box
    nearer = [other.seen.silhouette.box for other in everyone if other.seen.silhouette.box[3] > box[3]]
    quality = Quality(
        height_px=box[3] - box[1],
        truncation=truncation(seen, width, height),
        confidence=float(seen.pose.keypoints[:, 2].mean()),
        overlap=max((covered(box, other) for other in nearer), default=0.0),
        agreement=seen.agreement,
        blur=sharpness(_inner(seen)),
    )
    return Person(
        box=box,
        score=min(max(seen.pose.presence, 0.0), 1.0),
        layout=LAYOUT,
        keypoints=Array.of(seen.pose.keypoints),
        quality=quality,
        world=Array.of(seen.pose.world),
        mask=seen.silhouette.message(),
        hint=sighting.follower,
    )


def truncation(seen: Seen, width: int, height: int) -> float:
    """The share of the joints' box that lies outside the image."""
    low, high = seen.pose.keypoints[:, :2].min(axis=0), seen.pose.keypoints[:, :2].max(axis=0)
    whole = np.maximum(high - low, 1e-6)
    inside = np.maximum(np.minimum(high, (width, height)) - np.maximum(low, 0.0), 0.0)
    return float(1.0 - np.clip(inside / whole, 0.0, 1.0).prod())


def covered(box: Box, other: Box) -> float:
    """The share of ``box`` that ``other`` covers."""
    wide = min(box[2], other[2]) - max(box[0], other[0])
    high = min(box[3], other[3]) - max(box[1], other[1])
    area = (box[2] - box[0]) * (box[3] - box[1])
    return max(wide, 0.0) * max(high, 0.0) / area if area > 0.0 else 0.0


def sharpness(grey: NDArray[np.uint8]) -> float:
    """The variance of the Laplacian; 0 for an empty picture."""
    if grey.size == 0:
        return 0.0
    _, deviation = cv2.meanStdDev(cv2.Laplacian(grey, cv2.CV_16S))
    return float(deviation[0, 0]) ** 2


def frame_sharpness(frame: NDArray[np.uint8]) -> float:
    """The sharpness of a whole BGR frame, on a coarse sample of it."""
    return sharpness(np.ascontiguousarray(frame[::FRAME_BLUR_STEP, ::FRAME_BLUR_STEP, 1]))


def _inner(seen: Seen) -> NDArray[np.uint8]:
    """The green channel of the person's crop inside the mask's box; the crop's scale is the person's own."""
    left, top, wide, high = cv2.boundingRect((seen.pose.logits > 0.0).view(np.uint8))
    return np.ascontiguousarray(seen.pose.pixels[top : top + high, left : left + wide, 1])
