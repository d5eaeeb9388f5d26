"""The parts that the convolutional families share; attribute names follow the known checkpoints' layouts.

Maps over time are (N, C, T, H, W). No convolution has a bias. Weights start Xavier-uniform, batch norm
gains at N(1, 0.02).
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from gait.models.family import Features
from gait.models.tensors import fixed

STRIPS: Final = 16


def conv3x3(inputs: int, outputs: int, stride: int = 1) -> nn.Conv2d:
    """A 3x3 convolution that keeps the size at stride 1."""
    return nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)


def conv1x1(inputs: int, outputs: int, stride: int = 1) -> nn.Conv2d:
    """A 1x1 convolution."""
    return nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False)


class PerFrame(nn.Module):
    """Runs an image block on every frame of (N, C, T, H, W)."""

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        self.forward_block = block

    def forward(self, maps: Tensor) -> Tensor:
        """(N, C, T, H, W) -> (N, C', T, H', W')."""
        batch, _, frames = maps.shape[:3]
        images: Tensor = self.forward_block(maps.transpose(1, 2).flatten(0, 1))
        return images.reshape(batch, frames, *images.shape[1:]).transpose(1, 2)


def stem(inputs: int, outputs: int, stride: int = 1) -> PerFrame:
    """3x3 convolution, batch norm, ReLU; the nets begin with one at stride 1."""
    return PerFrame(nn.Sequential(conv3x3(inputs, outputs, stride), nn.BatchNorm2d(outputs), nn.ReLU()))


class BasicBlock2D(nn.Module):
    """Two 3x3 convolutions with batch norm around a shortcut, on images (N, C, H, W)."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = conv3x3(inputs, outputs, stride)
        self.bn1: nn.Module = nn.BatchNorm2d(outputs)
        self.conv2 = conv3x3(outputs, outputs)
        self.bn2: nn.Module = nn.BatchNorm2d(outputs)
        self.downsample: nn.Sequential | None = None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(conv1x1(inputs, outputs, stride), nn.BatchNorm2d(outputs))

    def forward(self, images: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C', H / stride, W / stride)."""
        hidden = functional.relu(self.bn1(self.conv1(images)))
        hidden = self.bn2(self.conv2(hidden))
        shortcut = images if self.downsample is None else self.downsample(images)
        return functional.relu(hidden + shortcut)


class BasicBlockP3D(nn.Module):
    """A 2D convolution, a residual convolution over time, a 2D convolution, around a shortcut."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.stride = stride
        self.conv1 = stem(inputs, outputs, stride)
        self.conv2 = PerFrame(nn.Sequential(conv3x3(outputs, outputs), nn.BatchNorm2d(outputs)))
        self.shortcut3d = nn.Conv3d(outputs, outputs, (3, 1, 1), padding=(1, 0, 0), bias=False)
        self.sbn = nn.BatchNorm3d(outputs)
        self.downsample: nn.Sequential | None = None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(
                nn.Conv3d(inputs, outputs, 1, stride=(1, stride, stride), bias=False),
                nn.BatchNorm3d(outputs),
            )

    def forward(self, maps: Tensor) -> Tensor:
        """(N, C, T, H, W) -> (N, C', T, H / stride, W / stride)."""
        hidden = self.conv1(maps)
        hidden = functional.relu(hidden + self.sbn(self.shortcut3d(hidden)))
        hidden = self.conv2(hidden)
        shortcut = maps if self.downsample is None else self.downsample(maps)
        return functional.relu(hidden + shortcut)


def stage_2d(inputs: int, outputs: int, blocks: int, stride: int = 1) -> PerFrame:
    """``blocks`` image blocks, run on every frame; the first one strides."""
    strides = [stride] + [1] * (blocks - 1)
    widths = [inputs] + [outputs] * (blocks - 1)
    return PerFrame(
        nn.Sequential(*(BasicBlock2D(w, outputs, s) for w, s in zip(widths, strides, strict=True)))
    )


def stage_p3d(inputs: int, outputs: int, blocks: int, stride: int = 1) -> nn.Sequential:
    """``blocks`` P3D blocks; the first one strides in space. Time is never strided."""
    strides = [stride] + [1] * (blocks - 1)
    widths = [inputs] + [outputs] * (blocks - 1)
    return nn.Sequential(*(BasicBlockP3D(w, outputs, s) for w, s in zip(widths, strides, strict=True)))


def pool_time(maps: Tensor, valid: Tensor | None = None) -> Tensor:
    """(N, C, T, H, W), none negative -> (N, C, H, W): the maximum over the frames marked in ``valid``.

    Sequences without a valid frame give zeros.
    """
    if valid is not None:
        maps = maps * valid[:, None, :, None, None].to(maps.dtype)
    return maps.amax(dim=2)


def pool_strips(images: Tensor, strips: int = STRIPS) -> Tensor:
    """(N, C, H, W) -> (N, C, strips): mean plus maximum of each horizontal strip."""
    channels, height, width = (fixed(side) for side in images.shape[1:])
    cells = images.reshape(-1, channels, strips, height * width // strips)
    return cells.mean(-1) + cells.amax(-1)


class SeparateFCs(nn.Module):
    """One matrix per strip, without bias."""

    def __init__(self, strips: int, inputs: int, outputs: int) -> None:
        super().__init__()
        self.fc_bin = nn.Parameter(nn.init.xavier_uniform_(torch.empty(strips, inputs, outputs)))

    def forward(self, strips: Tensor) -> Tensor:
        """(N, C, P) -> (N, C', P)."""
        return strips.permute(2, 0, 1).matmul(self.fc_bin).permute(1, 2, 0)


class SeparateBNNecks(nn.Module):
    """Batch norm over every (channel, strip), unit length per strip, cosine to each class's weights.

    The batch norm's numbers run channel by channel, strips innermost, as the known checkpoints have them.
    """

    def __init__(self, strips: int, channels: int, classes: int) -> None:
        super().__init__()
        self.bn1d = nn.BatchNorm1d(strips * channels)
        self.fc_bin: nn.Parameter | None = None
        if classes:
            self.fc_bin = nn.Parameter(nn.init.xavier_uniform_(torch.empty(strips, channels, classes)))

    def forward(self, strips: Tensor) -> tuple[Tensor, Tensor | None]:
        """(N, C, P) -> unit strips (N, C, P) and logits (N, classes, P), None without a classifier."""
        normed = self.bn1d(strips.flatten(1)).reshape(strips.shape)
        unit = functional.normalize(normed.permute(2, 0, 1), dim=-1)
        if self.fc_bin is None:
            return unit.permute(1, 2, 0), None
        logits = unit.matmul(functional.normalize(self.fc_bin, dim=1))
        return unit.permute(1, 2, 0), logits.permute(1, 2, 0)


def run_head(pooled: Tensor, fcs: SeparateFCs, necks: SeparateBNNecks) -> Features:
    """(N, C, H, W) -> Features: strips, a matrix for each, and the neck."""
    embed_1 = fcs(pool_strips(pooled, fcs.fc_bin.shape[0]))
    embed_2, logits = necks(embed_1)
    return Features(embed_1, embed_2, logits)


def initialise(net: nn.Module) -> None:
    """Xavier-uniform convolutions and linear layers, batch norm gains N(1, 0.02), biases zero."""
    for module in net.modules():
        if isinstance(module, nn.Conv1d | nn.Conv2d | nn.Conv3d | nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d):
            nn.init.normal_(module.weight, 1.0, 0.02)
            nn.init.zeros_(module.bias)
