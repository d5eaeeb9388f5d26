"""Warm standbys: they take a dead one's place with nothing lost; a broken one is never in the way."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from stream import strays
from stream.ledger import Ledger
from stream.runner import Notice, StagePlan
from stream.spares import Spares
from tests.stream.chaos import CAMERAS, Plan, supervisor
from tests.stream.test_chaos import expected, handled, left_behind, wait_for_frames

__all__ = ["expected"]
PLANS = (StagePlan("net", argv=("x",), restarts=1, spare=("x", "--spare")), StagePlan("light", argv=("y",)))


class Fake:
    """A process that does what the test says."""

    pid = 7

    def __init__(self, plan: StagePlan) -> None:
        self.plan, self.orders, self.killed, self.gone = plan, [], False, False

    def start(self) -> None:
        pass

    def rename(self, plan: StagePlan) -> bool:
        self.plan = plan if not self.gone else self.plan
        return not self.gone

    def order(self, word: str) -> None:
        self.orders.append(word)

    def kill(self) -> None:
        self.killed = True

    def close(self) -> None:
        pass


class Made:
    """Spares over fakes."""

    def __init__(self) -> None:
        self.fakes: list[Fake] = []
        self.notes: list[str] = []
        self.spares = Spares(PLANS, self._make, self.notes.append)

    def _make(self, plan: StagePlan) -> Fake:
        self.fakes.append(Fake(plan))
        return self.fakes[-1]

    def say(self, kind: str) -> bool:
        return self.spares.hears(Notice("net.standby", kind))


def test_a_warm_spare_is_told_to_be_the_stage_and_another_can_be_started() -> None:
    made = Made()
    assert made.spares.fill()
    assert not made.spares.fill(), "one is enough"
    assert [fake.plan.argv for fake in made.fakes] == [("x", "--spare")]
    assert made.spares.take("net") is None, "not warm yet"
    made.say("warm")
    assert made.spares.take("light") is None
    taken = made.spares.take("net")
    assert taken is made.fakes[0]
    assert (taken.plan.name, taken.orders) == ("net", ["be"])
    assert made.spares.take("net") is None
    assert made.spares.fill()


def test_a_spare_that_ended_a_moment_ago_is_not_taken() -> None:
    made = Made()
    made.spares.fill()
    made.say("warm")
    made.fakes[0].gone = True
    assert made.spares.take("net") is None
    made.say("ended")
    assert made.spares.fill()


def test_a_spare_that_cannot_be_made_warm_is_done_without() -> None:
    made = Made()
    for _ in range(3):
        assert made.spares.fill()
        assert made.say("ended")
    assert not made.spares.fill()
    assert made.notes[-1].startswith("no standby for net")


def test_notices_of_stages_are_not_the_spares() -> None:
    made = Made()
    assert not made.spares.hears(Notice("net", "ended"))


def test_a_silent_spare_is_killed() -> None:
    made = Made()
    made.spares.fill()
    made.spares.kill_silent(1000.0)
    assert not made.fakes[0].killed
    made.spares.kill_silent(-1.0)
    assert made.fakes[0].killed


def disturbed(plan: Plan, name: str, act: Callable[[int], None], notes: list[str]) -> str:
    """Run; ``act`` is given the spare's process once it is warm and frames have come through; the report."""

    def disturb() -> None:
        until_s = time.monotonic() + 60
        while not (plan.path / f"{name}.warm").exists() and time.monotonic() < until_s:
            time.sleep(0.01)
        if wait_for_frames(plan, handled(plan) + 20):
            act(next(stray.pid for stray in strays.noted(plan.path) if not stray.stage))

    thread = threading.Thread(target=disturb)
    thread.start()
    outcome = supervisor(plan, note=notes.append).run()
    thread.join()
    assert outcome.error is None, notes
    return str(outcome.report)


def stage(plan: Plan, name: str) -> int:
    return next(stray.pid for stray in strays.noted(plan.path) if stray.stage == name)


@pytest.mark.parametrize("name", ["perceive", "tally"])
def test_the_log_is_that_of_an_undisturbed_run(tmp_path: Path, expected: bytes, name: str) -> None:
    plan, notes = Plan(folder=str(tmp_path), work_s=0.02, standby=(name,)), []
    report = disturbed(plan, name, lambda _: os.kill(stage(plan, name), signal.SIGKILL), notes)
    assert (tmp_path / f"{name}.took-over").exists(), notes
    assert (tmp_path / "events.jsonl").read_bytes() == expected
    assert report.count("+ 0 lost") == len(CAMERAS)
    assert left_behind(plan) == []
    assert Ledger.open(tmp_path / "ledger").balance().ok


def test_a_stopped_spare_is_no_ones_end(tmp_path: Path, expected: bytes) -> None:
    plan, notes = Plan(folder=str(tmp_path), work_s=0.02, standby=("tally",)), []

    def act(spare: int) -> None:
        os.kill(spare, signal.SIGSTOP)
        os.kill(stage(plan, "tally"), signal.SIGKILL)

    disturbed(plan, "tally", act, notes)
    assert (tmp_path / "events.jsonl").read_bytes() == expected
    assert left_behind(plan) == []
