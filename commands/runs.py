"""Which run a live camera's source was in, so that a source started again can end it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from commands.plan import RunPlan
from stream.bus import Sender
from stream.errors import FOREIGN
from stream.ledger import Count, StageLedger
from stream.messages import EndOfStream


class OpenRun(msgspec.Struct, frozen=True):
    """A camera's run, and how many frames of the camera had been captured when it began."""

    run: str
    frames_before: int


class Runs:
    """The runs of one live camera, noted in a file as they begin."""

    def __init__(self, plan: RunPlan, camera: str, rows: StageLedger) -> None:
        self._path, self._camera, self._rows = _path(plan, camera), camera, rows

    def begin(self, run: str) -> None:
        """Note that ``run`` begins."""
        note = OpenRun(run, self._rows.value(self._camera, Count.CAPTURED))
        fresh = self._path.with_suffix(".new")
        fresh.write_bytes(msgspec.json.encode(note))
        fresh.replace(self._path)

    def end_last(self, outlet: Sender, stopped: Callable[[], bool]) -> None:
        """End the run that a process before this one was in when it died: its tracks are over."""
        try:
            last = msgspec.json.decode(self._path.read_bytes(), type=OpenRun)
        except (FileNotFoundError, *FOREIGN):
            return
        frames = max(0, self._rows.value(self._camera, Count.CAPTURED) - last.frames_before)
        reason = "the camera's process was started again"
        outlet.send(EndOfStream(self._camera, last.run, frames, time.time_ns(), reason, last=False), stopped)


def was_open(plan: RunPlan, camera: str) -> bool:
    """Whether the camera has been seen in this run of the pipeline."""
    return _path(plan, camera).exists()


def _path(plan: RunPlan, camera: str) -> Path:
    return plan.checkpoints / f"source-{camera}.run"
