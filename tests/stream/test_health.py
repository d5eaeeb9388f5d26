"""Well or not, and if not, which part: each state named, and nothing else."""

from __future__ import annotations

import pytest

from stream.health import HealthLimits, health
from stream.look import CameraState, CameraStatus, Look, StageState, State, Status
from stream.meters import Histogram
from stream.stop import Level

LIMITS = HealthLimits(silent_s=5.0, lost_s=30.0)


def stage(name: str, state: State = "running", silent_s: float = 0.1) -> StageState:
    return StageState(name, state, 100, 0, silent_s, False)


def camera(name: str = "door", *, lost_s: float | None = None, processed: int = 5, **state) -> CameraStatus:
    return CameraStatus(
        name, CameraState(live=True, **state), lost_s, 9, processed, 0, {}, {}, Histogram(), {}, {}
    )


def status(
    *stages: StageState,
    cameras=(),
    began: bool = True,
    level: Level = Level.RUN,
    looked_s: float = 0.1,
) -> Status:
    stages, cameras = stages or (stage("source-door"), stage("perceive")), cameras or (camera(),)
    return Status("test", 10.0, 0.0, Look(stages, began, level, looked_s), {}, tuple(cameras), 0)


def test_all_up_and_a_frame_through_is_ready_and_healthy() -> None:
    verdict = health(status(), LIMITS)
    assert (verdict.ready, verdict.healthy, verdict.problems, verdict.waiting) == (True, True, (), ())


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        (status(stage("perceive", "dead")), "stage perceive is dead"),
        (status(stage("track", "restarting")), "stage track died and is being started again"),
        (status(stage("embed", silent_s=7.0)), "stage embed hangs: not heard of for 7 s"),
        (status(cameras=[camera("hall", lost_s=31.0), camera()]), "camera hall has been lost for 31 s"),
        (status(looked_s=9.0), "the supervisor has not looked after its stages for 9 s"),
    ],
)
def test_what_is_not_well_is_named_and_makes_it_unready_too(wrong: Status, named: str) -> None:
    verdict = health(wrong, LIMITS)
    assert (verdict.healthy, verdict.ready, verdict.problems) == (False, False, (named,))


@pytest.mark.parametrize(
    "fine",
    [
        status(cameras=[camera(lost_s=29.0)]),
        status(cameras=[camera(lost_s=500.0, paused=True)]),
        status(stage("source-door", "ended"), stage("perceive")),
        status(stage("perceive", silent_s=4.0)),
    ],
)
def test_a_short_loss_a_pause_and_an_end_are_as_they_should_be(fine: Status) -> None:
    assert health(fine, LIMITS).healthy


@pytest.mark.parametrize(
    ("early", "named"),
    [
        (status(stage("perceive", "starting"), began=False), "not up yet: perceive"),
        (status(began=False), "not up yet: the sources"),
        (status(cameras=[camera(processed=0)]), "no frame has come through yet"),
        (status(level=Level.DRAIN), "the pipeline is ending"),
    ],
)
def test_what_is_not_there_yet_is_healthy_but_not_ready(early: Status, named: str) -> None:
    verdict = health(early, LIMITS)
    assert (verdict.healthy, verdict.ready, verdict.waiting) == (True, False, (named,))
