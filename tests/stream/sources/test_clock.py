"""Capture times grow strictly whatever a file says, and good stamps are left alone."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from stream.sources.clock import RESTART_NS, RecordedClock, to_ns

STEP = 40_000_000
stamps = st.lists(st.one_of(st.none(), st.integers(-(2**62), 2**62)), max_size=60)


@given(stamps, st.integers(0, 2**61))
def test_times_grow_strictly_from_the_epoch_for_any_stamps(stamps: list[int | None], epoch_ns: int) -> None:
    clock = RecordedClock(epoch_ns, STEP)
    times = [clock.capture(stamp) for stamp in stamps]
    assert all(later > earlier for earlier, later in pairwise(times))
    assert times[:1] == [epoch_ns][: len(times)]


@given(st.sets(st.integers(0, 2**50), min_size=1, max_size=60), st.integers(0, 2**61))
def test_good_stamps_are_shifted_and_nothing_else(stamps: set[int], epoch_ns: int) -> None:
    clock = RecordedClock(epoch_ns, STEP)
    ordered = sorted(stamps)
    assert [clock.capture(stamp) - epoch_ns for stamp in ordered] == [stamp - ordered[0] for stamp in ordered]
    assert clock.notes == ()


@given(stamps)
def test_every_picture_is_either_good_or_counted(stamps: list[int | None]) -> None:
    clock = RecordedClock(0, STEP)
    for stamp in stamps:
        clock.capture(stamp)
    assert clock.missing == stamps.count(None)
    assert clock.missing + clock.repeated + clock.restarted <= len(stamps)


def test_a_repeated_stamp_moves_one_step_and_the_next_keeps_its_place() -> None:
    clock = RecordedClock(0, STEP)
    assert [clock.capture(stamp) for stamp in (0, STEP, STEP, 3 * STEP)] == [0, STEP, 2 * STEP, 3 * STEP]
    assert clock.notes == ("timestamps repaired: 1 repeated",)


def test_a_missing_stamp_moves_one_step() -> None:
    clock = RecordedClock(0, STEP)
    assert [clock.capture(stamp) for stamp in (0, None, 2 * STEP)] == [0, STEP, 2 * STEP]


def test_a_clock_that_starts_anew_takes_all_later_stamps_along() -> None:
    clock = RecordedClock(0, STEP)
    assert [clock.capture(stamp) for stamp in (0, 2 * RESTART_NS, 0, 10 * STEP)] == [
        0,
        2 * RESTART_NS,
        2 * RESTART_NS + STEP,
        2 * RESTART_NS + 11 * STEP,
    ]
    assert clock.restarted == 1


def test_stamps_turn_into_nanoseconds_without_floats() -> None:
    assert to_ns(2**40, Fraction(1, 90_000)) == 2**40 * 10**9 // 90_000
