"""A run goes on under a newer version: a setting that came later counts as its default."""

from pathlib import Path

import msgspec
import pytest
import torch

from gait.training.checkpoint import Facts
from gait.training.parallel import Processes
from gait.training.same_run import check_same_run, plain
from stream.errors import ConfigError
from tests.gait.training.fakes import config


def facts_of(settings: dict) -> Facts:
    known = {"step": 1, "seed": 0, "config": settings, "data": "d", "processes": 1}
    empty = {"optimizer": [], "scaler": {}, "python": [], "numpy": {}}
    rest = {"best": None, "best_step": -1, "waited": 0, "score": None}
    return msgspec.convert(known | empty | rest, Facts)


def test_settings_that_came_later_count_as_their_defaults() -> None:
    """Written without them, a run is taken up by defaults and refused by anything else."""
    before = plain(config())
    del before["augment"]["stretch"]
    alone = Processes(torch.device("cpu"))
    check_same_run(facts_of(before), config(), "d", alone, Path("run"))
    with pytest.raises(ConfigError, match=r"augment.stretch \(then 0.0, now 0.5\)"):
        check_same_run(facts_of(before), config(augment={"stretch": 0.5}), "d", alone, Path("run"))


def test_settings_that_are_gone_are_told_as_they_were() -> None:
    before = plain(config())
    before["augment"]["gone"] = 1
    before["augment"]["mirror"] = 0.9
    with pytest.raises(ConfigError, match=r"augment.mirror \(then 0.9"):
        check_same_run(facts_of(before), config(), "d", Processes(torch.device("cpu")), Path("run"))
