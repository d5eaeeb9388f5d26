"""One step: forward, loss over the whole batch, backward, clipped, in the precision asked for."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from gait.models.conv import ConvNet
from gait.models.family import Features, GaitNet
from gait.training.batches import Batch
from gait.training.build import TYPES, compiled
from gait.training.config import ClipSection, TrainingConfig
from gait.training.objective import Objective
from gait.training.parallel import Processes
from gait.training.schedules import Pace, make_optimizer, set_pace
from stream.errors import ConfigError, MessageError

# A scale this small means that fp16 overflows whatever is done: the run itself diverges.
SMALLEST_SCALE = 1.0


@dataclass(frozen=True)
class Done:
    """What a step cost, before the weights moved."""

    loss: float
    parts: dict[str, float]


def pieces_of(net: GaitNet, clip: ClipSection) -> dict[str, int]:
    """What a net is told of clips that are several stretches of time; raises ConfigError for what cannot."""
    if clip.pieces == 1:
        return {}
    if not isinstance(net, ConvNet):
        raise ConfigError(
            f"{net.family} takes a clip as one stretch of time",
            where="sampler.clip.kind",
            wanted="contiguous, or a convolutional family",
        )
    return {"runs": clip.pieces}


class Stepper:
    """Moves the net's weights by one batch at a time."""

    def __init__(
        self, net: GaitNet, objective: Objective, config: TrainingConfig, processes: Processes
    ) -> None:
        self.objective, self.processes, self.net = objective, processes, net
        self.clip_norm = config.optimizer.clip_norm
        self.pieces = pieces_of(net, config.sampler.clip)
        self.kind = TYPES[config.trainer.precision]
        device = processes.device
        self.scaler = torch.GradScaler(device.type, enabled=self.kind is torch.float16)
        wrapped = processes.wrapped(net, all_used=objective.needs_classes())
        self.trained: nn.Module | Any = compiled(wrapped) if config.trainer.compiled else wrapped
        self.optimizer = make_optimizer(net, config.optimizer)

    def take(self, batch: Batch, pace: Pace, step: int) -> Done:
        """One step at that pace; raises MessageError where the loss is no number."""
        set_pace(self.optimizer, pace)
        device = self.processes.device
        frames, labels = (part.to(device, non_blocking=True) for part in batch)
        with torch.autocast(device.type, self.kind, enabled=self.kind is not torch.float32):
            features: Features = self.trained(frames, **self.pieces)
        loss = self.objective(*self.processes.whole(features, labels))
        value = float(loss.total.detach())
        self._check(value, step)
        self.optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(self.scaler.scale(self.processes.loss_to_minimise(loss.total, features)))
        if self.clip_norm:
            self.scaler.unscale_(self.optimizer)
            nn.utils.clip_grad_norm_(self.net.parameters(), self.clip_norm)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return Done(value, loss.parts)

    def _check(self, loss: float, step: int) -> None:
        """fp16 may overflow now and then: its scaler leaves such a step out."""
        scaled = self.scaler.is_enabled() and self.scaler.get_scale() > SMALLEST_SCALE
        if not math.isfinite(loss) and not scaled:
            raise MessageError(
                f"the loss is {loss} at step {step + 1}",
                fix="Lower optimizer.rate, set optimizer.clip_norm, or train in float32",
            )
