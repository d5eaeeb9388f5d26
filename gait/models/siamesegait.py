"""The Siamese spatio-temporal attention transformer: two skeleton sequences, one net, their distance.

    (N, 60, 25, 3) metres
      -> three residual graph convolutions 3 -> 96 -> 128 -> 256 over three hop partitions, + joint embedding
      -> attention over the joints of each frame
      -> mean and max over joints, attention over frames, 512 wide
      -> sinusoidal position, six encoder blocks
      -> pyramid of 1, 2, 4 and 8 bins in time, each mean, max and deviation
      -> (N, 256) of unit length

15,278,927 parameters at the published size. Nothing is known of the original's order of layers beyond its
table of parts; the parts here meet that table.
"""

from __future__ import annotations

import copy
import math
from itertools import pairwise
from typing import Annotated, ClassVar

import msgspec
import torch
from torch import Tensor, nn
from torch.nn import functional

from gait.models.attention import Attention, EncoderBlock, spell_out
from gait.models.family import Family, Features, GaitNet, Which
from gait.models.pyramid import TimePyramid
from gait.models.resgcn import gain_and_shift
from gait.models.tensors import fixed, hold_valid
from gait.pose_graph import load_graph
from stream.errors import ConfigError

AtLeast1 = Annotated[int, msgspec.Meta(ge=1, le=8192)]


class SiameseGaitConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The net; the defaults are the published size.

    ``graph``: a graph shipped in gait/models/graphs or the path of another sensor's. ``widths``: of the graph
    convolutions, the last also of the attention over joints; ``width``: of the transformer. ``*_hidden``: of
    the encoder blocks' MLPs. ``bins``: of the pyramid over time.
    """

    graph: str = "kinect25"
    coordinates: Annotated[int, msgspec.Meta(ge=2, le=3)] = 3
    farthest_hop: Annotated[int, msgspec.Meta(ge=0, le=64)] = 2
    frames: AtLeast1 = 60
    widths: tuple[AtLeast1, ...] = (96, 128, 256)
    heads: AtLeast1 = 8
    spatial_hidden: AtLeast1 = 448
    width: AtLeast1 = 512
    hidden: AtLeast1 = 896
    depth: AtLeast1 = 6
    bins: tuple[AtLeast1, ...] = (1, 2, 4, 8)
    bin_width: AtLeast1 = 256
    aggregate_width: AtLeast1 = 512
    embedding: AtLeast1 = 256
    dropout: Annotated[float, msgspec.Meta(ge=0, lt=1)] = 0.1
    # Root-centred and scaled by the torso; without it where a person stood leaks into the embedding.
    normalise: bool = True

    def __post_init__(self) -> None:
        if not self.widths or not self.bins:
            raise ValueError("widths and bins need at least one number each")
        for width in (self.widths[-1], self.width):
            if width % self.heads:
                raise ValueError(f"{self.heads} heads do not divide a width of {width}")
        if self.width % 2:
            raise ValueError(f"a width of {self.width} has no room for pairs of sine and cosine")


class GraphConvolution(nn.Module):
    """relu(BN(sum over partitions of masked adjacency x features x weights) + BN(linear residual))."""

    adjacency: Tensor

    def __init__(self, channels_in: int, channels_out: int, adjacency: Tensor) -> None:
        super().__init__()
        self.register_buffer("adjacency", adjacency.clone(), persistent=False)
        self.edge = nn.Parameter(torch.ones_like(adjacency))
        self.weight = nn.Linear(channels_in * len(adjacency), channels_out, bias=False)
        self.norm: nn.Module = nn.BatchNorm1d(channels_out)
        self.residual = nn.Linear(channels_in, channels_out, bias=False)
        self.residual_norm: nn.Module = nn.BatchNorm1d(channels_out)
        self.partitions, self.joints = adjacency.shape[:2]
        self.channels_in, self.channels_out = channels_in, channels_out

    def forward(self, x: Tensor) -> Tensor:
        """(M, V, C) -> (M, V, C'), with M all frames of the batch."""
        gathered = torch.matmul(x.transpose(1, 2), self.masked())  # (M, C, partitions * V)
        by_set = gathered.reshape(-1, self.channels_in, self.partitions, self.joints).permute(0, 3, 2, 1)
        spread = self.weight(by_set.reshape(-1, self.partitions * self.channels_in))
        straight = self.residual(x.reshape(-1, self.channels_in))
        total = torch.relu(self.norm(spread) + self.residual_norm(straight))
        return total.reshape(-1, self.joints, self.channels_out)

    def masked(self) -> Tensor:
        """Adjacency times mask, (V, partitions * V): what joint v gives to joint w, set by set."""
        if not isinstance(self.norm, nn.BatchNorm1d):
            return self.edge
        return (self.adjacency * self.edge).transpose(0, 1).reshape(self.joints, -1)

    @torch.no_grad()
    def fold(self) -> None:
        """In place, for evaluation: mask and adjacency into one constant, batch norms into the weights."""
        if not isinstance(self.norm, nn.BatchNorm1d) or not isinstance(self.residual_norm, nn.BatchNorm1d):
            raise TypeError("this graph convolution is folded already")
        gain, shift = gain_and_shift(self.norm)
        straight_gain, straight_shift = gain_and_shift(self.residual_norm)
        self.edge = nn.Parameter(self.masked())
        self.weight.weight.mul_(gain[:, None])
        self.residual.weight.mul_(straight_gain[:, None])
        self.residual.bias = nn.Parameter(shift + straight_shift)
        self.norm, self.residual_norm = nn.Identity(), nn.Identity()


class JointEncoder(nn.Module):
    """Graph convolutions and one encoder block over the joints of each frame."""

    def __init__(self, config: SiameseGaitConfig) -> None:
        super().__init__()
        graph = load_graph(config.graph)
        adjacency = torch.from_numpy(graph.adjacency(config.farthest_hop))
        self.shape = (graph.size, config.coordinates)
        self.data_norm = nn.BatchNorm1d(graph.size * config.coordinates)
        widths = (config.coordinates, *config.widths)
        self.convolutions = nn.Sequential(*(GraphConvolution(a, b, adjacency) for a, b in pairwise(widths)))
        self.joint_embedding = nn.Parameter(torch.zeros(graph.size, config.widths[-1]))
        nn.init.normal_(self.joint_embedding, std=0.02)
        self.block = EncoderBlock(config.widths[-1], config.heads, config.spatial_hidden, config.dropout)

    def before_attention(self, joints: Tensor) -> Tensor:
        """(M, V, 3) -> (M, V, C)."""
        flat = self.data_norm(joints.reshape(-1, self.shape[0] * self.shape[1]))
        x: Tensor = self.convolutions(flat.reshape(-1, *self.shape))
        return x + self.joint_embedding

    def forward(self, joints: Tensor) -> Tensor:
        """(M, V, 3) -> (M, V, C), with M all frames of the batch."""
        x: Tensor = self.block(self.before_attention(joints))
        return x


class FrameEncoder(nn.Module):
    """Joints pooled to one vector per frame, attention over frames, then the transformer."""

    position: Tensor

    def __init__(self, config: SiameseGaitConfig) -> None:
        super().__init__()
        narrow = config.widths[-1]
        self.pool = nn.Linear(2 * narrow, narrow)
        self.pool_norm = nn.LayerNorm(narrow)
        self.before_attention = nn.LayerNorm(narrow)
        self.attention = Attention(narrow, config.heads)
        self.widen = nn.Linear(narrow, config.width)
        self.register_buffer("position", sinusoids(config.frames, config.width), persistent=False)
        self.blocks = nn.ModuleList(
            [
                EncoderBlock(config.width, config.heads, config.hidden, config.dropout)
                for _ in range(config.depth)
            ]
        )
        self.norm = nn.LayerNorm(config.width)

    def pooled(self, x: Tensor, frames: int) -> Tensor:
        """(N * T, V, C) -> (N, T, C)."""
        both = torch.cat([x.mean(dim=1), x.amax(dim=1)], dim=-1)
        y: Tensor = self.pool_norm(self.pool(both))
        return y.reshape(-1, frames, self.pool.out_features)

    def before_transformer(self, x: Tensor, frames: int) -> Tensor:
        """(N * T, V, C) -> (N, T, width), with position."""
        y = self.pooled(x, frames)
        normed = self.before_attention(y)
        wide: Tensor = self.widen(y + self.attention(normed, normed))
        return wide + self.position[:frames]

    def forward(self, x: Tensor, frames: int) -> Tensor:
        """(N * T, V, C), T = ``frames`` -> (N, T, width)."""
        y = self.before_transformer(x, frames)
        for block in self.blocks:
            y = block(y)
        normed: Tensor = self.norm(y)
        return normed

    def weights(self, x: Tensor, frames: int) -> list[Tensor]:
        """Who looks at whom over time, (N, heads, T, T): the temporal attention's, then each block's."""
        pooled = self.before_attention(self.pooled(x, frames))
        found = [self.attention.weights(pooled, pooled)]
        y = self.before_transformer(x, frames)
        for block in self.blocks:
            assert isinstance(block, EncoderBlock)
            found.append(block.weights(y))
            y = block(y)
        return found


def sinusoids(frames: int, width: int) -> Tensor:
    """Positions as in Vaswani et al. 2017, section 3.5: (frames, width), sines even, cosines odd."""
    step = torch.arange(frames, dtype=torch.float64)[:, None]
    rate = torch.exp(torch.arange(0, width, 2, dtype=torch.float64) * (-math.log(10000.0) / width))
    table = torch.zeros(frames, width, dtype=torch.float64)
    table[:, 0::2] = torch.sin(step * rate)
    table[:, 1::2] = torch.cos(step * rate)
    return table.float()


class SiameseGait(GaitNet):
    """Joints (N, T, V, 3), normalised, to unit vectors of 256; both sequences of a pair go through it."""

    family: ClassVar[str] = "siamesegait"

    def __init__(self, config: SiameseGaitConfig) -> None:
        super().__init__()
        self.config = config
        self.joints = JointEncoder(config)
        self.frames = FrameEncoder(config)
        self.pyramid = TimePyramid(
            config.bins, config.width, config.bin_width, config.aggregate_width, config.embedding
        )

    @property
    def frame_shape(self) -> tuple[int, int]:
        """(V, 3)."""
        return self.joints.shape

    @property
    def vector_shape(self) -> tuple[int, int]:
        """One strip of 256."""
        return (1, self.config.embedding)

    @property
    def receptive_frames(self) -> None:
        """Attention sees the whole window."""

    def embed(self, joints: Tensor) -> Tensor:
        """(N, T, V, 3) -> unit vectors (N, embedding)."""
        frames = fixed(joints.shape[1])
        if not 0 < frames <= self.config.frames:
            raise ConfigError(
                f"{frames} frames", where=self.family, wanted=f"1 to {self.config.frames} frames"
            )
        x = self.joints(joints.reshape(-1, *self.frame_shape))
        return functional.normalize(self.pyramid(self.frames(x, frames)), dim=-1)

    def forward(self, frames: Tensor, valid: Tensor | None = None) -> Features:
        """``frames`` (N, T, V, 3); an invalid frame is replaced by the valid one before it."""
        unit = self.embed(hold_valid(frames, valid))[..., None]
        return Features(unit, unit, None)

    def pair(self, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Both embeddings and their Euclidean distance (N,), as the contrastive loss wants them."""
        a, b = self.embed(torch.cat([first, second])).chunk(2)
        return a, b, torch.linalg.vector_norm(a - b, dim=-1)

    def flat(self, frames: int, which: Which = "embed_1") -> nn.Module:
        """For export; the net has one embedding, so ``which`` changes nothing."""
        del which
        return FlatSiameseGait(self, frames)


class FlatSiameseGait(nn.Module):
    """(N * T, V, 3) -> (N, embedding): attention as matrix products, masks and batch norms as constants."""

    def __init__(self, net: SiameseGait, frames: int) -> None:
        super().__init__()
        self.net = copy.deepcopy(net).eval()
        self.frames = frames
        spell_out(self.net)
        for module in self.net.modules():
            if isinstance(module, GraphConvolution | TimePyramid):
                module.fold()

    def forward(self, frames: Tensor) -> Tensor:
        """The whole window at once."""
        joints = frames.reshape(-1, self.frames, *self.net.frame_shape)
        return self.net.embed(joints)


FAMILY = Family(
    name="siamesegait",
    summary="skeletons alone: graph convolutions, attention over joints and frames, a pyramid in time",
    config=SiameseGaitConfig,
    sizes={
        "tiny": SiameseGaitConfig(
            widths=(32, 48, 64),
            heads=4,
            spatial_hidden=96,
            width=128,
            hidden=224,
            depth=2,
            bin_width=64,
            aggregate_width=128,
            embedding=128,
        ),
        "published": SiameseGaitConfig(),
    },
    build=SiameseGait,
    layout="kinect25",
    frames=60,
)
