"""Histograms beside the counts: right to a bucket, kept through a kill, untouched by a checkpoint."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.figures import Figure, Figures, Watch
from stream.ledger import Count, Ledger
from stream.messages import EndOfStream, Event, FrameRef, Identified, Identity
from stream.meters import BOUNDS_S, Histogram, total
from tests.stream.leaks import no_leaks
from tests.stream.pipelines import reference

__all__ = ["no_leaks"]
MS = 1_000_000


@pytest.fixture
def ledger(tmp_path: Path):
    made = Ledger.create(tmp_path / "ledger", ["source", "publish"], ["door", "yard"])
    yield made
    made.close()


@given(
    st.lists(st.integers(min_value=1, max_value=4_900_000_000), min_size=1, max_size=60), st.floats(0.01, 1)
)
def test_a_quantile_lies_in_the_bucket_of_the_true_one(tmp_path_factory, durations, share) -> None:
    ledger = Ledger.create(tmp_path_factory.mktemp("m") / "ledger", ["source"], ["door"])
    meters = ledger.stage("source").meters
    for duration in durations:
        meters.took("door", duration)
    found = meters.read("door").takes
    ledger.close()
    true_s = sorted(durations)[max(0, -(-int(share * len(durations) * 1e6) // 1_000_000) - 1)] / 1e9
    upper = next(bound for bound in BOUNDS_S if true_s <= bound)
    lower = max((bound for bound in (0.0, *BOUNDS_S) if bound < upper), default=0.0)
    assert found.count == len(durations)
    assert found.sum_s == pytest.approx(sum(durations) / 1e9)
    assert lower <= found.quantile_s(share) <= upper or found.quantile_s(share) == pytest.approx(lower)


def test_nothing_has_no_quantile_and_above_the_last_bound_is_said_so() -> None:
    assert Histogram().quantile_s(0.5) is None
    assert Histogram().mean_s is None
    counts = [0] * (len(BOUNDS_S) + 1)
    counts[-1] = 3
    assert Histogram(tuple(counts), 30.0).quantile_s(0.5) == BOUNDS_S[-1]


def test_what_came_since_is_a_difference_and_a_new_run_counts_whole(ledger: Ledger) -> None:
    meters = ledger.stage("source").meters
    meters.took("door", 3 * MS)
    before = meters.read("door").takes
    meters.took("door", 60 * MS)
    since = meters.read("door").takes.since(before)
    assert (since.count, since.sum_s) == (1, pytest.approx(0.06))
    assert Histogram().since(before) == Histogram()
    assert total([before, since]).count == 2
    assert total([]) == Histogram()


def test_meters_outlive_the_writer_and_a_checkpoint_leaves_them_alone(ledger: Ledger) -> None:
    rows = ledger.stage("source")
    kept = rows.counts()
    rows.count("door", Count.CAPTURED)
    rows.meters.took("door", 3 * MS)
    rows.restore(kept)
    other = Ledger.open(ledger.path)
    read = other.stage("source")
    assert read.value("door", Count.CAPTURED) == 0
    assert read.meters.read("door").takes.count == 1
    assert read.meters.read("yard").takes.count == 0
    other.close()


def test_a_camera_attached_later_has_meters_of_its_own(ledger: Ledger) -> None:
    rows = ledger.stage("source")
    ledger.attach("late")
    rows.meters.took("late", MS)
    assert rows.meters.read("late").takes.count == 1
    assert rows.meters.read("door").takes.count == 0


def frame_of(camera: str, captured_ns: int) -> FrameRef:
    return FrameRef(camera, "run", 0, captured_ns, captured_ns, 640, 360)


def test_a_watch_measures_frames_and_ages_only_where_the_clock_is_ours(ledger: Ledger) -> None:
    rows = ledger.stage("source")
    watch = Watch(rows.meters, recorded=["yard"], clock_ns=lambda: 100 * MS)
    watch.handled(frame_of("door", 60 * MS), watch.begin())
    watch.handled(frame_of("yard", 60 * MS), watch.begin())
    door, yard = rows.meters.read("door"), rows.meters.read("yard")
    assert (door.takes.count, door.age.count, door.age.sum_s) == (1, 1, pytest.approx(0.04))
    assert (yard.takes.count, yard.age.count) == (1, 0)


def test_a_capture_time_ahead_of_our_clock_is_no_age(ledger: Ledger) -> None:
    rows = ledger.stage("source")
    Watch(rows.meters, clock_ns=lambda: 0).handled(frame_of("door", 60 * MS), 0)
    assert rows.meters.read("door").age.sum_s == 0


def test_no_clock_however_wrong_stops_a_stage(ledger: Ledger) -> None:
    meters = ledger.stage("source").meters
    for _ in range(3):
        meters.aged("door", 1 << 62)
        meters.aged("door", -(1 << 62))
    age = meters.read("door").age
    assert (age.count, age.counts[0], age.counts[-1], age.sum_s) == (6, 3, 3, pytest.approx(180.0))


def test_events_are_counted_by_kind_and_answer_and_aged(ledger: Ledger) -> None:
    rows = ledger.stage("publish")
    watch = Watch(rows.meters, clock_ns=lambda: 250 * MS)
    named = Event("", "new", "door", "r", 1, 50 * MS, identity=Identity("person", "p1", "Ada", 0.9))
    watch.told(Identified(reference(0), (named, Event("", "stop", "door", "r", 2, 50 * MS))))
    watch.told(Identified(reference(1), ()))
    watch.told(EndOfStream("door", "r", 1, 0))
    found = rows.meters.read("door")
    assert {kind: n for kind, n in found.kinds.items() if n} == {"new": 1, "stop": 1}
    assert {answer: n for answer, n in found.answers.items() if n} == {"person": 1}
    assert (found.event_age.count, found.event_age.mean_s) == (2, pytest.approx(0.2))


def test_figures_are_asked_for_about_once_a_second_and_at_once_when_something_happens(ledger: Ledger) -> None:
    told: list[Figures] = []
    watch = Watch(ledger.stage("source").meters, told.append)
    for _ in range(50):
        watch.look(lambda: [Figure("queue", 3)])
    assert told == [(Figure("queue", 3),)]
    watch.say([Figure("camera_up", 0.0)])
    assert told[1:] == [(Figure("camera_up", 0.0),)]
