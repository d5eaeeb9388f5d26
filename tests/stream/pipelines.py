"""A small real pipeline, source -> middle -> last, to run as threads or as processes and to break."""

from __future__ import annotations

import importlib
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec
import numpy as np

from stream.bus import Inlet, Limits, Outlet
from stream.config import StreamConfig, hop_endpoints
from stream.errors import ResourceError
from stream.figures import Watch
from stream.frames import FrameReader, FrameWriter
from stream.ledger import Count, Drop, Ledger
from stream.life import Life, run_process
from stream.loop import Ports, StageLoop
from stream.messages import EndOfStream, FrameMessage, FrameRef, FrameToken, Identified, People
from stream.runner import StagePlan
from stream.stage import PassiveStage
from stream.supervisor import Supervisor
from stream.trace import TraceWriter
from stream.tracing import FrameTracer

CAMERA = "door"
STAGES = ("source", "middle", "last")
FRAME_NS = 40_000_000


class Plan(msgspec.Struct, frozen=True):
    """What the pipeline under test does, and how it misbehaves."""

    folder: str
    transport: str = "ipc"
    frames: int = 50
    hwm: int = 4
    slots: int = 3
    live: bool = False
    pace_s: float = 0.0
    hang_on_stop: bool = False
    kill_stage: str = ""
    kill_at: int = -1
    kill_once: bool = False
    slow_start: str = ""
    start_s: float = 30.0
    missing_program: bool = False
    fail_at_start: str = ""
    restarts: int = 0
    collector: str = ""

    @property
    def config(self) -> StreamConfig:
        return msgspec.convert(
            {
                "transport": self.transport,
                "hwm": self.hwm,
                "ring_slots": self.slots,
                "tcp_port": 20000 + os.getuid() % 1000,
                "shared_memory": self.folder,
                "drain_s": 10.0,
                "start_s": self.start_s,
                "grace_s": 0.5,
            },
            StreamConfig,
        )

    def endpoints(self) -> dict[str, str]:
        return hop_endpoints(self.config, Path(self.folder), ("tokens", "people"))


def reference(number: int, camera: str = CAMERA, *, width: int = 64, height: int = 48) -> FrameRef:
    return FrameRef(camera, "run", number, (number + 1) * FRAME_NS, (number + 1) * FRAME_NS, width, height)


def picture(frame: FrameRef) -> np.ndarray:
    return np.full((frame.height, frame.width, 3), frame.number % 251, np.uint8)


def run_source(plan: Plan, life: Life) -> None:
    fail_if_asked(plan, "source")
    ledger = Ledger.open(Path(plan.folder) / "ledger")
    rows = ledger.stage("source")
    outlet = Outlet(plan.endpoints()["tokens"], live=plan.live, limits=plan.config.token_limits)
    writer = FrameWriter(CAMERA, slots=plan.slots, pipeline="test", folder=Path(plan.folder))
    tracer = tracer_of(plan, "source")
    life.ready()
    number = 0
    while number < plan.frames and not life.stop.draining():
        rows.count(CAMERA, Count.CAPTURED)
        frame = reference(number)
        if tracer:
            frame = msgspec.structs.replace(frame, trace=tracer.begin())
            tracer.span(frame, 0)
        token = writer.write(frame, picture(frame), timeout_s=0 if plan.live else None, stopped=life.stop.now)
        if token is None:
            rows.count(CAMERA, Drop.STOPPED if life.stop.now() else Drop.RING_FULL)
        elif outlet.send(token, life.stop.now):
            rows.count(CAMERA, Count.SENT)
        else:
            writer.withdraw(token)
            rows.count(CAMERA, Drop.QUEUE_FULL)
        number += 1
        if plan.pace_s:
            time.sleep(plan.pace_s)
    outlet.send(EndOfStream(CAMERA, "run", number, (number + 1) * FRAME_NS), life.stop.now)
    writer.drain(10.0, life.stop.now)
    writer.close()
    outlet.close()
    ledger.close()
    if tracer:
        tracer.close()


def tracer_of(plan: Plan, stage: str) -> FrameTracer | None:
    if not plan.collector:
        return None
    otel = importlib.import_module("stream.otel")
    return otel.SpanTracer(stage, "test", otel.to_collector(plan.collector), share=1.0)


class Middle(PassiveStage):
    """Looks at the pixels; a frame's brightness becomes its ``blur``."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._frames = FrameReader(folder=Path(plan.folder))

    def handle(self, message: FrameMessage) -> Iterable[FrameMessage]:
        assert isinstance(message, FrameToken)
        die_if_asked(self._plan, "middle", message.frame.number)
        with self._frames.lease(message) as image:
            brightness = float(image.mean())
        yield People(message.frame, (), blur=brightness)

    def close(self) -> None:
        self._frames.close()


class Last(PassiveStage):
    """Writes a line per frame."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._log = (Path(plan.folder) / "lines").open("w", encoding="utf-8")

    def handle(self, message: FrameMessage) -> Iterable[FrameMessage]:
        assert isinstance(message, People)
        die_if_asked(self._plan, "last", message.frame.number)
        self._log.write(f"{message.frame.number} {message.blur}\n")
        self._log.flush()
        yield Identified(message.frame, ())

    def finish(self, end: EndOfStream) -> Iterable[FrameMessage]:
        self._log.write(f"end {end.frames}\n")
        return ()

    def close(self) -> None:
        self._log.close()


def run_stage(plan: Plan, life: Life, name: str) -> None:
    fail_if_asked(plan, name)
    endpoints, limits = plan.endpoints(), Limits(plan.hwm)
    ledger = Ledger.open(Path(plan.folder) / "ledger")
    watch = Watch(ledger.stage(name).meters, life.tell, tracer=tracer_of(plan, name))
    if name == "middle":
        stage: Middle | Last = Middle(plan)
        ports = Ports(
            Inlet(endpoints["tokens"], limits=plan.config.token_limits),
            Outlet(endpoints["people"], limits=limits),
            watch=watch,
        )
    else:
        stage = Last(plan)
        trace = TraceWriter(Path(plan.folder) / "trace")
        ports = Ports(Inlet(endpoints["people"], limits=limits), trace=trace, watch=watch)
    loop = StageLoop(name, stage, ports, cameras=[CAMERA], ledger=ledger.stage(name), stop=life.stop)
    while plan.slow_start == name and not life.stop.now():
        time.sleep(0.01)
    life.ready()
    if plan.hang_on_stop:
        while not life.stop.now():
            time.sleep(0.01)
    loop.run()
    ledger.close()


def stage_runner(plan: Plan, name: str) -> Callable[[Life], None]:
    if name == "source":
        return lambda life: run_source(plan, life)
    return lambda life: run_stage(plan, life, name)


def supervisor(plan: Plan, *, threads: bool) -> tuple[Supervisor, Ledger]:
    folder = Path(plan.folder)
    ledger = Ledger.create(folder / "ledger", STAGES, [CAMERA])
    plans = [stage_plan(plan, name, threads=threads) for name in STAGES]
    return Supervisor(plans, ledger, pipeline="test", folder=folder, config=plan.config), ledger


def stage_plan(plan: Plan, name: str, *, threads: bool) -> StagePlan:
    if threads:
        return StagePlan(name, run=stage_runner(plan, name), source=name == "source")
    program = "/no/such/program" if plan.missing_program and name == "last" else sys.executable
    argv = (program, "-m", "tests.stream.pipelines", name, msgspec.json.encode(plan).decode())
    restarts = plan.restarts if name == plan.kill_stage else 0
    return StagePlan(name, argv=argv, source=name == "source", restarts=restarts)


def fail_if_asked(plan: Plan, name: str) -> None:
    if plan.fail_at_start == name:
        raise ResourceError(f"{name} finds no device", fix="Plug it in")


def die_if_asked(plan: Plan, name: str, number: int) -> None:
    if plan.kill_stage == name and plan.kill_at == number:
        if plan.kill_once and (Path(plan.folder) / "killed").exists():
            return
        (Path(plan.folder) / "killed").touch()
        if plan.transport == "inproc":
            raise ZeroDivisionError("a defect")
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    what, text = sys.argv[1:]
    chosen = msgspec.json.decode(text, type=Plan)
    if what == "supervisor":
        chief, books = supervisor(chosen, threads=False)
        outcome = chief.run()
        sys.stderr.write(f"{outcome.report}\n{outcome.error or ''}\n")
        sys.exit(outcome.exit_status)
    sys.exit(
        run_process(
            what, stage_runner(chosen, what), source=what == "source", logs=Path(chosen.folder) / "logs"
        )
    )
