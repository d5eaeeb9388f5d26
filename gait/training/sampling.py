"""Which frames of a sequence a training clip takes; every sampler is pure and takes its own random source."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from stream.errors import ConfigError

Indices = NDArray[np.int64]

CLIP_FRAMES: Final = 30
STRIDE: Final = 4
DROPPED: Final = 4


def every_nth(
    have: int, rng: np.random.Generator, *, want: int = CLIP_FRAMES, stride: int = STRIDE
) -> Indices:
    """``want`` frames, each ``stride`` after the one before, from a random start: HybridGait's text.

    A sequence too short for that is walked round: its frames at the stride, again from the beginning.
    """
    _check(have, want, stride)
    reach = (want - 1) * stride + 1
    start = int(rng.integers(0, max(have - reach, 0) + 1))
    return (start + stride * np.arange(want, dtype=np.int64)) % have


def contiguous_with_drops(
    have: int, rng: np.random.Generator, *, want: int = CLIP_FRAMES, dropped: int = DROPPED
) -> Indices:
    """``want`` frames in order out of ``want + dropped`` contiguous ones, from a random start.

    What configs mean by ``frames_skip_num: 4``: 34 in a row, 4 of them left out. A sequence shorter than
    ``want + dropped`` is repeated until it is long enough.
    """
    _check(have, want, dropped + 1)
    span = want + dropped
    start = int(rng.integers(0, max(have - span, 0) + 1))
    kept = np.sort(rng.choice(span, size=want, replace=False))
    return (start + kept.astype(np.int64)) % have


def _check(have: int, want: int, at_least_one: int) -> None:
    if have < 1 or want < 1 or at_least_one < 1:
        raise ConfigError(
            f"cannot take {want} frames of {have}", where="clip sampling", wanted="at least one of each"
        )
