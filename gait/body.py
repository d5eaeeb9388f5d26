"""From perception's person to the form the science works on: aligned silhouette, 16 joints, metres."""

from __future__ import annotations

import math
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from gait.silhouette import align
from gait.skeleton import convert
from stream.errors import MessageError
from stream.messages import Affine, Array, Body, Mask, Person

JOINT_LAYOUT: Final = "gaitway16"
MAX_UPRIGHT_PX: Final = 512
"""A crop is warped to at most this many pixels a side: eight times the silhouette's 64 rows lose nothing."""
MIN_STRAIGHT: Final = 1e-6
"""A crop whose axes lean by less than this share of their scale needs no warp."""

Matrix = NDArray[np.float64]


def body_of(person: Person) -> Body | None:
    """The person as a sample's arrays (shapes and units of ``Sample``); None without a usable silhouette.

    Raises MessageError where an array's bytes disagree with its shape or its layout.
    """
    if person.mask is None:
        return None
    upright, to_image = upright_mask(person.mask)
    aligned = align(upright)
    if aligned is None:
        return None
    image_to_silhouette = _matrix(aligned.transform) @ np.linalg.inv(to_image)
    joints = convert(person.keypoints.numpy(), person.layout, JOINT_LAYOUT).points
    joints[:, :2] = _apply(image_to_silhouette, joints[:, :2])
    joints[joints[:, 2] <= 0] = 0.0  # a joint that nothing placed is at no place
    world = None if person.world is None else _world_joints(person.world.numpy(), person.layout)
    return Body(Array.of(aligned.image), Array.of(joints), world)


def upright_mask(mask: Mask) -> tuple[NDArray[np.bool_], Matrix]:
    """The mask with its axes along the image's, and the 3x3 matrix from its pixels to image pixels.

    Raises MessageError where the mask's own matrix is not finite.
    """
    crop = mask.numpy()
    to_image = _matrix(mask.to_image)
    if not np.isfinite(to_image).all():
        raise MessageError(f"a mask lies at {mask.to_image}", wanted="six finite numbers")
    (a, b), (d, e) = to_image[:2, :2].tolist()
    scale = math.sqrt(abs(a * e - b * d))
    if a > 0 and e > 0 and max(abs(b), abs(d)) <= MIN_STRAIGHT * scale:
        return crop, to_image
    left, top, width, height = cv2.boundingRect(crop.view(np.uint8))
    if width == 0 or height == 0 or scale == 0:
        return np.zeros((1, 1), np.bool_), np.eye(3)
    low, high = _extent(to_image, left - 0.5, top - 0.5, left + width - 0.5, top + height - 0.5)
    step = max(scale, float((high - low).max()) / MAX_UPRIGHT_PX)
    first = low + step / 2
    upright_to_image = np.array([[step, 0.0, first[0]], [0.0, step, first[1]], [0.0, 0.0, 1.0]])
    size = [max(1, math.ceil(float(side) / step)) for side in high - low]
    crop_to_upright = np.linalg.inv(upright_to_image) @ to_image
    warped = cv2.warpAffine(crop.view(np.uint8) * np.uint8(255), crop_to_upright[:2], size)
    return warped >= 128, upright_to_image


def _extent(matrix: Matrix, left: float, top: float, right: float, bottom: float) -> tuple[Matrix, Matrix]:
    """The lowest and highest x and y of a box that went through ``matrix``."""
    corners = _apply(matrix, np.array([[left, top], [right, top], [left, bottom], [right, bottom]]))
    return corners.min(axis=0), corners.max(axis=0)


def _matrix(affine: Affine) -> Matrix:
    """The 3x3 form of a 2x3 affine."""
    return np.array([affine[:3], affine[3:], (0.0, 0.0, 1.0)], dtype=np.float64)


def _apply(matrix: Matrix, points: NDArray[np.floating]) -> Matrix:
    """Points (N, 2) through a 3x3 affine matrix."""
    moved: Matrix = points @ matrix[:2, :2].T + matrix[:2, 2]
    return moved


def _world_joints(points: NDArray[np.generic], layout: str) -> Array | None:
    """World joints (16, 3) in metres with the pelvis (joint 0) as the origin; None where one is missing."""
    joints = convert(points, layout, JOINT_LAYOUT, confidence=False).points
    return Array.of(joints - joints[0]) if np.isfinite(joints).all() else None
