"""SilSkeletonGait's input from what it is given: silhouettes and a 3D skeleton, checked and fused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from gait.maps import DEFAULT, MapConfig, body_and_depth_maps, fuse, orthographic, relative_depths
from gait.reference_maps import single_pixel_maps
from gait.silhouette import cut_points, cut_width
from gait.skeleton import GAITWAY16
from stream.errors import MessageError

Rasteriser = Literal["registered", "single_pixel"]
RESULT = "result"


def fusion_input(
    silhouettes: NDArray[np.uint8],
    skeleton: Mapping[str, NDArray[Any]],
    joints_2d: NDArray[Any] | None = None,
    *,
    config: MapConfig = DEFAULT,
    rasteriser: Rasteriser = "registered",
    scale_m: float | None = None,
) -> NDArray[np.float32]:
    """Silhouettes (T, H, W) uint8 and ``{"result": (T, 16, 3)}`` metres -> (T, 3, H, W) in [0, 1].

    Wider silhouettes are cut to the config's width. ``joints_2d`` (T, 16, 3) are pixels of the silhouettes
    given, and confidence; ``scale_m`` is a fixed torso length for live callers. Raises MessageError for
    anything else.
    """
    joints = result_of(skeleton)
    images = _images(silhouettes, config)
    if len(images) != len(joints):
        raise MessageError(
            f"{len(images)} silhouettes but {len(joints)} skeletons",
            wanted="as many of one as of the other",
            fix="Cut both to the same frames",
        )
    if rasteriser == "single_pixel":
        return fuse(images, single_pixel_maps(joints, config.height, config.width))
    if joints_2d is None:
        points = orthographic(joints, GAITWAY16, config)
    else:
        points = cut_points(joints_2d, silhouettes.shape[2], config.width)
    depths = relative_depths(joints, GAITWAY16, scale_m)
    return fuse(images, body_and_depth_maps(points, depths, GAITWAY16, config))


def result_of(skeleton: Mapping[str, NDArray[Any]]) -> NDArray[np.float32]:
    """The joints (T, 16, 3) of a lifter's answer; raises MessageError where there are none."""
    if not isinstance(skeleton, Mapping) or RESULT not in skeleton:
        raise MessageError("the skeleton holds no result", wanted='{"result": (T, 16, 3)}')
    joints = np.asarray(skeleton[RESULT])
    if joints.ndim != 3 or joints.shape[1:] != (GAITWAY16.size, 3) or joints.dtype.kind not in "fiu":
        raise MessageError(
            f"skeletons of shape {joints.shape} and type {joints.dtype}",
            wanted=f"(T, {GAITWAY16.size}, 3) numbers",
        )
    return joints.astype(np.float32)


def _images(silhouettes: NDArray[np.uint8], config: MapConfig) -> NDArray[np.uint8]:
    images = np.asarray(silhouettes)
    if images.ndim != 3 or images.dtype != np.uint8 or images.shape[1] != config.height:
        raise MessageError(
            f"silhouettes of shape {images.shape} and type {images.dtype}",
            wanted=f"(T, {config.height}, {config.width} or wider) uint8",
        )
    return cut_width(images, config.width)
