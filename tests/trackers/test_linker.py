"""The linker: the same links for the same messages, waiting for whom it must, forgetting in time."""

import numpy as np
import pytest

from stream.messages import (
    Array,
    Embedded,
    Embedding,
    FrameRef,
    Link,
    Retraction,
    Track,
    TrackEnd,
    TrackletId,
)
from tests.trackers.makers import EPOCH, SECOND
from tests.trackers.test_stitch import evidence
from trackers.config import StitchConfig
from trackers.linker import Linker

AXES = np.eye(8, dtype=np.float32)
BOX = (100.0, 100.0, 160.0, 300.0)


def tracklet(n: int, camera: str = "door", run: str = "r") -> TrackletId:
    return TrackletId(camera, run, n)


class Scene:
    """Says what embed would say; people stand where they are."""

    def __init__(self, linker: Linker, camera: str = "door") -> None:
        self.linker, self.camera = linker, camera

    def at(
        self,
        seconds: float,
        seen: tuple[int, ...] = (),
        lost: tuple[int, ...] = (),
        walks: dict[int, int] | None = None,
        ended: tuple[int, ...] = (),
        box: tuple[float, float, float, float] = BOX,
    ) -> tuple[Link | Retraction, ...]:
        """``walks`` maps a tracklet to whom its new window looks like; ``lost`` are unseen, not over."""
        now_ns = EPOCH + round(seconds * SECOND)
        ref = FrameRef(self.camera, "r", round(seconds * 100), now_ns, now_ns, 1920, 1080)
        tracks = [Track(tracklet(n, self.camera), box, 0) for n in seen]
        tracks += [Track(tracklet(n, self.camera), box, None) for n in lost]
        windows = [
            Embedding(
                tracklet(n, self.camera), now_ns - SECOND, now_ns, Array.of(AXES[who]), 25, 1.0, "m", box
            )
            for n, who in (walks or {}).items()
        ]
        ends = tuple(TrackEnd(tracklet(n, self.camera), EPOCH, now_ns, "lost") for n in ended)
        return self.linker.take(Embedded(ref, tuple(windows), tuple(tracks), ends))


@pytest.fixture
def linker() -> Linker:
    return Linker(evidence, StitchConfig())


@pytest.fixture
def scene(linker: Linker) -> Scene:
    return Scene(linker)


def came_and_went(scene: Scene, n: int = 0, who: int = 0) -> None:
    assert scene.at(1.0, seen=(n,)) == ()
    assert scene.at(3.0, seen=(n,), walks={n: who}) == ()
    assert scene.at(5.0, ended=(n,)) == ()


def test_somebody_who_comes_back_is_linked_once_they_have_walked(scene: Scene) -> None:
    came_and_went(scene)
    assert scene.at(6.0, seen=(1,)) == ()
    (link,) = scene.at(7.0, seen=(1,), walks={1: 0})
    assert isinstance(link, Link)
    assert (link.earlier, link.later, link.gap_s) == (tracklet(0), tracklet(1), 3.0)
    assert link.confidence > 0.99
    assert scene.at(8.0, seen=(1,), walks={1: 0}) == ()


def test_a_stranger_is_not_linked(scene: Scene) -> None:
    came_and_went(scene)
    scene.at(6.0, seen=(1,))
    assert scene.at(7.0, seen=(1,), walks={1: 3}) == ()


def test_a_link_waits_until_the_earlier_tracklet_is_over(scene: Scene) -> None:
    """Somebody unseen may yet be found again by the tracker."""
    scene.at(1.0, seen=(0,))
    scene.at(3.0, seen=(0,), walks={0: 0})
    assert scene.at(4.0, seen=(1,), lost=(0,)) == ()
    assert scene.at(5.0, seen=(1,), lost=(0,), walks={1: 0}) == ()
    (link,) = scene.at(5.5, seen=(1,), ended=(0,))
    assert (link.earlier, link.later) == (tracklet(0), tracklet(1))


def test_nobody_continues_two_and_nobody_is_continued_twice(scene: Scene) -> None:
    came_and_went(scene)
    scene.at(6.0, seen=(1,))
    assert len(scene.at(7.0, seen=(1,), walks={1: 0})) == 1
    scene.at(7.2, seen=(1, 2))
    assert scene.at(8.5, seen=(1, 2), walks={2: 0}) == ()


def test_a_link_is_retracted_when_the_rest_of_the_walk_differs(scene: Scene) -> None:
    came_and_went(scene)
    scene.at(6.0, seen=(1,))
    (link,) = scene.at(7.0, seen=(1,), walks={1: 0})
    told = [one for k in range(6) for one in scene.at(8.5 + 1.5 * k, seen=(1,), walks={1: 4})]
    assert told == [Retraction(link, told[0].at_ns, "the gaits differ")]


def test_who_was_linked_in_error_is_free_for_the_right_one(scene: Scene) -> None:
    came_and_went(scene)
    scene.at(6.0, seen=(1,))
    scene.at(7.0, seen=(1,), walks={1: 0})
    scene.at(8.5, seen=(1,), walks={1: 4})
    scene.at(10.0, seen=(1,), walks={1: 4})
    (retraction,) = scene.at(11.5, seen=(1, 2), walks={1: 4})
    assert isinstance(retraction, Retraction)
    (link,) = scene.at(12.5, seen=(1, 2), walks={2: 0})
    assert (link.earlier, link.later) == (tracklet(0), tracklet(2))


def test_links_cross_cameras_and_teach_the_transit(linker: Linker) -> None:
    door, yard = Scene(linker, "door"), Scene(linker, "yard")
    came_and_went(door)
    yard.at(9.0, seen=(0,))
    (link,) = yard.at(10.0, seen=(0,), walks={0: 0})
    assert (link.earlier.camera, link.later.camera, link.gap_s) == ("door", "yard", 6.0)
    yard.at(11.0, ended=(0,))
    assert linker.transits["door", "yard"].count == 1


def test_who_is_in_two_cameras_at_once_is_never_said_to_continue_themselves(linker: Linker) -> None:
    door, yard = Scene(linker, "door"), Scene(linker, "yard")
    door.at(1.0, seen=(0,))
    door.at(3.0, seen=(0,), walks={0: 0})
    said = [*yard.at(4.0, seen=(0,)), *door.at(4.5, seen=(0,), walks={0: 0})]
    said += [*yard.at(6.0, seen=(0,), walks={0: 0}), *door.at(7.0, ended=(0,))]
    said += [*yard.at(8.0, seen=(0,), walks={0: 0}), *yard.at(9.0, ended=(0,)), *door.at(9.5)]
    assert said == []
    assert linker.transits == {}


def seen_by_two_cameras_twice(config: StitchConfig, second: int = 0) -> list[tuple[str, str]]:
    """Links told as cameras when door and yard see person 0 at once, and later a person in each again."""
    linker = Linker(evidence, config)
    door, yard = Scene(linker, "door"), Scene(linker, "yard")
    came_and_went(door)
    for at_s in (1.0, 3.0, 5.0):
        gone = (0,) if at_s == 5.0 else ()
        yard.at(at_s, seen=(0,) if not gone else (), walks={0: second} if at_s == 3.0 else {}, ended=gone)
    said = [*door.at(6.0, seen=(1,)), *yard.at(6.0, seen=(1,))]
    said += [*door.at(7.0, seen=(1,), walks={1: 0}), *yard.at(7.0, seen=(1,), walks={1: second})]
    return [(one.earlier.camera, one.later.camera) for one in said if isinstance(one, Link)]


def test_a_person_seen_by_two_overlapping_cameras_goes_on_in_each() -> None:
    overlapping = StitchConfig(overlapping=(("yard", "door"),))
    assert seen_by_two_cameras_twice(overlapping) == [("door", "door"), ("yard", "yard")]


def test_look_alikes_in_cameras_that_share_no_view_stay_unlinked() -> None:
    """Seen at once they are two people, and which of them came back nobody can tell."""
    assert seen_by_two_cameras_twice(StitchConfig(overlapping=(("yard", "hall"),))) == []


def test_two_people_in_overlapping_cameras_are_linked_each_to_themselves() -> None:
    overlapping = StitchConfig(overlapping=(("yard", "door"),))
    assert seen_by_two_cameras_twice(overlapping, second=1) == [("door", "door"), ("yard", "yard")]


def test_a_third_camera_links_whom_two_overlapping_ones_saw() -> None:
    linker = Linker(evidence, StitchConfig(overlapping=(("door", "yard"),)))
    door, yard, hall = (Scene(linker, camera) for camera in ("door", "yard", "hall"))
    for scene in (door, yard):
        came_and_went(scene)
    hall.at(9.0, seen=(0,))
    (link,) = hall.at(10.0, seen=(0,), walks={0: 0})
    assert link.later == tracklet(0, "hall")


def test_a_camera_states_only_links_of_its_own_tracklets(linker: Linker) -> None:
    door, yard = Scene(linker, "door"), Scene(linker, "yard")
    came_and_went(door)
    yard.at(9.0, seen=(0,))
    door.at(9.5, seen=(5,), walks={5: 3})
    assert len(yard.at(10.0, seen=(0,), walks={0: 0})) == 1


def test_a_ground_plane_rules_out_what_nobody_walks() -> None:
    metres_per_pixel = (0.1, 0.0, 0.0, 0.0, 0.1, 0.0, 0.0, 0.0, 1.0)
    scene = Scene(Linker(evidence, StitchConfig(ground={"door": metres_per_pixel})))
    came_and_went(scene)
    far = (1500.0, 100.0, 1560.0, 300.0)
    scene.at(6.0, seen=(1,), box=far)
    assert scene.at(7.0, seen=(1,), walks={1: 0}, box=far) == ()


def test_too_late_is_too_late(scene: Scene) -> None:
    came_and_went(scene)
    scene.at(18.5, seen=(1,))
    assert scene.at(19.5, seen=(1,), walks={1: 0}) == ()


def test_memory_is_bounded_over_a_long_day(linker: Linker) -> None:
    scene, held = Scene(linker), []
    for n in range(400):
        scene.at(10.0 * n + 1.0, seen=(n,))
        scene.at(10.0 * n + 3.0, seen=(n,), walks={n: n % 7})
        scene.at(10.0 * n + 5.0, ended=(n,))
        held.append(linker.held)
    assert max(held) <= 3


def test_the_waiting_are_bounded_by_number_too() -> None:
    linker = Linker(evidence, StitchConfig(max_waiting=5))
    scene = Scene(linker)
    scene.at(1.0, seen=tuple(range(50)))
    scene.at(2.0, ended=tuple(range(50)))
    assert linker.held == 5


def test_the_end_of_a_run_ends_its_tracklets(linker: Linker) -> None:
    door, yard = Scene(linker, "door"), Scene(linker, "yard")
    door.at(1.0, seen=(0,))
    door.at(3.0, seen=(0,), walks={0: 0})
    linker.stop("door", "r")
    yard.at(6.0, seen=(0,))
    assert len(yard.at(7.0, seen=(0,), walks={0: 0})) == 1


def test_vectors_that_are_none_leave_no_trace(scene: Scene) -> None:
    nan = Array.of(np.full(8, np.nan, np.float32))
    scene.at(1.0, seen=(0,))
    now_ns = EPOCH + 2 * SECOND
    ref = FrameRef("door", "r", 200, now_ns, now_ns, 1920, 1080)
    bad = Embedding(tracklet(0), now_ns - SECOND, now_ns, nan, 25, 1.0, "m", BOX)
    assert scene.linker.take(Embedded(ref, (bad,), (Track(tracklet(0), BOX, 0),))) == ()
    scene.at(5.0, ended=(0,))
    scene.at(6.0, seen=(1,))
    assert scene.at(7.0, seen=(1,), walks={1: 0}) == ()


def test_a_short_gap_is_bridged_by_place_alone_where_nobody_else_can_be_meant(scene: Scene) -> None:
    scene.at(1.0, seen=(0,))
    scene.at(1.2, ended=(0,))
    scene.at(1.3, seen=(1,))
    assert scene.at(1.4, seen=(1,)) == ()
    (link,) = scene.at(1.6, ended=(1,))
    assert (link.earlier, link.later, link.distance) == (tracklet(0), tracklet(1), None)


def test_place_alone_says_nothing_after_a_long_gap_or_between_two(scene: Scene) -> None:
    scene.at(1.0, seen=(0,))
    scene.at(1.2, ended=(0,))
    scene.at(8.0, seen=(1, 2))
    assert scene.at(8.2, ended=(1, 2)) == ()
    scene.at(8.4, seen=(3,))
    assert scene.at(8.6, ended=(3,)) == ()


def test_a_tracklet_without_gait_hands_on_what_it_inherited(scene: Scene) -> None:
    came_and_went(scene)
    assert scene.at(3.2, seen=(1,)) == ()
    (by_place,) = scene.at(5.5, ended=(1,))
    assert (by_place.earlier, by_place.later) == (tracklet(0), tracklet(1))
    scene.at(9.0, seen=(2,))
    (by_gait,) = scene.at(10.0, seen=(2,), walks={2: 0})
    assert (by_gait.earlier, by_gait.later) == (tracklet(1), tracklet(2))


def test_between_cameras_place_and_time_alone_link_nobody(linker: Linker) -> None:
    door, yard = Scene(linker, "door"), Scene(linker, "yard")
    came_and_went(door)
    yard.at(5.5, seen=(0,))
    assert yard.at(6.0, ended=(0,)) == ()


def test_somebody_hidden_for_long_is_linked_once_they_showed_their_gait(scene: Scene) -> None:
    """They came within the hold; a crowd kept their windows short until it was over."""
    came_and_went(scene)
    scene.at(12.0, seen=(1,))
    scene.at(25.0, seen=(1,))
    (link,) = scene.at(26.0, seen=(1,), walks={1: 0})
    assert (link.earlier, link.later) == (tracklet(0), tracklet(1))


def test_a_sight_between_two_linked_tracklets_finds_its_place(scene: Scene) -> None:
    """Nobody's gait was seen in it, and both its neighbours are one person already."""
    scene.at(1.0, seen=(0,))
    scene.at(3.0, seen=(0,), walks={0: 0})
    scene.at(3.2, seen=(1,), ended=(0,))
    scene.at(3.3, seen=(1,))
    scene.at(3.6, seen=(2,), lost=(1,))
    (outer,) = scene.at(4.6, seen=(2,), lost=(1,), walks={2: 0})
    assert (outer.earlier, outer.later) == (tracklet(0), tracklet(2))
    (inner,) = scene.at(5.0, seen=(2,), ended=(1,))
    assert (inner.earlier, inner.later) == (tracklet(0), tracklet(1))


def test_who_is_still_there_cannot_come_between_two_linked_tracklets(scene: Scene) -> None:
    came_and_went(scene)
    scene.at(5.2, seen=(2,))
    scene.at(6.0, seen=(1, 2))
    assert len(scene.at(7.0, seen=(1, 2), walks={1: 0})) == 1
    assert scene.at(8.0, seen=(1,), ended=(2,)) == ()


def test_the_end_of_a_tracklet_that_changed_hands_is_who_was_there_last(scene: Scene) -> None:
    scene.at(1.0, seen=(0,))
    for second in range(2, 32):
        scene.at(float(second), seen=(0,), walks={0: 0})
    for second in range(32, 62):
        scene.at(float(second), seen=(0,), walks={0: 1})
    scene.at(63.0, seen=(1,), ended=(0,))
    (link,) = scene.at(64.0, seen=(1,), walks={1: 1})
    assert (link.earlier, link.later) == (tracklet(0), tracklet(1))
