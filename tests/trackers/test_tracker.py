"""One camera's tracker: births, losses, crossings, camera motion, bad input."""

import msgspec
import numpy as np
import pytest

from stream.errors import GaitwayError
from stream.messages import Array, Mask, Person
from tests.trackers.makers import SECOND, people, person, walker
from trackers.config import AssociationConfig, LifeConfig, TrackConfig
from trackers.tracker import CameraTracker, Step

FRAME = SECOND // 25


def shifted(x: float, score: float = 0.9, hint: int | None = None) -> Person:
    return person((x, 100.0, x + 80.0, 340.0), score, hint=hint)


def play(tracker: CameraTracker, *frames: list[Person]) -> list[Step]:
    start = 0 if tracker.last_ns is None else 1000
    return [tracker.update(people((start + i) * FRAME, *frame, number=i)) for i, frame in enumerate(frames)]


def numbers(step: Step) -> list[int]:
    return [track.tracklet.n for track in step.tracks]


def test_a_person_is_confirmed_when_seen_twice() -> None:
    steps = play(CameraTracker("door", "r"), [shifted(0)], [shifted(4)])
    assert [step.tracks[0].confirmed for step in steps] == [False, True]


def test_a_single_flicker_never_becomes_a_track() -> None:
    steps = play(CameraTracker("door", "r"), [shifted(0)], [], [])
    assert [numbers(step) for step in steps] == [[0], [], []]
    assert not steps[-1].ended


def test_a_low_score_keeps_a_track_but_starts_none() -> None:
    tracker = CameraTracker("door", "r")
    steps = play(tracker, [shifted(0)], [shifted(2)], [shifted(4, 0.2), shifted(900, 0.2)])
    assert numbers(steps[-1]) == [0]
    assert steps[-1].tracks[0].person == 0


def test_a_score_exactly_at_the_threshold_counts() -> None:
    rules = AssociationConfig()
    step = CameraTracker("door", "r").update(people(0, shifted(0, rules.new_score)))
    assert numbers(step) == [0]


def test_two_who_cross_keep_their_ids() -> None:
    frames = []
    for i in range(60):
        right = walker(i / 25, x=100, y=200, speed=300, height=240)
        left = walker(i / 25, x=820, y=230, speed=-300, height=260)
        frames.append([right, left])
    steps = play(CameraTracker("door", "r"), *frames)
    assert numbers(steps[-1]) == numbers(steps[0])
    assert all(len(step.tracks) == 2 for step in steps)


def test_an_unseen_person_coasts_and_is_found_again_where_they_ought_to_be() -> None:
    walk = [[shifted(10.0 * i)] for i in range(20)]
    hidden: list[list[Person]] = [[] for _ in range(10)]
    back = [[shifted(10.0 * i)] for i in range(30, 33)]
    steps = play(CameraTracker("door", "r"), *walk, *hidden, *back)
    assert [track.person for track in steps[25].tracks] == [None]
    assert numbers(steps[-1]) == [0]


def test_a_lost_track_ends_once_with_its_times() -> None:
    rules = TrackConfig(life=LifeConfig(lost_s=0.5))
    steps = play(CameraTracker("door", "r", rules), *[[shifted(0)]] * 5, *[[]] * 30)
    ended = [state for step in steps for state in step.ended]
    assert [(state.first_ns, state.last_ns) for state in ended] == [
        (ended[0].first_ns, ended[0].first_ns + 4 * FRAME)
    ]


def test_a_stall_of_the_camera_does_not_lose_a_walker() -> None:
    tracker = CameraTracker("door", "r")
    for i in range(20):
        tracker.update(people(i * FRAME, shifted(12.0 * i), number=i))
    late = 20 * FRAME + 600_000_000
    step = tracker.update(people(late, shifted(12.0 * 35), number=20))
    assert numbers(step) == [0]


def test_camera_motion_is_followed() -> None:
    tracker = CameraTracker("door", "r")
    for i in range(5):
        tracker.update(people(i * FRAME, shifted(100), number=i))
    jump = (1.0, 0.0, 500.0, 0.0, 1.0, -40.0)
    moved = person((600.0, 60.0, 680.0, 300.0))
    step = tracker.update(people(5 * FRAME, moved, number=5, motion=jump))
    assert numbers(step) == [0]
    assert step.tracks[0].speed == pytest.approx(0.0, abs=0.05)


def test_a_hint_decides_between_equals() -> None:
    tracker = CameraTracker("door", "r")
    pair = [shifted(100, hint=7), shifted(130, hint=8)]
    play(tracker, pair, pair)
    swapped = [shifted(115, hint=8), shifted(116, hint=7)]
    step = tracker.update(people(2 * FRAME, *swapped, number=2))
    assert numbers(step) == [1, 0]


def test_keypoints_tell_apart_boxes_that_coincide() -> None:
    def posed(lean: float) -> Person:
        points = np.zeros((17, 3), np.float32)
        points[:, 0] = 140 + lean * np.linspace(-1, 1, 17)
        points[:, 1] = np.linspace(110, 330, 17)
        points[:, 2] = 1.0
        return person((100.0, 100.0, 180.0, 340.0), keypoints=Array.of(points))

    rules = TrackConfig(association=AssociationConfig(duplicate_iou=1.0))
    tracker = CameraTracker("door", "r", rules)
    play(tracker, [posed(-30), posed(30)], [posed(-30), posed(30)])
    step = tracker.update(people(2 * FRAME, posed(30), posed(-30), number=2))
    assert numbers(step) == [1, 0]


def test_nan_keypoints_count_as_none() -> None:
    broken = Array.of(np.full((17, 3), np.nan, np.float32))
    bad = person((100.0, 100.0, 180.0, 340.0), keypoints=broken)
    steps = play(CameraTracker("door", "r"), [bad], [bad], [bad])
    assert numbers(steps[-1]) == [0]


def test_impossible_people_are_ignored_and_counted() -> None:
    nan = float("nan")
    frame = people(
        0, person((nan, 0, 1, 1)), person((5, 5, 5, 9)), person((9, 9, 1, 1)), person(score=nan), person()
    )
    step = CameraTracker("door", "r").update(frame)
    assert step.ignored == 4
    assert [track.person for track in step.tracks] == [4]


def test_empty_frames_are_answered() -> None:
    steps = play(CameraTracker("door", "r"), [], [], [])
    assert [(step.tracks, step.ended) for step in steps] == [((), ())] * 3


def test_more_people_than_allowed_are_left_out() -> None:
    rules = TrackConfig(life=LifeConfig(max_tracks=3))
    tracker = CameraTracker("door", "r", rules)
    step = tracker.update(people(0, *[shifted(200.0 * i) for i in range(8)]))
    assert len(step.tracks) == 3


def test_a_detection_that_repeats_a_followed_person_starts_nothing() -> None:
    steps = play(CameraTracker("door", "r"), [shifted(0)], [shifted(2)], [shifted(4), shifted(5, 0.8)])
    assert len(steps[-1].tracks) == 1


def test_another_cameras_frame_is_refused() -> None:
    with pytest.raises(GaitwayError, match=r"camera 'yard'.*wanted frames of its own camera"):
        CameraTracker("door", "r").update(people(0, person(), camera="yard"))


def test_memory_does_not_grow_with_strangers() -> None:
    tracker = CameraTracker("door", "r")
    for i in range(600):
        tracker.update(people(i * FRAME, shifted(400.0 * (i // 6 % 40)), number=i))
    assert tracker.born >= 90
    assert len(tracker.states) <= 30
    assert len(tracker.filter) == len(tracker.states) == len(tracker.hints) == len(tracker.keypoints)


def test_who_left_the_picture_is_not_taken_for_the_next_to_come_in() -> None:
    def at_edge() -> list[Person]:
        return [person((0.0, 100.0, 40.0, 340.0))]

    steps = play(CameraTracker("door", "r"), *[at_edge()] * 10, *[[]] * 15, at_edge(), at_edge())
    assert numbers(steps[9]) == [0]
    assert numbers(steps[-1]) == [1]


def test_who_comes_in_may_flicker_at_the_border() -> None:
    entering = [[person((0.0, 100.0, 30.0 + 8.0 * i, 340.0))] for i in range(20)]
    entering[8:15] = [[]] * 7
    steps = play(CameraTracker("door", "r"), *entering)
    assert numbers(steps[-1]) == [0]


def half(x: float, *, left: bool) -> Person:
    """Somebody of whom the left or the right half of the box is filled, and whose skeleton nobody knows."""
    bits = np.zeros((120, 40), np.bool_)
    bits[:, slice(0, 20) if left else slice(20, 40)] = True
    whole = shifted(x)
    return msgspec.structs.replace(whole, mask=Mask.of(bits, (2.0, 0.0, x, 0.0, 2.0, 100.0)))


@pytest.mark.parametrize("left_first", [True, False])
def test_silhouettes_tell_who_is_who_in_equal_boxes_where_no_skeleton_does(left_first: bool) -> None:
    tracker = CameraTracker("door", "r")
    for number in range(4):
        tracker.update(people(number * FRAME, half(0, left=True), half(8, left=False), number=number))
    met = [half(4, left=left_first), half(4, left=not left_first)]
    step = tracker.update(people(4 * FRAME, *met, number=4))
    assert numbers(step) == ([0, 1] if left_first else [1, 0])
