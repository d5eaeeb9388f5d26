"""GaitGraph2 (Teepe et al. 2022): skeletons alone, a ResGCN n21-r8 over three branches of features.

Per branch BN -> basic 5->64 -> bottleneck 64->32; the three concatenated -> bottleneck 128 (stride 2) ->
bottleneck 256 (stride 2) -> mean over frames and joints -> linear 128. 350,822 parameters with COCO-17.
The features are computed outside the graph, in gait/pose_features.py.
"""

from __future__ import annotations

import msgspec
import torch
from torch import Tensor, nn

from gait.models.resgcn import ResGcnModule, initialise
from gait.pose_features import BRANCHES, FEATURES
from gait.pose_graph import load_graph


class GaitGraph2Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The net and what it is fed.

    ``graph``: a graph shipped in gait/models/graphs, or the path of another sensor's. ``branch_widths``: the
    basic and the bottleneck module of each branch; ``widths``: the main stream, halving the frames each.
    ``hops``: how far one graph convolution reaches; ``farthest_hop``: how far the stored adjacency does.
    """

    graph: str = "coco17"
    branch_widths: tuple[int, int] = (64, 32)
    widths: tuple[int, ...] = (128, 256)
    embedding: int = 128
    temporal_kernel: int = 9
    reduction: int = 8
    hops: int = 2
    farthest_hop: int = 3
    frames: int = 60
    # Raw pixels, as released, leak where a person stood and how near; root-centred and scaled do not.
    normalise: bool = True
    # 3 repeats the released features' misplaced confidence, for checkpoints trained with it.
    confidence_index: int = 2
    # Embed the sequence as it is, reversed and left/right swapped, concatenated: three times the work.
    test_time_augmentation: bool = False


PUBLISHED = GaitGraph2Config()
AS_RELEASED = GaitGraph2Config(normalise=False, confidence_index=3)
TINY = GaitGraph2Config(branch_widths=(32, 16), widths=(64, 128))


class InputBranch(nn.Module):
    """BN over one branch's five features, then a basic and a bottleneck module."""

    A: Tensor

    def __init__(self, config: GaitGraph2Config, adjacency: Tensor) -> None:
        super().__init__()
        self.register_buffer("A", adjacency.clone())
        self.bn = nn.BatchNorm2d(FEATURES)
        shared = {"hops": config.hops, "kernel": config.temporal_kernel, "reduction": config.reduction}
        first, second = config.branch_widths
        self.layers = nn.ModuleList(
            [
                ResGcnModule(FEATURES, first, "basic", adjacency, **shared),
                ResGcnModule(first, second, "bottleneck", adjacency, **shared),
            ]
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, 5, T, V) -> (N, C, T, V)."""
        x = self.bn(x)
        for layer in self.layers:
            x = layer(x, self.A)
        return x


class GaitGraph2(nn.Module):
    """Features (N, T, V, 3, 5) to embeddings (N, 128), not normalised, as the released nets give them."""

    A: Tensor

    def __init__(self, config: GaitGraph2Config = PUBLISHED) -> None:
        super().__init__()
        self.config = config
        adjacency = torch.from_numpy(load_graph(config.graph).adjacency(config.farthest_hop))
        self.register_buffer("A", adjacency)
        self.input_branches = nn.ModuleList([InputBranch(config, adjacency) for _ in BRANCHES])
        self.main_stream = nn.ModuleList()
        channels = config.branch_widths[-1] * len(BRANCHES)
        for width in config.widths:
            self.main_stream.append(
                ResGcnModule(
                    channels,
                    width,
                    "bottleneck",
                    adjacency,
                    hops=config.hops,
                    kernel=config.temporal_kernel,
                    reduction=config.reduction,
                    stride=2,
                )
            )
            channels = width
        self.fcn = nn.Linear(channels, config.embedding)
        initialise(self)

    def maps(self, features: Tensor) -> Tensor:
        """What the mean is taken over: (N, T, V, 3, 5) -> (N, C, T / 4, V)."""
        by_branch = features.permute(0, 3, 4, 1, 2)
        x = torch.cat([branch(by_branch[:, i]) for i, branch in enumerate(self.input_branches)], dim=1)
        for module in self.main_stream:
            x = module(x, self.A)
        return x

    def forward(self, features: Tensor) -> Tensor:
        """(N, T, V, 3, 5) -> (N, embedding)."""
        y: Tensor = self.fcn(self.maps(features).mean(dim=(2, 3)))
        return y

    def activations(self, features: Tensor) -> Tensor:
        """How strongly each joint drives the embedding over time, (N, T / 4, V), each in [0, 1].

        Class activation mapping (Zhou et al. 2016): the last layer's weights on the maps under the mean, the
        strongest of the outputs taken, negative ones dropped, the sequence's largest value set to 1.
        """
        maps = self.maps(features)
        by_output = torch.matmul(self.fcn.weight, maps.flatten(2))
        strongest = by_output.amax(dim=1).clamp(min=0)
        largest = strongest.amax(dim=1, keepdim=True).clamp(min=torch.finfo(strongest.dtype).tiny)
        return (strongest / largest).reshape(len(maps), *maps.shape[2:])
