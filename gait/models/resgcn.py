"""Blocks of a residual graph convolutional net (ResGCN, Song et al. 2020), under its checkpoints' names.

A module is a spatial block (a graph convolution over hop partitions) followed by a temporal block (a
convolution over frames). Both come as `basic` (one convolution) and as
`bottleneck` (1x1 down, the convolution, 1x1 up). Tensors are (N, C, T, V): batch, channels, frames, joints.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

Kind = Literal["basic", "bottleneck"]


class GraphConv(nn.Module):
    """1x1 convolution to ``hops + 1`` sets of channels, each spread over its own hop partition, summed."""

    def __init__(self, channels_in: int, channels_out: int, hops: int) -> None:
        super().__init__()
        self.partitions = hops + 1
        self.gcn = nn.Conv2d(channels_in, channels_out * self.partitions, 1)

    def forward(self, x: Tensor, adjacency: Tensor) -> Tensor:
        """(N, C, T, V) and (>= partitions, V, V) -> (N, C', T, V); hops beyond the partitions are unused."""
        wide = self.gcn(x)
        batch, channels, frames, joints = wide.shape
        sets = wide.reshape(batch, self.partitions, (channels // self.partitions) * frames, joints)
        spread = torch.matmul(sets, adjacency[: self.partitions]).sum(dim=1)
        return spread.reshape(batch, channels // self.partitions, frames, joints)


def _shortcut(channels_in: int, channels_out: int, stride: int) -> nn.Module:
    if stride == 1 and channels_in == channels_out:
        return nn.Identity()
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, 1, stride=(stride, 1)),
        nn.BatchNorm2d(channels_out),
    )


class SpatialBasic(nn.Module):
    """Graph convolution, BN, ReLU. It has no shortcut: it stands only where a net begins."""

    def __init__(self, channels_in: int, channels_out: int, hops: int) -> None:
        super().__init__()
        self.conv = GraphConv(channels_in, channels_out, hops)
        self.bn = nn.BatchNorm2d(channels_out)

    def forward(self, x: Tensor, adjacency: Tensor) -> Tensor:
        """(N, C, T, V) -> (N, C', T, V)."""
        return torch.relu(self.bn(self.conv(x, adjacency)))


class SpatialBottleneck(nn.Module):
    """1x1 down, graph convolution, 1x1 up, plus its own shortcut; ReLU after each."""

    def __init__(self, channels_in: int, channels_out: int, hops: int, reduction: int) -> None:
        super().__init__()
        inner = channels_out // reduction
        self.residual = _shortcut(channels_in, channels_out, 1)
        self.conv_down = nn.Conv2d(channels_in, inner, 1)
        self.bn_down = nn.BatchNorm2d(inner)
        self.conv = GraphConv(inner, inner, hops)
        self.bn = nn.BatchNorm2d(inner)
        self.conv_up = nn.Conv2d(inner, channels_out, 1)
        self.bn_up = nn.BatchNorm2d(channels_out)

    def forward(self, x: Tensor, adjacency: Tensor) -> Tensor:
        """(N, C, T, V) -> (N, C', T, V)."""
        y = torch.relu(self.bn_down(self.conv_down(x)))
        y = torch.relu(self.bn(self.conv(y, adjacency)))
        return torch.relu(self.bn_up(self.conv_up(y)) + self.residual(x))


class TemporalBasic(nn.Module):
    """Convolution over ``kernel`` frames, BN, ReLU."""

    def __init__(self, channels: int, kernel: int, stride: int) -> None:
        super().__init__()
        self.conv = _over_frames(channels, kernel, stride)
        self.bn = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, T, V) -> (N, C, T / stride, V)."""
        return torch.relu(self.bn(self.conv(x)))


class TemporalBottleneck(nn.Module):
    """1x1 down, convolution over frames, 1x1 up, plus its own shortcut; ReLU after each."""

    def __init__(self, channels: int, kernel: int, stride: int, reduction: int) -> None:
        super().__init__()
        inner = channels // reduction
        self.residual = _shortcut(channels, channels, stride)
        self.conv_down = nn.Conv2d(channels, inner, 1)
        self.bn_down = nn.BatchNorm2d(inner)
        self.conv = _over_frames(inner, kernel, stride)
        self.bn = nn.BatchNorm2d(inner)
        self.conv_up = nn.Conv2d(inner, channels, 1)
        self.bn_up = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, T, V) -> (N, C, T / stride, V)."""
        y = torch.relu(self.bn_down(self.conv_down(x)))
        y = torch.relu(self.bn(self.conv(y)))
        return torch.relu(self.bn_up(self.conv_up(y)) + self.residual(x))


def _over_frames(channels: int, kernel: int, stride: int) -> nn.Conv2d:
    return nn.Conv2d(channels, channels, (kernel, 1), stride=(stride, 1), padding=((kernel - 1) // 2, 0))


class ResGcnModule(nn.Module):
    """A spatial and a temporal block with one learnable edge mask over the adjacency.

    A basic module stands where a net begins and has no shortcut; a bottleneck's are inside its blocks.
    """

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        kind: Kind,
        adjacency: Tensor,
        *,
        hops: int,
        kernel: int,
        stride: int = 1,
        reduction: int = 8,
    ) -> None:
        super().__init__()
        self.scn: SpatialBasic | SpatialBottleneck
        self.tcn: TemporalBasic | TemporalBottleneck
        if kind == "basic":
            self.scn = SpatialBasic(channels_in, channels_out, hops)
            self.tcn = TemporalBasic(channels_out, kernel, stride)
        else:
            self.scn = SpatialBottleneck(channels_in, channels_out, hops, reduction)
            self.tcn = TemporalBottleneck(channels_out, kernel, stride, reduction)
        self.edge = nn.Parameter(torch.ones_like(adjacency))

    def forward(self, x: Tensor, adjacency: Tensor) -> Tensor:
        """(N, C, T, V) -> (N, C', T / stride, V)."""
        y: Tensor = self.tcn(self.scn(x, adjacency * self.edge))
        return y


def initialise(net: nn.Module) -> None:
    """He initialisation for convolutions; a bottleneck starts as its shortcut (last BN at zero)."""
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    for module in net.modules():
        if isinstance(module, SpatialBottleneck | TemporalBottleneck):
            nn.init.zeros_(module.bn_up.weight)
