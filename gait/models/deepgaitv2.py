"""DeepGaitV2-P3D: silhouettes alone, the control that the fusion nets are measured against."""

from __future__ import annotations

from typing import ClassVar, Final

from torch import Tensor

from gait.models.blocks import initialise, stage_2d, stem
from gait.models.conv import ConvConfig, ConvNet, sizes_of
from gait.models.family import Family


class DeepGaitV2Config(ConvConfig, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """See ``ConvConfig``."""


class DeepGaitV2(ConvNet):
    """A stem, a 2D stage, three P3D stages; one input channel, the silhouette in [0, 1]."""

    family: ClassVar[str] = "deepgaitv2"
    input_channels: ClassVar[int] = 1

    def __init__(self, config: ConvConfig) -> None:
        super().__init__(config)
        first = config.channels[0]
        self.layer0 = stem(self.input_channels, first)
        self.layer1 = stage_2d(first, first, config.blocks[0])
        initialise(self)

    def front(self, images: Tensor) -> Tensor:
        """(M, C, H, W) -> (M, channels[0], H, W)."""
        maps: Tensor = self.layer1.forward_block(self.layer0.forward_block(images))
        return maps


FAMILY: Final = Family(
    name="deepgaitv2",
    summary="silhouettes alone, pseudo-3D convolutions (the control)",
    config=DeepGaitV2Config,
    sizes=sizes_of(DeepGaitV2Config),
    build=DeepGaitV2,
    layout="",
    frames=30,
)
