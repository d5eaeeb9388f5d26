"""Skeletons, nets and weights that the tests of the skeleton families share."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import torch
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import nn

Net = TypeVar("Net", bound=nn.Module)
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


def worn(net: Net, seed: int = 0) -> Net:
    """The net in evaluation mode as if trained: statistics, gains, edge masks and gates all away from start."""
    source = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for module in net.modules():
            if isinstance(module, NORMS):
                assert module.running_mean is not None
                assert module.running_var is not None
                module.running_mean.normal_(0.0, 0.3, generator=source)
                module.running_var.uniform_(0.5, 2.0, generator=source)
                module.weight.uniform_(0.5, 1.5, generator=source)
                module.bias.normal_(0.0, 0.2, generator=source)
        for name, parameter in net.named_parameters():
            if name.endswith("edge"):
                parameter.uniform_(0.5, 1.5, generator=source)
            elif name.endswith("gate"):
                parameter.fill_(0.7)
    return net.eval()


def walk(frames: int, joints: int, channels: int, seed: int = 0) -> NDArray[np.float32]:
    """Joints that swing about fixed places, (frames, joints, channels), none missing."""
    source = np.random.default_rng(seed)
    place = source.uniform(-1.0, 1.0, (1, joints, channels)) + 3.0
    swing = source.uniform(0.05, 0.3, (1, joints, channels))
    phase = source.uniform(0.0, 2 * np.pi, (1, joints, channels))
    steps = np.arange(frames)[:, None, None] * 0.25
    return (place + swing * np.sin(steps + phase)).astype(np.float32)


def pose_walk(frames: int, joints: int, seed: int = 0) -> NDArray[np.float32]:
    """(frames, joints, 3): x and y in pixels, confidence."""
    out = walk(frames, joints, 3, seed) * 40
    out[..., 2] = np.random.default_rng(seed + 1).uniform(0.3, 1.0, (frames, joints))
    return out


seeds = st.integers(0, 2**16)
frame_counts = st.integers(1, 12)
# What a broken pose net or file may say.
broken_values = st.sampled_from([0.0, float("nan"), float("inf"), -float("inf"), 1e30, -1e30, 1e6, 1e-30])
