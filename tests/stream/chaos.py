"""A small pipeline that keeps checkpoints and publishes events: source -> perceive -> tally -> publish.

Every stage remembers something that changes each event's bytes, so that one forgotten or repeated message
shows in the log.
"""

from __future__ import annotations

import hashlib
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec
import numpy as np

from stream.bus import Inlet, Limits, Outlet, Sent
from stream.checkpoint import Counting, Keeper, Memory, Remembered, fresh_folder, read_checkpoint
from stream.config import StreamConfig
from stream.feed import FeedOptions, feed
from stream.frames import FrameReader, FrameWriter
from stream.ledger import Ledger
from stream.life import Life, run_process
from stream.loop import Ports, StageLoop
from stream.merge import Merge
from stream.messages import EndOfStream, Event, FrameMessage, FrameToken, Identified, People
from stream.once import OnceStage
from stream.publish import Publisher, PublishStage
from stream.runner import StagePlan
from stream.sinks.config import SinksConfig
from stream.sinks.run import prepare_cursors, run_sinks
from stream.sources.base import Picture
from stream.stage import PassiveStage, Stage
from stream.supervisor import Supervisor

CAMERAS = ("door", "gate")
STAGES = ("source", "perceive", "tally", "publish")
FRAME_NS = 40_000_000


class Plan(msgspec.Struct, frozen=True):
    """What is run: so many frames of two cameras, each perceived in ``work_s``."""

    folder: str
    frames: int = 300
    work_s: float = 0.004
    heartbeat_s: float = 1.5
    loop_at: int = -1
    standby: tuple[str, ...] = ()
    sinks: SinksConfig = SinksConfig()
    sink_restarts: int = 1000

    @property
    def config(self) -> StreamConfig:
        return StreamConfig(shared_memory=self.folder, hwm=8, ring_slots=4, heartbeat_s=self.heartbeat_s)

    @property
    def path(self) -> Path:
        return Path(self.folder)

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    def hop(self, name: str) -> str:
        return f"ipc://{self.folder}/{name}.sock"


class Film:
    """A recording: frame n shows n."""

    run, live, fps, problem, notes = "r", False, 25.0, None, ()
    width, height, expected_frames = 64, 48, None

    def __init__(self, camera: str, frames: int) -> None:
        self.camera, self._frames = camera, frames

    def frames(self) -> Iterable[Picture]:
        for number in range(self._frames):
            shown = np.full((48, 64, 3), number % 251, np.uint8)
            yield Picture(number, (number + 1) * FRAME_NS, number, shown)

    def close(self) -> None:
        pass


class Perceive(PassiveStage):
    """Remembers the mean of all that it saw."""

    def __init__(self, plan: Plan) -> None:
        self._plan, self._frames = plan, FrameReader(folder=plan.path)
        self._mean: dict[str, float] = {}

    def handle(self, message: FrameMessage) -> Iterable[FrameMessage]:
        assert isinstance(message, FrameToken)
        camera = message.frame.camera
        if message.frame.number == self._plan.loop_at and not (self._plan.path / "looped").exists():
            (self._plan.path / "looped").touch()
            while True:
                pass
        with self._frames.lease(message) as image:
            time.sleep(self._plan.work_s)
            self._mean[camera] = 0.9 * self._mean.get(camera, 0.0) + 0.1 * float(image.mean())
        yield People(message.frame, (), blur=self._mean[camera])

    def close(self) -> None:
        self._frames.close()


class Tally(PassiveStage):
    """An event for every fifth frame, with a hash over all frames so far."""

    def __init__(self) -> None:
        self._seen: dict[str, bytes] = {}

    def handle(self, message: FrameMessage) -> Iterable[FrameMessage]:
        assert isinstance(message, People)
        frame = message.frame
        said = f"{frame.camera} {frame.number} {message.blur!r}".encode()
        self._seen[frame.camera] = hashlib.sha256(self._seen.get(frame.camera, b"") + said).digest()
        events = () if frame.number % 5 else (self._event(frame.camera, frame.captured_ns, "update"),)
        yield Identified(frame, events)

    def _event(self, camera: str, at_ns: int, kind: str) -> Event:
        return Event("", kind, camera, "r", 0, at_ns, details={"hash": self._seen[camera].hex()})

    def finish(self, end: EndOfStream) -> Iterable[FrameMessage]:
        return ()


def run_source(plan: Plan, life: Life, camera: str) -> None:
    ledger = Ledger.open(plan.path / "ledger")
    rows, kept = ledger.stage("source"), read_checkpoint(plan.checkpoints, "perceive")
    first = kept.frames.get(camera, ("", -1))[1] + 1 if kept else 0
    if first:
        rows.begin(camera, first)
    writer = FrameWriter(camera, slots=4, pipeline="chaos", folder=plan.path)
    life.ready()
    if kept is None or camera in kept.open:
        outlet = Outlet(plan.hop(f"frames-{camera}"), limits=plan.config.token_limits)
        feed(Film(camera, plan.frames), writer, outlet, rows, life.stop, FeedOptions(first=first))
        outlet.close()
    writer.close()
    ledger.close()


def build(plan: Plan, name: str) -> tuple[Stage, Memory]:
    if name == "perceive":
        perceive = Perceive(plan)
        return perceive, Remembered(perceive, ("_mean",))
    if name == "tally":
        tally = Tally()
        return tally, Remembered(tally, ("_seen",))
    log = plan.path / "events.jsonl"
    fresh = not log.exists()
    publish = PublishStage(log, Publisher(plan.hop("events")), fresh=fresh)
    counting = Counting(publish.sequences)
    return OnceStage(publish, counting), counting


def run_stage(plan: Plan, life: Life, name: str) -> None:
    stage, memory = build(plan, name)
    keeper = Keeper(plan.checkpoints, name, memory, every_s=0.2, every=20)
    kept = keeper.restored
    if name == "perceive":
        cameras = kept.open if kept else CAMERAS
        limits = plan.config.token_limits
        inlet = Merge({one: Inlet(plan.hop(f"frames-{one}"), limits=limits) for one in cameras})
    else:
        positions = kept.positions_by_name() if kept else None
        inlet = Inlet(plan.hop(name), limits=Limits(8), positions=positions)
    following = STAGES[STAGES.index(name) + 1 :]
    sent = kept.sent() if kept else Sent(name.encode())
    outlet = Outlet(plan.hop(following[0]), limits=Limits(8), durable=sent) if following else None
    ledger = Ledger.open(plan.path / "ledger")
    loop = StageLoop(
        name,
        stage,
        Ports(inlet, outlet),
        cameras=CAMERAS,
        ledger=ledger.stage(name),
        stop=life.stop,
        keeper=keeper,
    )
    life.ready()
    loop.run()
    ledger.close()


def spare(plan: Plan, name: str) -> Callable[[Life], None]:
    def run(life: Life) -> None:
        (plan.path / f"{name}.warm").touch()
        if life.await_turn():
            (plan.path / f"{name}.took-over").touch()
            run_stage(plan, life, name)

    return run


def runner(plan: Plan, name: str) -> Callable[[Life], None]:
    if name.startswith("source-"):
        return lambda life: run_source(plan, life, name.removeprefix("source-"))
    if name == "sinks":
        return lambda life: run_sinks(plan.sinks, plan.path / "events.jsonl", plan.path, life)
    return lambda life: run_stage(plan, life, name)


def supervisor(
    plan: Plan, *, resume: bool = False, note: Callable[[str], None] = lambda _: None
) -> Supervisor:
    fresh_folder(plan.checkpoints, keep=resume)
    ledger = Ledger.create(plan.path / "ledger", STAGES, CAMERAS)
    names = [*(f"source-{camera}" for camera in CAMERAS), *STAGES[1:]]
    plans = []
    for name in names:
        source = name.startswith("source-")
        place = 0 if source else STAGES.index(name)
        argv = (sys.executable, "-m", "tests.stream.chaos", name, msgspec.json.encode(plan).decode())
        plans.append(
            StagePlan(
                name,
                argv=argv,
                spare=(*argv, "spare") if name in plan.standby else (),
                source=source,
                restarts=1000,
                group="capture" if place <= 1 else "",
                before=STAGES[place + 1] if place + 1 < len(STAGES) else "",
            )
        )
    if plan.sinks.any:
        prepare_cursors(plan.sinks, plan.path / "events.jsonl", plan.path, anew=not resume)
        argv = (sys.executable, "-m", "tests.stream.chaos", "sinks", msgspec.json.encode(plan).decode())
        plans.append(StagePlan("sinks", argv=argv, restarts=plan.sink_restarts, after="publish"))
    return Supervisor(plans, ledger, pipeline="chaos", folder=plan.path, config=plan.config, note=note)


if __name__ == "__main__":
    what, text, *more = sys.argv[1:]
    chosen = msgspec.json.decode(text, type=Plan)
    if what == "supervisor":
        outcome = supervisor(chosen, resume=True).run()
        sys.stderr.write(f"{outcome.report}\n{outcome.error or ''}\n")
        sys.exit(outcome.exit_status)
    is_source = what.startswith("source-")
    make = spare if more else runner
    sys.exit(run_process(what, make(chosen, what), source=is_source, logs=chosen.path / "logs"))
