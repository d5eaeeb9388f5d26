"""Skeletons as pictures, registered pixel to pixel with the aligned silhouette that they accompany.

Joints are given in the silhouette's own pixels (pixel (x, y) has its centre at (x, y)), so a map shows an
elbow where the silhouette shows it. Maps are float32 in [0, 1]. The forms that old checkpoints were trained
on are in ``gait.reference_maps``.
"""

from __future__ import annotations

import threading
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from gait.silhouette import HEIGHT, WIDTH
from gait.skeleton import GAITWAY16, Layout, body_scale, locate
from stream.errors import MessageError

Maps = NDArray[np.float32]

# Coordinates beyond this lie far outside any silhouette; the bound keeps squares finite in float32.
_FAR_PX: Final = 1e4


class MapConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How skeletons are drawn.

    ``sigma_px``: width of the Gaussians; 2.5 of 64 rows is about a forearm's half width. ``limbs``: draw
    bones into the body channel as well as joints. ``depth_reach``: depth in torso lengths that saturates the
    depth channel; a stride moves an ankle by about one.
    """

    height: int = HEIGHT
    width: int = WIDTH
    sigma_px: float = 2.5
    limbs: bool = True
    depth_reach: float = 1.5

    def __post_init__(self) -> None:
        if self.height < 1 or self.width < 1 or not self.sigma_px > 0 or not self.depth_reach > 0:
            raise ValueError("height, width, sigma_px and depth_reach must be above 0")


DEFAULT: Final = MapConfig()


def limb_and_joint_maps(
    points: NDArray[Any], layout: Layout = GAITWAY16, config: MapConfig = DEFAULT
) -> Maps:
    """2D points (T, K, 3: x, y, confidence) -> (T, 2, H, W): limbs, then joints.

    Each is the maximum of Gaussians times confidence; a limb's is the smaller of its two ends'.
    """
    canvas = _canvas(layout, config)
    xy, sure = _cleaned(points, layout, config)
    maps = np.empty((len(xy), 2, config.height, config.width), np.float32)
    for t in range(len(xy)):
        maps[t, 0] = canvas.limbs(xy[t], sure[t])
        maps[t, 1] = canvas.joints(xy[t], sure[t])
    return maps


def body_and_depth_maps(
    points: NDArray[Any],
    depths: NDArray[Any],
    layout: Layout = GAITWAY16,
    config: MapConfig = DEFAULT,
) -> Maps:
    """2D points (T, K, 3) and depths (T, K) in torso lengths -> (T, 2, H, W): body, then depth.

    Depth is relative to the pelvis, bounded, 0.5 at the pelvis' own depth and on the background: its
    departure from 0.5 is weighted by the body channel.
    """
    canvas = _canvas(layout, config)
    xy, sure = _cleaned(points, layout, config)
    reach = np.nan_to_num(np.asarray(depths, np.float64)) / config.depth_reach
    bounded = np.clip(reach, -1, 1).astype(np.float32)
    if bounded.shape != sure.shape:
        raise MessageError(f"depths of shape {bounded.shape}", wanted=f"one for each point, {sure.shape}")
    maps = np.empty((len(xy), 2, config.height, config.width), np.float32)
    for t in range(len(xy)):
        limbs, depth = canvas.limbs_and_depth(xy[t], sure[t], bounded[t])
        joints = canvas.joints(xy[t], sure[t])
        maps[t, 0] = np.maximum(limbs, joints) if config.limbs else joints
        maps[t, 1] = 0.5 + 0.5 * maps[t, 0] * depth
    return maps


def relative_depths(
    joints_3d: NDArray[Any], layout: Layout = GAITWAY16, scale_m: float | None = None
) -> NDArray[np.float32]:
    """Joints (T, K, 3) metres -> (T, K) depths relative to the pelvis in torso lengths.

    The torso length is the sequence's median unless a live caller, which must not look ahead, fixes it.
    """
    scale = body_scale(joints_3d, layout, confidence=False) if scale_m is None else max(scale_m, 1e-3)
    pelvis = locate(joints_3d, layout, "pelvis", confidence=False)
    depths = (np.asarray(joints_3d)[..., 2] - pelvis[..., None, 2]) / scale
    # A metre or two is a body's depth; the bound only keeps what is broken within float32.
    bounded = np.clip(np.nan_to_num(depths, posinf=0.0, neginf=0.0), -_FAR_PX, _FAR_PX)
    return np.asarray(bounded, dtype=np.float32)


# Shares of the standing height, from usual anthropometric tables: the centre of the head lies at 0.93 of
# it and the ankles at 0.04, and an aligned silhouette is one standing height tall.
_HEAD_AT: Final = 0.07
_ANKLES_AT: Final = 0.96


def orthographic(
    joints_3d: NDArray[Any], layout: Layout = GAITWAY16, config: MapConfig = DEFAULT
) -> NDArray[np.float32]:
    """Joints (T, K, 3) metres, y down -> (T, K, 3) silhouette pixels with confidence 1.

    For skeletons without image positions: one scale and one pelvis row for the whole sequence, so that the
    head and the ankles lie where an aligned silhouette has them; the pelvis on the middle column. Joints
    that are not finite get confidence 0.
    """
    joints = np.asarray(joints_3d, np.float64)
    pelvis = locate(joints, layout, "pelvis", confidence=False).astype(np.float64)
    head = locate(joints, layout, "head", confidence=False)[..., 1] - pelvis[..., 1]
    ankles = joints[..., layout.indices("left_ankle", "right_ankle"), 1].max(-1) - pelvis[..., 1]
    extent = _median(ankles - head, 1.0)
    px_per_m = (_ANKLES_AT - _HEAD_AT) * config.height / max(extent, 1e-3)
    row = _HEAD_AT * config.height - px_per_m * _median(head, -0.5)
    centred = (joints - pelvis[..., None, :]) * px_per_m
    x, y = centred[..., 0] + (config.width - 1) / 2, centred[..., 1] + row
    seen = np.isfinite(x) & np.isfinite(y)
    placed = np.stack([np.where(seen, x, 0), np.where(seen, y, 0), seen], axis=-1)
    return np.asarray(np.clip(placed, -_FAR_PX, _FAR_PX), dtype=np.float32)


def fuse(silhouettes: NDArray[np.uint8], maps: Maps | None) -> Maps:
    """Silhouettes (T, H, W) and maps (T, C, H, W) -> (T, 1 + C, H, W) float32, all in [0, 1]."""
    if silhouettes.dtype != np.uint8 or silhouettes.ndim != 3:
        raise MessageError(
            f"silhouettes of shape {silhouettes.shape} and type {silhouettes.dtype}",
            wanted="(T, H, W) uint8",
        )
    scaled = silhouettes[:, None].astype(np.float32) / np.float32(255)
    if maps is None:
        return scaled
    if len(maps) != len(silhouettes):
        raise MessageError(
            f"{len(silhouettes)} silhouettes but {len(maps)} skeletons",
            wanted="as many of one as of the other",
            fix="Cut both to the same frames",
        )
    if maps.shape[2:] != silhouettes.shape[1:]:
        raise MessageError(
            f"maps of {maps.shape[2:]} pixels", wanted=f"the silhouettes' {silhouettes.shape[1:]}"
        )
    return np.concatenate([scaled, maps.astype(np.float32, copy=False)], axis=1)


class _Canvas:
    """Draws one frame at a time, all limbs at once, into scratch that stays in the cache."""

    def __init__(self, layout: Layout, config: MapConfig) -> None:
        # In units of sigma * sqrt(2) a Gaussian is exp(-d^2).
        self._unit = np.float32(config.sigma_px * np.sqrt(2))
        self._shape = (config.height, config.width)
        self._x = np.arange(config.width, dtype=np.float32) / self._unit
        self._y = np.arange(config.height, dtype=np.float32) / self._unit
        grid = np.broadcast_arrays(self._x[None, :], self._y[:, None], np.float32(1))
        self._pixels = np.stack([part.ravel() for part in grid])  # (3, H * W): x, y, 1
        self._from, self._to = (np.array(ends) for ends in zip(*layout.edges, strict=True))
        shape = (len(layout.edges), self._pixels.shape[1])
        self._beyond, self._across, self._on = (np.empty(shape, np.float32) for _ in range(3))
        self._blobs = np.empty((layout.size, *self._shape), np.float32)

    def joints(self, xy: Maps, sure: Maps) -> Maps:
        """(K, 2) pixels and (K,) confidences -> (H, W)."""
        points = xy / self._unit
        columns = np.exp(-np.square(self._x - points[:, :1])) * sure[:, None]
        rows = np.exp(-np.square(self._y - points[:, 1:]))
        np.multiply(rows[:, :, None], columns[:, None, :], out=self._blobs)
        return np.asarray(self._blobs.max(axis=0))

    def limbs(self, xy: Maps, sure: Maps) -> Maps:
        """The limbs' map alone (H, W)."""
        return np.asarray(np.exp(self._exponents(xy, sure)[0].max(axis=0))).reshape(self._shape)

    def limbs_and_depth(self, xy: Maps, sure: Maps, depths: Maps) -> tuple[Maps, Maps]:
        """The limbs' map, and the heat-weighted mean of the limbs' depths, each linear between its ends."""
        exponents, on = self._exponents(xy, sure)
        heat = np.exp(exponents, out=exponents)
        near = depths[self._from]
        total, base = np.stack([np.ones_like(near), near]) @ heat
        body = heat.max(axis=0)
        sums = base + (depths[self._to] - near) @ np.multiply(on, heat, out=on)
        depth = sums / np.maximum(total, np.float32(1e-12))
        return body.reshape(self._shape), depth.reshape(self._shape)

    def _exponents(self, xy: Maps, sure: Maps) -> tuple[Maps, Maps]:
        """Per limb and pixel (L, H * W): log of the heat, and the nearest point on the limb from 0 to 1."""
        points = xy / self._unit
        start, bone = points[self._from], points[self._to] - points[self._from]
        length = np.maximum(np.hypot(bone[:, 0], bone[:, 1]), np.float32(1e-6))
        dx, dy = (bone / length[:, None]).T
        # A bone seen end on has no direction; any will do, for it is drawn as a point.
        dx = np.where(dx * dx + dy * dy > 0, dx, np.float32(1))
        # Two linear forms of the pixel: across the limb, and along it in lengths of it.
        across = np.stack([-dy, dx, start[:, 0] * dy - start[:, 1] * dx], axis=1)
        along = np.stack([dx, dy, -(start[:, 0] * dx + start[:, 1] * dy)], axis=1) / length[:, None]
        np.matmul(across, self._pixels, out=self._across)
        np.matmul(along, self._pixels, out=self._beyond)
        np.clip(self._beyond, 0, 1, out=self._on)
        self._beyond -= self._on
        self._beyond *= length[:, None]
        self._beyond *= self._beyond
        self._across *= self._across
        self._across += self._beyond
        with np.errstate(divide="ignore"):
            log_sure = np.log(np.minimum(sure[self._from], sure[self._to]))
        return np.subtract(log_sure[:, None], self._across, out=self._across), self._on


_scratch: Final = threading.local()


def _canvas(layout: Layout, config: MapConfig) -> _Canvas:
    """This thread's canvas; made once, since a live caller draws one frame at a time."""
    held: tuple[Layout, MapConfig, _Canvas] | None = getattr(_scratch, "held", None)
    if held is None or held[0] is not layout or held[1] != config:
        held = _scratch.held = (layout, config, _Canvas(layout, config))
    return held[2]


def _cleaned(
    points: NDArray[Any], layout: Layout, config: MapConfig
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """x, y (T, K, 2) bounded and confidence (T, K) in [0, 1], 0 where a point is missing or not finite."""
    if points.ndim != 3 or points.shape[1:] != (layout.size, 3):
        raise MessageError(
            f"points of shape {points.shape}", wanted=f"(T, {layout.size}, 3): x, y and confidence"
        )
    values = np.asarray(points, np.float64)
    finite = np.asarray(np.isfinite(values).all(axis=-1))
    sure = np.where(finite, np.clip(values[..., 2], 0, 1), 0)
    far = max(config.height, config.width) + _FAR_PX
    xy = np.clip(np.where(finite[..., None], values[..., :2], 0), -far, far)
    return xy.astype(np.float32), sure.astype(np.float32)


def _median(values: NDArray[Any], otherwise: float) -> float:
    finite = values[np.isfinite(values)]
    return float(np.median(finite)) if finite.size else otherwise
