"""What each net is fed, described as a value: training, evaluation and the running pipeline share it.

No torch here. An exported net carries its ``InputSpec`` as JSON, so the pipeline prepares frames for it
exactly as training did.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from gait import pose_features
from gait.delta_maps import delta_maps
from gait.fusion_input import RESULT, Rasteriser, fusion_input
from gait.maps import MapConfig, fuse, limb_and_joint_maps
from gait.pose_graph import PoseGraph, load_graph
from gait.reference_maps import reference_maps
from gait.silhouette import cut_points, cut_width
from gait.skeleton import GAITWAY16, Layout, body_scale, convert
from stream.errors import MessageError

Values = NDArray[np.float32]
Kind = Literal[
    "silhouette",
    "maps",
    "silhouette+maps",
    "silhouette+depth",
    "silhouette+maps+motion",
    "joints",
    "branches",
]


class InputSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How one walk becomes a net's frames.

    ``kind``: what a frame is. ``maps``: how skeletons are drawn; ``reference_form``: as old checkpoints were
    trained. ``rasteriser``: of the 3D fusion. ``graph``, ``normalise``, ``as_released``, ``views``: of the
    skeleton graphs, see their families.
    """

    kind: Kind
    maps: MapConfig = MapConfig()
    reference_form: bool = False
    rasteriser: Rasteriser = "registered"
    graph: str = ""
    normalise: bool = True
    as_released: bool = False
    views: bool = False


@dataclass(frozen=True)
class Walk:
    """T frames of one person as the track stage hands them out.

    ``silhouettes`` uint8 (T, H, W); ``joints_2d`` (T, K, 3) silhouette pixels and confidence; ``joints_3d``
    (T, K, 3) metres or None; K joints of ``layout``. ``scale_m`` is the torso's length, for live callers that
    fix it early; else it is the median over the walk.
    """

    silhouettes: NDArray[np.uint8]
    joints_2d: Values
    joints_3d: Values | None = None
    layout: Layout = GAITWAY16
    scale_m: float | None = None


def prepare(spec: InputSpec, walk: Walk) -> Values:
    """The frames (T, *frame_shape) float32 of a walk; raises MessageError where it lacks what is needed."""
    if spec.kind == "joints":
        return _joints(spec, walk)
    if spec.kind == "branches":
        return _branches(spec, walk)
    if spec.kind == "silhouette+depth":
        return _depth(spec, walk)
    walk = _cut(walk, spec.maps.width)
    silhouettes = walk.silhouettes
    if spec.kind == "silhouette":
        return fuse(silhouettes, None)
    maps = _maps(spec, walk)
    if spec.kind == "maps":
        return maps
    if spec.kind == "silhouette+maps+motion":
        torso_px = body_scale(walk.joints_2d, walk.layout)
        moved = delta_maps(
            walk.joints_2d,
            torso_px,
            height=spec.maps.height,
            width=spec.maps.width,
            sigma_px=spec.maps.sigma_px,
        )
        maps = np.concatenate([maps, moved], axis=1)
    return fuse(silhouettes, maps)


def _cut(walk: Walk, width: int) -> Walk:
    """The walk with silhouettes of that width, its joints in their pixels."""
    wide = walk.silhouettes.shape[-1]
    joints = cut_points(walk.joints_2d, wide, width) if walk.joints_2d.size else walk.joints_2d
    return replace(walk, silhouettes=cut_width(walk.silhouettes, width), joints_2d=joints)


def _maps(spec: InputSpec, walk: Walk) -> Values:
    if spec.reference_form:
        return reference_maps(walk.joints_2d, walk.layout, spec.maps.width)
    return limb_and_joint_maps(walk.joints_2d, walk.layout, spec.maps)


def _depth(spec: InputSpec, walk: Walk) -> Values:
    joints = convert(_joints_3d(walk), walk.layout, GAITWAY16, confidence=False).points
    # Trees of silhouettes and 3D joints alone have no 2D ones; the rasteriser then projects.
    points = convert(walk.joints_2d, walk.layout, GAITWAY16).points if walk.joints_2d.size else None
    return fusion_input(
        walk.silhouettes,
        {RESULT: joints},
        points,
        config=spec.maps,
        rasteriser=spec.rasteriser,
        scale_m=walk.scale_m,
    )


def _joints(spec: InputSpec, walk: Walk) -> Values:
    graph = load_graph(spec.graph)
    joints = convert(_joints_3d(walk), walk.layout, graph.layout, confidence=False).points
    # A pelvis-centred walk has its pelvis at the very origin, so what is missing must be said apart.
    seen = np.isfinite(joints).all(axis=-1, keepdims=True)
    if not spec.normalise:
        return np.asarray(np.nan_to_num(joints), dtype=np.float32)
    marked = np.concatenate([np.nan_to_num(joints), seen], axis=-1)
    return pose_features.normalise(marked, graph)[..., :3]


def _branches(spec: InputSpec, walk: Walk) -> Values:
    graph = load_graph(spec.graph)
    joints: NDArray[Any] = convert(walk.joints_2d, walk.layout, graph.layout).points
    if spec.normalise:
        joints = pose_features.normalise(joints, graph)
    if not spec.views:
        return pose_features.branches(joints, graph, as_released=spec.as_released)
    return _views(joints, graph, spec)


def _views(joints: Values, graph: PoseGraph, spec: InputSpec) -> Values:
    """(T, 3 views, V, 3, 5)."""
    views = pose_features.inference_views(joints, graph)
    return np.moveaxis(pose_features.branches(views, graph, as_released=spec.as_released), 0, 1)


def _joints_3d(walk: Walk) -> Values:
    if walk.joints_3d is None:
        raise MessageError("the walk has no 3D joints", wanted="(T, K, 3) metres for this family")
    return walk.joints_3d
