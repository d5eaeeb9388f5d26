"""The forms that a trained convolutional net runs in: the whole window flat, and frame by frame.

Both hold folded copies of the weights (batch norms become scales and biases) and only operators that any
runtime has. They compute the same as the net in evaluation mode.

Streaming is exact because the maximum over time is associative and a temporal convolution needs only its
last two frames: each P3D block keeps those two and the shortcut of the frame it is about to emit, so its
output lags one frame behind its input. A flag travels with every frame, so that the zero padding at a
segment's ends is zero at every depth, as it is for the whole window.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Protocol, TypeVar, runtime_checkable

import torch
from torch import Tensor, nn
from torch.nn import functional

from gait.models.blocks import BasicBlock2D, BasicBlockP3D, SeparateBNNecks, SeparateFCs, pool_strips
from gait.models.family import StreamingPair, unit_strips

Module = TypeVar("Module", bound=nn.Module)
BatchNorm = nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d


@runtime_checkable
class FoldsItself(Protocol):
    """A module that knows a cheaper form of itself for evaluation, beyond its batch norms."""

    def fold_in_place(self) -> None:
        """Called once, on a copy in evaluation mode whose batch norms are folded already."""
        ...


def affine(norm: BatchNorm) -> tuple[Tensor, Tensor]:
    """A batch norm in evaluation mode as (gain, bias), float64."""
    mean, var = norm.running_mean, norm.running_var
    assert mean is not None, "a batch norm without running statistics cannot be folded"
    assert var is not None, "a batch norm without running statistics cannot be folded"
    gain = norm.weight.detach().double() / torch.sqrt(var.double() + norm.eps)
    return gain, norm.bias.detach().double() - mean.double() * gain


def fold_conv(conv: nn.Conv2d | nn.Conv3d, norm: BatchNorm) -> nn.Conv2d:
    """A convolution and its batch norm as one 2D convolution; a 3D one must be 1x1x1."""
    gain, bias = affine(norm)
    weight = conv.weight.detach().double()
    if isinstance(conv, nn.Conv3d):
        weight = weight.squeeze(2)
    size, stride, padding = ((int(pair[-2]), int(pair[-1])) for pair in _geometry(conv))
    folded = nn.Conv2d(conv.in_channels, conv.out_channels, size, stride=stride, padding=padding)
    folded.weight.data = (weight * gain[:, None, None, None]).float()
    assert folded.bias is not None
    folded.bias.data = bias.float()
    return folded


def _geometry(conv: nn.Conv2d | nn.Conv3d) -> tuple[tuple[int, ...], ...]:
    assert not isinstance(conv.padding, str)
    return tuple(conv.kernel_size), tuple(conv.stride), tuple(conv.padding)


def fold(module: Module) -> Module:
    """A copy in evaluation mode whose image blocks have their batch norms folded into the convolutions."""
    folded = copy.deepcopy(module).eval()
    for part in folded.modules():
        if isinstance(part, nn.Sequential):
            _fold_sequence(part)
        elif isinstance(part, BasicBlock2D):
            _fold_block(part)
    for part in folded.modules():
        if isinstance(part, FoldsItself):
            part.fold_in_place()
    return folded.requires_grad_(False)


def _fold_block(block: BasicBlock2D) -> None:
    if isinstance(block.bn1, nn.BatchNorm2d) and isinstance(block.bn2, nn.BatchNorm2d):
        block.conv1, block.bn1 = fold_conv(block.conv1, block.bn1), nn.Identity()
        block.conv2, block.bn2 = fold_conv(block.conv2, block.bn2), nn.Identity()


def _fold_sequence(sequence: nn.Sequential) -> None:
    for i in range(len(sequence) - 1):
        conv, norm = sequence[i], sequence[i + 1]
        if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
            sequence[i], sequence[i + 1] = fold_conv(conv, norm), nn.Identity()


class FoldedP3D(nn.Module):
    """A P3D block for deployment; its output maps are ``height`` x ``width``."""

    def __init__(self, block: BasicBlockP3D, height: int, width: int) -> None:
        super().__init__()
        self.height, self.width = height, width
        self.conv1 = _folded_pair(block.conv1.forward_block)
        self.conv2 = _folded_pair(block.conv2.forward_block)
        self.shortcut: nn.Module = nn.Identity()
        if block.downsample is not None:
            self.shortcut = _folded_pair(block.downsample)
        gain, bias = affine(block.sbn)
        weight = block.shortcut3d.weight.detach().double()[..., 0, 0] * gain[:, None, None]
        self.channels = int(weight.shape[0])
        self.over_time = nn.Parameter(weight.float()[..., None], requires_grad=False)  # (C, C, 3, 1)
        # The same kernel over [t-1, t, t+1] stacked as channels: what streaming runs.
        stacked = weight.permute(0, 2, 1).flatten(1).float()[..., None, None]
        self.stacked = nn.Parameter(stacked.contiguous(), requires_grad=False)  # (C, 3 C, 1, 1)
        self.time_bias = nn.Parameter(bias.float(), requires_grad=False)
        self.requires_grad_(False)

    def whole(self, images: Tensor, frames: int) -> Tensor:
        """(N * T, C, H, W) -> (N * T, C', H', W')."""
        hidden = functional.relu(self.conv1(images))
        cells = self.height * self.width
        series = hidden.reshape(-1, frames, self.channels, cells).transpose(1, 2)
        mixed = functional.conv2d(series, self.over_time, self.time_bias, padding=(1, 0))
        mixed = mixed.transpose(1, 2).reshape(-1, self.channels, self.height, self.width)
        return functional.relu(self.conv2(functional.relu(hidden + mixed)) + self.shortcut(images))

    def step(self, images: Tensor, real: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """One frame (N, C, H, W) in, the previous one out; state (N, 3 C', H', W')."""
        c = self.channels
        before, now, shortcut = state[:, :c], state[:, c : 2 * c], state[:, 2 * c :]
        after = functional.relu(self.conv1(images)) * real[:, :, None, None]
        mixed = functional.conv2d(torch.cat([before, now, after], 1), self.stacked, self.time_bias)
        out = functional.relu(self.conv2(functional.relu(now + mixed)) + shortcut)
        return out, torch.cat([now, after, self.shortcut(images)], 1)


def _folded_pair(sequence: nn.Module) -> nn.Conv2d:
    assert isinstance(sequence, nn.Sequential)
    conv, norm = sequence[0], sequence[1]
    assert isinstance(conv, nn.Conv2d | nn.Conv3d)
    assert isinstance(norm, nn.BatchNorm2d | nn.BatchNorm3d)
    return fold_conv(conv, norm)


class Head(nn.Module):
    """Maps after the maximum (N, C, H, W) -> the unit vector (N, P * E), strip by strip.

    With ``necks`` the vector is embed_2, its batch norm folded into the strips' matrices; else embed_1.
    """

    def __init__(self, fcs: SeparateFCs, necks: SeparateBNNecks | None = None) -> None:
        super().__init__()
        weight = fcs.fc_bin.detach().double()
        self.strips = int(weight.shape[0])
        bias = weight.new_zeros(self.strips, 1, weight.shape[2])
        if necks is not None:
            gain, shift = (part.reshape(-1, self.strips).T for part in affine(necks.bn1d))
            weight, bias = weight * gain[:, None, :], shift[:, None, :]
        self.weight = nn.Parameter(weight.float().contiguous(), requires_grad=False)
        self.bias = nn.Parameter(bias.float().contiguous(), requires_grad=False)

    def forward(self, pooled: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, P * E)."""
        strips = pool_strips(pooled, self.strips).permute(2, 0, 1)
        return unit_strips((strips.matmul(self.weight) + self.bias).transpose(0, 1), self.strips)


class FlatConv(nn.Module):
    """The whole window of ``frames`` frames: (N * T, C, H, W) -> (N, P * E)."""

    def __init__(self, front: nn.Module, blocks: Sequence[FoldedP3D], head: Head, frames: int) -> None:
        super().__init__()
        self.front, self.blocks, self.head, self.frames = front, nn.ModuleList(blocks), head, frames
        self.last = blocks[-1]

    def forward(self, images: Tensor) -> Tensor:
        """(N * T, C, H, W) -> (N, P * E)."""
        maps = self.front(images)
        for block in self.blocks:
            assert isinstance(block, FoldedP3D)
            maps = block.whole(maps, self.frames)
        shape = (self.last.channels, self.last.height, self.last.width)
        vector: Tensor = self.head(maps.reshape(-1, self.frames, *shape).amax(1))
        return vector


class ConvTrunk(nn.Module):
    """One frame of each track through front and blocks, with their memories."""

    def __init__(self, front: nn.Module, blocks: Sequence[FoldedP3D]) -> None:
        super().__init__()
        self.front, self.blocks = front, nn.ModuleList(blocks)

    def forward(self, frames: Tensor, real: Tensor, flags: Tensor, *states: Tensor) -> tuple[Tensor, ...]:
        """frames (N, C, H, W), real (N, 1), flags (N, B), B states -> map, its flag, flags, B states."""
        maps, flag = self.front(frames), real
        fresh: list[Tensor] = []
        for k, (block, state) in enumerate(zip(self.blocks, states, strict=True)):
            assert isinstance(block, FoldedP3D)
            maps, after = block.step(maps, flag, state)
            fresh.append(after)
            flag = flags[:, k : k + 1]
        shifted = torch.cat([real, flags[:, :-1]], 1)
        return (maps * flag[:, :, None, None], flag, shifted, *fresh)


class ConvStreaming(StreamingPair):
    """The streaming pair of a convolutional net; the look-ahead is the number of its P3D blocks."""

    def __init__(self, front: nn.Module, blocks: Sequence[FoldedP3D], head: Head) -> None:
        self.trunk = ConvTrunk(front, blocks).eval()
        self.head = head.eval()
        self.look_ahead = len(blocks)
        self._shapes = [(3 * block.channels, block.height, block.width) for block in blocks]

    def fresh(self, batch: int) -> tuple[Tensor, ...]:
        """Zeros: the flags (N, B), then a state for each block."""
        flags = torch.zeros(batch, self.look_ahead)
        return (flags, *(torch.zeros(batch, *shape) for shape in self._shapes))

    def state_names(self) -> tuple[str, ...]:
        """flags, state_0, state_1, ..."""
        return ("flags", *(f"state_{k}" for k in range(self.look_ahead)))


def stream(pair: StreamingPair, frames: Tensor) -> Tensor:
    """What the pair says of (N, T, *frame_shape): frame by frame, padding last, the maximum, the head."""
    batch, real = frames.shape[0], torch.ones(frames.shape[0], 1)
    blank = torch.zeros_like(frames[:, 0])
    states: tuple[Tensor, ...] = pair.fresh(batch)
    best: Tensor | None = None
    for t in range(frames.shape[1] + pair.look_ahead):
        inside = t < frames.shape[1]
        image, flag = (frames[:, t], real) if inside else (blank, torch.zeros_like(real))
        current, _, *rest = pair.trunk(image, flag, *states)
        states = tuple(rest)
        best = current if best is None else torch.maximum(best, current)
    assert best is not None, "a sequence without frames has no embedding"
    vector: Tensor = pair.head(best)
    return vector
