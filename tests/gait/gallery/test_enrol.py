"""Enrolment keeps what is good enough and of one person, and says why where it refuses."""

from itertools import pairwise

import msgspec
import numpy as np
import pytest

from gait.gallery.enrol import (
    ClipTrack,
    EnrolConfig,
    apart,
    clip_tracks,
    enrol_named,
    enrol_one,
    templates_of,
)
from stream.errors import GalleryError
from stream.messages import Embedded, Embedding
from tests.strategies_gallery import SECOND, START_NS, embedding, frame, tracklet, unit

CONFIG = EnrolConfig(min_samples=50, min_quality=0.3, max_templates=4, same_person=0.6)


def walked(
    n: int, like: int, first_s: float = 0.0, seconds: int = 6, quality: float = 0.9
) -> list[Embedding]:
    """Windows of two seconds, one a second, of somebody like ``like``."""
    return [
        embedding(unit(10 * n + k, near=unit(like)), n, first_s + k + 2.0, quality=quality)
        for k in range(seconds - 1)
    ]


def tracks(*walks: list[Embedding]) -> tuple[ClipTrack, ...]:
    return clip_tracks([Embedded(frame(k), tuple(walk)) for k, walk in enumerate(walks)])


def test_messages_become_tracks_in_time_order() -> None:
    late, early = walked(1, 1)[::-1], walked(0, 2)
    found = tracks(late, early)
    assert [track.tracklet.n for track in found] == [0, 1]
    assert [e.end_ns for e in found[1].embeddings] == sorted(e.end_ns for e in late)
    assert found[0].samples == 150  # three windows that do not overlap
    assert found[0].quality == pytest.approx(0.9)


def test_templates_are_windows_that_do_not_overlap() -> None:
    chosen = apart(walked(0, 1, seconds=9))
    assert [e.start_ns for e in chosen] == sorted(e.start_ns for e in chosen)
    assert all(a.end_ns <= b.start_ns for a, b in pairwise(chosen))
    assert len(chosen) == 4


def test_one_person_in_a_clip_is_enrolled() -> None:
    templates = enrol_one(tracks(walked(0, 1)), "ada.mp4", CONFIG)
    assert {(t.source, t.model) for t in templates} == {("ada.mp4", "m" * 32)}
    assert [t.samples for t in templates] == [150, 50, 50, 50]  # the whole, then window by window
    assert all(t.quality == pytest.approx(0.9) for t in templates)
    whole, *windows = (t.checked() for t in templates)
    np.testing.assert_allclose(whole, sum(windows) / np.linalg.norm(sum(windows)), atol=1e-6)


def test_a_track_that_was_broken_is_one_person() -> None:
    broken = tracks(walked(0, 1), walked(1, 1, first_s=20.0))
    assert len(enrol_one(broken, "ada.mp4", CONFIG)) == CONFIG.max_templates


def test_a_short_piece_of_the_same_walk_joins_in() -> None:
    piece = [embedding(unit(77, near=unit(1)), 1, 20.0, samples=30)]
    templates = enrol_one(tracks([embedding(unit(1), samples=60)], piece), "ada.mp4", CONFIG)
    assert sorted(t.samples for t in templates) == [30, 60, 90]


def test_a_passer_by_too_short_to_enrol_is_no_second_person() -> None:
    passer_by = [embedding(unit(9), 1, samples=20)]
    assert len(enrol_one(tracks(walked(0, 1), passer_by), "ada.mp4", CONFIG)) == 4


@pytest.mark.parametrize(
    ("walks", "line"),
    [
        ([], "nobody walks long enough"),
        ([[embedding(unit(1), samples=30)]], "30 valid samples are too few to enrol; wanted at least 50"),
        ([walked(0, 1, quality=0.2)], "quality 0.20 is too low to enrol; wanted at least 0.30"),
        ([walked(0, 1), walked(1, 1)], r"several people walk in it \(door/run/0, door/run/1\)"),
        ([walked(0, 1), walked(1, 4, first_s=20.0)], "several people"),
    ],
    ids=["nobody", "short", "poor", "beside", "after"],
)
def test_a_clip_that_cannot_be_enrolled_says_why(walks: list[list[Embedding]], line: str) -> None:
    with pytest.raises(GalleryError, match=line) as caught:
        enrol_one(tracks(*walks), "clip.mp4", CONFIG)
    assert "\n" not in str(caught.value)


def test_several_people_are_enrolled_where_they_are_named() -> None:
    found = tracks(walked(0, 1), walked(1, 2), walked(2, 3))
    names = {tracklet(0): "Ada", tracklet(1): "Ben"}
    enrolled = enrol_named(found, names, "both.mp4", CONFIG)
    assert {name: len(templates) for name, templates in enrolled.kept.items()} == {"Ada": 4, "Ben": 4}
    assert not enrolled.refused


def test_all_of_a_named_persons_tracks_count_together() -> None:
    found = tracks([embedding(unit(5), 0, samples=30)], [embedding(unit(5), 3, 9.0, samples=30)])
    enrolled = enrol_named(found, {tracklet(0): "Ada", tracklet(3): "Ada"}, "a.mp4", CONFIG)
    assert sorted(t.samples for t in enrolled.kept["Ada"]) == [30, 30, 60]


def test_who_is_below_the_floor_is_refused_by_name_and_the_others_are_kept() -> None:
    found = tracks(walked(0, 1), [embedding(unit(5), 3, samples=20)])
    names = {tracklet(0): "Ada", tracklet(3): "Ben", tracklet(7): "Carl"}
    enrolled = enrol_named(found, names, "a.mp4", CONFIG)
    assert list(enrolled.kept) == ["Ada"]
    assert "20 valid samples are too few" in enrolled.refused["Ben"]
    assert "Carl has no track" in enrolled.refused["Carl"]


def test_a_track_gives_its_best_windows() -> None:
    windows = [embedding(unit(k), at_s=2.0 * k, quality=0.5 + 0.05 * k) for k in range(1, 9)]
    (track,) = tracks(windows)
    kept = templates_of([track], "a", CONFIG)
    assert [t.quality for t in kept] == pytest.approx([0.725, 0.9, 0.85, 0.8])  # the whole, then the best


def test_one_window_is_kept_once() -> None:
    (track,) = tracks([embedding(unit(1), samples=60)])
    assert len(templates_of([track], "a", CONFIG)) == 1


def test_neighbouring_tracks_are_not_beside_each_other() -> None:
    one, other = tracks(walked(0, 1, seconds=4), walked(1, 1, first_s=4.0, seconds=4))
    assert not one.beside(other)
    late = [msgspec.structs.replace(e, start_ns=e.start_ns - SECOND) for e in other.embeddings]
    assert one.beside(ClipTrack(other.tracklet, tuple(late)))
    assert one.embeddings[0].start_ns == START_NS


@pytest.mark.parametrize("wrong", [{"min_samples": 0}, {"min_quality": 1.5}, {"max_templates": 0}])
def test_a_config_without_sense_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must be"):
        EnrolConfig(**wrong)
