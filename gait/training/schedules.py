"""The learning rate as a function of the step alone, so that a resumed run needs no schedule's state."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import nn, optim

from gait.training.config import OptimizerSection, ScheduleSection

# One cycle takes the momentum down as the rate goes up, between these, as Smith and Topin (2018) do.
HIGH_MOMENTUM = 0.95
LOW_MOMENTUM = 0.85


@dataclass(frozen=True)
class Pace:
    """What one step is taken with; ``momentum`` is None where the schedule leaves it alone."""

    rate: float
    momentum: float | None = None


def pace_at(step: int, section: ScheduleSection, rate: float, steps: int) -> Pace:
    """The pace of step ``step`` (the first is 0) of ``steps``; ``rate`` is the config's."""
    if section.kind == "multi_step":
        passed = sum(step >= milestone for milestone in section.milestones)
        return Pace(rate * section.factor**passed)
    if section.kind == "one_cycle":
        return _one_cycle(step, section, rate, steps)
    if section.kind == "warmup_cosine":
        return Pace(rate * _warmup_cosine(step, section.warmup_steps, steps))
    return Pace(rate)


def _one_cycle(step: int, section: ScheduleSection, peak: float, steps: int) -> Pace:
    """Up from peak / start over the first share of steps, down to peak / (start * end), on cosines."""
    first, last = peak / section.start, peak / (section.start * section.end)
    top = section.rise * steps - 1
    if step < top:
        share = step / top
        return Pace(_cosine(first, peak, share), _cosine(HIGH_MOMENTUM, LOW_MOMENTUM, share))
    share = (step - top) / max(steps - 1 - top, 1e-9)
    return Pace(_cosine(peak, last, share), _cosine(LOW_MOMENTUM, HIGH_MOMENTUM, share))


def _cosine(begin: float, end: float, share: float) -> float:
    return end + (begin - end) * (1 + math.cos(math.pi * min(share, 1.0))) / 2


def _warmup_cosine(step: int, warmup: int, steps: int) -> float:
    """Linear up to 1 over the warm-up, then half a cosine down to 0 at the end."""
    if step < warmup:
        return (step + 1) / warmup
    return (1 + math.cos(math.pi * (step - warmup) / max(steps - warmup, 1))) / 2


def make_optimizer(net: nn.Module, section: OptimizerSection) -> optim.Optimizer:
    """SGD or AdamW over all weights; gains and biases decay like the rest, as the published runs have it."""
    if section.kind == "adamw":
        return optim.AdamW(net.parameters(), lr=section.rate, weight_decay=section.weight_decay)
    return optim.SGD(
        net.parameters(), lr=section.rate, momentum=section.momentum, weight_decay=section.weight_decay
    )


def set_pace(optimizer: optim.Optimizer, pace: Pace) -> None:
    """The rate, and the momentum (AdamW's first beta), of every group."""
    for group in optimizer.param_groups:
        group["lr"] = pace.rate
        if pace.momentum is None:
            continue
        if "betas" in group:
            group["betas"] = (pace.momentum, group["betas"][1])
        elif group["momentum"] > 0:
            group["momentum"] = pace.momentum
