"""Blocks of a residual graph convolutional net (ResGCN, Song et al. 2020), under its checkpoints' names.

A module is a spatial block (a graph convolution over hop partitions) followed by a temporal block (a
convolution over frames). Both come as `basic` (one convolution) and as
`bottleneck` (1x1 down, the convolution, 1x1 up). Tensors are (N, C, T, V): batch, channels, frames, joints.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from gait.models.tensors import sum_of

Kind = Literal["basic", "bottleneck"]


class GraphConv(nn.Module):
    """1x1 convolution to ``hops + 1`` sets of channels, each spread over its own hop partition, summed."""

    def __init__(self, channels_in: int, channels_out: int, hops: int) -> None:
        super().__init__()
        self.partitions = hops + 1
        self.gcn = nn.Conv2d(channels_in, channels_out * self.partitions, 1)

    def forward(self, x: Tensor, adjacency: Tensor) -> Tensor:
        """(N, C, T, V) and (>= partitions, V, V) -> (N, C', T, V); hops beyond the partitions are unused."""
        parts = self.gcn(x).split(self.gcn.out_channels // self.partitions, dim=1)
        return sum_of(torch.matmul(part, adjacency[hop]) for hop, part in enumerate(parts))


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
        self.bn: nn.BatchNorm2d | Shift = nn.BatchNorm2d(channels_out)

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
        self.bn: nn.BatchNorm2d | Shift = nn.BatchNorm2d(inner)
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
        self.folded = False

    def forward(self, x: Tensor, adjacency: Tensor) -> Tensor:
        """(N, C, T, V) -> (N, C', T / stride, V)."""
        masked = self.edge if self.folded else adjacency * self.edge
        y: Tensor = self.tcn(self.scn(x, masked))
        return y

    @torch.no_grad()
    def fold(self, adjacency: Tensor) -> None:
        """In place, for evaluation: mask and adjacency into one constant, batch norms into weights."""
        self.edge.copy_(adjacency * self.edge)
        self.folded = True
        _fold_graph_conv(self.scn)
        for block in (self.scn, self.tcn):
            for convolution, norm in (("conv_down", "bn_down"), ("conv", "bn"), ("conv_up", "bn_up")):
                _fold_pair(block, convolution, norm)
            residual = getattr(block, "residual", None)
            if isinstance(residual, nn.Sequential):
                _fold_pair(residual, "0", "1")


class Shift(nn.Module):
    """A number added to every channel: what is left of a batch norm whose gain went into the weights."""

    shift: Tensor

    def __init__(self, shift: Tensor) -> None:
        super().__init__()
        self.register_buffer("shift", shift.reshape(1, -1, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, T, V) -> (N, C, T, V)."""
        return x + self.shift


def gain_and_shift(norm: nn.BatchNorm1d | nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """A batch norm in evaluation as x * gain + shift, both (C,)."""
    if norm.running_mean is None or norm.running_var is None:
        raise ValueError("a batch norm without running statistics cannot be folded")
    gain = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    return gain, norm.bias - norm.running_mean * gain


def _fold_pair(block: nn.Module, convolution: str, norm: str) -> None:
    """Convolution and the batch norm after it into one convolution."""
    first, second = getattr(block, convolution, None), getattr(block, norm, None)
    if isinstance(first, nn.Conv2d) and isinstance(second, nn.BatchNorm2d):
        setattr(block, convolution, fuse_conv_bn_eval(first, second))
        setattr(block, norm, nn.Identity())


def _fold_graph_conv(block: SpatialBasic | SpatialBottleneck) -> None:
    """The gain goes into the weights of every partition; the shift comes after the sum over them."""
    if not isinstance(block.bn, nn.BatchNorm2d):
        raise TypeError("this graph convolution is folded already")
    gain, shift = gain_and_shift(block.bn)
    convolution = block.conv.gcn
    repeated = gain.repeat(block.conv.partitions)
    convolution.weight.mul_(repeated[:, None, None, None])
    if convolution.bias is not None:
        convolution.bias.mul_(repeated)
    block.bn = Shift(shift)


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
