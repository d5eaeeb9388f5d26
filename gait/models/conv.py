"""The body that the convolutional families share: P3D stages, the maximum over time, strips and the neck.

A family adds only its ``front``: what turns one input frame into the first stage's map. Everything before
the maximum over time is either per frame or a convolution over three frames, so the whole-window form and
the streaming form in ``gait.models.deploy`` are derived for every such family alike.
"""

from __future__ import annotations

import copy
from abc import abstractmethod
from types import MappingProxyType
from typing import Annotated, ClassVar, Final

import msgspec
from torch import Tensor, nn

from gait.models import deploy
from gait.models.blocks import (
    STRIPS,
    BasicBlockP3D,
    SeparateBNNecks,
    SeparateFCs,
    pool_time,
    run_head,
    stage_p3d,
)
from gait.models.family import Features, GaitNet, StreamingPair, Which
from stream.errors import ConfigError

AtLeast1 = Annotated[int, msgspec.Meta(ge=1, le=4096)]
Classes = Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]


class ConvConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The size of a convolutional gait net.

    ``channels`` and ``blocks`` of the four stages (the first is 2D, the others P3D; spatial strides
    1, 2, 2, 1); ``embedding`` numbers per strip; ``classes`` of the training classifier, 0 for none;
    ``height`` x ``width`` of the input maps.
    """

    channels: tuple[AtLeast1, AtLeast1, AtLeast1, AtLeast1] = (64, 128, 256, 512)
    blocks: tuple[AtLeast1, AtLeast1, AtLeast1, AtLeast1] = (1, 4, 4, 1)
    embedding: AtLeast1 = 256
    classes: Classes = 0
    height: AtLeast1 = 64
    width: AtLeast1 = 44

    def __post_init__(self) -> None:
        small = self.height < 4 * STRIPS and self.height % 8 == 0
        if not (small or self.height % (4 * STRIPS) == 0) or self.width % 4:
            raise ValueError(
                f"maps of {self.height}x{self.width}; wanted height a multiple of 64 (or of 8 below it), "
                "width of 4"
            )

    @property
    def strips(self) -> int:
        """16, or of small maps a strip for each row that the two strides leave."""
        return min(STRIPS, self.height // 4)


# Published depths: 1441 for data from the wild (Gait3D, GREW), 1111 for the smaller sets. The two small ones
# keep 16 strips; `tiny` gives the 16 x 32 vector that travels, at 1/16 of the published work per frame.
SIZES: Final = MappingProxyType(
    {
        "tiny": ConvConfig(channels=(16, 32, 64, 128), blocks=(1, 1, 1, 1), embedding=32),
        "small": ConvConfig(channels=(32, 64, 128, 256), blocks=(1, 1, 1, 1), embedding=64),
        "1111": ConvConfig(blocks=(1, 1, 1, 1)),
        "1441": ConvConfig(),
    }
)


class ConvNet(GaitNet):
    """A front per frame, three P3D stages, the maximum over time, and the strip head.

    ``input_channels`` is how many maps one frame stacks. The attribute names are those of the known
    checkpoints.
    """

    input_channels: ClassVar[int]

    def __init__(self, config: ConvConfig) -> None:
        super().__init__()
        self.config = config
        first, second, third, fourth = config.channels
        self.layer2 = stage_p3d(first, second, config.blocks[1], stride=2)
        self.layer3 = stage_p3d(second, third, config.blocks[2], stride=2)
        self.layer4 = stage_p3d(third, fourth, config.blocks[3])
        self.FCs = SeparateFCs(config.strips, fourth, config.embedding)
        self.BNNecks = SeparateBNNecks(config.strips, config.embedding, config.classes)

    @abstractmethod
    def front(self, images: Tensor) -> Tensor:
        """Images (M, C, H, W) -> the first stage's maps (M, channels[0], H, W)."""

    @property
    def frame_shape(self) -> tuple[int, ...]:
        """(C, H, W)."""
        return (self.input_channels, self.config.height, self.config.width)

    @property
    def vector_shape(self) -> tuple[int, int]:
        """16 strips, fewer of small maps, of ``embedding`` numbers each."""
        return (self.config.strips, self.config.embedding)

    @property
    def receptive_frames(self) -> int:
        """Each P3D block sees one frame further to either side."""
        return 1 + 2 * sum(self.config.blocks[1:])

    def maps(self, frames: Tensor) -> Tensor:
        """(N, T, C, H, W) -> the maps (N, C', T, H / 4, W / 4) that the maximum over time is taken of."""
        if tuple(frames.shape[2:]) != self.frame_shape or not frames.shape[1]:
            raise ConfigError(
                f"{self.family} was given frames of shape {tuple(frames.shape)}",
                wanted=f"(N, T, {', '.join(map(str, self.frame_shape))}), T at least 1",
            )
        hidden = self.front(frames.flatten(0, 1))
        hidden = hidden.reshape(*frames.shape[:2], *hidden.shape[1:]).transpose(1, 2)
        stages: Tensor = self.layer4(self.layer3(self.layer2(hidden)))
        return stages

    def forward(self, frames: Tensor, valid: Tensor | None = None, runs: int = 1) -> Features:
        """``frames`` (N, T, C, H, W) in [0, 1]; frames not ``valid`` (N, T) never enter the maximum.

        ``runs``: the T frames are so many segments of equal length, each with its own ends, and the maximum
        is over all of them, as of a track with gaps.
        """
        pieces = frames.reshape(frames.shape[0] * runs, -1, *frames.shape[2:])
        within = None if valid is None else valid.reshape(len(pieces), -1)
        pooled = pool_time(self.maps(pieces), within)
        if runs > 1:
            pooled = pooled.reshape(-1, runs, *pooled.shape[1:]).amax(dim=1)
        return run_head(pooled, self.FCs, self.BNNecks)

    def flat(self, frames: int, which: Which = "embed_1") -> nn.Module:
        """(N * T, C, H, W) -> (N, P * C)."""
        return deploy.FlatConv(self._front(), self._blocks(), self._head(which), frames).eval()

    def streaming(self, which: Which = "embed_1") -> StreamingPair:
        """Exact frame by frame; see ``deploy.ConvStreaming``."""
        return deploy.ConvStreaming(self._front(), self._blocks(), self._head(which))

    def _front(self) -> nn.Module:
        return deploy.fold(_Front(self))

    def _blocks(self) -> list[deploy.FoldedP3D]:
        folded, height, width = [], self.config.height, self.config.width
        for block in (*self.layer2, *self.layer3, *self.layer4):
            assert isinstance(block, BasicBlockP3D)
            height, width = height // block.stride, width // block.stride
            folded.append(deploy.FoldedP3D(block, height, width))
        return folded

    def _head(self, which: Which) -> deploy.Head:
        return deploy.Head(self.FCs, self.BNNecks if which == "embed_2" else None)


class _Front(nn.Module):
    """A net's front alone, as a module that can be folded and traced."""

    def __init__(self, net: ConvNet) -> None:
        super().__init__()
        self.net = copy.copy(net)
        later = ("layer2", "layer3", "layer4", "FCs", "BNNecks")
        self.net._modules = {name: part for name, part in net._modules.items() if name not in later}

    def forward(self, images: Tensor) -> Tensor:
        """(M, C, H, W) -> (M, channels[0], H, W)."""
        return self.net.front(images)


def with_size(config: ConvConfig, kind: type[ConvConfig]) -> ConvConfig:
    """A size of ``ConvConfig`` as a family's own config, its further fields at their defaults."""
    return kind(**{name: getattr(config, name) for name in ConvConfig.__struct_fields__})


def sizes_of(kind: type[ConvConfig]) -> MappingProxyType[str, ConvConfig]:
    """All four sizes as a family's own config."""
    return MappingProxyType({name: with_size(size, kind) for name, size in SIZES.items()})
