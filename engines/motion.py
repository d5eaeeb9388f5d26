"""How the camera moved between two frames, from points of the background."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from stream.messages import IDENTITY, Affine, Box

STEP: Final = 4
"""Every 4th pixel of every 4th row: motion of a tenth of a sample is seen, at a sixteenth of the cost."""
POINTS: Final = 80
MIN_POINTS: Final = 12
"""Fewer surviving points are too easily all on one moving thing."""
MIN_INLIERS: Final = 0.5


class MotionEstimate:
    """Follows corners outside the people's boxes; one per camera."""

    def __init__(self) -> None:
        self._last: NDArray[np.uint8] | None = None

    def step(self, frame: NDArray[np.uint8], people: Sequence[Box]) -> Affine:
        """The 2x3 map from the previous frame's pixels to this one's; identity where it cannot be told."""
        sample = cv2.GaussianBlur(np.ascontiguousarray(frame[::STEP, ::STEP, 1]), (3, 3), 0)
        grey = np.asarray(sample, dtype=np.uint8)
        last, self._last = self._last, grey
        if last is None or last.shape != grey.shape:
            return IDENTITY
        free = np.full(grey.shape, 255, np.uint8)
        for box in people:
            left, top, right, bottom = (max(int(edge // STEP), 0) for edge in box)
            free[max(top - 2, 0) : bottom + 3, max(left - 2, 0) : right + 3] = 0
        return _between(last, grey, free)


def _between(last: NDArray[np.uint8], now: NDArray[np.uint8], free: NDArray[np.uint8]) -> Affine:
    before = cv2.goodFeaturesToTrack(last, POINTS, 0.01, 8, mask=free)
    if before is None or len(before) < MIN_POINTS:
        return IDENTITY
    after, status, _ = cv2.calcOpticalFlowPyrLK(last, now, before, np.zeros_like(before), winSize=(15, 15))
    good = status.ravel() == 1
    if np.count_nonzero(good) < MIN_POINTS:
        return IDENTITY
    fit, inliers = cv2.estimateAffinePartial2D(before[good], after[good], ransacReprojThreshold=1.0)
    if fit is None or not np.isfinite(fit).all() or inliers.mean() < MIN_INLIERS:
        return IDENTITY
    # The first sample's centre is pixel 0 of the frame, so that only the shift scales with the step.
    a, b, c, d, e, f = (float(v) for v in fit.ravel())
    return (a, b, c * STEP, d, e, f * STEP)
