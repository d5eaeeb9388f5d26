"""Silhouettes as other clothes make them: shapes attached to the skeleton, one outfit for a whole track.

Cloth only adds to what the mask shows: editing an outline undresses nobody. All is drawn on masks of about
192 rows; silhouettes of 64 are enlarged first and aligned again afterwards, because a hood makes the
body taller in its crop and a backpack moves its middle.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from gait.data.errors import DataError
from gait.inputs import Walk
from gait.maps import MapConfig, orthographic
from gait.silhouette import align, transform_points
from gait.training.clothing import carried, cloth
from gait.training.clothing.body_parts import Parsed, parse
from gait.training.clothing.figure import Figure, Masks
from gait.training.clothing.outfits import Outfit

ROWS: Final = 192
"""What small silhouettes are enlarged to: above this, a pixel is less than a centimetre."""
FULL: Final = 0.8
"""Silhouettes whose body touches both first and last row in this share of frames are aligned ones."""


@dataclass(frozen=True)
class Canvas:
    """Masks (T, h, w) of 0 and 255 on which is drawn, and how a silhouette's pixels lie on them."""

    masks: Masks
    scale: int
    left: int
    top: int
    aligned: bool

    @classmethod
    def of(cls, silhouettes: Masks) -> Canvas:
        """Enlarged where they are small, with room for a hood and a bag where they are aligned."""
        rows = silhouettes > 127
        bodies = rows.any(axis=(1, 2))
        full = rows[bodies, 0].any(axis=1) & rows[bodies, -1].any(axis=1)
        aligned = bool(full.size) and bool(full.mean() >= FULL)
        height, width = silhouettes.shape[1:]
        scale = max(1, round(ROWS / height))
        left, top = (width * scale // 3, height * scale // 8) if aligned else (0, 0)
        size = (width * scale, height * scale)
        large = [cv2.resize(one, size, interpolation=cv2.INTER_CUBIC) for one in silhouettes]
        binary = np.where(np.stack(large) > 127, 255, 0).astype(np.uint8)
        return cls(np.pad(binary, ((0, 0), (top, 0), (left, left))), scale, left, top, aligned)

    def to_canvas(self, points: NDArray[np.float32]) -> NDArray[np.float32]:
        """Points (..., 2 or more) of a silhouette, on the canvas."""
        scale, shift = float(self.scale), (self.scale - 1) / 2
        return transform_points(points, (scale, 0.0, shift + self.left, 0.0, scale, shift + self.top))

    def to_silhouette(self, points: NDArray[np.float32]) -> NDArray[np.float32]:
        """The way back."""
        scale, shift = 1 / self.scale, (self.scale - 1) / 2
        return transform_points(
            points,
            (scale, 0.0, -(shift + self.left) * scale, 0.0, scale, -(shift + self.top) * scale),
        )


@dataclass(frozen=True)
class Track:
    """A walk made ready to be dressed: all that its variants share."""

    walk: Walk
    canvas: Canvas
    figure: Figure
    parsed: tuple[Parsed, ...]

    @classmethod
    def of(cls, walk: Walk) -> Track:
        """Raises DataError where there are no silhouettes, no joints, or nobody."""
        if not walk.silhouettes.size:
            raise DataError("no silhouettes to dress", wanted="a data set with silhouettes and joints")
        points = _points(walk)
        canvas = Canvas.of(walk.silhouettes)
        placed = canvas.to_canvas(points)
        figure = Figure.of(canvas.masks, placed, walk.joints_3d, walk.layout)
        _check_size(figure, canvas)
        parsed = tuple(
            parse(mask, joints, figure.stature)
            for mask, joints in zip(canvas.masks, figure.joints, strict=True)
        )
        return cls(walk, canvas, figure, parsed)


def dressed(track: Track, outfit: Outfit) -> Walk:
    """The walk in these clothes: other silhouettes, joints in their pixels; metres stay what they are."""
    return _as_given(track, painted(track, outfit))


def painted(track: Track, outfit: Outfit) -> Masks:
    """The canvas with the clothes on it."""
    figure, masks = track.figure, track.canvas.masks.copy()
    lags = cloth.shin_lags(figure)
    skirts = cloth.hanging(track.parsed, figure, outfit) if outfit.hanging else []
    bags = carried.boxes(figure, outfit.bags)
    for frame, (mask, parsed) in enumerate(zip(masks, track.parsed, strict=True)):
        if not parsed.rows.size:
            continue
        cloth.lying(mask, parsed, outfit, figure.stature, lags[frame])
        if skirts:
            cv2.fillPoly(mask, [skirts[frame]], 255, cv2.LINE_8, cloth.BITS)
        cloth.hood(mask, parsed, figure.joints[frame], figure, frame, outfit)
        for box in bags:
            carried.paint(mask, box, figure, frame)
    return masks


def _points(walk: Walk) -> NDArray[np.float32]:
    """The joints in silhouette pixels; of a walk without them, its metres seen from afar."""
    if walk.joints_2d.size:
        return walk.joints_2d
    if walk.joints_3d is None:
        raise DataError("no joints to hang clothes on", wanted="2D or 3D joints beside the silhouettes")
    height, width = walk.silhouettes.shape[1:]
    return orthographic(walk.joints_3d, walk.layout, MapConfig(height=height, width=width))


def _check_size(figure: Figure, canvas: Canvas) -> None:
    """Masks and joints of two different pictures are a mistake that would dress the air."""
    body = canvas.masks.any(axis=(1, 2))
    inside = []
    for mask, joints in zip(canvas.masks[body], figure.joints[body], strict=True):
        left, top, width, height = cv2.boundingRect(mask)
        near = 0.15 * height
        x, y = joints.T
        inside.append(
            (x > left - near) & (x < left + width + near) & (y > top - near) & (y < top + height + near)
        )
    share = float(np.mean(inside))
    if share < 0.7:
        raise DataError(
            f"{100 * (1 - share):.0f} % of the joints lie outside the body's box",
            wanted="joints in the masks' own pixels (is a mask of the wrong size?)",
        )


def _as_given(track: Track, masks: Masks) -> Walk:
    """Drawn masks in the form that the walk had."""
    walk, canvas = track.walk, track.canvas
    height, width = walk.silhouettes.shape[1:]
    grey = bool(((walk.silhouettes > 0) & (walk.silhouettes < 255)).any())
    images = walk.silhouettes.copy()
    joints = walk.joints_2d.copy()
    placed = canvas.to_canvas(walk.joints_2d) if joints.size else joints
    for frame, mask in enumerate(masks):
        if canvas.aligned:
            found = align(mask, height, width)
            if found is None:
                continue
            images[frame] = found.image
            if joints.size:
                _put(joints[frame], transform_points(placed[frame], found.transform))
        else:
            small = cv2.resize(mask, (width, height), interpolation=cv2.INTER_AREA)
            images[frame] = np.maximum(images[frame], small)
    if not grey:
        images = np.where(images > 127, 255, 0).astype(np.uint8)
    return replace(walk, silhouettes=images, joints_2d=joints)


def _put(joints: NDArray[np.float32], moved: NDArray[np.float32]) -> None:
    """Joints (K, 3) moved; those that are missing stay so."""
    there = joints[:, 2] > 0
    joints[there] = moved[there]
