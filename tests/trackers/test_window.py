"""The timed buffer: the grid, gaps, refusals, cuts."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.messages import Sample, TrackletId
from tests.trackers.makers import EPOCH, body
from trackers.config import WindowConfig
from trackers.window import Observed, Outcome, TimedWindow

MS = 1_000_000
GRID = 40 * MS


def window(config: WindowConfig | None = None) -> TimedWindow:
    return TimedWindow(TrackletId("door", "r", 0), EPOCH, config or WindowConfig())


def seen(at_ms: float, value: int = 255, weight: float = 1.0) -> Observed:
    return Observed(EPOCH + round(at_ms * MS), body(value, joints=at_ms), weight)


def feed(into: TimedWindow, *times_ms: float) -> Outcome:
    out = Outcome()
    for at_ms in times_ms:
        into.accept(seen(at_ms), out)
    return out


def times(samples: list[Sample]) -> list[float]:
    return [(sample.captured_ns - EPOCH) / MS for sample in samples]


def shown(sample: Sample) -> float:
    return float(sample.joints_2d.numpy()[0, 0])


def test_at_25_fps_every_frame_is_its_own_sample_at_once() -> None:
    out = feed(window(), 0, 40, 80, 120)
    assert times(out.samples) == [0, 40, 80, 120]
    assert [shown(sample) for sample in out.samples] == [0, 40, 80, 120]
    assert not any(sample.interpolated for sample in out.samples)


def test_at_30_fps_each_instant_takes_its_nearest_frame() -> None:
    out = feed(window(), *[i * 1000 / 30 for i in range(7)])
    assert times(out.samples) == [0, 40, 80, 120, 160, 200]
    assert [round(shown(sample)) for sample in out.samples] == [0, 33, 67, 133, 167, 200]
    assert not any(sample.interpolated for sample in out.samples)


def test_at_10_fps_the_instants_between_are_bridged_marked_and_lighter() -> None:
    out = feed(window(), 0, 100, 200)
    assert times(out.samples) == [0, 40, 80, 120, 160, 200]
    assert [sample.interpolated for sample in out.samples] == [False, True, False, False, True, False]
    assert [shown(sample) for sample in out.samples] == [0, 40, 100, 100, 160, 200]
    assert [sample.weight for sample in out.samples] == [1.0, 0.5, 1.0, 1.0, 0.5, 1.0]


@pytest.mark.parametrize(("gap_ms", "cuts"), [(200, 0), (201, 1)])
def test_a_gap_of_exactly_the_limit_is_bridged_and_a_longer_one_cuts(gap_ms: int, cuts: int) -> None:
    out = feed(window(), 0, 40, 40 + gap_ms)
    assert len(out.cuts) == cuts
    assert all(cut.reason == "gap" and cut.at_ns == EPOCH + GRID for cut in out.cuts)


def test_nothing_is_sampled_inside_a_cut() -> None:
    out = feed(window(), 0, 40, 1000, 1040)
    assert times(out.samples) == [0, 40, 1000, 1040]


def test_a_refused_frame_makes_its_instant_invalid() -> None:
    into, out = window(), Outcome()
    into.accept(seen(0), out)
    into.refuse(EPOCH + GRID, "blurred", out)
    into.accept(seen(80), out)
    assert [(sample.valid, sample.weight > 0) for sample in out.samples] == [
        (True, True),
        (False, False),
        (True, True),
    ]
    assert not out.cuts


def test_a_long_run_of_refused_frames_cuts_with_their_reason() -> None:
    into, out = window(), Outcome()
    into.accept(seen(0), out)
    for i in range(1, 10):
        into.refuse(EPOCH + i * GRID, "overlapped", out)
    assert [(cut.reason, cut.at_ns) for cut in out.cuts] == [("overlapped", EPOCH)]
    assert not into.is_open
    assert not into.refused_ns


def test_a_cut_lies_after_the_samples_it_ends_and_before_the_next() -> None:
    into = window()
    out = feed(into, 0, 33)
    into.close("merged", out)
    into.accept(seen(66), out)
    (cut,) = out.cuts
    assert times(out.samples) == [0, 40, 80] or times(out.samples) == [0, 40]
    before = [sample for sample in out.samples if sample.captured_ns <= cut.at_ns]
    assert times(before) == [0, 40]


def test_closing_twice_cuts_once() -> None:
    into = window()
    out = feed(into, 0)
    into.close("merged", out)
    into.close("lost", out)
    assert len(out.cuts) == 1


def test_quality_is_the_mean_weight_of_the_open_segment() -> None:
    into, out = window(), Outcome()
    for i, weight in enumerate((1.0, 0.5)):
        into.accept(seen(40 * i, weight=weight), out)
    assert into.quality == pytest.approx(0.75)
    into.close("lost", out)
    assert into.quality == 0.0


def test_joints_in_three_dimensions_are_bridged_too() -> None:
    out = feed(window(), 0, 120)
    third = out.samples[1].joints_3d
    assert third is not None
    assert third.numpy()[0, 0] == pytest.approx(40.0)
    assert third.numpy().dtype == np.float32


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 400), st.booleans()), min_size=1, max_size=60))
def test_samples_lie_on_the_grid_once_each_in_order_whatever_the_clock(steps: list[tuple[int, bool]]) -> None:
    into, out = window(), Outcome()
    at_ms = 0
    for step_ms, good in steps:
        at_ms += step_ms
        if good:
            into.accept(seen(at_ms), out)
        else:
            into.refuse(EPOCH + at_ms * MS, "blurred", out)
    into.close("end", out)
    stamps = [sample.captured_ns - EPOCH for sample in out.samples]
    assert all(stamp % GRID == 0 for stamp in stamps)
    assert all(early < late for early, late in itertools.pairwise(stamps))
    assert len(into.refused_ns) == 0
    ends = [cut.at_ns for cut in out.cuts]
    assert ends == sorted(ends)
    for early, late in itertools.pairwise(out.samples):
        if late.captured_ns - early.captured_ns > GRID:
            assert any(early.captured_ns <= end < late.captured_ns for end in ends)
