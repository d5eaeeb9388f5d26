"""The usual silhouette alignment: full height, centred on the median column, 64 high and 44 or 64 wide.

Coordinates follow ``cv2.warpAffine``: pixel (x, y) has its centre at (x, y). The transform that comes back
maps the input's pixels to the silhouette's, so that joints can be drawn into the very same crop.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from stream.errors import MessageError
from stream.messages import Affine, Box

HEIGHT = 64
WIDTH = 44

BinaryMask = NDArray[np.bool_] | NDArray[np.uint8]


@dataclass(frozen=True)
class Aligned:
    """An aligned silhouette: ``image`` uint8 (height, width), and ``transform`` from the input's pixels."""

    image: NDArray[np.uint8]
    transform: Affine


def align(mask: BinaryMask, height: int = HEIGHT, width: int = WIDTH) -> Aligned | None:
    """Scale the rows that hold foreground to ``height`` and centre ``width`` columns on the median column.

    Whatever is not zero in ``mask`` (H, W) is foreground. None where there is none. Raises MessageError for
    an array that is not a mask.
    """
    pixels = _as_uint8(mask)
    left, top, box_width, box_height = (int(v) for v in cv2.boundingRect(pixels)) if pixels.size else (0,) * 4
    if box_width == 0 or box_height == 0:
        return None
    body = _binary(pixels[top : top + box_height, left : left + box_width])
    median = left + _median_column(body)
    span = max(1, round(box_height * width / height))
    first = round(median - span / 2)
    window = _columns(body, first - left, span)
    shrinking = box_height >= height and span >= width
    image = cv2.resize(
        window, (width, height), interpolation=cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR
    )
    return Aligned(np.asarray(image, dtype=np.uint8), _crop(first, top, width / span, height / box_height))


def align_box(image_mask: BinaryMask, box: Box, height: int = HEIGHT, width: int = WIDTH) -> Aligned | None:
    """Align the foreground that lies inside ``box`` (image pixels); the transform is from image pixels."""
    pixels = _as_uint8(image_mask)
    if not np.isfinite(box).all():
        raise MessageError(f"box {box} is not finite", wanted="(left, top, right, bottom) in image pixels")
    rows, columns = pixels.shape
    left, right = (round(min(max(value, 0.0), float(columns))) for value in (box[0], box[2]))
    top, bottom = (round(min(max(value, 0.0), float(rows))) for value in (box[1], box[3]))
    aligned = align(pixels[top:bottom, left:right], height, width)
    if aligned is None:
        return None
    a, b, c, d, e, f = aligned.transform
    shifted = (a, b, c - a * left - b * top, d, e, f - d * left - e * top)
    return Aligned(aligned.image, shifted)


def transform_points(points: NDArray[Any], transform: Affine) -> NDArray[np.float32]:
    """Points (..., 2 or more): x and y go through ``transform``, further channels are kept."""
    moved = np.array(points, dtype=np.float32)
    a, b, c, d, e, f = transform
    x, y = np.asarray(points[..., 0], np.float64), np.asarray(points[..., 1], np.float64)
    moved[..., 0] = a * x + b * y + c
    moved[..., 1] = d * x + e * y + f
    return moved


def cut_width(images: NDArray[Any], width: int = WIDTH) -> NDArray[Any]:
    """The centre ``width`` columns of (..., H, W) images; a view. Narrower images raise MessageError."""
    wide = images.shape[-1]
    if wide < width:
        raise MessageError(f"silhouettes are {wide} wide", wanted=f"at least {width}")
    first = (wide - width) // 2
    return images[..., first : first + width]


def cut_points(points: NDArray[Any], wide: int, width: int = WIDTH) -> NDArray[np.float32]:
    """Points (..., 2 or more) of ``wide`` silhouettes in pixels of the cut; (0, 0) stays missing."""
    moved = np.array(points, dtype=np.float32)
    present = (moved[..., 0] != 0) | (moved[..., 1] != 0)
    moved[..., 0] -= np.where(present, np.float32((wide - width) // 2), np.float32(0))
    return moved


def _as_uint8(mask: BinaryMask) -> NDArray[np.uint8]:
    if mask.ndim != 2 or mask.dtype not in (np.bool_, np.uint8):
        raise MessageError(f"mask of shape {mask.shape} and type {mask.dtype}", wanted="(H, W) bool or uint8")
    return np.ascontiguousarray(mask).view(np.uint8)


def _binary(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(cv2.threshold(pixels, 0, 255, cv2.THRESH_BINARY)[1], dtype=np.uint8)


def _median_column(body: NDArray[np.uint8]) -> float:
    """Where half of the foreground lies to either side, in pixel edges (0 is the left edge of column 0).

    Linear inside a column, so that a mirrored body has the mirrored median.
    """
    totals = np.cumsum(cv2.reduce(body, 0, cv2.REDUCE_SUM, dtype=cv2.CV_64F)[0])
    half = float(totals[-1]) / 2
    column = int(np.searchsorted(totals, half))
    before = float(totals[column - 1]) if column else 0.0
    return column + (half - before) / (float(totals[column]) - before)


def _columns(body: NDArray[np.uint8], first: int, span: int) -> NDArray[np.uint8]:
    """Columns [first, first + span) of ``body``, zero where it has none."""
    low, high = max(first, 0), min(first + span, body.shape[1])
    inside = body[:, low:high]
    if inside.shape[1] == span:
        return inside
    window = np.zeros((body.shape[0], span), np.uint8)
    window[:, low - first : high - first] = inside
    return window


def _crop(first: int, top: int, scale_x: float, scale_y: float) -> Affine:
    """Pixel (first, top)'s outer corner goes to (-0.5, -0.5)."""
    return (
        scale_x,
        0.0,
        scale_x * (0.5 - first) - 0.5,
        0.0,
        scale_y,
        scale_y * (0.5 - top) - 0.5,
    )
