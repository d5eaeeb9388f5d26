"""Controls that keep a gait result honest: what is left when a walk's motion or its shape is taken away.

    shuffle          the frames in another order: what a net made of their order is gone
    single-frame     the middle frame alone: shape without motion
    shape-only       a body's lengths and posture without its motion; one average silhouette
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
from gait.skeleton_layouts import Layout
from stream.errors import ConfigError

Control = Callable[[Walk], Walk]


def shuffle(walk: Walk) -> Walk:
    """Every frame once, in an order drawn from the walk's own content: the same walk, the same order."""
    return _frames(walk, np.random.default_rng(_seed(walk)).permutation(_length(walk)))


def single_frame(walk: Walk) -> Walk:
    """The middle frame, as often as the walk is long, so that a net of a fixed window still runs."""
    return _frames(walk, np.full(_length(walk), _length(walk) // 2))


def shape_only(walk: Walk) -> Walk:
    """The body standing still: bones of their median length in the mean posture, the mean silhouette."""
    length = _length(walk)
    silhouettes = walk.silhouettes
    if silhouettes.size:
        mean = np.rint(silhouettes.mean(axis=0)).astype(np.uint8)
        silhouettes = np.repeat(mean[None], length, axis=0)
    return replace(
        walk,
        silhouettes=silhouettes,
        joints_2d=_still_2d(walk.joints_2d, walk.layout) if walk.joints_2d.size else walk.joints_2d,
        joints_3d=None if walk.joints_3d is None else _still_3d(walk.joints_3d, walk.layout),
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


def _still_2d(joints: NDArray[np.float32], layout: Layout) -> NDArray[np.float32]:
    """(T, K, 3) pixels and confidence, of which 0 means missing."""
    seen = joints[..., 2:] > 0
    body = _body(np.where(seen, joints[..., :2], np.nan), layout)
    known = np.asarray(np.isfinite(body).all(axis=-1))
    sure = np.where(known, np.median(joints[..., 2], axis=0), 0)
    frame = np.concatenate([np.where(known[:, None], body, 0), sure[:, None]], axis=-1)
    return np.repeat(frame[None].astype(np.float32), len(joints), axis=0)


def _still_3d(joints: NDArray[np.float32], layout: Layout) -> NDArray[np.float32]:
    """(T, K, 3) metres, NaN where missing."""
    return np.repeat(_body(joints, layout)[None].astype(np.float32), len(joints), axis=0)


def _body(points: NDArray[Any], layout: Layout) -> NDArray[np.float64]:
    """(K, D): every bone at its median length along its mean direction; NaN where a joint is never known."""
    points = np.asarray(points, np.float64)
    known = np.isfinite(points).all(axis=-1)
    count = np.maximum(known.sum(axis=1), 1)[:, None]
    centre = np.where(known[..., None], points, 0).sum(axis=1) / count
    if not known.any():
        return np.full(points.shape[1:], np.nan)
    somewhere = np.median(centre[np.asarray(known.any(axis=1))], axis=0)
    ever = np.asarray(known.any(axis=0))
    body = np.full(points.shape[1:], np.nan)
    body[ever] = np.nanmedian((points - centre[:, None])[:, ever], axis=0) + somewhere
    placed: set[int] = set()
    for parent, child in _outwards(layout):
        both = known[:, parent] & known[:, child]
        if child not in placed and both.any():
            bones = points[both, child] - points[both, parent]
            lengths = np.linalg.norm(bones, axis=-1, keepdims=True)
            mean = np.divide(bones, lengths, out=np.zeros_like(bones), where=lengths > 0).mean(axis=0)
            size = np.linalg.norm(mean)
            body[child] = body[parent] + np.median(lengths) * (mean / size if size > 0 else mean)
            placed |= {parent, child}
    return body


def _outwards(layout: Layout) -> list[tuple[int, int]]:
    """Edges from the first one's parent outwards, each joint reached once; a ring is left open at its end."""
    reached, order = {layout.edges[0][0]} if layout.edges else set(), []
    while step := [
        (a, b) for edge in layout.edges for a, b in (edge, edge[::-1]) if a in reached and b not in reached
    ]:
        order.append(step[0])
        reached.add(step[0][1])
    return order


def _seed(walk: Walk) -> int:
    digest = hashlib.sha256(walk.silhouettes.tobytes() + walk.joints_2d.tobytes())
    if walk.joints_3d is not None:
        digest.update(walk.joints_3d.tobytes())
    return int.from_bytes(digest.digest()[:8], "big")
