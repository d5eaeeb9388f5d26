"""From mask logits in a turned crop to one person's upright silhouette.

A silhouette lies on a grid along the image's axes, with the resolution of the net's own mask, or finer where
that is coarser than the image: cut from the logits between the net's cells, its outline is smoother than they
are. Coordinates are those of pixel indices: the centre of the top left pixel is (0, 0).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.pose import INPUT, Pose
from engines.regions import Floats, Region, apply, chain, inverse, matrix
from stream.messages import Affine, Box, Mask

Bits = NDArray[np.bool_]

BACKGROUND: Final = -20.0
"""The logit outside the crop: surely not this person."""
MIN_PIXELS: Final = 64
"""Fewer mask pixels than an 8x8 patch of a 256x256 crop are no silhouette."""
MIN_PART: Final = 0.02
"""A component without a joint is kept when it holds this share of the largest and touches a limb's line."""
SHORT_LABELS: Final = 4 * (2**16 - 1) // 2
"""Pixels of a grid whose components can be counted in 16 bits, with room to spare."""
NOWHERE: Final[Box] = (math.inf, math.inf, -math.inf, -math.inf)
FINEST: Final = 2.0
"""How much finer than the net's mask a silhouette's grid may be. Drawn on the image, the mask of somebody 300
pixels tall agrees 1.4 points of IoU better with mediapipe's full-size one than on the net's own grid."""
SURE: Final = 0.5
STROKES: Final = (
    (((23, 25), (25, 27), (24, 26), (26, 28)), 0.1),  # legs
    (((11, 13), (13, 15), (12, 14), (14, 16), (15, 19), (16, 20)), 0.07),  # arms and hands
    (((27, 31), (28, 32), (29, 31), (30, 32)), 0.06),  # feet
)
"""Bones and the width of their flesh over the region's side, with a margin for clothes."""
TORSO: Final = np.array([11, 12, 24, 23])
TORSO_STROKE: Final = 0.1
HEAD: Final = np.array([0, 7, 8])
HEAD_RADIUS: Final = 0.1


@dataclass(frozen=True)
class Silhouette:
    """One person's pixels; ``bits`` and ``logits`` are (height, width); ``to_image`` is axis-aligned."""

    bits: Bits
    logits: Floats
    to_image: Affine

    @property
    def step(self) -> float:
        """Image pixels per mask pixel."""
        return self.to_image[0]

    @cached_property
    def area(self) -> float:
        """In image pixels."""
        return float(np.count_nonzero(self.bits)) * self.step**2

    @cached_property
    def box(self) -> Box:
        """The smallest box around the set pixels; its edges count pixel n as [n, n + 1].

        Of none, which is what may be left of a mask near its own joints, a box that meets no other.
        """
        rows, columns = np.flatnonzero(self.bits.any(axis=1)), np.flatnonzero(self.bits.any(axis=0))
        if not len(rows):
            return NOWHERE
        step, _, left, _, _, top = self.to_image
        half = step / 2.0
        return (
            left + float(columns[0]) * step - half + 0.5,
            top + float(rows[0]) * step - half + 0.5,
            left + float(columns[-1]) * step + half + 0.5,
            top + float(rows[-1]) * step + half + 0.5,
        )

    def message(self) -> Mask:
        """The form that travels: trimmed to the set pixels."""
        rows, columns = np.flatnonzero(self.bits.any(axis=1)), np.flatnonzero(self.bits.any(axis=0))
        step, _, left, _, _, top = self.to_image
        trimmed = self.bits[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        place = (step, 0.0, left + float(columns[0]) * step, 0.0, step, top + float(rows[0]) * step)
        return Mask.of(trimmed, place)


def silhouette(pose: Pose, width: int, height: int) -> Silhouette | None:
    """The silhouette of ``pose`` in a frame of ``width`` x ``height`` pixels; None where there is none."""
    upright = _upright(pose, width, height)
    if upright is None:
        return None
    logits, to_image = upright
    bits = of_the_body(logits > 0.0, apply(inverse(to_image), pose.keypoints[:, :2]), pose.keypoints[:, 2])
    if np.count_nonzero(bits) < MIN_PIXELS:
        return None
    return Silhouette(bits, logits, to_image)


def _upright(pose: Pose, width: int, height: int) -> tuple[Floats, Affine] | None:
    """The logits on the image's axes, cut to the mask's extent and to the frame."""
    crop_to_image = pose.region.to_image(INPUT)
    left, top, wide, high = cv2.boundingRect((pose.logits > 0.0).view(np.uint8))
    if wide == 0:
        return None
    right, bottom = left + wide, top + high
    corners = apply(
        crop_to_image, np.array([[left, top], [right, top], [left, bottom], [right, bottom]]) - 0.5
    )
    step = step_of(pose.region)
    low = np.maximum(corners.min(axis=0), -0.5)
    top_right = np.minimum(corners.max(axis=0), (width - 0.5, height - 0.5))
    columns, rows = (math.floor(float(extent) / step) for extent in top_right - low)
    if columns < 1 or rows < 1:
        return None
    to_image = (step, 0.0, float(low[0]) + step / 2, 0.0, step, float(low[1]) + step / 2)
    logits = cv2.warpAffine(
        pose.logits,
        matrix(chain(to_image, inverse(crop_to_image))),
        (columns, rows),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=BACKGROUND,
    )
    return np.asarray(logits, dtype=np.float32), to_image


def step_of(region: Region) -> float:
    """Image pixels per pixel of the silhouette of somebody in ``region``."""
    own = region.side / INPUT
    return own if own <= 1.0 else max(1.0, own / FINEST)


def of_the_body(bits: Bits, joints: Floats, confidence: Floats) -> Bits:
    """Only the components on which joints lie, or, where no joint lies on any, the largest."""
    # Of 2x2 pixels only one can begin a component: few enough for short labels, which take half the time.
    short = cv2.CV_16U if bits.size < SHORT_LABELS else cv2.CV_32S
    found = cv2.connectedComponentsWithStats(bits.view(np.uint8), connectivity=8, ltype=short)
    count, labels, stats = found[0], np.asarray(found[1]), found[2]
    if count <= 2:
        return bits
    x, y = np.rint(joints[:, 0]).astype(int), np.rint(joints[:, 1]).astype(int)
    rows, columns = bits.shape
    inside = (x >= 0) & (x < columns) & (y >= 0) & (y < rows) & (confidence >= SURE)
    votes = np.bincount(labels[y[inside], x[inside]], minlength=count)
    votes[0] = 0
    areas = stats[:, cv2.CC_STAT_AREA]
    largest = 1 + int(np.argmax(areas[1:]))
    keep = (votes > 0) & (areas >= MIN_PART * areas[largest])
    if not keep.any():
        keep[largest] = True
    return np.asarray(keep.take(labels), dtype=np.bool_)


def trimmed(own: Silhouette, body: Bits, reach: float) -> Bits:
    """The silhouette within ``reach`` image pixels of the body: hair and clothes stay, a neighbour goes."""
    size = 2 * max(round(reach / own.step), 1) + 1
    near = cv2.dilate(body.view(np.uint8), np.ones((size, size), np.uint8))
    return own.bits & near.view(np.bool_)


def flesh(pose: Pose, grid: Silhouette) -> Bits:
    """Where the body of ``pose`` must be by its joints: limbs, torso and head as thick strokes on a grid.

    Where two people overlap, the net's mask of the nearer one spreads over the other; this one does not.
    """
    side = pose.region.side / grid.step
    joints = apply(inverse(grid.to_image), pose.keypoints[:, :2])
    points = np.clip(joints, -8 * side, 8 * side).round().astype(np.int32)
    canvas = np.zeros(grid.bits.shape, np.uint8)
    for bones, share in STROKES:
        for first, second in bones:
            start, end = points[first].tolist(), points[second].tolist()
            cv2.line(canvas, start, end, 1, max(round(share * side), 1))
    torso = points[TORSO]
    cv2.fillConvexPoly(canvas, cv2.convexHull(torso), 1)
    cv2.polylines(canvas, [torso], True, 1, max(round(TORSO_STROKE * side), 1))
    head = joints[HEAD].mean(axis=0).clip(-8 * side, 8 * side).round().astype(int).tolist()
    cv2.circle(canvas, head, max(round(HEAD_RADIUS * side), 1), 1, cv2.FILLED)
    return canvas.astype(np.bool_)


def onto(one: Silhouette, what: NDArray[Any], grid: Silhouette) -> NDArray[Any] | None:
    """An array on the grid of ``one`` brought onto another grid; None where the two do not meet."""
    if not boxes_meet(one.box, grid.box):
        return None
    rows, columns = grid.bits.shape
    source = what.view(np.uint8) if what.dtype == np.bool_ else what
    warped = cv2.warpAffine(
        source,
        matrix(chain(grid.to_image, inverse(one.to_image))),
        (columns, rows),
        flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=0,
    )
    return np.asarray(warped).view(np.bool_) if what.dtype == np.bool_ else np.asarray(warped)


def mask_iou(one: Silhouette, other: Silhouette) -> float:
    """Intersection over union in image pixels."""
    theirs = onto(other, other.bits, one)
    if theirs is None:
        return 0.0
    both = float(np.count_nonzero(one.bits & theirs)) * one.step**2
    return both / max(one.area + other.area - both, 1e-9)


def boxes_meet(one: Box, other: Box) -> bool:
    """Whether two boxes share any area."""
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def paint_out(
    pixels: NDArray[np.uint8], person: Silhouette, bits: Bits, crop_to_image: Affine
) -> NDArray[np.uint8]:
    """A copy of a crop with ``bits`` of a person's grid in its mean colour, to see who is behind."""
    covered = cv2.warpAffine(
        bits.view(np.uint8),
        matrix(chain(crop_to_image, inverse(person.to_image))),
        (pixels.shape[1], pixels.shape[0]),
        flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_CONSTANT,
    )
    painted = pixels.copy()
    painted[covered > 0] = cv2.mean(pixels)[:3]
    return painted
