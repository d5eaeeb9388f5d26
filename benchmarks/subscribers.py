"""Subscribers that sleep and that come late: do they end with every event, and what do they cost the others?

A real publisher with its log and repair socket sends bursts as fast as it can. Three subscribers are
processes of ``stream/client.py``: one that keeps up, one that is stopped (SIGSTOP) for ``--sleep`` seconds
while bursts are sent, and one that joins in the middle and asks for the history. Bursts before and after the
sleep, with the sleeper away, are what the rate during it is compared with. At the end each subscriber's
output is compared with the event log.
"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from benchmarks.report import BenchResult, Figure
from commands.cli import ROOT, progress
from stream.errors import StageDiedError
from stream.messages import Event, Evidence, FrameRef, Identified, Identity
from stream.publish import Publisher, PublishStage

CAMERAS: Final = ("door", "hall", "yard")
PER_FRAME: Final = 4
_QUIET_S: Final = 10.0
_LAST_S: Final = 300.0


def configure(parser: argparse.ArgumentParser) -> None:
    """How long one sleeps, and how much is sent meanwhile."""
    parser.add_argument("--sleep", type=float, default=60.0, metavar="S", help="seconds (default 60)")
    parser.add_argument("--bursts", type=int, default=30, help="while one sleeps (default 30)")
    parser.add_argument("--events", type=int, default=1500, help="in a burst (default 1500)")


class Listener:
    """One subscriber, as a process; what it prints is what it got."""

    def __init__(self, folder: Path, name: str, *more: str) -> None:
        self._file = folder / f"{name}.jsonl"
        with self._file.open("wb") as out:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, str(ROOT / "stream" / "client.py"), f"ipc://{folder}/events"),
                    *("--repair", f"ipc://{folder}/repair", "--timeout", str(_QUIET_S), *more),
                ],
                stdout=out,
                stderr=subprocess.DEVNULL,
            )

    def sleep(self) -> None:
        """Stop it, its I/O threads too."""
        self._process.send_signal(signal.SIGSTOP)

    def wake(self) -> None:
        """Let it go on."""
        self._process.send_signal(signal.SIGCONT)

    @property
    def started(self) -> bool:
        """Whether it has got anything."""
        return self._file.stat().st_size > 0

    def got(self) -> list[tuple[str, int]]:
        """Camera and number of every event, once it has ended because nothing more came."""
        self._process.wait(_LAST_S)
        decoder = msgspec.json.Decoder(Event)
        lines = self._file.read_bytes().splitlines()
        return [(event.camera, event.sequence) for event in map(decoder.decode, lines)]

    def end(self) -> None:
        """Whatever became of it."""
        self._process.kill()
        self._process.wait()


class Pipeline:
    """The end of one: a publish stage that is given frames."""

    def __init__(self, folder: Path) -> None:
        self.log = folder / "events.jsonl"
        self._publisher = Publisher(f"ipc://{folder}/events")
        self._stage = PublishStage(self.log, self._publisher, repair=f"ipc://{folder}/repair")
        self._frames = 0

    def burst(self, events: int) -> float:
        """So many events as fast as it goes; events a second."""
        began_s = time.perf_counter()
        for _ in range(events // PER_FRAME):
            self._handle()
        return events // PER_FRAME * PER_FRAME / (time.perf_counter() - began_s)

    def _handle(self) -> None:
        camera = CAMERAS[self._frames % len(CAMERAS)]
        frame = FrameRef(camera, "r", self._frames, self._frames, self._frames, 1280, 720)
        made = tuple(_event(camera, self._frames * PER_FRAME + n) for n in range(PER_FRAME))
        list(self._stage.handle(Identified(frame, made)))
        self._frames += 1

    def idle(self, seconds: float) -> None:
        """Let time pass, heartbeats going on."""
        until_s = time.monotonic() + seconds
        while (left_s := until_s - time.monotonic()) > 0:
            list(self._stage.figures())
            time.sleep(min(left_s, 0.5))

    def await_listener(self, listener: Listener) -> None:
        """Send an event now and then until the listener has got one."""
        until_s = time.monotonic() + _LAST_S
        while not listener.started:
            if time.monotonic() > until_s:
                raise StageDiedError("a subscriber never heard anything")
            self._handle()
            time.sleep(0.05)

    def published(self) -> list[tuple[str, int]]:
        """Camera and number of every event in the log."""
        decoder = msgspec.json.Decoder(Event)
        return [(one.camera, one.sequence) for one in map(decoder.decode, self.log.read_bytes().splitlines())]

    def close(self) -> None:
        """Close the stage."""
        self._stage.close()


@contextmanager
def pipeline(folder: Path) -> Iterator[Pipeline]:
    """One, closed afterwards."""
    made = Pipeline(folder)
    try:
        yield made
    finally:
        made.close()


def run(arguments: argparse.Namespace) -> BenchResult:
    """Bursts without, with, and without the sleeper; then everybody's events beside the log."""
    bursts, pause_s = arguments.bursts, arguments.sleep / arguments.bursts
    listeners: dict[str, Listener] = {}
    with tempfile.TemporaryDirectory(prefix="gaitway-") as name, pipeline(Path(name)) as made:
        folder = Path(name)
        try:
            with progress("bursts", 2 * bursts) as bar:
                fast = listeners["fast"] = Listener(folder, "fast", "--history")
                made.await_listener(fast)
                without = _bursts(made, arguments.events, bursts // 2, pause_s, bar.advance)
                sleeper = listeners["sleeper"] = Listener(folder, "sleeper")
                made.await_listener(sleeper)
                sleeper.sleep()
                behind = len(made.published())
                during = _bursts(made, arguments.events, bursts // 2, pause_s, bar.advance)
                listeners["late"] = Listener(folder, "late", "--history")
                during += _bursts(made, arguments.events, bursts - bursts // 2, pause_s, bar.advance)
                behind = len(made.published()) - behind
                sleeper.wake()
                made.idle(_QUIET_S / 2)
                without += _bursts(made, arguments.events, bursts - bursts // 2, pause_s, bar.advance)
            got = {}
            while listeners:
                made.idle(0.5)
                who = next(iter(listeners))
                made.idle(_QUIET_S)
                got[who] = listeners.pop(who).got()
        finally:
            for listener in listeners.values():
                listener.end()
        published = made.published()
    return _result(published, got, without, during, behind)


def _bursts(made: Pipeline, events: int, count: int, pause_s: float, done: object) -> list[float]:
    rates = []
    for _ in range(count):
        rates.append(made.burst(events))
        made.idle(max(0.0, pause_s - events / rates[-1]))
        if callable(done):
            done()
    return rates


def _result(
    published: list[tuple[str, int]],
    got: dict[str, list[tuple[str, int]]],
    without: list[float],
    during: list[float],
    behind: int,
) -> BenchResult:
    figures: dict[str, Figure] = {
        "events": len(published),
        "published_while_it_slept": behind,
        "events_per_s_without": statistics.median(without),
        "events_per_s_while_it_slept": statistics.median(during),
        "slowest_burst_without": min(without),
        "slowest_burst_while_it_slept": min(during),
        **{f"{who}_got": len(events) for who, events in got.items()},
        "load": os.getloadavg()[0],
    }
    values = {
        "rate_while_it_slept": statistics.median(during) / statistics.median(without),
        **{f"{who}_complete": float(complete(published, events)) for who, events in got.items()},
    }
    return BenchResult.of("subscribers", figures, values)


def complete(published: list[tuple[str, int]], got: list[tuple[str, int]]) -> bool:
    """Whether each camera's events, from the first that was got on, came in order, each once."""
    for camera in {name for name, _ in published}:
        wanted = [number for name, number in published if name == camera]
        had = [number for name, number in got if name == camera]
        if not had or had != wanted[wanted.index(had[0]) :]:
            return False
    return bool(got)


def _event(camera: str, n: int) -> Event:
    tracklet = f"{camera}/r/{n % 7}"
    who = Identity("person", f"p{n % 100:06d}", "Ada Lovelace", 0.9321, 0.4211)
    seen = Evidence(n, n + 1, 30, 0.8123, (101.5, 202.5, 303.5, 404.5))
    return Event(
        "", "update", camera, "r", 0, n, tracklet=tracklet, identity=who, evidence=seen, details={"n": n}
    )
