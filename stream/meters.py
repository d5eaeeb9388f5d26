"""How long frames take and how old they are: histograms, counted where it happens.

They lie in the ledger's rows beside its counts: one writer each, no message, no lock, and they outlive the
process. Unlike counts they are never restored from a checkpoint: what a stage computes a second time took
its time twice.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate
from typing import Final, get_args

import msgspec

from stream.messages import EventKind, Identity

_NS_PER_S: Final = 1_000_000_000
BOUNDS_S: Final = (
    *(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.02, 0.035),
    *(0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0),
)
"""Upper bounds: from the 60 us of a hop to seconds, closest around one frame at 10 to 30 a second."""
KINDS: Final[tuple[str, ...]] = get_args(EventKind)
ANSWERS: Final = ("person", "unknown", "insufficient_evidence")

_BOUNDS_NS: Final = [round(bound * _NS_PER_S) for bound in BOUNDS_S]
_LONGEST_NS: Final = 60 * _NS_PER_S  # longer is a clock that is wrong; the sum is not to be spoilt by it
_MOST: Final = (1 << 63) - 1
_WIDTH: Final = len(BOUNDS_S) + 2  # a bucket above the last bound, and the sum
_TAKES, _AGE, _EVENT_AGE = 0, _WIDTH, 2 * _WIDTH
_KIND: Final = 3 * _WIDTH
_ANSWER: Final = _KIND + len(KINDS)
WORDS: Final = _ANSWER + len(ANSWERS)
"""Words of 8 bytes that one stage and camera need."""


class Histogram(msgspec.Struct, frozen=True):
    """How often each duration came: ``counts[i]`` up to ``BOUNDS_S[i]``, the last one above all of them."""

    counts: tuple[int, ...] = (0,) * (len(BOUNDS_S) + 1)
    sum_s: float = 0.0

    @property
    def count(self) -> int:
        """How many durations there are."""
        return sum(self.counts)

    @property
    def mean_s(self) -> float | None:
        """Their mean; None where there are none."""
        return self.sum_s / self.count if self.count else None

    def quantile_s(self, share: float) -> float | None:
        """The duration that ``share`` of them stay below, interpolated in its bucket; None for none."""
        total = self.count
        if not total:
            return None
        below = [0, *accumulate(self.counts)]
        index = min(bisect_left(below, share * total, lo=1), len(self.counts)) - 1
        if index == len(BOUNDS_S):
            return BOUNDS_S[-1]  # somewhere above: the histogram cannot say where
        lower = BOUNDS_S[index - 1] if index else 0.0
        part = (share * total - below[index]) / max(1, self.counts[index])
        return lower + (BOUNDS_S[index] - lower) * part

    def since(self, earlier: Histogram) -> Histogram:
        """What came after ``earlier``; all of it where this is of another run."""
        counts = tuple(now - then for now, then in zip(self.counts, earlier.counts, strict=True))
        return self if min(counts) < 0 else Histogram(counts, self.sum_s - earlier.sum_s)


class Measured(msgspec.Struct, frozen=True):
    """What one stage measured of one camera.

    ``takes``: handling one frame. ``age``: from capture until the stage had handled the frame; live cameras
    only. ``event_age``: from capture until the event was out. ``kinds`` and ``answers`` count events.
    """

    takes: Histogram
    age: Histogram
    event_age: Histogram
    kinds: dict[str, int]
    answers: dict[str, int]


class StageMeters:
    """One stage's measurements; for one thread. ``place`` says at which word a camera's begin."""

    def __init__(self, words: memoryview, place: Callable[[str], int]) -> None:
        self._words, self._place = words, place

    def took(self, camera: str, duration_ns: int) -> None:
        """A frame was handled in so long."""
        self._add(self._place(camera) + _TAKES, duration_ns)

    def aged(self, camera: str, age_ns: int) -> None:
        """So long after its capture the frame has been handled."""
        self._add(self._place(camera) + _AGE, age_ns)

    def event(self, camera: str, kind: str, answer: str | None, age_ns: int | None) -> None:
        """An event is out, ``age_ns`` after its frame was captured (None: nobody knows)."""
        at = self._place(camera)
        self._words[at + _KIND + KINDS.index(kind)] += 1
        if answer is not None:
            self._words[at + _ANSWER + ANSWERS.index(answer)] += 1
        if age_ns is not None:
            self._add(at + _EVENT_AGE, age_ns)

    def read(self, camera: str) -> Measured:
        """All of it, from any thread or process."""
        at = self._place(camera)
        words = self._words[at : at + WORDS].tolist()
        return Measured(
            takes=_histogram(words[_TAKES:_AGE]),
            age=_histogram(words[_AGE:_EVENT_AGE]),
            event_age=_histogram(words[_EVENT_AGE:_KIND]),
            kinds=_counted(KINDS, words[_KIND:_ANSWER]),
            answers=_counted(ANSWERS, words[_ANSWER:]),
        )

    def _add(self, at: int, duration_ns: int) -> None:
        words, place = self._words, at + _WIDTH - 1
        duration_ns = min(max(0, duration_ns), _LONGEST_NS)
        words[at + bisect_left(_BOUNDS_NS, duration_ns)] += 1
        words[place] = min(words[place] + duration_ns, _MOST)


def total(histograms: Iterable[Histogram]) -> Histogram:
    """Of all of them together."""
    found = list(histograms)
    counts = [sum(column) for column in zip(*(one.counts for one in found), strict=True)]
    return Histogram(tuple(counts), sum(one.sum_s for one in found)) if found else Histogram()


def _histogram(words: Sequence[int]) -> Histogram:
    return Histogram(tuple(words[:-1]), words[-1] / _NS_PER_S)


def _counted(names: Sequence[str], words: Sequence[int]) -> dict[str, int]:
    return dict(zip(names, words, strict=True))


assert get_args(msgspec.structs.fields(Identity)[0].type) == ANSWERS
