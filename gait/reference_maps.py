"""The skeleton maps that published checkpoints were trained on, and a rasteriser kept for ablation only.

``reference_maps`` follows SkeletonGait (Fan et al., AAAI 2024): its own 128 x 128 canvas and its own crop,
so the body fills about rows 10 to 53 of 64 while the silhouette fills all of them. New nets use
``gait.maps``, which draws into the silhouette's crop.
"""

from __future__ import annotations

from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from gait.skeleton import COCO17, Layout, convert, impute_missing
from stream.errors import MessageError

CANVAS: Final = 128
BODY_PX: Final = 85
SIGMA_PX: Final = 8.0
CUT_SIGMAS: Final = 3.0
NEIGHBOURS: Final = 4
LIMBS: Final = (
    *((0, 1), (0, 2), (1, 3), (2, 4), (0, 5), (5, 7), (7, 9), (0, 6), (6, 8), (8, 10)),
    *((5, 11), (11, 13), (13, 15), (6, 12), (12, 14), (14, 16), (11, 12)),
)
"""COCO-17; the shoulders hang on the nose."""

# Drawn in this order: of like size each, because a group's windows are as large as its largest.
_ENDS: Final = np.array(LIMBS)[[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 16, 10, 11, 12, 13, 14, 15]]
_GROUPS: Final = (slice(0, 4), slice(4, 11), slice(11, 17))  # head, arms, trunk and legs

Maps = NDArray[np.float32]
_UNIT: Final = np.float32(SIGMA_PX * np.sqrt(2))
_CUT: Final = CUT_SIGMAS * SIGMA_PX
_CROPPED: Final = 64
# The log of a heat that is black as a grey; the exponential of less takes several times as long.
_NO_HEAT: Final = np.float32(-60)
_AXIS: Final = np.arange(CANVAS, dtype=np.float32) / _UNIT


def _forms() -> Maps:
    """(6, 128, 128): x^2, x y, y^2, x, y, 1 of every pixel, in units of sigma * sqrt(2)."""
    y, x = np.meshgrid(_AXIS, _AXIS, indexing="ij")
    return np.stack([x * x, x * y, y * y, x, y, np.ones_like(x)])


_PIXELS: Final = _forms()


def reference_maps(points: NDArray[Any], layout: Layout = COCO17, width: int = 44) -> Maps:
    """2D points (T, K, 3: x, y, confidence) in any pixels -> (T, 2, 64, width) in [0, 1]: limbs, joints.

    Missing points (x = y = 0) are imputed over the frames first. ``width`` is 64 or less, cut centrally.
    """
    if not 0 < width <= _CROPPED:
        raise MessageError(f"maps {width} wide", wanted=f"1 to {_CROPPED}")
    placed = _on_canvas(impute_missing(convert_kept(points, layout), NEIGHBOURS))
    first = (_CROPPED - width) // 2
    limbs, joints = _LimbPainter(placed), _JointPainter(placed)
    maps = np.zeros((len(placed), 2, _CROPPED, _CROPPED), np.uint8)
    for t, cropped in enumerate(maps):
        _crop(limbs.paint(t), joints.paint(t), cropped)
    cut = maps[..., first : first + width]
    return np.divide(cut, np.float32(255), dtype=np.float32)


def convert_kept(points: NDArray[Any], layout: Layout) -> NDArray[np.float32]:
    """Points in COCO-17, those of confidence 0 kept where they are: only x = y = 0 counts as missing."""
    values = np.nan_to_num(np.asarray(points, np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    moved = convert(values[..., :2], layout, COCO17, confidence=False).points
    sure = convert(values[..., 2:], layout, COCO17, confidence=False).points
    return np.asarray(np.nan_to_num(np.concatenate([moved, np.clip(sure, 0, 1)], axis=-1)))


def single_pixel_maps(joints_3d: NDArray[Any], height: int = 64, width: int = 44) -> Maps:
    """The rasteriser of the fusion net's reference, defects and all: (T, K, 3) -> (T, 2, H, W).

    Every axis is stretched from its minimum to its maximum in each frame by itself; a joint is one pixel,
    1 in the first channel and its stretched depth in the second; both are divided by 255 as silhouettes are.
    """
    joints = np.nan_to_num(np.asarray(joints_3d, np.float64))
    low, high = joints.min(axis=1, keepdims=True), joints.max(axis=1, keepdims=True)
    unit = (joints - low) / np.where(high > low, high - low, 1.0)
    columns = np.round(unit[..., 0] * (width - 1)).astype(int)
    rows = np.round(unit[..., 1] * (height - 1)).astype(int)
    maps = np.zeros((len(joints), 2, height, width), np.float32)
    frames = np.arange(len(joints))[:, None]
    maps[frames, 0, rows, columns] = 1
    maps[frames, 1, rows, columns] = unit[..., 2]
    return maps / np.float32(255)


def _on_canvas(points: NDArray[np.float32]) -> NDArray[np.float32]:
    """Mid-hip at (64, 64), the joints' vertical extent 85 pixels, in every frame."""
    xy = points[..., :2].astype(np.float64)
    hips = xy[:, COCO17.indices("left_hip", "right_hip")].mean(axis=1, keepdims=True)
    # A joint that no frame shows is still (0, 0); it must not count as the body's highest.
    seen = (xy != 0).any(axis=-1)
    lowest = np.where(seen, xy[..., 1], -np.inf).max(axis=1)
    highest = np.where(seen, xy[..., 1], np.inf).min(axis=1)
    extent = np.where(seen.any(axis=1), lowest - highest, 0.0)[:, None, None]
    scaled = (xy - hips) * (BODY_PX / np.where(extent > 0, extent, 1.0)) + CANVAS / 2
    # A frame without extent holds no person; far outside the canvas it draws nothing.
    kept = np.where((extent > 0) & seen[..., None], scaled, -CANVAS * 8.0)
    bounded = np.clip(kept, -CANVAS * 8.0, CANVAS * 8.0)
    return np.concatenate([bounded, points[..., 2:]], axis=-1).astype(np.float32)


class _LimbPainter:
    """Paints Gaussian strokes along the limbs, a group of limbs at once, each into its own window.

    The maximum is taken of the exponents, so that there is one exponential a pixel. The exponents come from
    two forms of the pixel, a quadratic one across the limb and a linear one along it, for a group by one
    matrix product each; the forms of all frames are worked out together. Scratch is kept: fresh arrays of
    this size cost more in page faults than the arithmetic.
    """

    def __init__(self, points: NDArray[np.float32]) -> None:
        corners = points[:, _ENDS, :2]  # (T, L, 2, 2)
        self._low, self._high = _bounds(corners.min(axis=2), corners.max(axis=2))
        # In units of sigma * sqrt(2), from the first pixel of each limb's window.
        start = ((corners[:, :, 0] - self._low) / _UNIT).astype(np.float32)
        bone = (corners[:, :, 1] - corners[:, :, 0]) / _UNIT
        self._length = np.maximum(np.hypot(bone[..., :1], bone[..., 1:]), np.float32(1e-6))
        (dx, dy), (x, y) = (np.moveaxis(part, -1, 0) for part in (bone / self._length, start))
        # A limb without length has no direction; any will do.
        dx = np.where(dx * dx + dy * dy > 0, dx, np.float32(1))
        skew = x * dy - y * dx
        level = np.log(np.maximum(points[:, _ENDS, 2].min(axis=2), np.float32(1e-12))) - skew * skew
        across = (-dy * dy, 2 * dx * dy, -dx * dx, 2 * dy * skew, -2 * dx * skew, level)
        self._across = np.stack(across, axis=-1)
        self._along = np.stack([dx, dy, -(x * dx + y * dy)], axis=-1) / self._length
        self._scratch = [np.empty(len(LIMBS) * CANVAS * CANVAS, np.float32) for _ in range(3)]
        self._canvas = np.empty((CANVAS, CANVAS), np.float32)

    def paint(self, t: int) -> Maps:
        """Frame ``t`` on its canvas (128, 128), which the next frame overwrites."""
        canvas = self._canvas
        canvas.fill(_NO_HEAT)
        for group in _GROUPS:
            low, high = self._low[t, group], self._high[t, group]
            width, height = (high - low).max(axis=0).tolist()
            if width > 0 and height > 0:
                _stamp(canvas, self._exponents(t, group, height, width), low, high)
        return np.exp(canvas, out=canvas)

    def _exponents(self, t: int, group: slice, height: int, width: int) -> Maps:
        """(L, h, w)."""
        grid = _PIXELS[:, :height, :width].reshape(6, -1)
        shape = (group.stop - group.start, height * width)
        out, beyond, on = (part[: shape[0] * shape[1]].reshape(shape) for part in self._scratch)
        np.matmul(self._across[t, group], grid, out=out)
        np.matmul(self._along[t, group], grid[3:], out=beyond)
        beyond -= np.clip(beyond, 0, 1, out=on)
        beyond *= self._length[t, group]
        beyond *= beyond
        out -= beyond
        return out.reshape(-1, height, width)


class _JointPainter:
    """Paints a Gaussian at each joint: a row times a column, cut at three sigma."""

    def __init__(self, points: NDArray[np.float32]) -> None:
        self._low, self._high = _bounds(points[..., :2], points[..., :2])
        # Pixels are counted from the window's first: small numbers, exact in float32.
        start = (points[..., :2] - self._low).astype(np.float32)
        pixels = np.arange(int(2 * _CUT) + 2, dtype=np.float32)
        bells = np.exp(-np.square((pixels - start[..., None]) / _UNIT))
        self._columns = bells[:, :, 0] * points[..., 2:]
        self._rows = bells[:, :, 1]
        size = bells.shape[-1]
        self._blobs = np.empty((points.shape[1], size, size), np.float32)
        self._canvas = np.empty((CANVAS, CANVAS), np.float32)

    def paint(self, t: int) -> Maps:
        """Frame ``t`` on its canvas (128, 128), which the next frame overwrites."""
        self._canvas.fill(0)
        np.multiply(self._rows[t][:, :, None], self._columns[t][:, None, :], out=self._blobs)
        _stamp(self._canvas, self._blobs, self._low[t], self._high[t])
        return self._canvas


def _stamp(canvas: Maps, windows: Maps, low: NDArray[np.int64], high: NDArray[np.int64]) -> None:
    """The maximum of the canvas and each window (h, w) whose part [low, high) lies on it."""
    bounds = np.concatenate([low, high], axis=1).tolist()
    for window, (left, top, right, bottom) in zip(windows, bounds, strict=True):
        if top < bottom and left < right:
            part = canvas[top:bottom, left:right]
            # Twice as fast as numpy's maximum on windows of this size.
            cv2.max(part, window[: bottom - top, : right - left], part)


def _bounds(low: Maps, high: Maps) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First pixels and ends of the windows three sigma about [low, high], (..., 2)."""
    first, end = np.clip(low - _CUT, 0, CANVAS), np.clip(high + (_CUT + 1), 0, CANVAS)
    return first.astype(np.int64), end.astype(np.int64)


def _crop(limbs: Maps, joints: Maps, out: NDArray[np.uint8]) -> None:
    """Both canvases as grey; rows that hold heat, as many columns about the middle, 64 x 64 by area."""
    greys = [(canvas * np.float32(255)).astype(np.uint8) for canvas in (limbs, joints)]
    heat = np.flatnonzero(np.maximum(*greys).max(axis=1))
    if not heat.size:
        return
    top, bottom = int(heat[0]), int(heat[-1]) + 1
    half = max((bottom - top) // 2, 1)
    columns = slice(CANVAS // 2 - half, CANVAS // 2 + half)
    for grey, channel in zip(greys, out, strict=True):
        cv2.resize(grey[top:bottom, columns], (_CROPPED, _CROPPED), channel, interpolation=cv2.INTER_AREA)
