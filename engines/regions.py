"""A person's square, rotated region, and how its crop lies in the image.

Coordinates are those of pixel indices: the centre of the top left pixel is (0, 0).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from stream.messages import Affine, Box

Floats = NDArray[np.float32]

GREY: Final = (128.0, 128.0, 128.0)

MARGIN: Final = 1.25
"""Side of a region over the diameter of the circle that encloses the body (BlazePose's own number)."""


@dataclass(frozen=True)
class Region:
    """A square of ``side`` pixels around (x, y), turned by ``angle`` radians (clockwise as seen)."""

    x: float
    y: float
    side: float
    angle: float = 0.0

    @classmethod
    def around(cls, centre: NDArray[Any], circle: NDArray[Any]) -> Region:
        """The region of a body whose hips are at ``centre``, with ``circle`` straight above on its circle."""
        dx, dy = float(circle[0] - centre[0]), float(circle[1] - centre[1])
        side = 2.0 * math.hypot(dx, dy) * MARGIN
        return cls(float(centre[0]), float(centre[1]), side, math.atan2(dx, -dy))

    def to_image(self, size: int) -> Affine:
        """The map from pixels of a ``size`` x ``size`` crop of this region to image pixels."""
        step = self.side / size
        cos, sin = step * math.cos(self.angle), step * math.sin(self.angle)
        middle = (size - 1) / 2.0
        return (
            cos,
            -sin,
            self.x - (cos - sin) * middle,
            sin,
            cos,
            self.y - (sin + cos) * middle,
        )

    @property
    def box(self) -> Box:
        """The box of the region when it is not turned."""
        half = self.side / 2.0
        return (self.x - half, self.y - half, self.x + half, self.y + half)

    def moved(self, dx: float, dy: float, grown: float = 1.0) -> Region:
        """The same region elsewhere, ``grown`` times as large."""
        return replace(self, x=self.x + dx, y=self.y + dy, side=self.side * grown)


def matrix(affine: Affine) -> NDArray[np.float64]:
    """The 2x3 matrix of an Affine."""
    return np.array(affine, dtype=np.float64).reshape(2, 3)


def apply(affine: Affine, points: NDArray[Any]) -> Floats:
    """Map points (N, 2)."""
    m = matrix(affine)
    return (points @ m[:, :2].T + m[:, 2]).astype(np.float32)


def inverse(affine: Affine) -> Affine:
    """The map back; the affine must be invertible (a region of positive side is)."""
    a, b, c, d, e, f = affine
    det = a * e - b * d
    return (e / det, -b / det, (b * f - c * e) / det, -d / det, a / det, (c * d - a * f) / det)


def chain(first: Affine, then: Affine) -> Affine:
    """The map that does ``first`` and then ``then``."""
    a, b, c, d, e, f = first
    g, h, i, j, k, m = then
    return (
        g * a + h * d,
        g * b + h * e,
        g * c + h * f + i,
        j * a + k * d,
        j * b + k * e,
        j * c + k * f + m,
    )


def crop(frame: NDArray[np.uint8], region: Region, size: int) -> NDArray[np.uint8]:
    """The region's pixels as (size, size, 3); grey where it leaves the frame.

    Of people half in view the landmark net's mask is better beside grey (box IoU 0.89) than black (0.79).
    """
    return np.asarray(
        cv2.warpAffine(
            frame,
            matrix(region.to_image(size)),
            (size, size),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=GREY,
        ),
        dtype=np.uint8,
    )
