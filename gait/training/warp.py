"""Turning and tilting a picture, and the points in it, by one and the same matrix."""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Homography = NDArray[np.float64]
"""(3, 3), from a point of the picture given to a point of the picture made."""


def rotation_of(angle: float, height: int, width: int) -> Homography:
    """By ``angle`` radians, clockwise as one sees it, about the centre of the picture."""
    x, y = (width - 1) / 2, (height - 1) / 2
    c, s = math.cos(angle), math.sin(angle)
    return np.array([[c, -s, x - c * x + s * y], [s, c, y - s * x - c * y], [0.0, 0.0, 1.0]])


def perspective_of(moves: NDArray[np.float64], height: int, width: int) -> Homography:
    """Each corner comes to the middle by ``moves`` (4, 2) pixels: first the top two, from left to right."""
    corners = np.array([[0, 0], [width - 1, 0], [0, height - 1], [width - 1, height - 1]], np.float32)
    inwards = np.array([[1, 1], [-1, 1], [1, -1], [-1, -1]])
    limit = np.array([(width - 1) / 4, (height - 1) / 4])
    moved = corners + inwards * np.minimum(moves, limit)
    if min(height, width) < 2:
        return np.eye(3)
    return np.asarray(cv2.getPerspectiveTransform(corners, moved.astype(np.float32)), np.float64)


def stretch_of(tall: float, wide: float, slant: float, shift: float, height: int, width: int) -> Homography:
    """Rows times ``tall`` from the top, columns times ``wide`` about the middle, ``slant`` columns per row.

    The slant turns about the picture's middle row; ``shift`` is in columns.
    """
    x, y = (width - 1) / 2, (height - 1) / 2
    return np.array([[wide, slant, x - wide * x - slant * y + shift], [0.0, tall, 0.0], [0.0, 0.0, 1.0]])


def warp_images(images: NDArray[np.uint8], transform: Homography) -> NDArray[np.uint8]:
    """(T, H, W), what comes in from outside black."""
    if not images.size:
        return images
    size = (images.shape[2], images.shape[1])
    return np.stack([np.asarray(cv2.warpPerspective(image, transform, size), np.uint8) for image in images])


def warp_points(points: NDArray[Any], transform: Homography) -> NDArray[np.float32]:
    """(T, K, 3: x, y, confidence); a missing point (x = y = 0) stays missing."""
    if not points.shape[-1]:
        return points
    moved = np.array(points, np.float32)
    whole = np.concatenate([points[..., :2], np.ones_like(points[..., :1])], axis=-1).astype(np.float64)
    placed = whole @ transform.T
    present = (points[..., :2] != 0).any(axis=-1, keepdims=True)
    moved[..., :2] = np.where(present, placed[..., :2] / placed[..., 2:], points[..., :2])
    return moved
