"""Does a family work here: a sample is loaded, drawn, fused and trained on for one step."""

from __future__ import annotations

import msgspec
import numpy as np
import torch
from torch import Tensor

from gait.inputs import prepare
from gait.models import registry
from gait.models.family import Features, GaitNet
from gait.models.input_spec import spec_of
from gait.sample import sample_walk
from gait.training.losses import cross_entropy, triplet

PEOPLE, WALKS_EACH = 3, 2


class Check(msgspec.Struct, frozen=True):
    """What a check saw: the batch that went in, what came out, and that one step moved the weights.

    ``channels`` (lowest, mean, highest) of each channel or coordinate of the input.
    """

    family: str
    size: str
    people: int
    silhouettes: tuple[int, ...]
    skeletons: tuple[int, ...]
    batch: tuple[int, ...]
    channels: tuple[tuple[float, float, float], ...]
    embedding: tuple[int, ...]
    triplet: float
    cross_entropy: float | None
    gradient: float
    moved: float
    silent: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether every loss is a number, every weight got a gradient, and the step changed something."""
        numbers = [self.triplet, self.gradient, self.moved, self.cross_entropy or 0.0]
        return bool(np.isfinite(numbers).all()) and self.moved > 0 and not self.silent


def check(name: str, size: str = "tiny", frames: int = 12, seed: int = 0) -> Check:
    """Build a family's net, feed it generated walks and take one training step."""
    fields = registry.family(name).config.__struct_fields__
    torch.manual_seed(seed)
    net = registry.build(name, size, **({"classes": PEOPLE} if "classes" in fields else {}))
    walks = [
        sample_walk(seed * PEOPLE + person, frames, phase=0.3 * turn)
        for person in range(PEOPLE)
        for turn in range(WALKS_EACH)
    ]
    net.train()
    batch = torch.from_numpy(np.stack([prepare(spec_of(net), walk) for walk in walks]))
    labels = torch.arange(PEOPLE).repeat_interleave(WALKS_EACH)
    step = _train_once(net, batch, labels)
    return Check(
        family=name,
        size=size,
        people=PEOPLE,
        silhouettes=walks[0].silhouettes.shape,
        skeletons=walks[0].joints_2d.shape,
        batch=tuple(batch.shape),
        channels=_channels(net, batch),
        embedding=tuple(step.features.embed_1.shape),
        triplet=step.triplet,
        cross_entropy=step.cross_entropy,
        gradient=step.gradient,
        moved=step.moved,
        silent=step.silent,
    )


class _Step(msgspec.Struct, frozen=True):
    features: Features
    triplet: float
    cross_entropy: float | None
    gradient: float
    moved: float
    silent: tuple[str, ...]


def _train_once(net: GaitNet, batch: Tensor, labels: Tensor, rate: float = 0.01) -> _Step:
    before = {name: parameter.detach().clone() for name, parameter in net.named_parameters()}
    optimiser = torch.optim.SGD(net.parameters(), lr=rate)
    features = net(batch)
    apart = triplet(features.embed_1, labels).value
    named = None if features.logits is None else cross_entropy(features.logits, labels)
    loss = apart if named is None else apart + named
    torch.autograd.backward(loss)
    silent = tuple(name for name, part in net.named_parameters() if part.grad is None)
    squares = sum(
        (float(part.grad.square().sum()) for part in net.parameters() if part.grad is not None), start=0.0
    )
    optimiser.step()
    moved = max(float((part.detach() - before[name]).abs().max()) for name, part in net.named_parameters())
    return _Step(
        features, apart.item(), None if named is None else named.item(), float(squares**0.5), moved, silent
    )


def _channels(net: GaitNet, batch: Tensor) -> tuple[tuple[float, float, float], ...]:
    """Along the channel axis of maps, along the last axis of joints."""
    axis = 2 if len(net.frame_shape) == 3 and net.frame_shape[-1] > 5 else batch.ndim - 1
    rows = batch.movedim(axis, 0).flatten(1)
    return tuple((float(row.min()), float(row.mean()), float(row.max())) for row in rows)
