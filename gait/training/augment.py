"""Changes to a training clip, made to silhouettes and joints alike, so that they stay registered.

A change is drawn once per clip and holds for all its frames, as a camera, a coat or a crop does. Pixel
(x, y) has its centre at (x, y), so a picture W wide turns about (W - 1) / 2. A mirrored walker's left is
right: every mirror swaps the joints' sides.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gait.inputs import Walk
from gait.skeleton import body_scale, mirror
from gait.training import outline
from gait.training.config import AugmentSection
from gait.training.warp import (
    Homography,
    perspective_of,
    rotation_of,
    stretch_of,
    warp_images,
    warp_points,
)

Rng = np.random.Generator
Change = Callable[[Walk, AugmentSection, Rng], Walk]


def augment(walk: Walk, section: AugmentSection, rng: Rng) -> Walk:
    """The walk with each change made at its chance; the one given is left as it is."""
    for name, change in CHANGES.items():
        # One draw for each, taken or not: to turn one change on leaves the others' luck alone.
        taken = rng.random() < getattr(section, name)
        own = np.random.default_rng(rng.integers(0, 2**63))
        if taken:
            walk = change(walk, section, own)
    return walk


def mirrored(walk: Walk, _: AugmentSection, __: Rng) -> Walk:
    """As a mirror shows the walker, left and right joints exchanged."""
    width = walk.silhouettes.shape[2] or None
    points = walk.joints_2d
    if points.shape[2]:
        points = mirror(points, walk.layout, width or _width_of(points))
    space = None if walk.joints_3d is None else mirror(walk.joints_3d, walk.layout)
    return replace(
        walk,
        silhouettes=np.ascontiguousarray(walk.silhouettes[:, :, ::-1]),
        joints_2d=points,
        joints_3d=space,
    )


def rotated(walk: Walk, section: AugmentSection, rng: Rng) -> Walk:
    """Turned about the picture's true centre, the 3D skeleton about the axis into the picture."""
    angle = math.radians(rng.uniform(-section.rotation_degrees, section.rotation_degrees))
    moved = _warped(walk, rotation_of(angle, *_picture(walk)))
    if walk.joints_3d is None:
        return moved
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    space = walk.joints_3d.copy()
    space[..., :2] = space[..., :2] @ turn.T.astype(np.float32)
    return replace(moved, joints_3d=space)


def in_perspective(walk: Walk, section: AugmentSection, rng: Rng) -> Walk:
    """Seen by a camera that stands a little elsewhere; metres stay what they are."""
    height, width = _picture(walk)
    reach = section.perspective_px * height / 64
    return _warped(walk, perspective_of(rng.uniform(0, reach, (4, 2)), height, width))


def stretched(walk: Walk, section: AugmentSection, rng: Rng) -> Walk:
    """As another crop, camera or ground would show the walker: the head's row stays; metres stay too."""
    height, width = _picture(walk)
    tall, wide = rng.uniform(*section.stretch_height), rng.uniform(*section.stretch_width)
    slant = rng.uniform(-section.stretch_slant, section.stretch_slant)
    shift = rng.uniform(-section.stretch_shift, section.stretch_shift) * width
    return _warped(walk, stretch_of(tall, wide, slant, shift, height, width))


def grounded(walk: Walk, section: AugmentSection, rng: Rng) -> Walk:
    """The feet hidden, faint, or with a shadow beside them; joints that are hidden are unseen."""
    height = _picture(walk)[0]
    rows = int(rng.integers(1, max(1, round(section.ground_height * height)) + 1))
    images, hidden = outline.change_ground(walk.silhouettes, rows, rng)
    gone = walk.joints_2d[..., 1:2] >= height - rows if hidden else False
    return replace(walk, silhouettes=images, joints_2d=np.where(gone, np.float32(0), walk.joints_2d))


def erased(walk: Walk, section: AugmentSection, rng: Rng) -> Walk:
    """Something stands before the walker: a rectangle without silhouette, its joints unseen."""
    height, width = _picture(walk)
    area = rng.uniform(*section.erasing_area) * height * width
    ratio = math.exp(rng.uniform(math.log(0.3), math.log(1 / 0.3)))
    rows = min(round(math.sqrt(area * ratio)), height)
    columns = min(round(math.sqrt(area / ratio)), width)
    top, left = int(rng.integers(0, height - rows + 1)), int(rng.integers(0, width - columns + 1))
    images = walk.silhouettes.copy()
    images[:, top : top + rows, left : left + columns] = 0
    x, y = walk.joints_2d[..., :1], walk.joints_2d[..., 1:2]
    inside = (x >= left) & (x < left + columns) & (y >= top) & (y < top + rows)
    return replace(walk, silhouettes=images, joints_2d=np.where(inside, np.float32(0), walk.joints_2d))


def thickened(walk: Walk, section: AugmentSection, rng: Rng) -> Walk:
    """A band of the body wider or narrower by some pixels, as clothes make it; joints stay."""
    changed = outline.change_band(walk.silhouettes, section.thickness_px, rng, soft=section.thickness_soft)
    return replace(walk, silhouettes=changed)


def edge_noisy(walk: Walk, section: AugmentSection, rng: Rng) -> Walk:
    """The outline frayed, each frame by itself, as segmentation errs; joints stay."""
    return replace(walk, silhouettes=outline.fray(walk.silhouettes, section.edge_noise_share, rng))


def reversed_in_time(walk: Walk, _: AugmentSection, __: Rng) -> Walk:
    """The clip played backwards."""
    return _taking(walk, np.arange(len(walk.joints_2d))[::-1])


def at_other_speed(walk: Walk, section: AugmentSection, rng: Rng) -> Walk:
    """As many frames of a faster or slower walk: the nearest ones, bounced at the clip's ends."""
    low, high = section.speed_range
    factor = math.exp(rng.uniform(math.log(low), math.log(high)))
    last = len(walk.joints_2d) - 1
    if last == 0:
        return walk
    places = np.rint(last / 2 + (np.arange(last + 1) - last / 2) * factor).astype(np.int64)
    folded = np.abs(places) % (2 * last)
    return _taking(walk, np.minimum(folded, 2 * last - folded))


def jittered(walk: Walk, section: AugmentSection, rng: Rng) -> Walk:
    """Joints misplaced, by an offset each for the whole clip and one for every frame, in torso lengths."""
    points, space = walk.joints_2d, walk.joints_3d
    if points.shape[2]:
        moved = points.copy()
        seen = moved[..., 2:] > 0
        noise = _offsets(points[..., :2].shape, section, rng) * _torso(points, walk, confidence=True)
        moved[..., :2] += np.where(seen, noise, 0)
        points = moved
    if space is not None:
        present = (space != 0).any(axis=-1, keepdims=True)
        noise = _offsets(space.shape, section, rng) * _torso(space, walk, confidence=False)
        space = space + np.where(present, noise, np.float32(0))
    return replace(walk, joints_2d=points, joints_3d=space)


def with_joints_dropped(walk: Walk, section: AugmentSection, rng: Rng) -> Walk:
    """Some joints unseen in some frames: confidence 0 in the picture, no number in metres."""
    lost = rng.random(walk.joints_2d.shape[:2])[..., None] < section.joint_drop_share
    points = np.where(lost, np.float32(0), walk.joints_2d)
    space = walk.joints_3d
    return replace(
        walk, joints_2d=points, joints_3d=None if space is None else np.where(lost, np.float32(np.nan), space)
    )


# In this order: time, then joints, then the picture both are seen in, last what hides or frays it.
CHANGES: Final[dict[str, Change]] = {
    "speed": at_other_speed,
    "reversal": reversed_in_time,
    "jitter": jittered,
    "mirror": mirrored,
    "perspective": in_perspective,
    "rotation": rotated,
    "stretch": stretched,
    "ground": grounded,
    "thickness": thickened,
    "edge_noise": edge_noisy,
    "erasing": erased,
    "joint_drop": with_joints_dropped,
}


def _warped(walk: Walk, transform: Homography) -> Walk:
    return replace(
        walk,
        silhouettes=warp_images(walk.silhouettes, transform),
        joints_2d=warp_points(walk.joints_2d, transform),
    )


def _taking(walk: Walk, frames: NDArray[np.int64]) -> Walk:
    space = walk.joints_3d
    return replace(
        walk,
        silhouettes=np.ascontiguousarray(walk.silhouettes[frames]),
        joints_2d=np.ascontiguousarray(walk.joints_2d[frames]),
        joints_3d=None if space is None else np.ascontiguousarray(space[frames]),
    )


def _picture(walk: Walk) -> tuple[int, int]:
    """(height, width) of the picture; without silhouettes the span that the joints take."""
    height, width = walk.silhouettes.shape[1:]
    if height and width:
        return int(height), int(width)
    points = walk.joints_2d
    if not points.shape[2]:
        return 1, 1
    return _span(points[..., 1]), _width_of(points)


def _width_of(points: NDArray[np.float32]) -> int:
    return _span(points[..., 0])


def _span(values: NDArray[np.float32]) -> int:
    """A picture's side that has all the values in it, its middle theirs."""
    known = values[np.isfinite(values) & (values != 0)]
    return max(1, round(float(known.min() + known.max())) + 1) if known.size else 1


def _offsets(shape: tuple[int, ...], section: AugmentSection, rng: Rng) -> NDArray[np.float32]:
    per_joint = rng.uniform(-section.jitter_joint, section.jitter_joint, (1, *shape[1:]))
    per_point = rng.uniform(-section.jitter_point, section.jitter_point, shape)
    return (per_joint + per_point).astype(np.float32)


def _torso(points: NDArray[np.float32], walk: Walk, *, confidence: bool) -> np.float32:
    return np.float32(body_scale(points, walk.layout, confidence=confidence))
