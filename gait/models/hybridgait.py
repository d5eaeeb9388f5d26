"""HybridGait: silhouettes and skeleton maps that look at each other, with motion and a sense of up and down.

    silhouette -> stem, stage 1, stage 2 --+                          +-> fusion -> upper/lower weights
                                           +-> cross-attention, both -+      -> stages 3, 4 -> strips
    skeleton maps -> the same, its own ----+   ways, per frame

Three contributions, each switchable: cross-attention between the branches after stage 2; two signed channels
of joint motion (gait/delta_maps.py); learnable weights for the upper and the lower half of the body. No code
for them was ever published, so this is a design from their description.
"""

from __future__ import annotations

import math
from typing import Annotated, ClassVar, Final

import msgspec
import torch
from torch import Tensor, nn

from gait.models import deploy
from gait.models.attention import CrossAttention, spell_out
from gait.models.blocks import BasicBlockP3D, PerFrame, initialise, stage_2d, stage_p3d, stem
from gait.models.conv import ConvConfig, ConvNet, sizes_of
from gait.models.family import Family, Features, Which
from gait.models.skeletongait_pp import AttentionFusion

MAP_CHANNELS: Final = 2
DELTA_CHANNELS: Final = 2
# The shares the halves start from: legs move more than shoulders do.
UPPER_SHARE: Final = 0.3
LOWER_SHARE: Final = 0.7


class HybridGaitConfig(ConvConfig, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """See ``ConvConfig``; the three switches are for ablation.

    ``heads`` of the cross-attention; ``pooled_keys``: keys and values are averaged over squares of this side
    first, which divides the attention's cost by its square.
    """

    cross_attention: bool = True
    delta_joint: bool = True
    upper_lower: bool = True
    heads: Annotated[int, msgspec.Meta(ge=1, le=64)] = 4
    pooled_keys: Annotated[int, msgspec.Meta(ge=1, le=4)] = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.channels[1] % self.heads:
            raise ValueError(
                f"{self.channels[1]} channels in stage 2 are not a multiple of {self.heads} heads"
            )
        if (self.height // 2) % self.pooled_keys or (self.width // 2) % self.pooled_keys:
            raise ValueError(f"maps of stage 2 do not divide into squares of {self.pooled_keys}")

    @property
    def input_channels(self) -> int:
        """The silhouette, the skeleton maps and, where wanted, the joints' motion."""
        return 1 + MAP_CHANNELS + (DELTA_CHANNELS if self.delta_joint else 0)


class UpperLower(nn.Module):
    """Weights of the body's halves: a softmax over two logits, times two, so that their mean is 1.

    They scale the fused map's rows, before the stages that follow: behind those a batch norm per strip would
    cancel them.
    """

    def __init__(self) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.tensor([math.log(UPPER_SHARE), math.log(LOWER_SHARE)]))

    def weights(self, rows: int) -> Tensor:
        """(rows,): the upper half's weight, then the lower half's."""
        return (2 * torch.softmax(self.logits, 0)).repeat_interleave(rows // 2)

    def forward(self, images: Tensor) -> Tensor:
        """(M, C, H, W) -> the same, weighted."""
        return images * self.weights(images.shape[2])[:, None]


class RowScale(nn.Module):
    """``UpperLower`` with its weights worked out, for export."""

    scale: Tensor

    def __init__(self, weights: Tensor) -> None:
        super().__init__()
        self.register_buffer("scale", weights.detach()[:, None])

    def forward(self, images: Tensor) -> Tensor:
        """(M, C, H, W) -> the same, weighted."""
        return images * self.scale


class Merge(nn.Module):
    """What happens where the branches meet, frame by frame: (M, 2 C, H, W) -> (M, C, H, W)."""

    def __init__(self, config: HybridGaitConfig) -> None:
        super().__init__()
        self.channels, self.height, self.width = config.channels[1], config.height // 2, config.width // 2
        self.attention: CrossAttention | None = None
        if config.cross_attention:
            self.attention = CrossAttention(
                self.channels, self.height, self.width, config.heads, config.pooled_keys
            )
        self.fusion = AttentionFusion(self.channels)
        self.upper_lower: UpperLower | RowScale | None = UpperLower() if config.upper_lower else None

    def forward(self, both: Tensor) -> Tensor:
        """Silhouette channels first."""
        silhouettes, maps = both[:, : self.channels], both[:, self.channels :]
        if self.attention is not None:
            silhouettes, maps = self.attention(silhouettes, maps)
        fused: Tensor = self.fusion(silhouettes, maps)
        return fused if self.upper_lower is None else self.upper_lower(fused)

    def deployed(self) -> Merge:
        """A copy with batch norms folded, attention spelled out and the halves' weights worked out."""
        ready = deploy.fold(self)
        spell_out(ready)
        if isinstance(self.upper_lower, UpperLower):
            ready.upper_lower = RowScale(self.upper_lower.weights(self.height))
        return ready


class TwoBranches(nn.Module):
    """Stage 2 of both branches and their merging: (N, 2 C, T, H, W) -> (N, C', T, H / 2, W / 2)."""

    def __init__(self, config: HybridGaitConfig) -> None:
        super().__init__()
        first, second = config.channels[:2]
        self.silhouettes = stage_p3d(first, second, config.blocks[1], stride=2)
        self.maps = stage_p3d(first, second, config.blocks[1], stride=2)
        self.merge = PerFrame(Merge(config))

    def forward(self, both: Tensor) -> Tensor:
        """Silhouette channels first."""
        silhouettes, maps = both.chunk(2, dim=1)
        merged: Tensor = self.merge(torch.cat([self.silhouettes(silhouettes), self.maps(maps)], 1))
        return merged


class HybridGait(ConvNet):
    """Five channels: the silhouette and two skeleton maps in [0, 1], two of joint motion in [-1, 1].

    A mirrored walk is the channels flipped left to right, the sign of sideways motion changed; the net learns
    what that means, it is not built in. Motion at a frame needs the frame after it, so a live stream of
    five-channel frames lags one frame behind its camera before the net's own look-ahead.
    """

    family: ClassVar[str] = "hybridgait"
    config: HybridGaitConfig

    def __init__(self, config: HybridGaitConfig) -> None:
        super().__init__(config)
        first = config.channels[0]
        self.sil_layer0 = stem(1, first)
        self.map_layer0 = stem(config.input_channels - 1, first)
        self.sil_layer1 = stage_2d(first, first, config.blocks[0])
        self.map_layer1 = stage_2d(first, first, config.blocks[0])
        self.layer2 = nn.Sequential(TwoBranches(config))
        initialise(self)

    @property
    def frame_shape(self) -> tuple[int, ...]:
        """(5 or 3, H, W)."""
        return (self.config.input_channels, self.config.height, self.config.width)

    def front(self, images: Tensor) -> Tensor:
        """(M, C, H, W) -> (M, 2 x channels[0], H, W), the silhouette's channels first."""
        silhouettes = self.sil_layer1.forward_block(self.sil_layer0.forward_block(images[:, :1]))
        maps = self.map_layer1.forward_block(self.map_layer0.forward_block(images[:, 1:]))
        return torch.cat([silhouettes, maps], 1)

    @property
    def branches(self) -> TwoBranches:
        """Stage 2."""
        stage = self.layer2[0]
        assert isinstance(stage, TwoBranches)
        return stage

    @property
    def merge(self) -> Merge:
        """Where the branches meet."""
        merge = self.branches.merge.forward_block
        assert isinstance(merge, Merge)
        return merge

    def strip_weights(self) -> Tensor:
        """(strips,) with mean 1: what each strip's distance counts at test, as its rows did in the net."""
        upper_lower = self.merge.upper_lower
        if isinstance(upper_lower, UpperLower):
            return upper_lower.weights(self.config.strips)
        return torch.ones(self.config.strips, device=self.FCs.fc_bin.device)

    def vector(self, features: Features, which: Which = "embed_1") -> Tensor:
        """As elsewhere, with each strip's length the root of its weight: a product is the weighted mean."""
        return super().vector(features, which) * strip_gains(self)

    def _blocks(self) -> list[deploy.FoldedP3D]:
        height, width = self.config.height // 2, self.config.width // 2
        blocks: list[deploy.FoldedP3D] = []
        pairs = list(zip(self.branches.silhouettes, self.branches.maps, strict=True))
        for silhouettes, maps in pairs:
            after = self.merge.deployed() if len(blocks) == len(pairs) - 1 else nn.Identity()
            halves = (_folded(silhouettes, height, width), _folded(maps, height, width))
            blocks.append(PairedP3D(*halves, after))
        for block in (*self.layer3, *self.layer4):
            assert isinstance(block, BasicBlockP3D)
            height, width = height // block.stride, width // block.stride
            blocks.append(deploy.FoldedP3D(block, height, width))
        return blocks

    def _head(self, which: Which) -> deploy.Head:
        return WeightedHead(self, which)


def _folded(block: nn.Module, height: int, width: int) -> deploy.FoldedP3D:
    assert isinstance(block, BasicBlockP3D)
    return deploy.FoldedP3D(block, height, width)


def strip_gains(net: HybridGait) -> Tensor:
    """What the numbers of the unit vector are multiplied by, (16 * embedding,)."""
    return net.strip_weights().sqrt().repeat_interleave(net.config.embedding)


class PairedP3D(deploy.FoldedP3D):
    """One P3D block of either branch side by side, as one block of twice the channels; then ``after``."""

    def __init__(self, first: deploy.FoldedP3D, second: deploy.FoldedP3D, after: nn.Module) -> None:
        nn.Module.__init__(self)  # the parts hold the weights; nothing of a single block's is wanted
        self.height, self.width, self.channels = first.height, first.width, 2 * first.channels
        self.half_in = first.conv1.in_channels
        self.first, self.second, self.after = first, second, after

    def whole(self, images: Tensor, frames: int) -> Tensor:
        """(N * T, 2 C, H, W) -> (N * T, C'', H', W')."""
        one, other = images[:, : self.half_in], images[:, self.half_in :]
        both = torch.cat([self.first.whole(one, frames), self.second.whole(other, frames)], 1)
        out: Tensor = self.after(both)
        return out

    def step(self, images: Tensor, real: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """One frame (N, 2 C, H, W) in, the previous one out; state (N, 6 C', H', W')."""
        half_state = 3 * self.first.channels
        first, first_state = self.first.step(images[:, : self.half_in], real, state[:, :half_state])
        second, second_state = self.second.step(images[:, self.half_in :], real, state[:, half_state:])
        return self.after(torch.cat([first, second], 1)), torch.cat([first_state, second_state], 1)


class WeightedHead(deploy.Head):
    """The head, its strips weighted as ``HybridGait.vector`` weights them."""

    gains: Tensor

    def __init__(self, net: HybridGait, which: Which) -> None:
        super().__init__(net.FCs, net.BNNecks if which == "embed_2" else None)
        self.register_buffer("gains", strip_gains(net).detach())

    def forward(self, pooled: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, P * E)."""
        return super().forward(pooled) * self.gains


def _sizes() -> dict[str, ConvConfig]:
    sizes = dict(sizes_of(HybridGaitConfig))
    # On the small nets attention between all places would cost more than everything else together.
    for name in ("tiny", "small"):
        sizes[name] = msgspec.structs.replace(sizes[name], pooled_keys=2)
    return sizes


FAMILY: Final = Family(
    name="hybridgait",
    summary="silhouettes and skeleton maps with cross-attention, joint motion and upper/lower weights",
    config=HybridGaitConfig,
    sizes=_sizes(),
    build=HybridGait,
    layout="coco17",
    frames=30,
)
