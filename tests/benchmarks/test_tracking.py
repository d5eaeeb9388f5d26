"""The tracking bench's own arithmetic: a bench that counts wrongly proves nothing."""

import argparse
import itertools

import numpy as np
import pytest

from benchmarks import tracking
from benchmarks.report import goals
from benchmarks.tracking import tracked_rows
from benchmarks.tracking_gate import cover, rank_one
from benchmarks.tracking_links import Story, link, made_up
from benchmarks.tracking_rendered import Looks, look
from benchmarks.tracking_scenes import EPOCH_NS, S, SceneSpec, capture_times, simulate
from benchmarks.tracking_speed import growth
from benchmarks.tracking_square import Seen, Truth
from benchmarks.tracking_windows import coverage, observe, purity, windows
from stream.messages import Array, Link, Mask, TrackletId

STANDING = Array.of(np.zeros((16, 3), np.float32))
MASK = Mask(1, 1, b"\x80", (1.0, 0.0, 0.0, 0.0, 1.0, 0.0))


def lone_walker(seconds: float) -> Truth:
    """One person who crosses the picture in full view, ankles swinging."""
    frames = []
    for i in range(round(30 * seconds)):
        x, y = 200.0 + 4.0 * i, 300.0
        swing = 40.0 * (1 if (i // 16) % 2 else -1)
        joints = [(x + 30.0, y + 10.0 * joint) for joint in range(16)]
        joints[3], joints[6] = (x + 30.0 - swing, y + 190.0), (x + 30.0 + swing, y + 190.0)
        box = (x, y, x + 60.0, y + 200.0)
        placed = Array.of(np.array(joints, np.float32))
        frames.append((Seen(0, 0, True, box, box, 1.0, MASK, placed, STANDING),))
    return Truth(30.0, tuple(frames))


def test_purity_is_the_share_of_each_windows_main_person() -> None:
    assert purity([[1] * 50, [2] * 25]) == 1.0
    assert purity([[1] * 30 + [2] * 20]) == pytest.approx(0.6)
    assert purity([]) == 0.0


def test_a_lone_walker_is_held_by_pure_windows_almost_all_the_time() -> None:
    frames = look(lone_walker(6.0), Looks(), seed=1)
    pieces = windows(observe(frames))
    assert purity(pieces) == 1.0
    assert 0.85 < coverage(pieces, frames) <= 1.01


def test_time_outside_windows_is_missing_from_the_coverage() -> None:
    frames = look(lone_walker(6.0), Looks(), seed=1)
    pieces = windows(observe(frames))
    assert coverage(pieces[:1], frames) < 0.6 * coverage(pieces, frames)


def test_one_unbroken_tracklet_needs_no_link() -> None:
    frames = look(lone_walker(4.0), Looks(), seed=1)
    result = link(frames, made_up())
    assert (result.before, result.after, result.links, result.wrong) == (1.0, 1.0, 0, 0)


def test_a_tracklet_that_is_cut_in_two_is_linked_and_counted_so() -> None:
    frames = look(lone_walker(9.0), Looks(), seed=1)
    halves = [frame for frame in frames if not 3.0 <= frame.people.frame.source_ns / S <= 6.0]
    result = link(halves, made_up())
    assert (result.before, result.after, result.links, result.wrong) == (2.0, 1.0, 1, 0)


def test_stalls_last_as_long_as_promised_and_times_increase() -> None:
    frames = look(lone_walker(30.0), Looks(stalls=True), seed=3)
    times = [frame.people.frame.captured_ns for frame in frames]
    gaps_s = [(late - early) / S for early, late in itertools.pairwise(times)]
    stalls = [gap for gap in gaps_s if gap > 0.1]
    assert min(gaps_s) > 0
    assert 7 <= len(stalls) <= 20
    assert all(0.16 < stall < 0.7 for stall in stalls)
    assert times[0] == EPOCH_NS


def test_the_same_seed_simulates_the_same_scene() -> None:
    spec = SceneSpec(people=3, seconds=1.0)
    assert simulate(spec, 4) == simulate(spec, 4)
    assert simulate(spec, 4) != simulate(spec, 5)


def test_jitter_moves_frames_but_keeps_their_rate() -> None:
    times = capture_times(SceneSpec(seconds=20.0, fps=10.0, jitter=0.4), np.random.default_rng(0))
    steps = np.diff(times) / S
    assert steps.mean() == pytest.approx(0.1, rel=0.05)
    assert 0.055 < steps.min() < 0.08
    assert 0.12 < steps.max() < 0.145


def test_results_hold_only_confirmed_people_under_positive_ids() -> None:
    people = tuple(frame.people for frame in look(lone_walker(1.0), Looks(), seed=1))
    rows = tracked_rows(people)
    assert [row.frame for row in rows] == list(range(2, len(people) + 1))
    assert {row.person for row in rows} == {1}


def test_the_stage_holds_no_more_after_many_strangers() -> None:
    assert growth(3000, seed=1) < 500


def test_every_bar_of_the_bench_has_a_goal() -> None:
    names = goals("tracking").keys()
    ways = ("stalls", "steady", "jittered10")
    for people in (12, 24):
        assert {f"{what}_over_peer_{way}_{people}" for what in ("hota", "idf1") for way in ways} <= names
        assert {f"window_purity_{people}", f"window_coverage_{people}", f"wrong_links_{people}"} <= names


def test_a_part_is_measured_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracking, "rendered_truth", lambda *_: lone_walker(4.0))
    parser = argparse.ArgumentParser()
    tracking.configure(parser)
    result = tracking.run(parser.parse_args(["--only", "links"]))
    wanted = {f"{what}_{people}" for what in ("tracklets_per_person", "wrong_links") for people in (12, 24)}
    assert {bar.name for bar in result.bars} == wanted


def test_somebody_in_front_hides_what_is_behind_them_from_either_side() -> None:
    front = np.full((4, 8), 255, np.uint8)
    for from_left, left, right in ((True, 0, 255), (False, 255, 0)):
        mask = np.full((4, 8), 255, np.uint8)
        cover(mask, front, 0.5, from_left=from_left)
        assert (mask[:, :4] == left).all()
        assert (mask[:, 4:] == right).all()


def test_who_shows_nothing_is_not_recognised() -> None:
    gallery = np.eye(3)
    assert rank_one(gallery, gallery) == 1.0
    assert rank_one(np.array([[1.0, 0, 0], [1.0, 0, 0], [0, 0, 0]]), gallery) == pytest.approx(1 / 3)


def test_a_link_to_a_tracklet_that_changed_hands_is_wrong_but_not_where_the_two_meet() -> None:
    first, second, third, fourth = (TrackletId("cam", "run", n) for n in range(4))
    told = Story()
    told.shown[first] = [1] * 50
    told.shown[second] = [1] * 40 + [2] * 60  # begins as one person, shows mostly another
    told.shown[third] = [3] * 50
    told.shown[fourth] = [2] * 50
    told.take([Link(first, second, 0, 1.0, 0.2, 0.9), Link(third, fourth, 0, 1.0, 0.2, 0.9)])
    result = told.sum_up()
    assert (result.links, result.wrong, result.wrong_at_joint) == (2, 2, 1)
