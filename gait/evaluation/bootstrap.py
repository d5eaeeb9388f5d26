"""Intervals that know that one person's walks are not independent: people are redrawn, not walks.

The gallery stays as it is; the people who are searched for are drawn anew with replacement, each with all
their searches and pairs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

REPLICATES: Final = 1000
CONFIDENCE: Final = 0.95


class Estimate(msgspec.Struct, frozen=True):
    """A figure and its interval; null where it is not defined (no mates, no strangers, one person)."""

    value: float | None
    low: float | None = None
    high: float | None = None


def draws(people: int, replicates: int = REPLICATES, seed: int = 0) -> Floats:
    """(replicates, people): how often each person was drawn, as many draws as people."""
    if people < 2 or replicates < 1:
        return np.zeros((0, people))
    chances = np.full(people, 1 / people)
    return np.random.default_rng(seed).multinomial(people, chances, replicates).astype(np.float64)


def estimate(value: float, weights: Floats, of: Callable[[Floats], float]) -> Estimate:
    """``value`` with the percentile interval of ``of(weights of one replicate)``."""
    return around(value, np.array([of(row) for row in weights], np.float64))


def around(value: float, replicates: Floats, confidence: float = CONFIDENCE) -> Estimate:
    """``value`` with the percentile interval of the replicates that are defined."""
    if not np.isfinite(value):
        return Estimate(None)
    known = replicates[np.isfinite(replicates)]
    if not known.size:
        return Estimate(float(value))
    low, high = np.quantile(known, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Estimate(float(value), float(low), float(high))


def cell_means(
    hits: NDArray[np.float64], counts: NDArray[np.float64], weights: Floats | None = None
) -> Floats:
    """Mean over cells of each cell's share of hits; (people, cells) and weights (R, people) -> (R,).

    A cell without searches does not count; NaN where no cell has any.
    """
    each = np.ones((1, len(hits))) if weights is None else weights
    got, searched = each @ hits, each @ counts
    share = np.divide(got, searched, out=np.full_like(got, np.nan), where=searched > 0)
    known = np.isfinite(share)
    total, cells = np.where(known, share, 0).sum(axis=1), known.sum(axis=1)
    return np.asarray(np.divide(total, cells, out=np.full(len(each), np.nan), where=cells > 0))
