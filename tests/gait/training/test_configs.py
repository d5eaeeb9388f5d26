"""Every config that ships fits the settings, its net can be built of them, and foreign ones are whole."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch

from gait.models import registry
from gait.training.build import build_net
from gait.training.config import TrainingConfig
from gait.training.foreign_config import is_foreign, translate

CONFIGS = Path(__file__).parents[3] / "configs"
FILES = sorted(CONFIGS.rglob("*.yaml"))


def test_there_is_one_for_each_published_pair() -> None:
    sets = {"gait3d", "grew", "ccpg", "sustech1k", "oumvlp", "casia_b"}
    names = {path.stem for path in FILES}
    assert {f"{family}_{name}" for family in ("deepgaitv2", "skeletongait") for name in sets} <= names
    assert {f"skeletongait_pp_{name}" for name in sets - {"oumvlp", "casia_b"}} <= names
    assert {f"hybridgait_{name}" for name in ("casia_b", "gait3d", "grew", "ccvid")} <= names
    assert {"deepgaitv2_usf", "siamesegait_ucalgary", "gaitgraph2_ucalgary"} <= names
    used = {registry.family(config_of(path).model.family).name for path in FILES}
    assert used == set(registry.names())


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_config_fits_and_builds(path: Path) -> None:
    config = config_of(path)
    entropy = config.losses.cross_entropy is not None
    with torch.device("meta"):
        net, left_out = build_net(config.model, 100 if entropy else 0)
    assert net.family == config.model.family
    assert left_out == ()


def config_of(path: Path) -> TrainingConfig:
    plain = msgspec.yaml.decode(path.read_bytes(), type=dict[str, Any])
    if not is_foreign(plain):
        return msgspec.convert(plain, TrainingConfig)
    done = translate(plain)
    assert done.unknown == ()
    return done.config
