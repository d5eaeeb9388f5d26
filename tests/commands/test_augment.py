"""The verb: what it says where something is missing, and recordings through the whole of it."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from commands import augment, augment_chain
from gait.data.store import DataSet
from gait.training.clothing.shares import LEDGER, METHODS
from run_pipeline import main
from tests.commands.conftest import Run
from tests.commands.test_bad_input import refused


def recording(root: Path, walk: Path) -> Path:
    folder = root / "people/ada"
    folder.mkdir(parents=True)
    shutil.copy(walk, folder / "walk.mp4")
    return root / "people"


def test_every_method_is_offered_and_named_alike() -> None:
    assert tuple(augment.METHODS) == METHODS
    chain = pytest.importorskip("gait.training.clothing.chain.chain", reason="needs torch")
    assert augment_chain.STAGES == chain.STAGES


Said = Callable[..., str]


@pytest.fixture
def said(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Said:
    """The one line that ``augment`` refuses with, in this process: starting another takes seconds."""
    monkeypatch.chdir(tmp_path)

    def call(*words: str) -> str:
        status = main(["augment", *words])
        told = capsys.readouterr()
        return refused(CompletedProcess(words, status, told.out, told.err))

    return call


def test_a_stage_without_weights_says_what_to_fetch_before_it_starts(said: Said, tmp_path: Path) -> None:
    (tmp_path / "people").mkdir()
    told = said("people", "out", "--method", "diffusion")
    assert "--describe-model" in told
    assert "llava" in told
    assert "GB to fetch" in told
    assert "licence" in told
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--size", "800x256"], "--size 800x256; wanted multiples of 64"),
        (["--size", "wide"], "--size wide"),
        (["--prompts", "nowhere.txt"], "nowhere.txt: no such file"),
        (["--diffusion-steps", "0"], "--diffusion-steps 0"),
        (["--again", "1"], "--again 1"),
        (["--device", "toaster"], "no device toaster"),
    ],
)
def test_flags_that_mean_nothing(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    flags: list[str],
    told: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "people").mkdir()
    models = [f"--{stage}-model=x" for stage in ("describe", "refine", "parse", "inpaint")]
    assert main(["augment", "people", "out", "--method", "diffusion", *models, *flags]) != 0
    assert told in capsys.readouterr().err


def test_a_folder_without_recordings(said: Said, tmp_path: Path) -> None:
    (tmp_path / "people/ada").mkdir(parents=True)
    assert "holds no sequence" in said("people", "out", "--method", "recolour")


def test_what_is_not_prepared_is_refused(said: Said, tmp_path: Path) -> None:
    (tmp_path / "people").mkdir()
    assert "there is no data set here" in said("people", "out")


@pytest.mark.slow
def test_a_recording_is_dyed_through_the_whole_pipeline(gaitway: Run, walk: Path, tmp_path: Path) -> None:
    recording(tmp_path, walk)
    words = ("people", "out", "--method", "recolour", "--share", "1", "--variants", "1", "--sheets")
    done = gaitway("augment", *words, timeout_s=600)
    assert done.returncode == 0, done.stderr
    assert "1 tracks in new clothes, made from 1, beside 1 as they were" in done.stderr
    assert len(DataSet.open(tmp_path / "out")) == 2
    assert json.loads((tmp_path / "out" / LEDGER).read_text())["made"] == "ada/walk/walk+recolour00"
    assert (tmp_path / "out/sheets/ada~walk~walk.jpg").exists()
