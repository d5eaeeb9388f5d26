"""Real people before one camera: everybody is asked about once, and a level keeps strangers from being named."""

from pathlib import Path

import pytest

from benchmarks import calibration_kth
from benchmarks.calibration_kth import Seen, real_strangers
from benchmarks.report import Figure
from gait.baseline import BaselineEmbedder
from gait.identify import Decider
from tests.gait.test_decision_level import COHORT, MAP, at_a_camera


def passes(shared: float) -> list[Seen]:
    """Eight people, four passes in each of two scenes."""
    return [
        Seen(str(who), scene, turn, 60, at_a_camera(who, shared, 0.2, again=4 * (scene == "d2") + turn))
        for who in range(8)
        for scene in ("d1", "d2")
        for turn in range(4)
    ]


def figures(monkeypatch: pytest.MonkeyPatch, shared: float) -> dict[str, Figure]:
    monkeypatch.setattr(calibration_kth, "perceived_passes", lambda _: [])
    monkeypatch.setattr(calibration_kth, "_seen", lambda *_: passes(shared))
    found: dict[str, Figure] = {}
    real_strangers(found, Path(), BaselineEmbedder(), Decider(MAP, cohort=COHORT))
    return found


def test_everybody_is_asked_about_as_enrolled_and_as_a_stranger(monkeypatch: pytest.MonkeyPatch) -> None:
    found = figures(monkeypatch, 0.7)
    assert found["kth.people"] == 8
    assert found["kth.same_scene.asked"] == 2 * 2 * 8 * 2
    assert found["kth.other_scene.asked"] == 2 * 8 * 4
    assert found["kth.same_scene.level.named_right"] > 0.9
    assert found["kth.same_scene.level.strangers_named"] == 0


def test_without_a_level_strangers_are_named_where_people_share_much(monkeypatch: pytest.MonkeyPatch) -> None:
    found = figures(monkeypatch, 1.0)
    assert found["kth.same_scene.no_level.strangers_named"] > found["kth.same_scene.level.strangers_named"]


def test_a_pass_that_nobody_found_is_left_out() -> None:
    lost = calibration_kth.Pass("1", "d1", 0, 0, 9, None)
    assert calibration_kth._seen([lost], BaselineEmbedder()) == []
