"""A pyramid over time: what each of 1, 2, 4 and 8 stretches of a walk says, brought to one vector."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_linear_bn_eval

from gait.models.tensors import fixed

# Keeps the root's gradient finite where a bin does not move.
DEVIATION_EPSILON: Final = 1e-8


class TimePyramid(nn.Module):
    """Mean, max and deviation of each bin; per level a shared linear layer, ReLU and the mean of its bins."""

    def __init__(self, bins: Sequence[int], width: int, bin_width: int, hidden: int, embedding: int) -> None:
        super().__init__()
        self.bins = tuple(bins)
        self.levels = nn.ModuleList([nn.Linear(3 * width, bin_width) for _ in self.bins])
        self.narrow = nn.Linear(bin_width * len(self.bins), hidden)
        self.narrow_norm: nn.Module = nn.BatchNorm1d(hidden)
        self.out = nn.Linear(hidden, embedding)
        self.out_norm: nn.Module = nn.BatchNorm1d(embedding)

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, width) -> (N, embedding)."""
        levels = []
        for count, linear in zip(self.bins, self.levels, strict=True):
            bins = torch.cat([bin_statistics(part) for part in split_evenly(x, count)], dim=1)
            levels.append(torch.relu(linear(bins)).mean(dim=1))
        narrow = torch.relu(self.narrow_norm(self.narrow(torch.cat(levels, dim=-1))))
        y: Tensor = self.out_norm(self.out(narrow))
        return y

    def fold(self) -> None:
        """In place, for evaluation: each linear layer and the batch norm after it into one."""
        if isinstance(self.narrow_norm, nn.BatchNorm1d) and isinstance(self.out_norm, nn.BatchNorm1d):
            self.narrow = fuse_linear_bn_eval(self.narrow, self.narrow_norm)
            self.out = fuse_linear_bn_eval(self.out, self.out_norm)
            self.narrow_norm, self.out_norm = nn.Identity(), nn.Identity()


def split_evenly(x: Tensor, count: int) -> list[Tensor]:
    """``count`` parts over time, as even as can be; with fewer frames than parts, parts share frames."""
    frames = fixed(x.shape[1])
    bounds = [(i * frames // count, -(-(i + 1) * frames // count)) for i in range(count)]
    return [x[:, start:end] for start, end in bounds]


def bin_statistics(part: Tensor) -> Tensor:
    """(N, t, C) -> (N, 1, 3 C): mean, max, standard deviation (of the population: one frame has 0)."""
    mean = part.mean(dim=1, keepdim=True)
    variance = ((part - mean) ** 2).mean(dim=1, keepdim=True)
    deviation = torch.sqrt(variance + DEVIATION_EPSILON)
    return torch.cat([mean, part.amax(dim=1, keepdim=True), deviation], dim=-1)
