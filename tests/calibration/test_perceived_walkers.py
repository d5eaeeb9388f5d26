"""Walkers in colour through our own perception, as training data."""

from pathlib import Path

import msgspec
import numpy as np
import pytest

from calibration.perceived_walkers import PERCEIVED, PerceivedWalkers, scene_of
from engines.weights import POSE_DETECTOR
from gait.data.errors import DataError
from gait.data.prepare import prepare
from gait.data.store import DataSet
from gait.training.synthetic import TESTED_WITH, TRAINED_ON

ONE = msgspec.structs.replace(PERCEIVED, people=1, sequences=2, frames=14, least=6)


def test_nobody_else_is_rendered() -> None:
    own = {int(one.entry.person) for one in PerceivedWalkers().find().found}
    assert len(own) == PERCEIVED.people
    assert not own & set(range(TRAINED_ON.first, TRAINED_ON.first + TRAINED_ON.people))
    assert min(own) > TRAINED_ON.first
    assert max(own) < TESTED_WITH.first


def test_a_pass_is_a_function_of_its_seed_and_number() -> None:
    first, again, other = (scene_of(ONE.first, number, ONE) for number in (0, 0, 1))
    np.testing.assert_array_equal(first.frame(5).image, again.frame(5).image)
    assert first.seed != other.seed


def test_what_perception_saw_is_kept(tmp_path: Path) -> None:
    assert POSE_DETECTOR.sha256, "perception is the real one here"
    report = prepare("perceived", PerceivedWalkers(ONE), tmp_path, workers=1)
    data = DataSet.open(tmp_path)
    assert report.sequences == len(data) >= 1
    for entry in data.entries:
        walk = data.read(entry)
        assert len(walk.silhouettes) == entry.frames >= ONE.least
        assert walk.joints_3d is not None
        filled = (walk.silhouettes > 127).mean(axis=(1, 2))
        assert ((filled > 0.1) & (filled < 0.7)).all()


def test_who_is_hardly_seen_is_left_out() -> None:
    demanding = msgspec.structs.replace(ONE, least=500)
    maker = PerceivedWalkers(demanding)
    with pytest.raises(DataError, match="wanted 500 at least"):
        maker.load(maker.find().found[0])
