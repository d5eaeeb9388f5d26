"""Capture times grow strictly whatever a file says, and good stamps are left alone."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from stream.sources.base import NS_PER_S
from stream.sources.clock import (
    JITTER_NS,
    MAX_BACKLOG,
    RESTART_NS,
    WINDOW_NS,
    Backlog,
    LiveClock,
    RecordedClock,
    SteadyPace,
    host_clock,
    to_ns,
)

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


live_pictures = st.lists(
    st.tuples(st.none() | st.integers(-(2**62), 2**62), st.integers(0, 10**10)), min_size=1, max_size=60
)
MS = 1_000_000


@given(live_pictures, st.integers(0, 2**61))
def test_live_times_grow_strictly_and_never_lie_ahead_for_any_stamps(
    pictures: list[tuple[int | None, int]], begin_ns: int
) -> None:
    clock = LiveClock()
    arrival_ns, times = begin_ns, []
    for stamp_ns, gap_ns in pictures:
        arrival_ns += gap_ns + 1
        times.append(clock.capture(stamp_ns, arrival_ns))
        assert arrival_ns - JITTER_NS <= times[-1] <= arrival_ns
    assert all(later > earlier for earlier, later in pairwise(times))


@given(st.lists(st.integers(0, 60), min_size=60, max_size=120), st.integers(-(2**60), 2**60))
def test_what_waited_on_its_way_gets_the_time_it_was_taken(waits_ms: list[int], ahead_ns: int) -> None:
    clock = LiveClock()
    waits_ms[19:21] = [0, 0]  # one picture comes through without waiting: from then on the distance is known
    arrival_ns, times = 0, []
    for n, wait_ms in enumerate(waits_ms):
        arrival_ns = max(arrival_ns, 10**12 + n * STEP + wait_ms * MS)  # none overtakes another
        times.append(clock.capture(n * STEP + ahead_ns, arrival_ns))
    assert times[20:] == [10**12 + n * STEP for n in range(20, len(waits_ms))]


def test_the_distance_between_the_clocks_is_followed_as_it_drifts() -> None:
    clock = LiveClock()
    late_ns = 0
    for n in range(2000):
        arrival_ns = 10**12 + n * STEP + n * 4000  # the camera's clock is slow by 100 ppm
        late_ns = arrival_ns - clock.capture(n * STEP, arrival_ns)
    assert 0 <= late_ns <= WINDOW_NS // 10_000 + 4000


def test_stamps_that_jump_back_are_followed_at_once() -> None:
    clock = LiveClock()
    for n in range(10):
        clock.capture(n * STEP, 10**12 + n * STEP)
    assert clock.capture(0, 10**12 + 10**11) == 10**12 + 10**11


def test_the_hosts_clock_only_grows() -> None:
    clock = host_clock()
    assert all(later >= earlier for earlier, later in pairwise([clock() for _ in range(100)]))


@given(st.integers(0, 100))
def test_what_piled_up_is_skipped_and_nothing_after(piled: int) -> None:
    """Piled pictures are read in no time; from then on each comes when it is taken."""
    backlog = Backlog()
    arrivals = [n * 1000 for n in range(piled)]
    arrivals += [piled * 1000 + (1 + n) * STEP for n in range(20)]
    held = [backlog.holds(n * STEP, arrival_ns) for n, arrival_ns in enumerate(arrivals)]
    assert held == [n < max(piled, 1) for n in range(len(arrivals))]
    assert backlog.skipped == max(piled, 1)


@given(st.lists(st.tuples(st.none() | st.integers(-(2**62), 2**62), st.integers(0, 10**10)), max_size=400))
def test_a_connection_is_never_skipped_for_good(pictures: list[tuple[int | None, int]]) -> None:
    backlog = Backlog()
    held = [backlog.holds(stamp_ns, arrival_ns) for stamp_ns, arrival_ns in pictures]
    assert held == sorted(held, reverse=True)  # once over, over
    assert backlog.skipped == sum(held) <= MAX_BACKLOG + 1


def test_without_stamps_only_the_first_two_are_skipped() -> None:
    backlog = Backlog()
    assert [backlog.holds(None, n) for n in range(5)] == [True, True, False, False, False]


class Time:
    """A clock that only sleeping moves on."""

    def __init__(self) -> None:
        self.ns = 0

    def sleep(self, seconds: float) -> None:
        self.ns += round(seconds * NS_PER_S)


def test_heaps_are_handed_out_at_their_pace_and_after_a_gap_anew() -> None:
    time, step_ns = Time(), NS_PER_S // 25
    pace, out = SteadyPace(lambda: time.ns, time.sleep), []
    for number in range(50):  # a heap of two seconds, all there at once
        pace.wait(7 * NS_PER_S + number * step_ns)
        out.append(time.ns)
    assert out == [number * step_ns for number in range(50)]
    time.ns += 3 * NS_PER_S  # the next piece is late
    begin_ns = time.ns
    for number in range(50, 100):
        pace.wait(7 * NS_PER_S + number * step_ns)
        out.append(time.ns)
    assert out[50:] == [begin_ns + number * step_ns for number in range(50)], "no heap after the gap either"


def test_stamps_that_jump_keep_nobody_waiting() -> None:
    time = Time()
    pace = SteadyPace(lambda: time.ns, time.sleep)
    for stamp_ns in (0, 3600 * NS_PER_S, None, 5, 6):
        pace.wait(stamp_ns)
    assert time.ns < NS_PER_S
