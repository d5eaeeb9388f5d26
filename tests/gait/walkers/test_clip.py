"""A clip on disk is what was rendered, and its truth reads back."""

from pathlib import Path

import av
import msgspec
import numpy as np
import pytest

from gait.walkers.clip import clip_truth, record, write_clip
from gait.walkers.happenings import happenings, heel_strikes
from gait.walkers.scenes import street_scene
from gait.walkers.truth import SEEN, Crop, PersonRecord, mot_path, read_truth, truth_path
from stream.errors import ConfigError, MessageError, ResourceError, SourceError

SCENE = street_scene(3, people=2, seconds=1.2, size=(320, 180), fps=25)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clips") / "two.mp4"
    write_clip(SCENE, path)
    return path


def test_frames_times_and_size_come_back_exactly(clip: Path) -> None:
    with av.open(str(clip)) as container:
        stream = container.streams.video[0]
        assert stream.average_rate == 25
        frames = list(container.decode(stream))
    assert len(frames) == SCENE.frame_count == 30
    assert [float(frame.time) for frame in frames] == pytest.approx([n / 25 for n in range(30)])
    assert (frames[0].width, frames[0].height) == (320, 180)


def test_the_picture_survives_the_encoder(clip: Path) -> None:
    with av.open(str(clip)) as container:
        first = next(container.decode(video=0)).to_ndarray(format="bgr24")
    assert np.abs(first.astype(int) - SCENE.frame(0).image).mean() < 6


def test_truth_reads_back_as_it_was_rendered(clip: Path) -> None:
    truth = read_truth(clip)
    assert truth == read_truth(truth_path(clip))
    assert [frame.number for frame in truth.frames] == list(range(30))
    assert set(truth.identities) == {walker.person.name for walker in SCENE.walkers}
    for kept, person in zip(truth.frames[20].people, SCENE.frame(20).truth, strict=True):
        assert kept.identity == person.identity
        assert np.array_equal(kept.crop().on(180, 320), person.crop.on(180, 320))
        assert np.allclose(kept.joints_2d, person.joints_2d, atol=0.01)
        assert np.allclose(kept.joints_3d, person.joints_3d, atol=0.001)


def test_the_same_scene_writes_the_same_bytes_and_tells_its_progress(clip: Path, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    write_clip(SCENE, tmp_path / "again.mp4", progress=lambda done, total: told.append((done, total)))
    assert (tmp_path / "again.mp4").read_bytes() == clip.read_bytes()
    assert truth_path(tmp_path / "again.mp4").read_bytes() == truth_path(clip).read_bytes()
    assert told == [(n + 1, 30) for n in range(30)]


def test_mot_lines_count_from_one_and_match_the_boxes(clip: Path) -> None:
    truth = read_truth(clip)
    rows = [[float(value) for value in line.split(",")] for line in truth.mot().splitlines()]
    assert len(rows) == sum(len(frame.people) for frame in truth.frames)
    person = truth.frames[25].people[0]
    mine = [row for row in rows if row[0] == 26 and truth.identities[int(row[1]) - 1] == person.identity]
    assert mine[0][2:6] == pytest.approx(
        [person.box[0], person.box[1], person.box[2] - person.box[0], person.box[3] - person.box[1]],
        abs=0.011,
    )


def test_the_mot_file_lies_beside_the_clip(clip: Path) -> None:
    assert mot_path(clip).name == "two.gt.txt"
    assert mot_path(clip).read_text() == read_truth(clip).mot()


def test_events_are_comings_goings_and_heel_strikes_in_order(clip: Path) -> None:
    truth = read_truth(clip)
    assert truth.people == tuple({walker.person.name: walker.person for walker in SCENE.walkers}.values())
    assert list(truth.events) == sorted(truth.events, key=lambda event: event.time_s)
    for name in truth.identities:
        spans = [(came.time_s, went.time_s) for came, went in truth.stays(name)]
        seen = [f.time_s for f in truth.frames for p in f.people if p.identity == name and p.visible >= SEEN]
        assert [span for span in spans if span[0] <= span[1]] == spans
        assert (spans[0][0], spans[-1][1]) == (seen[0], seen[-1]) if seen else not spans
    strikes = [event for event in truth.events if event.what.endswith("heel")]
    assert strikes


def test_a_heel_strikes_where_the_foot_begins_to_stand() -> None:
    walker = SCENE.walkers[0]
    strikes = sorted(heel_strikes(walker))
    assert [what for _, what in strikes[:4]] in (
        ["right heel", "left heel"] * 2,
        ["left heel", "right heel"] * 2,
    )
    for time_s, what in strikes[1:6]:
        side = int(what == "left heel")
        before, after = (walker.walk.pose(time_s - walker.enter_s + by).feet[side] for by in (-0.02, 0.02))
        assert not before.planted
        assert after.planted


def test_who_is_hidden_for_a_moment_has_not_gone() -> None:
    truth = clip_truth(SCENE, tuple(record(SCENE.frame(n)) for n in range(24, 30)))
    name = truth.frames[0].people[0].identity
    gap = msgspec.structs.replace(truth.frames[2], people=())
    later = [msgspec.structs.replace(f, time_s=f.time_s + 2.0) for f in truth.frames]
    hidden = msgspec.structs.replace(truth, frames=(*truth.frames[:2], gap, *truth.frames[3:], *later))
    comings = [e for e in happenings(SCENE, hidden) if e.identity == name and e.what == "comes"]
    assert [e.time_s for e in comings] == [truth.frames[0].time_s, later[0].time_s]


def test_presence_is_when_enough_of_a_person_shows(clip: Path) -> None:
    truth = read_truth(clip)
    for name, first, last in truth.presence(at_least=0.3):
        times = [f.time_s for f in truth.frames for p in f.people if p.identity == name and p.visible >= 0.3]
        assert (first, last) == (min(times), max(times))
    assert not list(truth.presence(at_least=1.01))


def test_a_hidden_person_has_no_mask_and_still_reads_back() -> None:
    person = SCENE.frame(25).truth[0]
    hidden = type(person)(
        **{**vars(person), "visible_box": None, "visible": 0.0, "crop": Crop(np.zeros((0, 0), bool), 0, 0)}
    )
    kept = msgspec.json.decode(msgspec.json.encode(PersonRecord.of(hidden)), type=PersonRecord)
    assert kept.mask is None
    assert not kept.crop().on(10, 10).any()


def test_broken_and_missing_truth_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no truth to read"):
        read_truth(tmp_path / "none.mp4")
    for text in ("", "{", "[]", '{"width": "wide"}'):
        (tmp_path / "bad.truth.json").write_text(text)
        with pytest.raises(MessageError, match="not a truth file"):
            read_truth(tmp_path / "bad.mp4")


def test_truth_of_another_version_is_refused(clip: Path, tmp_path: Path) -> None:
    other = msgspec.structs.replace(read_truth(clip), version=9)
    (tmp_path / "new.truth.json").write_bytes(msgspec.json.encode(other))
    with pytest.raises(MessageError, match="version 9"):
        read_truth(tmp_path / "new.mp4")


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ResourceError, match="cannot write the clip"):
        write_clip(SCENE, tmp_path / "file" / "clip.mp4")
    with pytest.raises(ConfigError, match=r"ends in \.mp4"):
        write_clip(SCENE, tmp_path / "clip.unknown")
