"""The verb writes a clip with all its truth, and says what is wrong in one line."""

import json
from pathlib import Path

import pytest

from gait.walkers.truth import read_truth
from tests.commands.conftest import Run

SMALL = ("--people", "2", "--seconds", "1", "--size", "160x120", "--fps", "10", "--seed", "4")


def test_a_clip_its_truth_and_its_sheet_are_written_and_told(gaitway: Run, tmp_path: Path) -> None:
    clip, sheet = tmp_path / "clip.mp4", tmp_path / "sheet.png"
    done = gaitway("walkers", *SMALL, "--out", clip, "--sheet", sheet, "--conditions", "coat,bag", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    truth = read_truth(clip)
    assert told["frames"] == len(truth.frames) == 10
    for key in ("clip", "truth", "mot", "sheet"):
        assert Path(told[key]).stat().st_size > 100
    assert [person["name"] for person in told["people"]] == list(truth.identities)
    assert all(person["conditions"]["coat"] > 0 for person in told["people"])
    assert sheet.read_bytes().startswith(b"\x89PNG")


def test_the_same_arguments_write_the_same_bytes(gaitway: Run, tmp_path: Path) -> None:
    names = ("a.mp4", "b.mp4")
    for name in names:
        assert gaitway("walkers", *SMALL, "--out", tmp_path / name).returncode == 0
    for suffix in (".mp4", ".truth.json", ".gt.txt"):
        first, second = ((tmp_path / name).with_suffix(suffix).read_bytes() for name in names)
        assert first == second


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--out", "clip.avi"), "ends in .mp4"),
        (("--out", "clip.mp4", "--people", "99"), "people=99 is out of range"),
        (("--out", "clip.mp4", "--conditions", "cape"), "no 'cape'"),
        (("--out", "clip.mp4", "--size", "9x9"), "size=9x9 is out of range"),
        (("--out", "clip.mp4", "--camera", "clean,seed=3"), "without commas"),
        (("--out", "clip.mp4", "--sheet", "sheet.gif"), "ends in .png"),
    ],
)
def test_wrong_arguments_are_one_clear_line(gaitway: Run, arguments: tuple[str, ...], says: str) -> None:
    done = gaitway("walkers", *arguments)
    assert done.returncode not in (0, 1)
    assert says in done.stderr
    assert "Traceback" not in done.stderr
