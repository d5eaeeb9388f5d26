"""Skeletons: conversion between layouts, normalisation, left and right, and missing joints.

Points are (..., K, C). With ``confidence`` the last channel is a confidence in [0, 1] and 0 means missing;
without it a missing point is NaN. The layouts themselves are in ``gait.skeleton_layouts``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gait.skeleton_layouts import (
    BLAZEPOSE33,
    BUILT_IN,
    COCO17,
    COCO18,
    GAITWAY16,
    KINECT18,
    KINECT25,
    Layout,
    layout_named,
    load_layout,
)
from stream.errors import MessageError

__all__ = [
    "BLAZEPOSE33",
    "BUILT_IN",
    "COCO17",
    "COCO18",
    "GAITWAY16",
    "KINECT18",
    "KINECT25",
    "Converted",
    "Layout",
    "Normalised",
    "body_scale",
    "convert",
    "impute_missing",
    "layout_named",
    "load_layout",
    "locate",
    "mirror",
    "normalise",
    "swap_sides",
]

Points = NDArray[np.float32]

DERIVED: Final[dict[str, tuple[tuple[str, ...], ...]]] = {
    "pelvis": (("left_hip", "right_hip"),),
    "neck": (("left_shoulder", "right_shoulder"),),
    "spine": (("pelvis", "neck"),),
    "head": (("left_ear", "right_ear"), ("left_eye", "right_eye"), ("nose",)),
    "upper_neck": (("neck", "head"),),
    "left_hand": (("left_pinky", "left_index"),),
    "right_hand": (("right_pinky", "right_index"),),
    "left_hand_tip": (("left_index",),),
    "right_hand_tip": (("right_index",),),
    "left_foot": (("left_foot_index",),),
    "right_foot": (("right_foot_index",),),
    "left_foot_index": (("left_foot",),),
    "right_foot_index": (("right_foot",),),
}
"""Joints that others place: the mean of the first set that the source has. Nothing else is invented."""

# A shorter torso (pixels or metres) is none; dividing by it would only blow up noise.
MIN_SCALE = 1e-3


@dataclass(frozen=True)
class Converted:
    """Points in the target layout; ``derived`` joints were placed by others, ``missing`` ones by nothing.

    A missing joint is 0 with confidence 0, or NaN where the points carry no confidence.
    """

    points: Points
    derived: tuple[str, ...]
    missing: tuple[str, ...]


@dataclass(frozen=True)
class Normalised:
    """Root-centred points in units of ``scale``; ``roots`` (..., D) are where the pelvis was."""

    points: Points
    roots: Points
    scale: float


def convert(
    points: NDArray[Any], source: Layout | str, target: Layout | str, *, confidence: bool = True
) -> Converted:
    """Points (..., K, C) of one layout in another; a derived joint is as sure as its least sure source."""
    source, target = _layout(source), _layout(target)
    _check(points, source, 2 if confidence else 1)
    if source is target:
        return Converted(_known(_float32(points), confidence), (), ())
    weights = _weights(source, target.joints)
    derived = tuple(joint for joint in target.joints if joint not in source.joints)
    missing = tuple(joint for joint, row in zip(target.joints, weights, strict=True) if not row.any())
    placed = _combine(_float32(points), weights, confidence)
    return Converted(placed, tuple(joint for joint in derived if joint not in missing), missing)


def locate(points: NDArray[Any], layout: Layout | str, joint: str, *, confidence: bool = True) -> Points:
    """One joint (..., C) of points (..., K, C), derived where the layout has no such joint.

    Raises MessageError where it cannot be derived.
    """
    layout = _layout(layout)
    _check(points, layout, 2 if confidence else 1)
    if joint in layout.joints:
        return _known(_float32(points[..., layout.index(joint), :]), confidence)
    weights = _weights(layout, (joint,))
    if not weights.any():
        raise MessageError(f"no {joint} can be derived from the layout {layout.name}")
    return np.asarray(_combine(_float32(points), weights, confidence)[..., 0, :])


def swap_sides(points: NDArray[Any], layout: Layout | str) -> NDArray[Any]:
    """Left joints where the right ones were and the other way round, as every mirroring needs."""
    layout = _layout(layout)
    _check(points, layout, 1)
    return points[..., list(layout.swap), :]


def mirror(points: NDArray[Any], layout: Layout | str, width: int | None = None) -> NDArray[Any]:
    """The person as a mirror shows them, sides swapped: x becomes width - 1 - x, or -x without a width.

    A missing 2D joint (x = y = 0) stays where it is.
    """
    swapped = np.array(swap_sides(points, layout))
    if width is None:
        swapped[..., 0] = -swapped[..., 0]
    else:
        present = (swapped[..., 0] != 0) | (swapped[..., 1] != 0)
        swapped[..., 0] = np.where(present, width - 1 - swapped[..., 0], swapped[..., 0])
    return swapped


def body_scale(points: NDArray[Any], layout: Layout | str, *, confidence: bool = True) -> float:
    """The median length of the torso (pelvis to neck) over all frames; 1 where none can be measured.

    The median, because a per-frame scale jitters and takes a person's stature away.
    """
    pelvis, neck = (locate(points, layout, joint, confidence=confidence) for joint in ("pelvis", "neck"))
    torso = np.subtract(neck, pelvis, dtype=np.float64)
    if confidence:
        torso = np.where((pelvis[..., -1:] > 0) & (neck[..., -1:] > 0), torso[..., :-1], np.nan)
    lengths = np.linalg.norm(torso, axis=-1)
    lengths = lengths[np.isfinite(lengths)]
    return max(float(np.median(lengths)), MIN_SCALE) if lengths.size else 1.0


def normalise(
    points: NDArray[Any],
    layout: Layout | str,
    *,
    scale: float | None = None,
    confidence: bool = True,
) -> Normalised:
    """Pelvis at the origin of every frame, the torso one unit long; live callers fix ``scale``.

    A missing joint, and every joint of a frame without a pelvis, is 0 with confidence 0 (NaN without one).
    """
    layout = _layout(layout)
    unit = body_scale(points, layout, confidence=confidence) if scale is None else max(scale, MIN_SCALE)
    root = locate(points, layout, "pelvis", confidence=confidence)
    if not confidence:
        return Normalised((_float32(points) - root[..., None, :]) / np.float32(unit), root, unit)
    given = _float32(points)
    known = np.isfinite(given).all(axis=-1) & (given[..., -1] > 0) & (root[..., None, -1] > 0)
    kept = np.where(known[..., None], given, np.float32(0))
    moved = np.where(known[..., None], (kept[..., :-1] - root[..., None, :-1]) / unit, 0)
    return Normalised(
        np.concatenate([moved, kept[..., -1:]], axis=-1).astype(np.float32), root[..., :-1], unit
    )


def impute_missing(points: NDArray[Any], neighbours: int = 4) -> Points:
    """Fill missing coordinates of (T, K, C >= 2) from the ``neighbours`` most similar frames.

    A frame is the row of its x and y; a coordinate that is exactly 0 or not finite is missing. Rows are
    compared on the coordinates both have, scaled up for those they lack; donors are weighted by 1/distance,
    and identical frames outweigh all others. Without a comparable donor the coordinate's mean over the frames
    is taken, and one that no frame has stays 0. Channels after y are kept.
    """
    filled = _float32(points)
    rows = filled[..., :2].reshape(len(filled), 2 * filled.shape[1]).astype(np.float64)
    known = np.isfinite(rows) & (rows != 0)
    rows = np.where(known, rows, 0.0)
    if known.all() or not known.any():
        return _with_xy(filled, rows)
    distance = _row_distances(rows, known)
    result = rows.copy()
    for column in np.flatnonzero(~known.all(axis=0) & known.any(axis=0)):
        donors = np.flatnonzero(known[:, column])
        receivers = np.flatnonzero(~known[:, column])
        result[receivers, column] = _from_donors(
            distance[np.ix_(receivers, donors)], rows[donors, column], neighbours
        )
    return _with_xy(filled, result)


def _with_xy(points: Points, rows: NDArray[np.float64]) -> Points:
    points[..., :2] = rows.reshape(*points.shape[:-1], 2)
    return points


def _row_distances(rows: NDArray[np.float64], known: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Euclidean over shared coordinates, times the root of all over shared; infinite where none is shared."""
    present = known.astype(np.float64)
    shared = present @ present.T
    squares = rows**2 @ present.T
    total = np.maximum(squares + squares.T - 2 * rows @ rows.T, 0.0)
    # The expansion above leaves rounding noise where rows are equal; they must count as identical.
    total[total <= 1e-12 * (squares + squares.T)] = 0.0
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(shared > 0, np.sqrt(total * rows.shape[1] / shared), np.inf))


def _from_donors(
    distance: NDArray[np.float64], values: NDArray[np.float64], neighbours: int
) -> NDArray[np.float64]:
    """The weighted mean of each row's nearest donors: distance (receivers, donors), values (donors,)."""
    nearest = np.argsort(distance, axis=1, kind="stable")[:, :neighbours]
    near = np.take_along_axis(distance, nearest, axis=1)
    with np.errstate(divide="ignore"):
        weights = 1.0 / near
    identical = np.isinf(weights)
    weights = np.where(identical.any(axis=1, keepdims=True), identical, weights)
    total = weights.sum(axis=1)
    mean = (weights * values[nearest]).sum(axis=1) / np.where(total > 0, total, 1.0)
    return np.asarray(np.where(total > 0, mean, values.mean()))


def _float32(points: NDArray[Any]) -> Points:
    """A copy; what float32 cannot hold becomes infinite, and so counts as missing."""
    with np.errstate(over="ignore"):
        return np.array(points, dtype=np.float32)


def _layout(layout: Layout | str) -> Layout:
    return layout_named(layout) if isinstance(layout, str) else layout


def _check(points: NDArray[Any], layout: Layout, channels: int) -> None:
    if points.ndim < 2 or points.shape[-2] != layout.size or points.shape[-1] < channels:
        raise MessageError(
            f"points of shape {points.shape} are not a {layout.name} skeleton",
            wanted=f"(..., {layout.size}, {channels} or more)",
        )


@lru_cache(maxsize=64)
def _weights(source: Layout, joints: tuple[str, ...]) -> NDArray[np.float32]:
    """(len(joints), K): each wanted joint as a mean of the source's; a row of zeros where it cannot be."""
    rows = [_row(source, joint, frozenset()) for joint in joints]
    weights = np.array([np.zeros(source.size) if row is None else row for row in rows], np.float32)
    weights.setflags(write=False)
    return weights


def _row(source: Layout, joint: str, asked: frozenset[str]) -> NDArray[np.float64] | None:
    if joint in source.joints:
        return np.asarray(np.eye(source.size)[source.index(joint)])
    if joint in asked:
        return None
    for recipe in DERIVED.get(joint, ()):
        parts = [_row(source, part, asked | {joint}) for part in recipe]
        found = [part for part in parts if part is not None]
        if len(found) == len(parts):
            return np.asarray(np.mean(found, axis=0))
    return None


def _known(points: Points, confidence: bool) -> Points:
    """Points as they are, a missing one blank: what ``_combine`` gives where each joint is its own source."""
    lacking = np.asarray(~np.isfinite(points).all(axis=-1))
    if confidence:
        lacking |= ~(points[..., -1] > 0)
    if lacking.any():
        points[lacking] = 0 if confidence else np.nan
    return points


def _combine(points: Points, weights: NDArray[np.float32], confidence: bool) -> Points:
    """Weighted means over joints; a joint that any needed source lacks is missing itself."""
    coordinates = points[..., :-1] if confidence else points
    lacking = np.asarray(~np.isfinite(points).all(axis=-1))
    if confidence:
        lacking = lacking | ~(points[..., -1] > 0)
    needs = np.asarray(weights > 0)
    bad = np.asarray((lacking[..., None, :] & needs).any(axis=-1) | ~needs.any(axis=-1))
    safe = np.where(lacking[..., None], np.float32(0), coordinates)
    placed = np.where(bad[..., None], np.float32(0 if confidence else np.nan), weights @ safe)
    if not confidence:
        return placed.astype(np.float32)
    sure = np.where(needs, points[..., None, :, -1], np.inf).min(axis=-1)
    return np.concatenate([placed, np.where(bad, 0, sure)[..., None]], axis=-1).astype(np.float32)
