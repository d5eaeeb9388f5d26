"""Which frames of a sequence a training clip takes; every sampler is pure and takes its own random source."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from gait.training.config import ClipSection
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


def contiguous(have: int, rng: np.random.Generator, *, want: int = CLIP_FRAMES) -> Indices:
    """``want`` frames in a row from a random start; a sequence too short is repeated."""
    return contiguous_with_drops(have, rng, want=want, dropped=0)


def in_runs(have: int, rng: np.random.Generator, *, want: int = CLIP_FRAMES, runs: int = 2) -> Indices:
    """``runs`` stretches of ``want / runs`` frames in a row, one from each part of the sequence, in order.

    Motion within a stretch, and postures from all over the walk, at the cost of few frames. A sequence too
    short for that is repeated.
    """
    _check(have, want, runs)
    each = want // runs
    room = max(have - each * runs, 0)
    starts = np.sort(rng.integers(0, room + 1, runs)) + each * np.arange(runs)
    return np.asarray((starts[:, None] + np.arange(each)).ravel() % have, np.int64)


def ordered(have: int, rng: np.random.Generator, *, want: int = CLIP_FRAMES) -> Indices:
    """``want`` frames anywhere in the sequence, in order; drawn again and again from a shorter one."""
    return np.sort(unordered(have, rng, want=want))


def unordered(have: int, rng: np.random.Generator, *, want: int = CLIP_FRAMES) -> Indices:
    """``want`` frames anywhere, as a set: no frame comes twice before all have come."""
    _check(have, want, 1)
    rounds = [rng.permutation(have) for _ in range(-(-want // have))]
    return np.concatenate(rounds)[:want].astype(np.int64)


def whole(have: int, longest: int) -> Indices:
    """A sequence as it is judged: all its frames in order, of a longer one the middle ``longest``."""
    _check(have, longest, 1)
    start = max(have - longest, 0) // 2
    return np.arange(start, start + min(have, longest), dtype=np.int64)


def clip(section: ClipSection, have: int, rng: np.random.Generator) -> Indices:
    """The frames of one training clip as the config asks for them."""
    if section.kind == "every_nth":
        return every_nth(have, rng, want=section.frames, stride=section.stride)
    if section.kind == "contiguous_with_drops":
        return contiguous_with_drops(have, rng, want=section.frames, dropped=section.dropped)
    if section.kind == "runs":
        return in_runs(have, rng, want=section.frames, runs=section.runs)
    simple = {"contiguous": contiguous, "ordered": ordered, "unordered": unordered}
    return simple[section.kind](have, rng, want=section.frames)


def _check(have: int, want: int, at_least_one: int) -> None:
    if have < 1 or want < 1 or at_least_one < 1:
        raise ConfigError(
            f"cannot take {want} frames of {have}", where="clip sampling", wanted="at least one of each"
        )
