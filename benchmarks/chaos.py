"""Kill and stop every process of a running pipeline at random: is the event log that of an undisturbed run?

``kill -9`` and ``SIGSTOP`` hit the stages and the supervisor alike. The supervisor is started again as a
service manager would, with ``--resume``; one that is stopped is killed after a while, as by a watchdog. Runs
follow one another until there were enough disturbances; each run's log is compared byte for byte. Afterwards
a live pipeline is broken stage by stage, and timed until frames captured after the kill are handled again;
then once more with warm standbys (``stream.standby``).
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from benchmarks.processes import leftovers
from benchmarks.report import BenchResult, Figure
from commands.cli import ROOT, progress, whole
from gait.walkers.clip import write_clip
from gait.walkers.scenes import street_scene
from stream import strays
from stream.errors import GaitwayError, StageDiedError
from stream.ledger import Count, Ledger
from stream.pulse import feel
from stream.ringfile import shared_memory_folder

CAMERA: Final = "cam1"
_HEARTBEAT_S: Final = 3.0
_RUN_S: Final = 900.0
_REST_S: Final = 0.1  # of processor time in 2 s: a spare's heartbeat takes less
STAGES: Final = ("source-cam1", "perceive", "track", "embed", "identify", "publish")
STANDBY: Final = STAGES[1:]
LIVE: Final = "walkers:seed=5,people=2,seconds=900,size=320x240,fps=10,live=1"


def configure(parser: argparse.ArgumentParser) -> None:
    """How often, and over how long a clip."""
    parser.add_argument("--kills", type=int, default=20, help="disturbances over the file (default 20)")
    parser.add_argument("--live-kills", type=int, default=6, help="kills of the live pipeline (default 6)")
    parser.add_argument("--seconds", type=float, default=20.0, help="length of the clip (default 20)")
    parser.add_argument("--seed", type=whole(0), default=1, help="picks moments and victims (default 1)")


@dataclass
class Tally:
    """What happened so far."""

    kills: int = 0
    stops: int = 0
    supervisors: int = 0
    runs: int = 0
    same: int = 0
    balanced: int = 0
    left: list[str] = field(default_factory=list)
    recovered_s: dict[str, list[float]] = field(default_factory=dict)
    taken_over_s: dict[str, list[float]] = field(default_factory=dict)


def run(arguments: argparse.Namespace) -> BenchResult:
    """Disturb, compare, count what was left behind."""
    rng, tally = random.Random(arguments.seed), Tally()  # noqa: S311  moments, not secrets
    with tempfile.TemporaryDirectory(prefix="gaitway-") as name:
        folder = Path(name)
        clip = folder / "clip.mp4"
        scene = street_scene(5, 2, arguments.seconds, size=(480, 270))
        write_clip(scene, clip)
        calm = Disturbed(folder, "calm", clip)
        calm.wait(None)
        expected = calm.log.read_bytes()
        with progress("disturbances", arguments.kills) as bar:
            while tally.kills + tally.stops < arguments.kills:
                _one_run(Disturbed(folder, f"run{tally.runs}", clip), rng, tally, arguments.kills, expected)
                bar.set(min(tally.kills + tally.stops, arguments.kills))
        _live(Disturbed(folder, "live", LIVE), rng, arguments.live_kills, STAGES, tally.recovered_s, tally)
        spared = Disturbed(folder, "standby", LIVE, standby=STANDBY)
        _live(spared, rng, arguments.live_kills, STANDBY, tally.taken_over_s, tally)
    live_s = [seconds for all_s in tally.recovered_s.values() for seconds in all_s]
    spared_s = [seconds for all_s in tally.taken_over_s.values() for seconds in all_s]
    figures: dict[str, Figure] = {
        "kills": tally.kills,
        "stops": tally.stops,
        "of_the_supervisor": tally.supervisors,
        "runs": tally.runs,
        "events": expected.count(b"\n"),
        **{f"live_{stage}_s": max(all_s) for stage, all_s in sorted(tally.recovered_s.items())},
        **{f"standby_{stage}_s": max(all_s) for stage, all_s in sorted(tally.taken_over_s.items())},
        "left_behind": " ".join(tally.left) or "nothing",
    }
    values = {
        "identical_logs": tally.same / max(1, tally.runs) if expected else 0.0,
        "balanced_books": tally.balanced / max(1, tally.runs),
        "left_behind": float(len(tally.left)),
        "live_recovered_s": max(live_s, default=0.0),
        "standby_recovered_s": max(spared_s, default=0.0),
    }
    if live_s and spared_s:
        figures["live_median_s"] = statistics.median(live_s)
        figures["standby_median_s"] = statistics.median(spared_s)
    return BenchResult.of("chaos", figures, values)


class Disturbed:
    """One pipeline as a process, started as a user starts it, and again after its death."""

    def __init__(self, folder: Path, name: str, source: str | Path, standby: Sequence[str] = ()) -> None:
        self.name = f"chaos-{os.getpid()}-{name}"
        self._folder = folder / name
        self._folder.mkdir()
        self.log = self._folder / "out" / "events.jsonl"
        sockets = [f"{key}=ipc://{self._folder}/{key}" for key in ("events.endpoint", "events.repair")]
        settings = [
            *sockets,
            f"gallery.path={self._folder}/gallery.sqlite",
            f"stream.runtime_folder={self._folder}",
            "stream.restarts=1000",
            f"stream.heartbeat_s={_HEARTBEAT_S:g}",
            f"stream.standby=[{','.join(standby)}]",
        ]
        self.standby = len(standby)
        self._argv = [
            *(sys.executable, str(ROOT / "run_pipeline.py"), "run", "--source", f"{CAMERA}={source}"),
            *("--out", str(self._folder / "out"), "--id", self.name, "--resume"),
            *(word for setting in settings for word in ("--set", setting)),
        ]
        self.said = ""
        self.process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        with (self._folder / "said").open("ab") as said:
            return subprocess.Popen(self._argv, cwd=self._folder, stdout=said, stderr=said)

    def alive(self) -> bool:
        """Whether it runs; started again where its supervisor was killed, an error where it gave up."""
        status = self.process.poll()
        if status is None:
            return True
        if status < 0:
            self.process = self._start()
            return True
        self.said = (self._folder / "said").read_text(encoding="utf-8", errors="replace")
        if status > 0:
            raise StageDiedError(f"the pipeline gave up: {self.said.splitlines()[-1:]}")
        return False

    def victims(self) -> dict[str, int]:
        """The processes that can be hit, the supervisor too."""
        return {**self.stages(), "supervisor": self.process.pid}

    def stages(self) -> dict[str, int]:
        """The processes of its stages, by name."""
        return {one.stage: one.pid for one in self._noted() if one.stage}

    def spares(self) -> list[int]:
        """The processes that wait to take a place."""
        return [one.pid for one in self._noted() if not one.stage]

    def _noted(self) -> list[strays.Stray]:
        return [one for folder in self._folder.glob(f"gaitway-*/{self.name}") for one in strays.noted(folder)]

    def wait(self, hit: Hit | None) -> None:
        """Wait for the end, hitting now and then."""
        until_s = time.monotonic() + _RUN_S
        while self.alive():
            if time.monotonic() > until_s:
                self.kill()
                raise StageDiedError(f"{self.name} did not end in {_RUN_S:g} s")
            if hit is not None:
                hit.now_and_then(self)
            time.sleep(0.05)

    def ledger(self) -> Path:
        """Where the books of this pipeline lie."""
        return next(self._folder.glob(f"gaitway-*/{self.name}/ledger"))

    def left(self) -> list[str]:
        """Shared memory, sockets and processes that outlived it."""
        return leftovers(self.name, self._folder, shared_memory_folder())

    def kill(self) -> None:
        """End it at once."""
        self.process.kill()
        self.process.wait()


class Hit:
    """Kills or stops one process of a pipeline at random moments."""

    def __init__(self, rng: random.Random, tally: Tally, most: int) -> None:
        self._rng, self._tally, self._most = rng, tally, most
        self._due_s = time.monotonic() + rng.uniform(1.0, 8.0)
        self._watchdog: tuple[float, int] | None = None

    def now_and_then(self, pipeline: Disturbed) -> None:
        """Hit, if it is time."""
        now_s = time.monotonic()
        if self._watchdog is not None and now_s > self._watchdog[0]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._watchdog[1], signal.SIGKILL)
            self._watchdog = None
        if now_s < self._due_s or self._tally.kills + self._tally.stops >= self._most:
            return
        self._due_s = now_s + self._rng.uniform(0.5, 6.0)
        victims = pipeline.victims()
        name = self._rng.choice(sorted(victims))
        number = self._rng.choice((signal.SIGKILL, signal.SIGKILL, signal.SIGSTOP))
        with contextlib.suppress(ProcessLookupError):
            os.kill(victims[name], number)
            self._tally.kills += number == signal.SIGKILL
            self._tally.stops += number == signal.SIGSTOP
            self._tally.supervisors += name == "supervisor"
            if name == "supervisor" and number == signal.SIGSTOP:
                self._watchdog = (now_s + _HEARTBEAT_S, victims[name])


def _one_run(pipeline: Disturbed, rng: random.Random, tally: Tally, most: int, expected: bytes) -> None:
    pipeline.wait(Hit(rng, tally, most))
    tally.runs += 1
    tally.same += pipeline.log.read_bytes() == expected
    tally.balanced += " + 0 lost" in pipeline.said
    tally.left += pipeline.left()


def _live(
    pipeline: Disturbed,
    rng: random.Random,
    kills: int,
    stages: Sequence[str],
    recovered_s: dict[str, list[float]],
    tally: Tally,
) -> None:
    """Kill each stage of a live pipeline in turn; how long until new frames are handled again."""
    try:
        for number in range(kills):
            _await_frames(pipeline, 10)
            _await_spares(pipeline)
            time.sleep(rng.uniform(0.2, 1.5))
            name = stages[number % len(stages)]
            victim = pipeline.stages().get(name)
            if victim is None:
                continue
            os.kill(victim, signal.SIGKILL)
            began_s = time.monotonic()
            while pipeline.stages().get(name) == victim:
                time.sleep(0.005)
            _await_frames(pipeline, 1, passed=name)
            recovered_s.setdefault(name, []).append(time.monotonic() - began_s)
        pipeline.process.send_signal(signal.SIGINT)
        pipeline.process.wait(60)
    finally:
        if pipeline.process.poll() is None:
            pipeline.kill()
    tally.left += pipeline.left()


def _await_spares(pipeline: Disturbed) -> None:
    """Wait until every spare is there and has loaded what it loads: it is at rest then."""
    until_s, ran_s, since_s = time.monotonic() + 120, 0.0, time.monotonic()
    while pipeline.standby and time.monotonic() < until_s:
        pulses = [feel(pid, 0.0) for pid in pipeline.spares()]
        now_s = sum(pulse.ran_s for pulse in pulses if pulse is not None)
        if len(pulses) < pipeline.standby or now_s - ran_s > _REST_S:
            ran_s, since_s = now_s, time.monotonic()
        elif time.monotonic() - since_s > 2.0:
            return
        time.sleep(0.1)


def _await_frames(pipeline: Disturbed, more: int, passed: str = "") -> None:
    """Wait until the last stage has handled all that is on its way now, and ``more``.

    ``passed``: of what is on its way, that which this stage had sent on before it died.
    """
    until_s = time.monotonic() + 120
    goal: int | None = None
    while time.monotonic() < until_s:
        pipeline.alive()
        with contextlib.suppress(GaitwayError, StopIteration):
            ledger = Ledger.open(pipeline.ledger())
            books = ledger.balance(running=True).cameras[0]
            under_way = books.in_flight
            if passed in ledger.stages:
                under_way = ledger.stage(passed).value(CAMERA, Count.SENT) - books.processed
            ledger.close()
            goal = books.processed + max(0, under_way) + more if goal is None else goal
            if books.processed >= goal:
                return
        time.sleep(0.02)
    raise StageDiedError("the live pipeline did not come back")
