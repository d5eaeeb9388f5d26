"""One recipe for every family: a config that its net and its losses accept, and runs that are not repeated."""

from pathlib import Path

import msgspec
import pytest

from benchmarks import families
from benchmarks.ablations import walkers
from benchmarks.families import OF_SEQUENCES, recipe, trained
from gait.models import checkpoints, registry
from gait.training.config import TrainingConfig


@pytest.mark.parametrize("name", registry.names())
def test_every_family_is_trained_by_the_recipe(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def small(name: str, data: Path, steps: int, seed: int) -> TrainingConfig:
        found = recipe(name, data, steps, seed)
        clip = msgspec.structs.replace(found.sampler.clip, frames=4)
        sampler = msgspec.structs.replace(found.sampler, people=2, clips=2, clip=clip)
        return msgspec.structs.replace(found, sampler=sampler)

    monkeypatch.setattr(families, "recipe", small)
    data = walkers(tmp_path, 2)
    model = trained(name, data, tmp_path / "run", 1, 0)
    assert checkpoints.load(str(model)).family == name
    written = model.stat().st_mtime_ns
    assert trained(name, data, tmp_path / "run", 1, 0).stat().st_mtime_ns == written


def test_only_families_of_single_frames_take_few_of_them() -> None:
    frames = {name: recipe(name, Path(), 1, 0).sampler.clip.frames for name in registry.names()}
    assert {name for name, count in frames.items() if count > 4} == OF_SEQUENCES
