"""A run of the whole pipeline, timed from outside: by its ledger, and by what it notes of each event."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from commands.config import CameraConfig, GalleryConfig, PipelineConfig
from commands.pipeline import new_plan, run_plan
from commands.plan import RunPlan
from stream.ledger import Count, Ledger
from stream.timings import Timing

NS: Final = 1_000_000_000
_LOOK_S: Final = 0.002


@dataclass
class Timed:
    """When each camera's first frame was captured, and how long until the last one was published.

    ``delays_s``: of every event, from the capture of the frame that it speaks of to when it was sent.
    """

    began_ns: dict[str, int] = field(default_factory=dict)
    ended_ns: int = 0
    frames: int = 0
    delays_s: list[float] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """From the first captured frame of all to the last published one; starting up is not counted."""
        return (self.ended_ns - min(self.began_ns.values())) / NS

    def delay_ms(self, percentile: float) -> float:
        """Of the events' delays; NaN where there was none."""
        return 1e3 * float(np.percentile(self.delays_s, percentile)) if self.delays_s else float("nan")


def run_timed(config: PipelineConfig, cameras: Mapping[str, CameraConfig], folder: Path) -> Timed:
    """Run the pipeline over recordings, into ``folder``; raises the error that ended it, if any."""
    folder.mkdir(parents=True, exist_ok=True)
    config = msgspec.structs.replace(
        config,
        cameras=dict(cameras),
        gallery=GalleryConfig(str(folder / "gallery.sqlite")),
        events=msgspec.structs.replace(config.events, endpoint=f"ipc://{folder}/events.sock", repair=""),
    )
    plan = new_plan(config, folder)
    with _watching(plan) as timed:
        finished = run_plan(plan)
    if finished.outcome.error is not None:
        raise finished.outcome.error
    epochs = {name: camera.options.epoch_ns for name, camera in cameras.items()}
    noted = Path(plan.results) / "timings.jsonl"
    for line in noted.read_bytes().splitlines() if noted.is_file() else ():
        one = msgspec.json.decode(line, type=Timing)
        captured_ns = timed.began_ns[one.camera] + one.captured_ns - epochs[one.camera]
        timed.delays_s.append((one.sent_ns - captured_ns) / NS)
    return timed


@contextmanager
def _watching(plan: RunPlan) -> Iterator[Timed]:
    """A thread that looks at the ledger while the pipeline runs."""
    timed, over = Timed(), threading.Event()
    thread = threading.Thread(target=_watch, args=(plan, timed, over), daemon=True)
    thread.start()
    try:
        yield timed
    finally:
        over.set()
        thread.join()


def _watch(plan: RunPlan, timed: Timed, over: threading.Event) -> None:
    while not plan.ledger.exists():
        if over.wait(_LOOK_S):
            return
    ledger = Ledger.open(plan.ledger)
    source, publish = ledger.stage("source"), ledger.stage(plan.last)
    last = False
    while not last:
        last = over.wait(_LOOK_S)  # one look more after the end, lest its last frame be missed
        for camera in plan.cameras:
            if camera not in timed.began_ns and source.value(camera, Count.CAPTURED):
                timed.began_ns[camera] = time.time_ns()
        handled = sum(publish.value(camera, Count.HANDLED) for camera in plan.cameras)
        if handled > timed.frames:
            timed.frames, timed.ended_ns = handled, time.time_ns()
    ledger.close()
