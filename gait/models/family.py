"""What every gait family offers, so that training, description and export need not know which one it is.

A net takes one tensor, (N, T, *frame_shape): N sequences of T frames. It answers with ``Features``. The
families differ in what a frame is: a stack of maps (C, H, W), joints (K, 3), or joint features.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import msgspec
import torch
from torch import Tensor, nn

Which = Literal["embed_1", "embed_2"]


@dataclass(frozen=True)
class Features:
    """What a net says of N sequences; P strips of C numbers each (P is 1 for skeleton graphs).

    ``embed_1`` (N, C, P) before the neck, the usual test feature; ``embed_2`` (N, C, P) after it;
    ``logits`` (N, classes, P), or None where the net was built without a classifier.
    """

    embed_1: Tensor
    embed_2: Tensor
    logits: Tensor | None


class StreamingPair(ABC):
    """A max-pooled net cut in two at the maximum over time, exact frame by frame.

    ``trunk(frames (N, *frame_shape), real (N, 1), *states) -> (map (N, C, H, W), real (N, 1), *states)``
    takes one frame of N tracks and gives the map of the frame ``look_ahead`` steps earlier, zero where that
    frame is not real. ``real`` is 1 for a frame and 0 for the padding fed after the last one. Fresh states
    are zeros. ``head(map) -> vector (N, D)`` takes the element-wise maximum of the maps.
    """

    trunk: nn.Module
    head: nn.Module
    look_ahead: int

    @abstractmethod
    def fresh(self, batch: int) -> tuple[Tensor, ...]:
        """The states of ``batch`` tracks that have seen nothing."""

    @abstractmethod
    def state_names(self) -> tuple[str, ...]:
        """A name for each state."""


class GaitNet(nn.Module, ABC):
    """The base of every family's net."""

    family: ClassVar[str]

    @property
    @abstractmethod
    def frame_shape(self) -> tuple[int, ...]:
        """The shape of one input frame."""

    @property
    @abstractmethod
    def vector_shape(self) -> tuple[int, int]:
        """(strips P, numbers per strip C) of an embedding."""

    @property
    @abstractmethod
    def receptive_frames(self) -> int | None:
        """How many input frames one frame before the pooling over time sees; None: the whole window."""

    @abstractmethod
    def forward(self, frames: Tensor, valid: Tensor | None = None) -> Features:
        """``frames`` (N, T, *frame_shape); ``valid`` (N, T) bool: frames that may enter the pooling."""

    @abstractmethod
    def flat(self, frames: int, which: Which = "embed_1") -> nn.Module:
        """The whole-window form for export, of T = ``frames``: plain operators, batch norms folded.

        Input as ``flat_input`` shapes it; output (N, P * C), strip by strip, each strip of unit length and
        divided by the root of P, so that an inner product is the mean strip cosine.
        """

    def flat_input(self, frames: Tensor) -> Tensor:
        """(N, T, *frame_shape) as ``flat`` takes it: (N * T, *frame_shape) unless a family says otherwise."""
        return frames.flatten(0, 1)

    def streaming(self, which: Which = "embed_1") -> StreamingPair | None:  # noqa: ARG002 - for overriding
        """The streaming pair, for the max-pooled families; None: the window is run again."""
        return None

    def vector(self, features: Features, which: Which = "embed_1") -> Tensor:
        """The embedding (N, P * C) that travels, from ``Features``; equal to what ``flat`` computes."""
        return unit_strips((features.embed_1 if which == "embed_1" else features.embed_2).transpose(1, 2))

    def example(self, batch: int, frames: int, seed: int = 0) -> Tensor:
        """A random input (batch, frames, *frame_shape) in the range that the net expects."""
        generator = torch.Generator().manual_seed(seed)
        return torch.rand(batch, frames, *self.frame_shape, generator=generator)


@dataclass(frozen=True)
class Family:
    """One entry of the registry: what it is, its sizes and how it is built.

    ``layout`` names the joints it takes ("" where it takes none); ``frames`` is its usual window.
    """

    name: str
    summary: str
    config: type[msgspec.Struct]
    sizes: Mapping[str, Any]
    build: Callable[[Any], GaitNet]
    layout: str
    frames: int


def unit_strips(strips: Tensor, count: int | None = None) -> Tensor:
    """(N, P, C) -> (N, P * C): each strip of unit length, divided by the root of P.

    ``count`` is P as a number, for graphs that are traced.
    """
    length = strips.pow(2).sum(dim=2, keepdim=True).sqrt().clamp_min(1e-12)
    return torch.div(strips, length * math.sqrt(count or strips.shape[1])).flatten(1)
