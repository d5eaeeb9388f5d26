"""Small operations on tensors that several families need."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from functools import reduce

import torch
from torch import Tensor


def fixed(size: int) -> int:
    """A size that an exported graph may hold as a constant; everything but the batch is one.

    While a graph is traced, a size is a tensor in disguise, and each use of it would become operators.
    """
    if not torch.onnx.is_in_onnx_export():
        return size
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tracer warns that the constant is one; that is the point
        return int(size)


def hold_valid(frames: Tensor, valid: Tensor | None) -> Tensor:
    """(N, T, ...): each invalid frame replaced by the valid one before it, at the start by the first.

    ``valid`` (N, T) bool or None for all. A sequence without a valid frame becomes zeros.
    """
    if valid is None:
        return frames
    steps = torch.arange(frames.shape[1], device=frames.device).expand(valid.shape)
    last = torch.where(valid, steps, -1).cummax(dim=1).values
    first = torch.where(valid, steps, frames.shape[1] - 1).amin(dim=1, keepdim=True)
    source = torch.where(last < 0, first, last)
    batch = torch.arange(len(frames), device=frames.device)[:, None]
    held = frames[batch, source]
    some = valid.any(dim=1).reshape(-1, *[1] * (frames.ndim - 1))
    return torch.where(some, held, torch.zeros_like(held))


def sum_of(parts: Iterable[Tensor]) -> Tensor:
    """The sum of at least one tensor, without the leading zero of ``sum``."""
    return reduce(torch.add, parts)
