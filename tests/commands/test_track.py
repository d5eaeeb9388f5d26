"""``track`` and ``evaluate --protocol mot``: files out, files judged, bad files named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from commands.followed import Followed, Numbers, described
from commands.mot import find_pairings, judge
from gait.evaluation.mot import scores
from run_pipeline import main
from stream.errors import ConfigError, GaitwayError
from stream.messages import FrameRef, Link, People, Retraction, Track, Tracked, TrackletId
from tests.commands.conftest import Run
from tests.trackers.makers import person
from trackers.mot import MotRow, Recording, read_mot, write_mot

SIZES = ("--fps", "25", "--size", "640x480")


def detections(path: Path, frames: int = 50) -> Path:
    """Two people who pass each other far apart, as a detector gives them."""
    rows = []
    for n in range(1, frames + 1):
        rows.append(MotRow(n, -1, (10.0 + 4 * n, 100.0, 60.0 + 4 * n, 250.0), 0.9))
        rows.append(MotRow(n, -1, (600.0 - 4 * n, 280.0, 640.0 - 4 * n, 430.0), 0.9))
    write_mot(path, rows)
    return path


def truth_of(path: Path, found: Path) -> Path:
    """The detections with the identities they should have."""
    rows = read_mot(found)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_mot(path, [MotRow(row.frame, 1 + n % 2, row.box) for n, row in enumerate(rows)])
    return path


def test_detections_become_tracks_that_score_full_marks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found, out = detections(tmp_path / "det.txt"), tmp_path / "out"
    assert main(["track", str(found), *SIZES, "--out", str(out), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["frames"], told["tracklets"], told["links"], told["video"]) == (50, 2, 0, None)
    truth, result = truth_of(tmp_path / "seq" / "gt" / "gt.txt", found), out / "tracks.txt"
    words = ["evaluate", "--protocol", "mot", "--data", str(truth), "--result", str(result), "--json"]
    assert main(words) == 0
    (one,) = json.loads(capsys.readouterr().out)["sequences"].values()
    assert one["idf1"] > 97
    assert (one["switches"], one["false_positives"], one["people"]) == (0, 0, 2)


def test_a_clip_becomes_files_and_a_video(gaitway: Run, walk: Path, tmp_path: Path) -> None:
    done = gaitway("track", walk, "--out", "out", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["tracklets"] >= 1
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "detections.txt",
        "linked.txt",
        "overlay.mp4",
        "seqinfo.ini",
        "tracks.txt",
    }
    assert {row.frame for row in read_mot(tmp_path / "out" / "tracks.txt")} <= set(
        range(1, told["frames"] + 1)
    )
    again = described(tmp_path / "out" / "detections.txt", None, None)
    assert (again.width, again.height) == (640, 360)
    assert again.fps == pytest.approx(25.0, abs=0.1)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("track", "nothing.txt", *SIZES), "cannot be read"),
        (("track", "det.txt"), "--fps N --size WxH"),
        (("track", "det.txt", "--fps", "0", "--size", "640x480"), "--fps N --size WxH"),
        (("track", "det.txt", "--fps", "25", "--size", "wide"), "--fps N --size WxH"),
        (("track", "bad.txt", *SIZES), "bad.txt:1"),
        (("track", "rtsp://192.0.2.1/x"), "recordings"),
        (("evaluate", "--protocol", "mot"), "--data TRUTH --result FILE"),
        (("evaluate", "--protocol", "mot", "--data", "seq", "--result", "det.txt"), "no truth"),
        (("evaluate", "--protocol", "mot", "--data", "det.txt", "--result", "det.txt"), "a box of nobody"),
    ],
)
def test_bad_input_is_one_clear_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    detections(tmp_path / "det.txt", 2)
    (tmp_path / "bad.txt").write_text("1,2,three\n")
    (tmp_path / "seq").mkdir()
    assert main(list(words)) != 0
    told = capsys.readouterr().err
    assert said in told
    assert told.count("\n") == 1


def link(earlier: int, later: int, at_ns: int = 10) -> Link:
    return Link(TrackletId("c", "r", earlier), TrackletId("c", "r", later), at_ns, 1.0, 0.1, 0.95)


def frame_of(*tracklets: int, number: int = 0) -> tuple[People, Tracked]:
    ref = FrameRef("c", "r", number, number, number, 640, 480)
    tracks = tuple(
        Track(TrackletId("c", "r", n), (0.0, 0.0, 1.0, 1.0), place) for place, n in enumerate(tracklets)
    )
    return People(ref, tuple(person() for _ in tracklets)), Tracked(ref, tracks)


def test_a_chain_of_links_has_the_id_it_begins_with() -> None:
    followed = Followed()
    for number, who in enumerate((0, 3, 5, 6)):
        followed.take(*frame_of(who, number=number))
    for statement in (link(0, 3), link(3, 5), link(0, 6)):
        followed.note(statement)
    followed.note(Retraction(link(0, 6), 20, "the gaits differ"))
    assert [row.person for row in followed.tracks] == [1, 4, 6, 7]
    assert [row.person for row in followed.linked()] == [1, 1, 1, 7]
    assert (followed.ids, followed.chains, followed.retracted) == (4, 2, 1)


def test_a_label_shows_the_chain_from_when_it_was_known() -> None:
    followed = Followed()
    followed.note(link(0, 3, at_ns=10))
    labels = Numbers(followed.continued)
    before, after = labels.label("c/r/3", 9), labels.label("c/r/3", 10)
    assert (before.text, before.note) == ("4", "")
    assert (after.text, after.note, after.colour) == ("1", "id 4", labels.label("c/r/0", 0).colour)


def test_a_sequence_describes_itself(tmp_path: Path) -> None:
    (tmp_path / "det").mkdir()
    Followed(frames=7).write(tmp_path, Recording("hall", 29.97, 1920, 1080))
    found = described(tmp_path / "det" / "det.txt", None, None)
    assert found == Recording("hall", 29.97, 1920, 1080)
    assert described(tmp_path / "det" / "det.txt", 10.0, "64x48") == Recording("hall", 10.0, 64, 48)


def test_folders_of_sequences_are_paired_by_name(tmp_path: Path) -> None:
    for name in ("a", "b"):
        truth_of(tmp_path / "truth" / name / "gt" / "gt.txt", detections(tmp_path / f"{name}.txt"))
    pairings = find_pairings(tmp_path / "truth", tmp_path)
    assert [(one.name, one.result.name) for one in pairings] == [("a", "a.txt"), ("b", "b.txt")]
    with pytest.raises(ConfigError, match="no result for a"):
        find_pairings(tmp_path / "truth", tmp_path / "a.txt" / "x")


def test_who_may_be_found_or_not_counts_neither_way(tmp_path: Path) -> None:
    """MOT17: a result on somebody in a vehicle (class 7) is no false box; a truth with score 0 is not missed."""
    (tmp_path / "s").mkdir()
    truth = [MotRow(1, 1, (0.0, 0.0, 10.0, 20.0)), MotRow(1, 2, (100.0, 0.0, 110.0, 20.0), kind=7)]
    truth.append(MotRow(1, 3, (300.0, 0.0, 310.0, 20.0), score=0.0))
    write_mot(tmp_path / "s" / "gt.txt", truth)
    write_mot(tmp_path / "s.txt", [MotRow(1, n, row.box) for n, row in enumerate(truth[:2], 1)])
    (pairing,) = find_pairings(tmp_path / "s", tmp_path / "s.txt")
    one = scores(judge(pairing))
    assert (one.false_positives, one.false_negatives, one.boxes, one.people) == (0, 0, 1, 1)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("1,1,0,0,5,5,1\n1,1,0,0,5,5,1\n", "stands twice"),
        ("1,1,0,0,nan,5,1\n", "not a row of a box"),
        ("", "nobody"),
    ],
)
def test_a_truth_that_is_none_is_refused(tmp_path: Path, rows: str, said: str) -> None:
    (tmp_path / "gt.txt").write_text(rows)
    write_mot(tmp_path / "r.txt", [MotRow(1, 1, (0.0, 0.0, 5.0, 5.0))])
    with pytest.raises(GaitwayError, match=said):
        judge(find_pairings(tmp_path / "gt.txt", tmp_path / "r.txt")[0])
