"""Whole small pipelines, as threads and as processes: run, drained, broken, and the books at the end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import msgspec
import pytest

from stream.errors import ConfigError, ResourceError
from stream.ledger import Ledger
from stream.messages import EndOfStream
from stream.runner import StagePlan
from stream.supervisor import INTERRUPTED, Outcome
from stream.trace import read_trace
from tests.stream.leaks import no_leaks
from tests.stream.pipelines import Plan, supervisor

__all__ = ["no_leaks"]
ROOT = Path(__file__).parents[2]


def run(plan: Plan, *, threads: bool = False) -> Outcome:
    chief, ledger = supervisor(plan, threads=threads)
    outcome = chief.run()
    ledger.close()
    return outcome


def lines(plan: Plan) -> list[str]:
    return (Path(plan.folder) / "lines").read_text().splitlines()


def expected(frames: int) -> list[str]:
    return [*(f"{n} {float(n % 251)}" for n in range(frames)), f"end {frames}"]


def leftovers(plan: Plan) -> list[str]:
    return [path.name for path in Path(plan.folder).iterdir() if path.suffix in (".sock", ".frames")]


def started(plan: Plan) -> subprocess.Popen[str]:
    """The same pipeline under a supervisor in a process of its own, to be signalled."""
    argv = [sys.executable, "-m", "tests.stream.pipelines", "supervisor", msgspec.json.encode(plan).decode()]
    return subprocess.Popen(argv, cwd=ROOT, stderr=subprocess.PIPE, text=True)


def until_first_line(plan: Plan, process: subprocess.Popen[str]) -> None:
    path = Path(plan.folder) / "lines"
    while not (path.exists() and path.stat().st_size):
        assert process.poll() is None
        threading.Event().wait(0.005)


@pytest.mark.usefixtures("no_leaks")
@pytest.mark.parametrize(
    ("transport", "threads"), [("inproc", True), ("ipc", True), ("ipc", False), ("tcp", False)]
)
def test_every_frame_arrives_and_nothing_is_left(tmp_path: Path, transport: str, threads: bool) -> None:
    plan = Plan(folder=str(tmp_path), transport=transport, frames=60)
    outcome = run(plan, threads=threads)
    assert outcome.error is None
    assert outcome.exit_status == 0
    assert lines(plan) == expected(60)
    assert str(outcome.report) == "door: 60 captured = 60 processed + 0 dropped + 0 lost"
    assert leftovers(plan) == []


def test_threads_and_processes_write_the_same_bytes(tmp_path: Path) -> None:
    results = []
    for name, transport, threads in (("a", "inproc", True), ("b", "ipc", False)):
        (tmp_path / name).mkdir()
        plan = Plan(folder=str(tmp_path / name), transport=transport, frames=30)
        assert run(plan, threads=threads).exit_status == 0
        results.append(((tmp_path / name / "lines").read_bytes(), (tmp_path / name / "trace").read_bytes()))
    assert results[0] == results[1]
    assert isinstance(list(read_trace(tmp_path / "a" / "trace"))[-1], EndOfStream)


def test_a_live_source_drops_with_a_cause_and_the_books_add_up(tmp_path: Path) -> None:
    plan = Plan(folder=str(tmp_path), transport="inproc", frames=3000, live=True, slots=2)
    outcome = run(plan, threads=True)
    door = outcome.report.cameras[0]
    assert outcome.exit_status == 0
    assert door.captured == 3000
    assert door.processed + sum(door.dropped.values()) == 3000
    assert set(door.dropped) <= {"ring_full", "queue_full"}
    assert lines(plan)[-1] == "end 3000"


@pytest.mark.parametrize("victim", ["middle", "last"])
def test_a_killed_stage_is_named_its_frames_are_counted_and_the_status_says_so(
    tmp_path: Path, victim: str
) -> None:
    plan = Plan(folder=str(tmp_path), kill_stage=victim, kill_at=20)
    outcome = run(plan)
    assert f"stage {victim} was killed by SIGKILL" in str(outcome.error)
    assert outcome.exit_status == 8
    door = outcome.report.cameras[0]
    assert door.lost > 0
    assert door.captured == door.processed + sum(door.dropped.values()) + door.lost
    written = lines(plan)
    assert written == expected(50)[: len(written)]
    assert len(written) >= 20 - (victim == "middle")  # the answer to 19 may have died with the process
    assert leftovers(plan) == []


def test_a_stage_that_may_be_restarted_goes_on_where_the_dead_one_was(tmp_path: Path) -> None:
    plan = Plan(folder=str(tmp_path), kill_stage="middle", kill_at=20, kill_once=True, restarts=1)
    outcome = run(plan)
    assert lines(plan)[-1] == "end 50"
    seen = [line for line in lines(plan) if not line.startswith("end")]
    assert set(expected(50)[:-1]) - set(seen) <= {"19 19.0"}  # its answer may have died with the process
    assert outcome.report.cameras[0].captured == 50


def test_a_stage_that_keeps_dying_is_given_up(tmp_path: Path) -> None:
    outcome = run(Plan(folder=str(tmp_path), kill_stage="middle", kill_at=5, restarts=2))
    assert "stage middle was killed by SIGKILL" in str(outcome.error)


@pytest.mark.parametrize("threads", [True, False])
@pytest.mark.parametrize("name", ["source", "middle", "last"])
def test_an_error_at_start_is_the_stages_own_line_and_status(
    tmp_path: Path, name: str, threads: bool
) -> None:
    outcome = run(Plan(folder=str(tmp_path), fail_at_start=name), threads=threads)
    assert str(outcome.error) == f"{name} finds no device. Plug it in"
    assert outcome.exit_status == ResourceError.exit_status
    assert outcome.report.cameras[0].captured == 0


@pytest.mark.usefixtures("no_leaks")
def test_a_defect_in_a_thread_is_one_line_and_a_traceback_in_a_file(tmp_path: Path) -> None:
    plan = Plan(folder=str(tmp_path), transport="inproc", kill_stage="middle", kill_at=20)
    outcome = run(plan, threads=True)
    assert "stage middle failed (ZeroDivisionError: a defect)" in str(outcome.error)
    assert "die_if_asked" in (tmp_path / "logs" / "middle.traceback.log").read_text()
    assert outcome.exit_status == 8


def test_ctrl_c_stops_the_source_and_drains_to_the_last_frame(tmp_path: Path) -> None:
    plan = Plan(folder=str(tmp_path), frames=100_000, pace_s=0.001)
    process = started(plan)
    until_first_line(plan, process)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    captured = int(lines(plan)[-1].removeprefix("end "))
    assert process.returncode == 0, said
    assert lines(plan) == expected(captured)
    assert f"door: {captured} captured = {captured} processed + 0 dropped + 0 lost" in said
    assert leftovers(plan) == []


def test_a_second_ctrl_c_ends_a_stage_that_will_not_drain(tmp_path: Path) -> None:
    plan = Plan(folder=str(tmp_path), frames=100_000, hang_on_stop=True)
    process = started(plan)
    books = tmp_path / "ledger"
    while not books.exists() or Ledger.open(books).balance(running=True).cameras[0].captured < 3:
        threading.Event().wait(0.01)
    process.send_signal(signal.SIGINT)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.3)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=20)
    assert process.returncode == INTERRUPTED
    assert leftovers(plan) == []


def test_no_stage_outlives_a_killed_supervisor(tmp_path: Path) -> None:
    plan = Plan(folder=str(tmp_path), frames=100_000, pace_s=0.001)
    process = started(plan)
    until_first_line(plan, process)
    stages = children(process.pid)
    assert len(stages) == 3
    process.send_signal(signal.SIGKILL)
    process.communicate()
    for _ in range(1000):
        if not any(alive(pid) for pid in stages):
            break
        threading.Event().wait(0.01)
    assert not any(alive(pid) for pid in stages)


def test_two_pipelines_of_one_name_are_refused(tmp_path: Path) -> None:
    plan = Plan(folder=str(tmp_path), frames=100_000, pace_s=0.001)
    process = started(plan)
    until_first_line(plan, process)
    second, ledger = supervisor(msgspec.structs.replace(plan), threads=True)
    with pytest.raises(ResourceError, match="a pipeline of this name is running"):
        second.run()
    ledger.close()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)


def test_a_stage_that_is_never_ready_is_named(tmp_path: Path) -> None:
    plan = Plan(folder=str(tmp_path), start_s=0.3, slow_start="middle")
    outcome = run(plan, threads=True)
    assert "not ready after 0.3 s: middle" in str(outcome.error)
    assert outcome.exit_status == ResourceError.exit_status


def test_a_program_that_does_not_exist_is_one_clear_line(tmp_path: Path) -> None:
    plan = Plan(folder=str(tmp_path), missing_program=True)
    outcome = run(plan)
    assert "stage last cannot be started (No such file or directory)" in str(outcome.error)


@pytest.mark.parametrize("how", [{}, {"run": print, "argv": ("x",)}, {"run": print, "restarts": 1}])
def test_a_plan_names_exactly_one_way_to_run(how: dict) -> None:
    with pytest.raises(ConfigError, match="stage x"):
        StagePlan("x", **how)


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (ProcessLookupError, FileNotFoundError):
        return False
