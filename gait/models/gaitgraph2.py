"""GaitGraph2 (Teepe et al. 2022): skeletons alone, a ResGCN n21-r8 over three branches of features.

Per branch BN -> basic 5->64 -> bottleneck 64->32; the three concatenated -> bottleneck 128 (stride 2) ->
bottleneck 256 (stride 2) -> mean over frames and joints -> linear 128. 350,822 parameters with COCO-17.
The features are computed outside the graph, in gait/pose_features.py.
"""

from __future__ import annotations

import copy
from itertools import pairwise
from typing import Annotated, ClassVar

import msgspec
import torch
from torch import Tensor, nn
from torch.nn import functional

from gait.models.family import Family, Features, GaitNet, Which, unit_strips
from gait.models.resgcn import ResGcnModule, initialise
from gait.models.tensors import hold_valid
from gait.pose_features import BRANCHES, FEATURES, VIEWS
from gait.pose_graph import load_graph

AtLeast1 = Annotated[int, msgspec.Meta(ge=1, le=4096)]
Hops = Annotated[int, msgspec.Meta(ge=0, le=64)]


class GaitGraph2Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The net and what it is fed.

    ``graph``: a graph shipped in gait/models/graphs, or the path of another sensor's. ``branch_widths``: the
    basic and the bottleneck module of each branch; ``widths``: the main stream, halving the frames each.
    ``hops``: how far one graph convolution reaches; ``farthest_hop``: how far the stored adjacency does.
    """

    graph: str = "coco17"
    branch_widths: tuple[AtLeast1, AtLeast1] = (64, 32)
    widths: tuple[AtLeast1, ...] = (128, 256)
    embedding: AtLeast1 = 128
    temporal_kernel: AtLeast1 = 9
    reduction: AtLeast1 = 8
    hops: Hops = 2
    farthest_hop: Hops = 3
    # Raw pixels, as released, leak where a person stood and how near; root-centred and scaled do not.
    normalise: bool = True
    # True repeats the released features' misplaced confidence, for checkpoints trained with it.
    confidence_as_released: bool = False
    # In evaluation: the sequence as it is, reversed and left/right swapped; three times the work.
    test_time_augmentation: bool = False

    def __post_init__(self) -> None:
        if self.hops > self.farthest_hop:
            raise ValueError(f"hops {self.hops} reaches beyond farthest_hop {self.farthest_hop}")
        if not self.widths or min(self.branch_widths[1], *self.widths) < self.reduction:
            raise ValueError(f"a width is smaller than the reduction {self.reduction}, or there is none")
        if self.temporal_kernel % 2 == 0:
            raise ValueError(
                f"temporal_kernel {self.temporal_kernel} has no middle frame; wanted an odd number"
            )


class InputBranch(nn.Module):
    """BN over one branch's five features, then a basic and a bottleneck module."""

    A: Tensor

    def __init__(self, config: GaitGraph2Config, adjacency: Tensor) -> None:
        super().__init__()
        self.register_buffer("A", adjacency.clone())
        self.bn = nn.BatchNorm2d(FEATURES)
        first, second = config.branch_widths
        self.layers = nn.ModuleList(
            [_module(config, FEATURES, first, adjacency), _module(config, first, second, adjacency)]
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, 5, T, V) -> (N, C, T, V)."""
        x = self.bn(x)
        for layer in self.layers:
            x = layer(x, self.A)
        return x

    def fold(self) -> None:
        """See ``ResGcnModule.fold``."""
        for layer in self.layers:
            if isinstance(layer, ResGcnModule):
                layer.fold(self.A)


def _module(
    config: GaitGraph2Config, channels_in: int, channels_out: int, adjacency: Tensor, stride: int = 1
) -> ResGcnModule:
    return ResGcnModule(
        channels_in,
        channels_out,
        "basic" if channels_in == FEATURES else "bottleneck",
        adjacency,
        hops=config.hops,
        kernel=config.temporal_kernel,
        reduction=config.reduction,
        stride=stride,
    )


class GaitGraph2(GaitNet):
    """Features (N, T, V, 3, 5) to embeddings of 128, not normalised, as the released nets give them.

    With ``test_time_augmentation``, in evaluation, a frame is (3 views, V, 3, 5) and each view gives 128 of
    the 384 numbers: a view is to the embedding what a strip is elsewhere. ``embed_1``, view after view, is
    the released nets' concatenation.
    """

    family: ClassVar[str] = "gaitgraph2"
    A: Tensor

    def __init__(self, config: GaitGraph2Config) -> None:
        super().__init__()
        self.config = config
        graph = load_graph(config.graph)
        self.joint_count = graph.size
        adjacency = torch.from_numpy(graph.adjacency(config.farthest_hop))
        self.register_buffer("A", adjacency)
        self.input_branches = nn.ModuleList([InputBranch(config, adjacency) for _ in BRANCHES])
        widths = (config.branch_widths[-1] * len(BRANCHES), *config.widths)
        self.main_stream = nn.ModuleList(
            [_module(config, a, b, adjacency, stride=2) for a, b in pairwise(widths)]
        )
        self.fcn = nn.Linear(widths[-1], config.embedding)
        initialise(self)

    @property
    def takes_views(self) -> bool:
        """Whether a frame now is three views of itself."""
        return self.config.test_time_augmentation and not self.training

    @property
    def frame_shape(self) -> tuple[int, ...]:
        """(V, 3, 5), or (3 views, V, 3, 5)."""
        shape = (self.joint_count, len(BRANCHES), FEATURES)
        return (len(VIEWS), *shape) if self.takes_views else shape

    @property
    def vector_shape(self) -> tuple[int, int]:
        """(1 or 3 views, 128)."""
        return (len(VIEWS) if self.takes_views else 1, self.config.embedding)

    @property
    def receptive_frames(self) -> int:
        """Two modules per branch at stride 1, then each module at twice the stride of the one before."""
        reach = self.config.temporal_kernel - 1
        return 1 + 2 * reach + reach * ((1 << len(self.config.widths)) - 1)

    def maps(self, features: Tensor) -> Tensor:
        """What the mean is taken over: (N, T, V, 3, 5) -> (N, C, ceil(T / 4), V)."""
        by_branch = features.permute(0, 3, 4, 1, 2)
        x = torch.cat([branch(by_branch[:, i]) for i, branch in enumerate(self.input_branches)], dim=1)
        for module in self.main_stream:
            x = module(x, self.A)
        return x

    def embed(self, features: Tensor) -> Tensor:
        """(N, T, V, 3, 5) -> (N, 128)."""
        y: Tensor = self.fcn(self.maps(features).mean(dim=(2, 3)))
        return y

    def forward(self, frames: Tensor, valid: Tensor | None = None) -> Features:
        """``frames`` (N, T, *frame_shape); an invalid frame is replaced by the valid one before it."""
        frames = hold_valid(frames, valid)
        raw = self._embed_views(frames) if self.takes_views else self.embed(frames)[..., None]
        return Features(raw, functional.normalize(raw, dim=1), None)

    def _embed_views(self, frames: Tensor) -> Tensor:
        """(N, T, 3, V, 3, 5) -> (N, 128, 3)."""
        batch = frames.shape[0]
        return self.embed(frames.transpose(1, 2).flatten(0, 1)).reshape(batch, len(VIEWS), -1).transpose(1, 2)

    def fold(self) -> None:
        """Edge masks and batch norms into constants, in place; for evaluation only."""
        for module in self.main_stream:
            if isinstance(module, ResGcnModule):
                module.fold(self.A)
        for branch in self.input_branches:
            if isinstance(branch, InputBranch):
                branch.fold()

    def flat(self, frames: int, which: Which = "embed_1") -> nn.Module:
        """For export; both embeddings are the same there, for the result has unit length."""
        del which
        return FlatGaitGraph2(self, frames)

    def activations(self, features: Tensor) -> Tensor:
        """How strongly each joint drives the embedding over time, (N, ceil(T / 4), V), each in [0, 1].

        Class activation mapping (Zhou et al. 2016): the last layer's weights on the maps under the mean, the
        strongest of the outputs taken, negative ones dropped, the sequence's largest value set to 1.
        """
        maps = self.maps(features)
        by_output = torch.matmul(self.fcn.weight, maps.flatten(2))
        strongest = by_output.amax(dim=1).clamp(min=0)
        largest = strongest.amax(dim=1, keepdim=True).clamp(min=torch.finfo(strongest.dtype).tiny)
        return (strongest / largest).reshape(len(maps), *maps.shape[2:])


class FlatGaitGraph2(nn.Module):
    """(N * T, *frame_shape) -> (N, P * 128), edge masks and batch norms folded into constants."""

    def __init__(self, net: GaitGraph2, frames: int) -> None:
        super().__init__()
        self.net = copy.deepcopy(net).eval()
        self.frames = frames
        self.net.fold()

    def forward(self, frames: Tensor) -> Tensor:
        """Every view of every sequence is embedded alike; each embedding is made a unit vector."""
        views, embedding = self.net.vector_shape
        by_view = frames.reshape(-1, self.frames, views, *self.net.frame_shape[-3:]).transpose(1, 2)
        raw: Tensor = self.net.embed(by_view.reshape(-1, self.frames, *self.net.frame_shape[-3:]))
        return unit_strips(raw.reshape(-1, views, embedding), views)


FAMILY = Family(
    name="gaitgraph2",
    summary="skeletons alone: residual graph convolutions over joints, velocities and bones",
    config=GaitGraph2Config,
    sizes={
        "tiny": GaitGraph2Config(branch_widths=(32, 16), widths=(64, 128)),
        "published": GaitGraph2Config(),
        "released": GaitGraph2Config(normalise=False, confidence_as_released=True),
    },
    build=GaitGraph2,
    layout="coco17",
    frames=60,
)
