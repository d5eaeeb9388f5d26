"""Controls that keep a gait result honest: what is left when a walk's motion or its shape is taken away.

    shuffle          the frames in another order: what a net made of their order is gone
    single-frame     the middle frame alone: shape without motion
    shape-only       a body's lengths without its motion: joints at their median, one average silhouette
    silhouette-only  the joints gone;   skeleton-only  the silhouettes gone

A control answers only for a net trained as usual: it shows what the net uses, not what could be used.
"""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gait.inputs import Walk
from stream.errors import ConfigError

Control = Callable[[Walk], Walk]


def shuffle(walk: Walk) -> Walk:
    """Every frame once, in an order drawn from the walk's own content: the same walk, the same order."""
    return _frames(walk, np.random.default_rng(_seed(walk)).permutation(_length(walk)))


def single_frame(walk: Walk) -> Walk:
    """The middle frame, as often as the walk is long, so that a net of a fixed window still runs."""
    return _frames(walk, np.full(_length(walk), _length(walk) // 2))


def shape_only(walk: Walk) -> Walk:
    """The walk's median body, standing still: each joint at its median place about the pelvis."""
    length = _length(walk)
    silhouettes = walk.silhouettes
    if silhouettes.size:
        mean = np.rint(silhouettes.mean(axis=0)).astype(np.uint8)
        silhouettes = np.repeat(mean[None], length, axis=0)
    return replace(
        walk,
        silhouettes=silhouettes,
        joints_2d=_still(walk.joints_2d) if walk.joints_2d.size else walk.joints_2d,
        joints_3d=None if walk.joints_3d is None else _still(walk.joints_3d),
    )


def silhouette_only(walk: Walk) -> Walk:
    """All joints missing: confidence and place 0."""
    joints_3d = None if walk.joints_3d is None else np.zeros_like(walk.joints_3d)
    return replace(walk, joints_2d=np.zeros_like(walk.joints_2d), joints_3d=joints_3d)


def skeleton_only(walk: Walk) -> Walk:
    """All silhouettes empty."""
    return replace(walk, silhouettes=np.zeros_like(walk.silhouettes))


CONTROLS: Final[dict[str, Control]] = {
    "shuffle": shuffle,
    "single-frame": single_frame,
    "shape-only": shape_only,
    "silhouette-only": silhouette_only,
    "skeleton-only": skeleton_only,
}


def control(name: str) -> Control:
    """The control of that name; "" leaves walks as they are. Raises ConfigError for any other."""
    if not name:
        return lambda walk: walk
    if name not in CONTROLS:
        near = difflib.get_close_matches(name, CONTROLS, n=1)
        raise ConfigError(
            f"no control {name}",
            wanted=f"one of {', '.join(CONTROLS)}",
            fix=f"Did you mean {near[0]}?" if near else "",
        )
    return CONTROLS[name]


def _length(walk: Walk) -> int:
    return len(walk.silhouettes)


def _frames(walk: Walk, order: NDArray[Any]) -> Walk:
    return replace(
        walk,
        silhouettes=walk.silhouettes[order],
        joints_2d=walk.joints_2d[order],
        joints_3d=None if walk.joints_3d is None else walk.joints_3d[order],
    )


def _still(joints: NDArray[np.float32]) -> NDArray[np.float32]:
    """The median of each joint over the frames in which it is finite, in every frame."""
    known = np.isfinite(joints).any(axis=0)
    median = np.nanmedian(np.where(known, joints, 0), axis=0)
    median = np.where(known, median, np.nan).astype(np.float32)
    return np.repeat(median[None], len(joints), axis=0)


def _seed(walk: Walk) -> int:
    digest = hashlib.sha256(walk.silhouettes.tobytes() + walk.joints_2d.tobytes())
    if walk.joints_3d is not None:
        digest.update(walk.joints_3d.tobytes())
    return int.from_bytes(digest.digest()[:8], "big")
