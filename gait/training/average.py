"""A moving average of a net's weights (EMA), and the patience that ends a run."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn

N = TypeVar("N", bound=nn.Module)


class Average(Generic[N]):
    """A second net that follows the first: weights by decay, batch norms' statistics likewise."""

    def __init__(self, net: N, decay: float) -> None:
        self.net: N = copy.deepcopy(net).eval().requires_grad_(requires_grad=False)
        self.decay = decay

    @torch.no_grad()
    def update(self, net: nn.Module, step: int) -> None:
        """After step ``step`` (the first is 0); early steps weigh more, so that the start is forgotten."""
        decay = min(self.decay, (1 + step) / (10 + step))
        theirs = net.state_dict()
        for name, mine in self.net.state_dict().items():
            if mine.is_floating_point():
                mine.lerp_(theirs[name], 1 - decay)
            else:
                mine.copy_(theirs[name])

    def state(self) -> dict[str, Tensor]:
        """The averaged weights by name."""
        return dict(self.net.state_dict())


@dataclass(frozen=True)
class Patience:
    """The best score so far, at which step, and how many validations ago; higher is better."""

    best: float = float("-inf")
    best_step: int = -1
    waited: int = 0

    def after(self, score: float, step: int) -> Patience:
        """With one more validation; a tie is no improvement, a score that is no number neither."""
        if score > self.best:
            return Patience(score, step, 0)
        return Patience(self.best, self.best_step, self.waited + 1)

    def is_over(self, allowed: int) -> bool:
        """Whether ``allowed`` validations (0: any number) brought nothing better."""
        return bool(allowed) and self.waited >= allowed
