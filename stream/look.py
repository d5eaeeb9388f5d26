"""How a running pipeline stands at one moment.

``Look`` is the supervisor's view of its stages; ``Status`` adds what the ledger says of every camera.
Metrics, health and `run_pipeline.py top` are made from a ``Status`` and nothing else.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal

import msgspec

from stream.figures import Figures
from stream.ledger import CameraBalance, Count, Drop, Ledger
from stream.meters import Histogram
from stream.stop import Level

State = Literal["starting", "running", "restarting", "dead", "ended"]
_TICKS: Final = os.sysconf("SC_CLK_TCK")
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")


class StageState(msgspec.Struct, frozen=True):
    """One stage as its supervisor sees it. ``silent_s``: since its process was last heard of."""

    name: str
    state: State
    pid: int
    restarts: int
    silent_s: float
    paused: bool
    figures: Figures = ()


class Look(msgspec.Struct, frozen=True):
    """Every stage; ``looked_s``: how long ago the supervisor itself last looked after them."""

    stages: tuple[StageState, ...]
    began: bool
    level: Level
    looked_s: float


class Cost(msgspec.Struct, frozen=True):
    """What a process costs: processor seconds so far, and resident bytes."""

    cpu_s: float
    resident_bytes: int


class HopStatus(msgspec.Struct, frozen=True):
    """What one stage did with one camera's frames."""

    received: int
    handled: int
    sent: int
    errors: int
    dropped: dict[str, int]
    takes: Histogram
    age: Histogram


class CameraState(msgspec.Struct, frozen=True):
    """How a camera stands. ``source``: without credentials; ``live``: it waits for nobody."""

    source: str = ""
    live: bool = False
    paused: bool = False


class CameraStatus(msgspec.Struct, frozen=True):
    """One camera: its books, and what each stage did.

    ``lost_s``: for how long it has shown nothing, None while it does.
    """

    camera: str
    state: CameraState
    lost_s: float | None
    captured: int
    processed: int
    in_flight: int
    dropped: dict[str, int]
    stages: dict[str, HopStatus]
    event_age: Histogram
    events: dict[str, int]
    answers: dict[str, int]


class Status(msgspec.Struct, frozen=True):
    """A pipeline at one moment; ``at_s`` and ``started_s`` are seconds since the epoch."""

    pipeline: str
    at_s: float
    started_s: float
    look: Look
    costs: dict[str, Cost]
    cameras: tuple[CameraStatus, ...]
    refused: int
    """Messages that were none of ours."""

    def figure(self, name: str) -> float | None:
        """The first figure of this name that any stage said."""
        return next(
            (one.value for stage in self.look.stages for one in stage.figures if one.name == name), None
        )


class Overseen:
    """A pipeline that runs in this process's charge; makes a ``Status`` of it."""

    def __init__(self, pipeline: str, ledger: Ledger) -> None:
        self._pipeline, self._ledger = pipeline, ledger
        self._started_s = time.time()

    def status(self, look: Look, states: Mapping[str, CameraState]) -> Status:
        """How it stands now; ``states``: what is known of each camera besides."""
        books, lost, now_s = self._ledger.balance(running=True), _lost_since(look), time.time()
        cameras = [
            self._camera(one, states.get(one.camera, CameraState()), lost.get(one.camera))
            for one in books.cameras
        ]
        pids = {stage.name: stage.pid for stage in look.stages if stage.pid != os.getpid()}
        pids["supervisor"] = os.getpid()
        costs = {name: cost for name, pid in pids.items() if (cost := process_cost(pid)) is not None}
        return Status(self._pipeline, now_s, self._started_s, look, costs, tuple(cameras), books.foreign)

    def _camera(self, books: CameraBalance, state: CameraState, lost_since_s: float | None) -> CameraStatus:
        last = self._ledger.stage(self._ledger.stages[-1]).meters.read(books.camera)
        return CameraStatus(
            camera=books.camera,
            state=state,
            lost_s=None if lost_since_s is None else max(0.0, time.time() - lost_since_s),
            captured=books.captured,
            processed=books.processed,
            in_flight=books.in_flight,
            dropped=books.dropped,
            stages={name: self._hop(name, books.camera) for name in self._ledger.stages},
            event_age=last.event_age,
            events=last.kinds,
            answers=last.answers,
        )

    def _hop(self, stage: str, camera: str) -> HopStatus:
        rows = self._ledger.stage(stage)
        measured = rows.meters.read(camera)
        drops = {cause.name.lower(): rows.value(camera, cause) for cause in Drop}
        return HopStatus(
            received=rows.value(camera, Count.RECEIVED),
            handled=rows.value(camera, Count.HANDLED),
            sent=rows.value(camera, Count.SENT),
            errors=rows.value(camera, Count.ERRORS),
            dropped={cause: count for cause, count in drops.items() if count},
            takes=measured.takes,
            age=measured.age,
        )


def _lost_since(look: Look) -> dict[str, float]:
    """Since when each camera that is lost has been, in seconds since the epoch."""
    return {
        figure.labels.get("camera", ""): figure.value
        for stage in look.stages
        for figure in stage.figures
        if figure.name == "camera_lost_since" and figure.value > 0
    }


def process_cost(pid: int) -> Cost | None:
    """What the process has cost, as Linux tells it; None elsewhere, and for one that is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        resident = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    except (OSError, IndexError, ValueError):
        return None
    return Cost((int(fields[11]) + int(fields[12])) / _TICKS, resident * _PAGE)
