"""kill -9 at random moments: the run, taken up again, ends with the very same bytes."""

import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from gait.training.log import read_log, steps_of, validations_of
from gait.training.loop import train
from tests.gait.training.child import settings
from tests.gait.training.fakes import FakeSource

ROOT = Path(__file__).parents[3]
# A busy machine takes half a minute to import torch.
LONGEST_S = 300.0
# Much shorter than a step, so that kills fall within steps.
BETWEEN_LOOKS_S = 0.001


@contextmanager
def started(out: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The run in a process of its own, which does not outlive the test."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.gait.training.child", str(out)],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def kill_when_log_grows_to(process: subprocess.Popen[bytes], log: Path, size: int) -> bool:
    """SIGKILL as soon as the log has ``size`` bytes; False where the run ended before."""
    while process.poll() is None:
        if log.exists() and log.stat().st_size >= size:
            process.send_signal(signal.SIGKILL)
            process.wait(timeout=LONGEST_S)
            return process.returncode == -signal.SIGKILL
        with suppress(subprocess.TimeoutExpired):
            process.wait(BETWEEN_LOOKS_S)
    return False


def curve(out: Path) -> tuple[object, ...]:
    lines = read_log(out / "log.jsonl")
    return (
        [(line.step, line.loss, line.parts, line.rate) for line in steps_of(lines)],
        validations_of(lines),
    )


def kills(tmp_path: Path, moments: int, seed: int) -> None:
    """Each kill is at a random byte of the log, so before, between and within steps and checkpoints."""
    train(settings(), FakeSource(), tmp_path / "whole")
    length = (tmp_path / "whole" / "log.jsonl").stat().st_size
    luck = random.Random(seed)
    out = tmp_path / "killed"
    died = 0
    for moment in sorted(luck.randrange(1, length * 19 // 20) for _ in range(moments)):
        with started(out) as process:
            died += kill_when_log_grows_to(process, out / "log.jsonl", moment)
    assert died >= moments // 2
    with started(out) as last:
        _, said = last.communicate(timeout=LONGEST_S)
        assert last.returncode == 0, said.decode()
    files = [(tmp_path / run / "model.safetensors").read_bytes() for run in ("whole", "killed")]
    assert files[0] == files[1]
    assert curve(tmp_path / "whole") == curve(out)
    leftovers = {path.name.partition("-")[0] for path in (out / "checkpoints").iterdir()}
    assert leftovers == {"step"}


def test_killed_twice_the_run_ends_the_same(tmp_path) -> None:
    kills(tmp_path, moments=2, seed=1)


@pytest.mark.slow
@pytest.mark.timeout(3000)
def test_killed_twenty_times_the_run_ends_the_same(tmp_path) -> None:
    kills(tmp_path, moments=20, seed=2)
