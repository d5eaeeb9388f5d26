"""Whatever is killed or stopped, and whenever: the event log is that of the undisturbed run, and nothing is left."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import msgspec
import pytest

from stream.errors import GaitwayError
from stream.ledger import Ledger
from stream.supervisor import Outcome
from tests.stream.chaos import CAMERAS, Plan, supervisor
from tests.stream.test_supervisor import ROOT, alive, children


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The log of a run that nobody disturbed."""
    plan = Plan(folder=str(tmp_path_factory.mktemp("calm")), work_s=0.0)
    outcome = supervisor(plan).run()
    assert outcome.error is None
    log = (plan.path / "events.jsonl").read_bytes()
    assert log.count(b"\n") == len(CAMERAS) * plan.frames // 5
    return log


def handled(plan: Plan) -> int:
    """How many frames the last stage has handled."""
    try:
        ledger = Ledger.open(plan.path / "ledger")
    except GaitwayError:  # not made yet
        return 0
    balance = ledger.balance(running=True)
    ledger.close()
    return sum(camera.processed for camera in balance.cameras)


def wait_for_frames(plan: Plan, number: int) -> bool:
    """Wait until the last stage has handled so many; False where the pipeline ended first."""
    until_s = time.monotonic() + 60
    while handled(plan) < number:
        if time.monotonic() > until_s:
            return False
        time.sleep(0.01)
    return True


def stages_of(pid: int, plan: Plan) -> dict[str, int]:
    found = {}
    for child in children(pid):
        try:
            words = Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if plan.folder.encode() in b" ".join(words):
            found[words[3].decode()] = child
    return found


def disturbed(plan: Plan, victims: list[tuple[int, str, int]], notes: list[str] | None = None) -> Outcome:
    """Run, and at so many frames send a signal to a stage."""

    def disturb() -> None:
        for frames, stage, number in victims:
            if not wait_for_frames(plan, frames):
                return
            pid = stages_of(os.getpid(), plan).get(stage)
            if pid is not None:
                os.kill(pid, number)

    thread = threading.Thread(target=disturb)
    thread.start()
    outcome = supervisor(plan, note=notes.append if notes is not None else lambda _: None).run()
    thread.join()
    return outcome


def left_behind(plan: Plan) -> list[str]:
    return [path.name for path in plan.path.iterdir() if path.suffix in (".sock", ".frames")]


KILLS = [(60, "tally", signal.SIGKILL), (150, "perceive", signal.SIGKILL), (300, "publish", signal.SIGKILL)]


@pytest.mark.parametrize(
    "victims",
    [KILLS, [(100, "source-door", signal.SIGKILL), (250, "tally", signal.SIGSTOP)]],
    ids=["killed", "killed-and-stopped"],
)
def test_the_log_is_that_of_the_undisturbed_run(
    tmp_path: Path, expected: bytes, victims: list[tuple[int, str, int]]
) -> None:
    plan, notes = Plan(folder=str(tmp_path)), []
    outcome = disturbed(plan, victims, notes)
    assert outcome.error is None, notes
    assert len(notes) >= len(victims)
    assert (tmp_path / "events.jsonl").read_bytes() == expected
    assert str(outcome.report).splitlines() == [
        f"{camera}: {plan.frames} captured = {plan.frames} processed + 0 dropped + 0 lost"
        for camera in CAMERAS
    ]
    assert left_behind(plan) == []


def test_a_stage_that_loops_is_found_and_started_again(tmp_path: Path, expected: bytes) -> None:
    plan, notes = Plan(folder=str(tmp_path), loop_at=100), []
    outcome = disturbed(plan, [], notes)
    assert outcome.error is None
    assert notes[0] == "stage perceive has not been heard of for 1.5 s: killed"
    assert (tmp_path / "events.jsonl").read_bytes() == expected


def test_a_killed_supervisor_is_gone_on_from(tmp_path: Path, expected: bytes) -> None:
    plan = Plan(folder=str(tmp_path))
    argv = [sys.executable, "-m", "tests.stream.chaos", "supervisor", msgspec.json.encode(plan).decode()]
    first = subprocess.Popen(argv, cwd=ROOT, stderr=subprocess.PIPE)
    assert wait_for_frames(plan, 150)
    stages = list(stages_of(first.pid, plan).values())
    first.kill()
    first.communicate()
    until_s = time.monotonic() + 30
    while any(alive(pid) for pid in stages) and time.monotonic() < until_s:
        time.sleep(0.02)
    assert not any(alive(pid) for pid in stages), "no stage outlives its supervisor"
    second = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)
    assert second.returncode == 0, second.stderr
    assert (tmp_path / "events.jsonl").read_bytes() == expected
    assert left_behind(plan) == []


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_random_kills_and_stops_leave_no_trace(tmp_path: Path, expected: bytes, seed: int) -> None:
    rng = random.Random(seed)
    names = [*(f"source-{camera}" for camera in CAMERAS), "perceive", "tally", "publish"]
    moments = sorted(rng.randrange(590) for _ in range(12))
    victims = [(at, rng.choice(names), rng.choice([signal.SIGKILL, signal.SIGSTOP])) for at in moments]
    plan = Plan(folder=str(tmp_path))
    outcome = disturbed(plan, victims)
    assert outcome.error is None, victims
    assert (tmp_path / "events.jsonl").read_bytes() == expected, victims
    assert left_behind(plan) == []
