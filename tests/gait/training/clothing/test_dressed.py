"""A data set beside its variants: who is dressed, how often, the same every time, killed or not."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from gait.data.errors import DataError
from gait.data.records import Entry
from gait.data.source import make_walk
from gait.data.store import DataSet, DataSetWriter
from gait.training.clothing.dressed import dress
from gait.training.clothing.shares import LEDGER, Wanted, chosen, is_variant, source_of
from run_pipeline import main
from tests.gait.data.walks import same
from tests.gait.training.clothing.walking import side_on, small_set

ROOT = Path(__file__).parents[4]
HALF = Wanted(0.5, 2, 3)

# Kills itself when the writer begins block ``left``, or when what is named is written.
KILLER = """
import os, signal, sys
from pathlib import Path
from gait.data import writer
from gait.training.clothing import dressed, shares

where, left = sys.argv[3], int(sys.argv[4])
owner = {"_write": writer.DataSetWriter, "write_ledger": dressed}[where]
real = getattr(owner, where)

def kills(*arguments, **named):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(*arguments, **named)

setattr(owner, where, kills)
dressed.dress(Path(sys.argv[1]), Path(sys.argv[2]), shares.Wanted(0.5, 2, 3), workers=1)
"""


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_only_training_people_are_dressed_and_everything_else_stays(tmp_path: Path) -> None:
    source = small_set(tmp_path / "in")
    dress(source, tmp_path / "out", HALF, workers=1)
    before, after = DataSet.open(source), DataSet.open(tmp_path / "out")
    made = [entry for entry in after.entries if is_variant(entry)]
    assert len(after) == len(before) + len(made)
    assert len(made) == 2 * 3
    assert {entry.person for entry in made} == {"000", "001", "002"}
    assert after.partition == before.partition
    for entry in before.entries:
        assert same(before.read(entry), after.read(entry))
    for entry in made:
        walk, original = after.read(entry), before.read(before.entry(source_of(entry)))
        assert (walk.silhouettes > 127).sum() > (original.silhouettes > 127).sum()


def test_the_ledger_says_what_was_made_from_what(tmp_path: Path) -> None:
    source = small_set(tmp_path / "in")
    dress(source, tmp_path / "out", HALF, workers=1)
    lines = [json.loads(line) for line in (tmp_path / "out" / LEDGER).read_text().splitlines()]
    assert len(lines) == 6
    there = {str(entry) for entry in DataSet.open(tmp_path / "out").entries}
    for line in lines:
        assert line["made"] in there
        assert line["made"] == f"{line['from']}+outline{line['variant']:02d}"
        assert line["wearing"]


@pytest.mark.parametrize(
    ("where", "times"),
    [pytest.param("_write", 2, marks=pytest.mark.slow), ("_write", 20), ("write_ledger", 1)],
)
def test_killed_and_started_again_it_ends_with_the_same_files(tmp_path: Path, where: str, times: int) -> None:
    source = small_set(tmp_path / "in")
    dress(source, tmp_path / "whole", HALF, workers=1)
    command = [sys.executable, "-c", KILLER, str(source), str(tmp_path / "killed"), where, str(times)]
    ended = subprocess.run(command, check=False, env={**os.environ, "PYTHONPATH": str(ROOT)}, timeout=100)
    assert ended.returncode == -signal.SIGKILL
    dress(source, tmp_path / "killed", HALF, workers=1)
    assert contents(tmp_path / "killed") == contents(tmp_path / "whole")


def test_a_folder_made_otherwise_is_refused(tmp_path: Path) -> None:
    source = small_set(tmp_path / "in", 2, 1)
    dress(source, tmp_path / "out", HALF, workers=1)
    with pytest.raises(DataError, match="prepared otherwise"):
        dress(source, tmp_path / "out", Wanted(0.5, 3, 3), workers=1)


def test_one_bad_track_does_not_end_the_others(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    walk = side_on(frames=12)
    with DataSetWriter(tmp_path / "in") as writer:
        writer.add(Entry("a", "nm", "090", 12, "0"), walk)
        writer.add(Entry("b", "nm", "090", 12, "0"), make_walk(walk.silhouettes))
        writer.add(
            Entry("c", "nm", "090", 12, "0"), make_walk(np.zeros_like(walk.silhouettes), walk.joints_2d)
        )
        writer.finish()
    arguments = ["augment", str(tmp_path / "in"), str(tmp_path / "out"), "--share", "1", "--variants", "1"]
    assert main([*arguments, "--workers", "1", "--sheets"]) == 0
    told = capsys.readouterr().err
    assert "1 tracks in new clothes, made from 1, beside 3 as they were" in told
    assert "left out b/nm/090/0+outline00" in told.replace(str(tmp_path / "in") + "/", "")
    assert "no joints to hang clothes on" in told
    assert "nobody is in any of its silhouettes" in told
    assert "2 left out in all" in told
    assert (tmp_path / "out/sheets/a_nm_090_0.png").exists()


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--share", "1.5"], "--share 1.5; wanted above 0"),
        (["--variants", "0"], "--variants 0; wanted 1 to"),
        (["--seed", "-1"], "--seed -1"),
        (["--workers", "0"], "--workers 0"),
    ],
)
def test_numbers_that_mean_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], flags: list[str], told: str
) -> None:
    source = small_set(tmp_path / "in", 2, 1)
    assert main(["augment", str(source), str(tmp_path / "out"), *flags]) != 0
    assert told in capsys.readouterr().err


def test_a_share_is_of_each_person_alike() -> None:
    entries = [
        Entry(f"{person:02d}", "nm", "", 5, str(number)) for person in range(10) for number in range(8)
    ]
    taken = chosen(entries, Wanted(0.25, 1, 5))
    assert len(taken) == 20
    counts = [sum(entry.person == f"{person:02d}" for entry in taken) for person in range(10)]
    assert set(counts) == {2}
    assert taken != chosen(entries, Wanted(0.25, 1, 6))


def test_names_that_only_look_like_variants() -> None:
    assert not is_variant(Entry("a", "nm", "", 1, "walk+slow01"))
    assert source_of(Entry("a", "nm", "v", 1, "x+outline07")) == ("a", "nm", "v", "x")
