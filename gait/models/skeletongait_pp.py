"""SkeletonGait++ (Fan et al., AAAI 2024): silhouettes and skeleton maps, fused by attention per pixel."""

from __future__ import annotations

from typing import ClassVar, Final

import torch
from torch import Tensor, nn

from gait.models.blocks import PerFrame, conv1x1, conv3x3, initialise, stage_2d, stem
from gait.models.conv import ConvConfig, ConvNet, sizes_of
from gait.models.family import Family

SQUEEZE: Final = 16
MAP_CHANNELS: Final = 2


class SkeletonGaitPPConfig(ConvConfig, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """See ``ConvConfig``; ``reference_maps``: fed the maps that published checkpoints were trained on."""

    reference_maps: bool = False


class AttentionFusion(nn.Module):
    """A weight for either modality per channel and pixel, summing to one, from both of them.

    Concatenate, 1x1 to ``channels`` / 16, 3x3, 1x1 back, softmax over the two modalities. The last
    convolution's outputs alternate: silhouette and map score of channel 0, then of channel 1, and so on.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels
        self.folded = False
        hidden = max(1, channels // SQUEEZE)
        self.conv = PerFrame(
            nn.Sequential(
                conv1x1(2 * channels, hidden),
                nn.BatchNorm2d(hidden),
                nn.ReLU(),
                conv3x3(hidden, hidden),
                nn.BatchNorm2d(hidden),
                nn.ReLU(),
                conv1x1(hidden, 2 * channels),
            )
        )

    def forward(self, silhouettes: Tensor, maps: Tensor) -> Tensor:
        """Two maps (M, C, H, W) -> their weighted sum (M, C, H, W)."""
        scores: Tensor = self.conv.forward_block(torch.cat([silhouettes, maps], 1))
        # A softmax over two is a sigmoid of their difference: half the work, the same numbers.
        lead = scores if self.folded else scores[:, 0::2] - scores[:, 1::2]
        share = lead.sigmoid()
        return maps + share * (silhouettes - maps)

    def fold_in_place(self) -> None:
        """The last convolution gives the difference of the two scores at once."""
        layers = self.conv.forward_block
        assert isinstance(layers, nn.Sequential)
        last = layers[-1]
        assert isinstance(last, nn.Conv2d)
        assert not self.folded, "folded twice"
        difference = conv1x1(last.in_channels, self.channels)
        weight = last.weight.detach().double()
        difference.weight.data = (weight[0::2] - weight[1::2]).to(last.weight.dtype)
        layers[-1] = difference.requires_grad_(False)
        self.folded = True


class SkeletonGaitPP(ConvNet):
    """Three input channels in [0, 1]: the silhouette, then two skeleton maps (limbs, joints)."""

    family: ClassVar[str] = "skeletongait++"
    input_channels: ClassVar[int] = 1 + MAP_CHANNELS

    def __init__(self, config: ConvConfig) -> None:
        super().__init__(config)
        first = config.channels[0]
        self.sil_layer0 = stem(1, first)
        self.map_layer0 = stem(MAP_CHANNELS, first)
        self.sil_layer1 = stage_2d(first, first, config.blocks[0])
        self.map_layer1 = stage_2d(first, first, config.blocks[0])
        self.fusion = AttentionFusion(first)
        initialise(self)

    def front(self, images: Tensor) -> Tensor:
        """(M, 3, H, W) -> (M, channels[0], H, W)."""
        silhouettes = self.sil_layer1.forward_block(self.sil_layer0.forward_block(images[:, :1]))
        maps = self.map_layer1.forward_block(self.map_layer0.forward_block(images[:, 1:]))
        fused: Tensor = self.fusion(silhouettes, maps)
        return fused


FAMILY: Final = Family(
    name="skeletongait++",
    summary="silhouettes and skeleton maps (limbs, joints), fused by attention per pixel",
    config=SkeletonGaitPPConfig,
    sizes=sizes_of(SkeletonGaitPPConfig),
    build=SkeletonGaitPP,
    layout="gaitway16",
    frames=30,
)
