"""Following and finding in the rectangle world: everyone once, kept through crossings, at a bounded cost."""

from __future__ import annotations

import numpy as np
import pytest

from engines.config import PerceiveConfig, SearchConfig
from engines.perceive import Perception
from engines.watch import CameraWatch
from tests.engines.fake_nets import FakeDetector, FakeLandmarks, draw, fake_perception

SIZE = (640, 360)
Person = tuple[int, float, float, float]


def watch_of(perception: Perception) -> CameraWatch:
    return CameraWatch(perception.detector, perception.poses, perception.config)


def boxes(watch: CameraWatch, people: list[Person], number: int) -> dict[int, tuple[float, ...]]:
    return {one.follower: one.seen.silhouette.box for one in watch.see(draw(SIZE, people), number)}


def test_everyone_is_found_in_the_first_frame_each_once() -> None:
    people = [(0, 100, 180, 60), (1, 250, 180, 150), (2, 500, 190, 300)]
    found = boxes(watch_of(fake_perception()), people, 0)
    heights = sorted(box[3] - box[1] for box in found.values())
    assert heights == pytest.approx([60, 150, 300], abs=4)


def test_a_walker_keeps_their_follower() -> None:
    watch = watch_of(fake_perception())
    seen = [boxes(watch, [(0, 100 + 6 * k, 180, 150)], k) for k in range(40)]
    assert {tuple(found) for found in seen} == {(0,)}
    assert seen[-1][0][0] == pytest.approx(100 + 6 * 39 - 15, abs=2)


def test_who_enters_later_is_found_within_a_few_frames() -> None:
    watch = watch_of(fake_perception())
    counts = [len(boxes(watch, [(0, 500, 180, 200), (1, -30 + 6 * k, 180, 150)], k)) for k in range(25)]
    first = counts.index(2)
    assert -30 + 6 * first <= 30  # found while half of them is still outside
    assert counts[first:] == [2] * (25 - first)


def test_who_leaves_is_no_longer_reported() -> None:
    watch = watch_of(fake_perception())
    for k in range(30):
        found = boxes(watch, [(0, 560 + 8 * k, 180, 150)], k)
    assert found == {}


def test_two_who_cross_keep_their_followers_and_are_never_one_person_twice() -> None:
    watch = watch_of(fake_perception())
    first: dict[int, float] = {}
    for k in range(90):
        near, far = (0, 100.0 + 5 * k, 190.0, 200.0), (1, 500.0 - 5 * k, 170.0, 130.0)
        found = boxes(watch, [far, near], k)
        centres = {number: (box[0] + box[2]) / 2 for number, box in found.items()}
        assert len({round(box[3]) for box in found.values()}) == len(found)
        if k == 0:
            first = centres
    assert len(first) == 2
    assert found.keys() == first.keys()
    assert all(abs(centres[number] - (600 - start)) < 60 for number, start in first.items())


def test_a_person_hidden_for_a_while_comes_back_as_the_same_follower() -> None:
    watch = watch_of(fake_perception())
    for k in range(10):
        before = boxes(watch, [(0, 300, 180, 150)], k)
    for k in range(10, 18):
        assert boxes(watch, [], k) == {}
    for k in range(18, 30):
        after = boxes(watch, [(0, 300, 180, 150)], k)
    assert after.keys() == before.keys()


def test_a_person_gone_for_longer_than_lost_frames_is_somebody_new() -> None:
    perception = fake_perception(PerceiveConfig(lost_frames=5))
    watch = watch_of(perception)
    for k in range(10):
        before = boxes(watch, [(0, 300, 180, 150)], k)
    for k in range(10, 20):
        boxes(watch, [], k)
    for k in range(20, 80):
        after = boxes(watch, [(0, 300, 180, 150)], k)
    assert len(after) == 1
    assert after.keys() != before.keys()


def test_without_a_search_those_known_are_followed_and_nobody_new_is_found() -> None:
    watch = watch_of(fake_perception())
    people = [(0, 100, 180, 60), (1, 250, 180, 150)]
    known = {one.follower for one in watch.see(draw(SIZE, people), 0)}
    more = [*people, (2, 500, 190, 300)]
    for number in range(1, 6):
        assert {one.follower for one in watch.see(draw(SIZE, more), number, search=False)} == known
    assert len(watch.see(draw(SIZE, more), 6)) == 3


def test_the_cost_of_a_frame_is_bounded() -> None:
    search = SearchConfig(tiles_per_frame=2, candidates_per_frame=1)
    detector, landmarks = FakeDetector(), FakeLandmarks()
    watch = watch_of(Perception(detector, landmarks, PerceiveConfig(search=search, max_people=3)))
    people = [(k, 80.0 + 120 * k, 180.0, 150.0) for k in range(5)]
    assert len(boxes(watch, people, 0)) == 3
    for k in range(1, 20):
        before = detector.runs, landmarks.runs
        assert len(boxes(watch, [(i, x + 4 * k, y, h) for i, x, y, h in people], k)) <= 3
        assert detector.runs - before[0] <= 2
        assert landmarks.runs - before[1] <= 3 + 3 + 2 * 2


def test_who_comes_back_does_not_exceed_the_most_people() -> None:
    watch = watch_of(fake_perception(PerceiveConfig(max_people=2)))
    two = [(0, 120.0, 180.0, 150.0), (1, 320.0, 180.0, 150.0)]
    other = (2, 520.0, 180.0, 150.0)
    for k in range(10):
        boxes(watch, two, k)
    for k in range(10, 40):
        assert len(boxes(watch, [two[0], other], k)) <= 2
    for k in range(40, 60):
        assert len(boxes(watch, [*two, other], k)) <= 2


def test_frames_that_were_dropped_do_not_lose_a_walker() -> None:
    watch = watch_of(fake_perception())
    seen = [boxes(watch, [(0, 100 + 5 * k, 180, 150)], k) for k in (0, 1, 2, 3, 4, 5, 6, 9, 10, 13, 14)]
    assert all(tuple(found) == (0,) for found in seen)


@pytest.mark.parametrize("size", [(16, 16), (641, 359), (90, 700)])
def test_odd_and_empty_frames_give_nobody(size: tuple[int, int]) -> None:
    watch = watch_of(fake_perception())
    for number in range(4):
        assert watch.see(np.zeros((size[1], size[0], 3), np.uint8), number) == []
