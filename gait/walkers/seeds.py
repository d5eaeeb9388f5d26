"""One seed, many independent streams: a draw for one purpose never shifts those for another."""

from __future__ import annotations

import zlib

import numpy as np


def stream(seed: int, *names: str | int) -> np.random.Generator:
    """A generator that depends on ``seed`` and ``names`` alone, never on the order of calls."""
    keys = [zlib.crc32(str(name).encode()) for name in names]
    return np.random.default_rng(np.random.SeedSequence([seed, *keys]))


def bounded(rng: np.random.Generator, mean: float, sd: float, low: float, high: float) -> float:
    """A normal value kept inside [low, high] by drawing again, so that no mass piles up at the ends."""
    for _ in range(64):
        value = float(rng.normal(mean, sd))
        if low <= value <= high:
            return value
    return float(np.clip(mean, low, high))
