"""Who hangs is given up; who works, or is kept from working, is not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest

from stream.pulse import Pulse, feel, hangs
from stream.restarts import Heartbeats

START = Pulse(100.0, False, 5.0, 1.0)


def later(*, stopped: bool = False, ran_s: float = 0.0, waited_s: float = 0.0) -> Pulse:
    return Pulse(108.0, stopped, START.ran_s + ran_s, START.waited_s + waited_s)


@pytest.mark.parametrize(
    ("now", "silent_s", "given_up"),
    [
        (later(stopped=True, waited_s=8.0), 10.5, True),
        (later(ran_s=7.5), 10.5, True),  # loops
        (later(ran_s=0.1), 10.5, True),  # waits for something that never comes
        (later(ran_s=1.0, waited_s=6.5), 10.5, False),  # starved: thirty others want the processor
        (later(ran_s=1.0, waited_s=6.5), 101.0, True),  # for ever is too long all the same
        (later(ran_s=7.5), 9.9, False),  # not yet
        (None, 10.5, True),  # the system does not say: silence counts
    ],
)
def test_a_silent_process_is_judged_by_what_it_did(
    now: Pulse | None, silent_s: float, given_up: bool
) -> None:
    assert hangs(START, now, silent_s, 10.0) is given_up


def test_a_process_never_felt_before_is_judged_by_its_silence() -> None:
    assert hangs(None, later(waited_s=8.0), 10.5, 10.0)


@pytest.fixture
def child() -> Iterator[Callable[[str], int]]:
    made: list[subprocess.Popen[bytes]] = []

    def start(program: str) -> int:
        made.append(
            subprocess.Popen([sys.executable, "-c", f"print(flush=True)\n{program}"], stdout=subprocess.PIPE)
        )
        assert made[-1].stdout is not None
        made[-1].stdout.readline()
        return made[-1].pid

    yield start
    for process in made:
        process.kill()
        process.communicate()


def test_a_busy_a_sleeping_and_a_stopped_process_differ(child: Callable[[str], int]) -> None:
    busy, asleep, stopped = child("while True: pass"), child("input()"), child("while True: pass")
    os.kill(stopped, signal.SIGSTOP)
    first = [feel(pid, time.monotonic()) for pid in (busy, asleep)]
    until_s = time.monotonic() + 30
    while time.monotonic() < until_s:
        now = [feel(pid, time.monotonic()) for pid in (busy, asleep, stopped)]
        assert all(now)
        if now[2].stopped and now[0].ran_s + now[0].waited_s > first[0].ran_s + first[0].waited_s + 0.2:
            break
    assert now[2].stopped
    assert not now[0].stopped
    assert now[0].ran_s > first[0].ran_s
    assert now[1].ran_s - first[1].ran_s < 0.1


def test_nobody_is_felt_where_there_is_no_process() -> None:
    assert feel(2**22 + 1, 0.0) is None


def test_heartbeats_spare_the_starved_and_name_the_blocked() -> None:
    clock = {"ran": 0.0, "waited": 0.0}
    beats = Heartbeats(0.05, lambda _, now_s: Pulse(now_s, False, clock["ran"], clock["waited"]))
    beats.heard("net")
    until_s = time.monotonic() + 0.2
    while time.monotonic() < until_s:
        clock["waited"] = time.monotonic()
        assert beats.silent({"net": 1}) == []
        time.sleep(0.002)
    while not (named := beats.silent({"net": 1})):  # from here on it wants nothing any more
        assert time.monotonic() < until_s + 10
        time.sleep(0.002)
    assert named == ["net"]
