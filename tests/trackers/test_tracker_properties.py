"""What holds for a tracker whatever comes: unique ids, input order, and the symmetries of space and time."""

import math

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.errors import GaitwayError
from stream.messages import People, Person
from tests.strategies_trackers import scenes
from tests.trackers.makers import EPOCH, SECOND, people, person
from trackers.config import TrackConfig
from trackers.tracker import CameraTracker

quick = settings(max_examples=40, deadline=None)


def ids(frames: list[People], config: TrackConfig | None = None) -> list[list[tuple[int | None, int]]]:
    tracker = CameraTracker("door", "r", config or TrackConfig())
    return [[(t.person, t.tracklet.n) for t in tracker.update(frame).tracks] for frame in frames]


def moved(frame: People, dx: float = 0.0, dy: float = 0.0, scale: float = 1.0, time: int = 1) -> People:
    """The same frame elsewhere, larger, or with a slower clock."""

    def place(person: Person) -> Person:
        left, top, right, bottom = (scale * side for side in person.box)
        return msgspec.structs.replace(person, box=(left + dx, top + dy, right + dx, bottom + dy))

    ref = frame.frame
    at_ns = EPOCH + (ref.captured_ns - EPOCH) * time
    return People(
        msgspec.structs.replace(
            ref, captured_ns=at_ns, width=round(scale * ref.width), height=round(scale * ref.height)
        ),
        tuple(map(place, frame.people)),
        frame.motion,
        frame.blur,
    )


def slowed(config: TrackConfig, factor: float) -> TrackConfig:
    """The same rules where every second lasts ``factor`` seconds."""
    motion, life = config.motion, config.life
    return msgspec.structs.replace(
        config,
        motion=msgspec.structs.replace(
            motion,
            centre_agility=motion.centre_agility / factor**1.5,
            size_agility=motion.size_agility / factor**1.5,
            start_speed=motion.start_speed / factor,
            size_memory_s=motion.size_memory_s * factor,
        ),
        life=msgspec.structs.replace(
            life,
            lost_s=life.lost_s * factor,
            exit_s=life.exit_s * factor,
            entering_s=life.entering_s * factor,
            inward_speed=life.inward_speed / factor,
        ),
    )


@quick
@given(scenes())
def test_ids_and_people_are_unique_in_every_frame(frames: list[People]) -> None:
    for tracks in ids(frames):
        numbers = [n for _, n in tracks]
        shown = [index for index, _ in tracks if index is not None]
        assert len(set(numbers)) == len(numbers)
        assert len(set(shown)) == len(shown)


@quick
@given(scenes())
def test_tracks_come_in_the_order_of_the_people_then_the_unseen(frames: list[People]) -> None:
    for tracks in ids(frames):
        order = [(index is None, index or 0) for index, _ in tracks]
        assert order == sorted(order)


@quick
@given(scenes(), st.integers(-4000, 4000), st.integers(-4000, 4000))
def test_shifting_the_image_changes_no_id(frames: list[People], dx: int, dy: int) -> None:
    assert ids([moved(frame, dx=dx, dy=dy) for frame in frames]) == ids(frames)


@quick
@given(scenes(), st.sampled_from([0.5, 2.0, 4.0]))
def test_scaling_the_image_changes_no_id(frames: list[People], scale: float) -> None:
    assert ids([moved(frame, scale=scale) for frame in frames]) == ids(frames)


@quick
@given(scenes(), st.sampled_from([4, 16]))
def test_slower_time_under_slower_rules_changes_no_id(frames: list[People], factor: int) -> None:
    slow = [moved(frame, time=factor) for frame in frames]
    assert ids(slow, slowed(TrackConfig(), factor)) == ids(frames)


@quick
@given(scenes())
def test_ids_are_never_reused(frames: list[People]) -> None:
    tracker = CameraTracker("door", "r")
    ended: set[int] = set()
    for frame in frames:
        step = tracker.update(frame)
        assert not ended & {track.tracklet.n for track in step.tracks}
        ended |= {state.tracklet.n for state in step.ended}


@quick
@given(scenes(), st.sampled_from([math.nan, math.inf, -math.inf]), st.integers(0, 3))
def test_a_box_that_is_no_box_changes_nothing_for_the_others(
    frames: list[People], bad: float, side: int
) -> None:
    broken = list(person().box)
    broken[side] = bad
    spoiled = [
        msgspec.structs.replace(
            frame, people=(*frame.people, msgspec.structs.replace(person(), box=tuple(broken)))
        )
        for frame in frames
    ]
    assert ids(spoiled) == ids(frames)


@given(st.integers(-5 * SECOND, 0))
def test_time_that_does_not_advance_is_refused_and_spoils_nothing(back_ns: int) -> None:
    tracker = CameraTracker("door", "r")
    tracker.update(people(6 * SECOND, person()))
    with pytest.raises(GaitwayError, match=r"wanted capture times that increase"):
        tracker.update(people(6 * SECOND + back_ns, person(), number=1))
    (track,) = tracker.update(people(6 * SECOND + 40_000_000, person(), number=2)).tracks
    assert track.tracklet.n == 0
    assert track.confirmed
