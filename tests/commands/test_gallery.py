"""The gallery's verbs as a user meets them: one line or one JSON object each, and what they say is so."""

import argparse
import json
import time
from pathlib import Path

import pytest

from commands.config import PipelineConfig
from commands.durations import expiry_ns
from commands.enrol import _folder, _track_of
from commands.recogniser import recogniser
from gait.gallery.config import GalleryConfig
from run_pipeline import main
from stream.errors import ConfigError
from stream.events import encode_event, sealed
from stream.messages import Event
from tests.strategies_gallery import template

MODEL = recogniser(PipelineConfig()).model
DAY_NS = 24 * 3600 * 10**9


@pytest.fixture
def ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Runs `gallery ...` on three people in a sealed gallery: (status, result or error line)."""
    monkeypatch.chdir(tmp_path)
    assert main(["gallery", "keygen", "file:k"]) == 0
    with GalleryConfig("g.sqlite", "file:k").open() as gallery:
        for number, name in enumerate(("Ada", "Ben", "Carl")):
            gallery.enrol(
                name, [template(2 * number + n, MODEL.digest, MODEL.dimension) for n in (0, 1)], "signed"
            )

    def run(*words: str, key: str = "file:k"):
        capsys.readouterr()
        settings = ["--set", "gallery.path=g.sqlite", "--set", f"gallery.key={key}"]
        status = main(["gallery", *words, "--json", *settings])
        told = capsys.readouterr()
        return status, json.loads(told.out) if told.out else told.err

    return run


def test_people_are_merged_split_named_and_it_is_all_undone(ask) -> None:
    assert ask("merge", "Ada", "Ben")[1]["person"]["aliases"] == ["Ben"]
    assert ask("undo")[1]["undone"] == "merge"
    assert ask("alias", "Ada", "Countess")[0] == 0
    assert ask("note", "Countess", "walks fast")[1]["person"]["note"] == "walks fast"
    assert len(ask("split", "Ada", "--templates", "1", "--name", "Zoe")[1]["person"]["templates"]) == 1
    assert ask("rename", "Zoe", "Zoë")[1]["person"]["name"] == "Zoë"
    assert [person["name"] for person in ask("list")[1]["people"]] == ["Ada", "Ben", "Carl", "Zoë"]
    for undone in ("rename", "split", "note", "alias"):
        assert ask("undo")[1]["undone"] == undone
    assert ask("show", "Ada")[1]["person"]["aliases"] == []
    assert ask("verify")[1]["faults"] == []
    assert [row["action"] for row in ask("audit")[1]["rows"]][-4:] == ["undo"] * 4


def test_removal_needs_a_yes_and_a_reason_of_the_list(ask) -> None:
    status, line = ask("remove", "Ada")
    assert (status, "--yes" in line) == (7, True)
    assert ask("remove", "Ada", "--yes", "--why", "consent-withdrawn")[0] == 0
    assert ask("audit")[1]["rows"][-1]["why"] == "consent-withdrawn"
    with pytest.raises(SystemExit):
        ask("remove", "Ben", "--yes", "--why", "because")
    assert ask("drop", "Ben", "--templates", "3", "--yes")[0] == 0
    assert len(ask("show", "Ben")[1]["person"]["templates"]) == 1


def test_people_travel_in_a_file(ask, tmp_path: Path) -> None:
    assert ask("export", "x", "--key", "file:k", "--only", "Ada")[1] == {"people": 1}
    assert ask("remove", "Ada", "--yes")[0] == 0
    assert len(ask("import", "x", "--key", "file:k")[1]["people"]) == 1
    status, line = ask("import", "x", "--key", "file:k")
    assert (status, "known already" in line) == (7, True)
    assert ask("import", "x", "--key", "file:k", "--if-known", "skip")[1]["people"] == []
    status, line = ask("import", "x")
    assert (status, "sealed" in line) == (7, True)


def test_a_key_is_changed_and_needed(ask) -> None:
    assert ask("keygen", "file:other")[0] == 0
    assert ask("rekey", "file:other")[0] == 0
    status, line = ask("list")
    assert (status, "another key sealed it" in line) == (7, True)
    assert len(ask("list", key="file:other")[1]["people"]) == 3
    assert ask("rekey", "none", key="file:other")[0] == 0
    assert len(ask("list", key="")[1]["people"]) == 3
    status, line = ask("keygen", "file:other")
    assert (status, "never overwritten" in line) == (2, True)


def test_data_end_when_they_should(ask) -> None:
    person = ask("expiry", "Ada", "30d")[1]["person"]
    assert abs(person["expires_ns"] - time.time_ns() - 30 * DAY_NS) < DAY_NS
    assert ask("expire")[1]["people"] == 0
    assert ask("expiry", "Ada", "never")[1]["person"]["expires_ns"] is None
    assert ask("expiry", "Ada", "2001-01-31")[0] == 0
    assert ask("expire")[1]["people"] == 1
    assert ask("compact")[1]["bytes"] >= 0
    assert ask("re-embed")[1]["without"] == []


def test_tables_are_shown_to_people(ask, capsys: pytest.CaptureFixture[str]) -> None:
    settings = ["--set", "gallery.path=g.sqlite", "--set", "gallery.key=file:k"]
    for words in (
        ["list"],
        ["show", "Ada"],
        ["audit"],
        ["tracks"],
        ["verify"],
        ["expire"],
        ["compact"],
        ["undo"],
    ):
        assert main(["gallery", *words, *settings]) == 0
    told = capsys.readouterr()
    assert "Ada" in told.out
    assert "the gallery is sound" in told.err


@pytest.mark.parametrize("text", ["soon", "30", "2027-13-01", "1y", "-3d"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="wanted 12h"):
        expiry_ns(text)


def test_a_folder_of_people_names_them(tmp_path: Path) -> None:
    (tmp_path / "Ada").mkdir()
    for name in ("Ada/b.mp4", "Ada/a.MP4", "Ada/note.txt", "Ben.avi"):
        (tmp_path / name).write_bytes(b"")
    found = {name: [Path(clip).name for clip in clips] for name, clips in _folder(tmp_path)}
    assert found == {"Ada": ["a.MP4", "b.mp4"], "Ben": ["Ben.avi"]}
    for empty in (tmp_path / "Ada" / "note.txt", tmp_path / "nowhere"):
        with pytest.raises(ConfigError, match="nobody is there"):
            list(_folder(empty))


def test_an_event_leads_to_its_track(tmp_path: Path) -> None:
    told = [sealed(Event("", "end", "door", "r", 0, n, tracklet=f"door/r/{n}"), n) for n in (1, 2)]
    told.append(sealed(Event("", "start", "door", "r", 0, 0), 3))
    (tmp_path / "e.jsonl").write_bytes(b"".join(encode_event(event) + b"\n" for event in told))
    assert _track_of(tmp_path / "e.jsonl", told[1].id[:12]) == "door/r/2"
    for wrong, line in (("zz", "no event"), ("", "3 events"), (told[2].id, "about no track")):
        with pytest.raises(ConfigError, match=line):
            _track_of(tmp_path / "e.jsonl", wrong)


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["a.mp4"], "who is it"),
        (["--name", "Ada"], "enrol needs clips or a track"),
        (["a.mp4", "--name", "Ada", "--track", "t"], "enrol needs clips or a track"),
        (["--people", "folder", "--name", "Ada"], "who is it"),
        (["a.mp4", "--name", "Ada", "--keep-walks"], "without consent"),
    ],
)
def test_enrolments_that_say_too_little_are_refused(words: list[str], line: str, capsys) -> None:
    assert main(["enrol", *words]) == 2
    assert line in capsys.readouterr().err
