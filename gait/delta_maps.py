"""Joint motion as pictures: HybridGait's delta-joint channels.

A joint's motion at frame t is half the way from t - 1 to t + 1 (the kernel -0.5, 0, +0.5, the ends
replicated), in body scale, so that a near walker moves no more than a far one.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from stream.errors import MessageError

Maps = NDArray[np.float32]

# An ankle swings at up to 4 m/s: at 25 Hz 0.16 m a frame, about a third of a torso (0.5 m).
FULL_SCALE_TORSOS: Final = 0.35
# Coordinates beyond this lie far outside any silhouette; the bound keeps squares finite in float32.
FARTHEST_PX: Final = 1e4


def delta_joints(points: NDArray[Any]) -> NDArray[np.float32]:
    """Points (T, K, 3: x, y, confidence) -> motion per frame (T, K, 2), zero where an end is missing."""
    _check(points)
    place = np.clip(np.nan_to_num(points[..., :2].astype(np.float64)), -FARTHEST_PX, FARTHEST_PX)
    seen = (points[..., 2] > 0) & np.all(np.isfinite(points), axis=-1)
    before, after = _neighbours(place)
    seen_before, seen_after = _neighbours(seen)
    both = (seen_before & seen_after)[..., None]
    return np.where(both, 0.5 * (after - before), 0.0).astype(np.float32)


def _neighbours(series: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """The frame before and the frame after each, the ends replicated."""
    return np.concatenate([series[:1], series[:-1]]), np.concatenate([series[1:], series[-1:]])


def delta_maps(
    points: NDArray[Any], torso_px: float, *, height: int = 64, width: int = 44, sigma_px: float = 2.5
) -> Maps:
    """Points (T, K, 3) in silhouette pixels -> (T, 2, H, W) in [-1, 1]: motion to the right and downwards.

    Every pixel shows the motion of the joint that is strongest there, weighted by that joint's Gaussian and
    confidence; ``FULL_SCALE_TORSOS`` a frame is 1.
    """
    if not torso_px > 0 or not np.isfinite(torso_px):
        raise MessageError(f"a torso of {torso_px} px", where="delta_maps", wanted="a positive length")
    motion = np.clip(delta_joints(points) / (torso_px * FULL_SCALE_TORSOS), -1.0, 1.0)
    confidence = np.clip(np.nan_to_num(points[..., 2].astype(np.float32)), 0.0, 1.0)
    place = np.clip(np.nan_to_num(points[..., :2].astype(np.float32)), -FARTHEST_PX, FARTHEST_PX)
    rows = _gaussians(place[..., 1], height, sigma_px) * confidence[..., None]
    columns = _gaussians(place[..., 0], width, sigma_px)
    maps = np.empty((len(points), 2, height, width), np.float32)
    for t in range(len(points)):
        weights = rows[t, :, :, None] * columns[t, :, None, :]
        heat = weights.max(0)
        # Joints at the very same place share their pixels, whatever their order.
        wins = (weights == heat).astype(np.float32).reshape(len(weights), -1)
        maps[t] = ((motion[t].T @ wins) / wins.sum(0) * heat.reshape(-1)).reshape(2, height, width)
    return maps


def _gaussians(centres: NDArray[np.float32], size: int, sigma_px: float) -> NDArray[np.float32]:
    """Bells over pixel indices, cut at three sigma: (T, K) -> (T, K, size)."""
    away = (np.arange(size, dtype=np.float32) - centres[..., None]) / np.float32(sigma_px)
    return np.where(np.abs(away) <= 3, np.exp(-0.5 * away * away), np.float32(0))


def _check(points: NDArray[Any]) -> None:
    if points.ndim != 3 or points.shape[2] != 3 or not len(points):
        raise MessageError(
            f"points of shape {points.shape}",
            where="delta_maps",
            wanted="(frames, joints, 3), at least a frame",
        )
