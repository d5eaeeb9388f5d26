"""SilSkeletonGait: silhouettes and 3D skeletons, the main fusion model.

SkeletonGait++'s net on three channels: the silhouette, the body drawn from its joints, and depth. It takes
what the sensors give, ``silhouettes`` (T, H, W) and ``{"result": (T, 16, 3)}``; drawing is
``gait.fusion_input``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gait.fusion_input import Rasteriser, fusion_input
from gait.maps import MapConfig
from gait.models import deploy
from gait.models.blocks import BasicBlockP3D, initialise, stage_p3d, stem
from gait.models.conv import ConvConfig, sizes_of
from gait.models.family import Family
from gait.models.skeletongait_pp import MAP_CHANNELS, SkeletonGaitPP


class SilSkeletonGaitConfig(ConvConfig, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """See ``ConvConfig``, and how the skeleton becomes pictures.

    ``rasteriser``: ours, registered to the silhouette, or the reference's single pixels, for ablation.
    ``sigma_px``, ``limbs``, ``depth_reach``: see ``MapConfig``. ``stem_stride`` 2 runs the first stage at
    half resolution and keeps the third stage's: the last map is as large, at a third of the work.
    """

    rasteriser: Rasteriser = "registered"
    sigma_px: float = 2.5
    limbs: bool = True
    depth_reach: float = 1.5
    stem_stride: Literal[1, 2] = 1

    @property
    def maps(self) -> MapConfig:
        """How joints are drawn."""
        return MapConfig(
            height=self.height,
            width=self.width,
            sigma_px=self.sigma_px,
            limbs=self.limbs,
            depth_reach=self.depth_reach,
        )


class SilSkeletonGait(SkeletonGaitPP):
    """Three input channels in [0, 1]: silhouette, body, depth (0.5 is the pelvis' depth)."""

    family: ClassVar[str] = "silskeletongait"
    config: SilSkeletonGaitConfig

    def __init__(self, config: SilSkeletonGaitConfig) -> None:
        super().__init__(config)
        if config.stem_stride == 2:
            first, second, third, _ = config.channels
            self.sil_layer0 = stem(1, first, stride=2)
            self.map_layer0 = stem(MAP_CHANNELS, first, stride=2)
            self.layer3 = stage_p3d(second, third, config.blocks[2])
            initialise(self)

    def _blocks(self) -> list[deploy.FoldedP3D]:
        folded, stride = [], self.config.stem_stride
        height, width = self.config.height // stride, self.config.width // stride
        for block in (*self.layer2, *self.layer3, *self.layer4):
            assert isinstance(block, BasicBlockP3D)
            height, width = height // block.stride, width // block.stride
            folded.append(deploy.FoldedP3D(block, height, width))
        return folded

    def inputs(
        self,
        silhouettes: NDArray[np.uint8],
        skeleton: Mapping[str, NDArray[Any]],
        joints_2d: NDArray[Any] | None = None,
    ) -> Tensor:
        """Silhouettes (T, H, W) and ``{"result": (T, 16, 3)}`` -> one sequence (1, T, 3, H, W).

        ``joints_2d`` (T, 16, 3) in silhouette pixels registers the two exactly; without it the skeleton is
        projected orthographically. Raises MessageError where the two differ in length.
        """
        fused = fusion_input(
            silhouettes, skeleton, joints_2d, config=self.config.maps, rasteriser=self.config.rasteriser
        )
        return torch.from_numpy(fused)[None]


FAMILY: Final = Family(
    name="silskeletongait",
    summary="silhouettes and 3D skeletons (body, depth), fused by attention per pixel",
    config=SilSkeletonGaitConfig,
    sizes=sizes_of(SilSkeletonGaitConfig),
    build=SilSkeletonGait,
    layout="gaitway16",
    frames=30,
)
