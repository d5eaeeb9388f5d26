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
from scipy.ndimage import uniform_filter1d

from gait.data.errors import DataError
from gait.inputs import Walk
from gait.maps import MapConfig, orthographic
from gait.silhouette import align, transform_points
from gait.training.clothing import carried, cloth
from gait.training.clothing.body_parts import Parsed, parse
from gait.training.clothing.figure import SMOOTHED, Figure, Masks
from gait.training.clothing.outfits import Outfit
from stream.messages import Affine

ROWS: Final = 192
"""What small silhouettes are enlarged to: above this, a pixel is less than a centimetre."""
FULL: Final = 0.8
"""Silhouettes whose body touches both first and last row in this share of frames are aligned ones."""


@dataclass(frozen=True)
class Canvas:
    """Masks (T, h, w) of 0 and 255 on which is drawn; ``transforms`` from each silhouette's pixels to them.

    On it everybody is as tall in every frame, also where a full-size mask grows as somebody comes nearer.
    """

    masks: Masks
    transforms: tuple[Affine, ...]
    aligned: bool

    @classmethod
    def of(cls, silhouettes: Masks, aligned: bool | None = None) -> Canvas:
        """With room for hood, coat and bag; ``aligned`` None: as it looks. Raises DataError for nobody."""
        rows = silhouettes > 127
        bodies = np.asarray(rows.any(axis=(1, 2)))
        if not bodies.any():
            raise DataError("nobody is in any of its silhouettes")
        if aligned is None:
            full = rows[bodies, 0].any(axis=1) & rows[bodies, -1].any(axis=1)
            aligned = bool(full.mean() >= FULL)
        return _enlarged(silhouettes) if aligned else _levelled(silhouettes, bodies)

    def to_canvas(self, points: NDArray[np.float32]) -> NDArray[np.float32]:
        """Points (T, K, 2 or more) of the silhouettes, on the canvas."""
        moved = [transform_points(p, to) for p, to in zip(points, self.transforms, strict=True)]
        return np.stack(moved)


def _enlarged(silhouettes: Masks) -> Canvas:
    """Aligned silhouettes, a whole number of times as large."""
    height, width = silhouettes.shape[1:]
    scale = max(1, round(ROWS / height))
    left, top, shift = width * scale // 3, height * scale // 8, (scale - 1) / 2
    size = (width * scale, height * scale)
    large = np.stack([cv2.resize(one, size, interpolation=cv2.INTER_CUBIC) for one in silhouettes])
    binary = np.where(large > 127, 255, 0).astype(np.uint8)
    to = (float(scale), 0.0, shift + left, 0.0, float(scale), shift + top)
    return Canvas(np.pad(binary, ((0, 0), (top, 0), (left, left))), (to,) * len(silhouettes), aligned=True)


def _levelled(silhouettes: Masks, bodies: NDArray[np.bool_]) -> Canvas:
    """Masks of any size, everybody as tall as on an enlarged silhouette, in the middle."""
    boxes = np.array([cv2.boundingRect(one) for one in silhouettes], np.float64)
    frames = np.arange(len(boxes))
    seen = np.flatnonzero(bodies)
    left, top, width, height = (np.interp(frames, seen, boxes[seen, part]) for part in range(4))
    # Strides change how tall a mask is; coming nearer does so slowly.
    height = uniform_filter1d(height, min(SMOOTHED, len(height)), mode="nearest")
    scale = ROWS / np.maximum(height, 1)
    rows, columns = ROWS * 4 // 3, ROWS * 3 // 2
    x, y = columns / 2 - scale * (left + width / 2), ROWS / 4 - scale * top
    transforms: list[Affine] = [
        (float(s), 0.0, float(a), 0.0, float(s), float(b)) for s, a, b in zip(scale, x, y, strict=True)
    ]
    drawn = [
        cv2.warpAffine(one, np.array(to).reshape(2, 3), (columns, rows), flags=cv2.INTER_LINEAR)
        for one, to in zip(silhouettes, transforms, strict=True)
    ]
    return Canvas(np.where(np.stack(drawn) > 127, 255, 0).astype(np.uint8), tuple(transforms), aligned=False)


@dataclass(frozen=True)
class Track:
    """A walk made ready to be dressed: all that its variants share."""

    walk: Walk
    canvas: Canvas
    figure: Figure
    parsed: tuple[Parsed, ...]

    @classmethod
    def of(cls, walk: Walk, aligned: bool | None = None) -> Track:
        """Raises DataError for no silhouettes, no joints, or nobody; ``aligned``: of ``Canvas``."""
        if not walk.silhouettes.size:
            raise DataError("no silhouettes to dress", wanted="a data set with silhouettes and joints")
        points = _points(walk)
        canvas = Canvas.of(walk.silhouettes, aligned)
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
            added = np.where(canvas.masks[frame] > 0, np.uint8(0), mask)
            back = cv2.warpAffine(
                added,
                np.array(canvas.transforms[frame]).reshape(2, 3),
                (width, height),
                flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            )
            images[frame] = np.where(back > 127, 255, images[frame])
    if not grey:
        images = np.where(images > 127, 255, 0).astype(np.uint8)
    return replace(walk, silhouettes=images, joints_2d=joints)


def _put(joints: NDArray[np.float32], moved: NDArray[np.float32]) -> None:
    """Joints (K, 3) moved; those that are missing stay so."""
    there = joints[:, 2] > 0
    joints[there] = moved[there]
