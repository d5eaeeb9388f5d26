"""The net in the box from nothing: every part begins with the one before, and what is done is not done again."""

from pathlib import Path

import msgspec
import pytest

from calibration import shipped_recipe
from calibration.shipped_recipe import DRAWN, PARTS, SEEN, trainings
from gait.data.prepare import prepare
from gait.models import checkpoints
from gait.training.config import TrainingConfig
from gait.training.loop import MODEL
from gait.training.synthetic import TRAINED_ON, TrainingWalkers
from gait.training.synthetic_train import read_config


@pytest.fixture
def begun_with(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Parts take two people at a time; which weights each began with, in order."""
    asked: list[str] = []

    def small(path: Path, start: str) -> TrainingConfig:
        asked.append(start)
        found = read_config(path, start)
        clip = msgspec.structs.replace(found.sampler.clip, frames=3, runs=1)
        sampler = msgspec.structs.replace(found.sampler, people=2, clips=2, clip=clip)
        return msgspec.structs.replace(found, sampler=sampler)

    monkeypatch.setattr(shipped_recipe, "read_config", small)
    return asked


def test_every_part_goes_on_from_the_one_before(tmp_path: Path, begun_with: list[str]) -> None:
    firsts = {name: chosen.first for name, chosen in (DRAWN | SEEN).items()}
    for name, first in firsts.items():
        few = msgspec.structs.replace(TRAINED_ON, people=2, first=first, sequences=2, frames=6)
        prepare("walkers", TrainingWalkers(few), tmp_path / "data" / name, workers=1)
    last = trainings(tmp_path, steps=1)
    runs = [tmp_path / "runs" / part for part in PARTS]
    assert last == runs[-1]
    assert begun_with == ["", *(str(run / MODEL) for run in runs[:-1])]
    assert checkpoints.load(last / MODEL).family == "silskeletongait"
    (last / MODEL).unlink()
    kept = (runs[0] / MODEL).stat().st_mtime_ns
    begun_with.clear()
    trainings(tmp_path, steps=1)
    assert begun_with == [str(runs[-2] / MODEL)]
    assert (runs[0] / MODEL).stat().st_mtime_ns == kept
    assert (last / MODEL).exists()
