"""Each stage of a run, put together: what it computes and what connects it, as a thread or a process."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Final

from commands.budgets import note_budget
from commands.checkpoints import first_frame, sender_of, with_keeper
from commands.extras import needing_extra
from commands.plan import RunPlan, is_live, read_plan
from commands.process_plan import SINKS, SOURCE
from commands.runs import Runs, was_open
from commands.stages import maker
from stream.bus import Inlet, Limits, Outlet, Receiver, Sent
from stream.checkpoint import Keeper
from stream.control import ControlServer
from stream.errors import ConfigError, SourceError
from stream.feed import FeedOptions, feed
from stream.figures import Watch
from stream.frames import FrameWriter
from stream.ledger import Count, Ledger, StageLedger
from stream.life import Life, run_process
from stream.logs import start_logging
from stream.loop import Ports, StageLoop
from stream.merge import Merge
from stream.punctual import EasedStage, PunctualFrames
from stream.recorder import read_order
from stream.sinks.run import run_sinks
from stream.sources import Source, open_source, register_source
from stream.sources.live import CameraRefusesError
from stream.sources.reconnect import AbsentSource, Reconnect, is_camera
from stream.sources.replayed import PREFIX as RECORDING
from stream.sources.replayed import RecordedSource, camera_of, replay
from stream.stage import Stage
from stream.trace import TraceWriter
from stream.tracing import FrameTracer

TRACED: Final = ("perceive", "track", "embed")
WALKERS: Final = "walkers:"


def configure(parser: argparse.ArgumentParser) -> None:
    """The stage's name and the plan it belongs to."""
    parser.add_argument("name", help="source-CAMERA, perceive, track, embed, identify or publish")
    parser.add_argument("--plan", type=Path, required=True, help="the run's plan.json")
    parser.add_argument(
        "--spare", action="store_true", help="load nets, then wait to take a dead one's place"
    )


def run(arguments: argparse.Namespace) -> int:
    """Run one stage as this process, under its supervisor."""
    plan = read_plan(arguments.plan)
    name: str = arguments.name
    start_logging(plan.config.logs, name)
    runner = _spare_runner(arguments.plan, plan, name) if arguments.spare else stage_runner(plan, name)
    return run_process(name, runner, source=name.startswith(SOURCE), logs=plan.folder / "logs")


def stage_runner(plan: RunPlan, name: str) -> Callable[[Life], None]:
    """What runs stage ``name`` to its end."""
    if name.startswith(SOURCE):
        play = _replay_source if plan.replay else _run_source
        return lambda life: play(plan, name.removeprefix(SOURCE), life)
    if name == SINKS:
        return lambda life: run_sinks(plan.config.sinks, plan.event_log, Path(plan.results), life)
    if name not in plan.stages[1:]:
        raise ConfigError(f"no stage {name!r} in this run", wanted=", ".join(plan.stages))
    return lambda life: _run_stage(plan, name, life)


def _spare_runner(path: Path, plan: RunPlan, name: str) -> Callable[[Life], None]:
    """What prepares stage ``name``, waits, and then runs it by the plan as it is by then."""

    def run(life: Life) -> None:
        prepared = maker(name).prepare(plan)
        if life.await_turn():
            _run_stage(read_plan(path), name, life, prepared)

    return run


def _replay_source(plan: RunPlan, camera: str, life: Life) -> None:
    stream = plan.config.stream
    ledger = Ledger.open(plan.ledger)
    writer = _writer(plan, camera)
    try:
        outlet = _outlet(plan, plan.hop_of(camera), stream.token_limits)
        try:
            life.ready()
            replay(Path(plan.replay), camera, writer, outlet, ledger.stage("source"), life.stop)
        finally:
            outlet.close()
    finally:
        writer.close()


def _inlet(
    plan: RunPlan, endpoint: str, limits: Limits, positions: Mapping[bytes, int] | None = None
) -> Inlet:
    keys = plan.config.security.receiving(endpoint)
    return Inlet(endpoint, limits=limits, keys=keys, positions=positions)


def _outlet(
    plan: RunPlan, endpoint: str, limits: Limits, *, live: bool = False, durable: Sent | None = None
) -> Outlet:
    keys = plan.config.security.sending(endpoint)
    return Outlet(endpoint, live=live, limits=limits, keys=keys, durable=durable)


def _writer(plan: RunPlan, camera: str) -> FrameWriter:
    stream = plan.config.stream
    folder = Path(stream.shared_memory) if stream.shared_memory else None
    return FrameWriter(camera, slots=stream.ring_slots, pipeline=plan.pipeline, folder=folder)


def _run_source(plan: RunPlan, camera: str, life: Life) -> None:
    stream, asked = plan.config.stream, plan.config.cameras[camera]
    if asked.source.startswith(WALKERS):
        register_source(WALKERS, import_module("gait.walkers.source").open_walkers)
    register_source(RECORDING, RecordedSource)
    source, reopen = _open_camera(plan, camera)
    ledger = Ledger.open(plan.ledger)
    rows = ledger.stage("source")
    first = _take_up(plan, source, rows)
    watch = _watch(plan, SOURCE + camera, rows, life)
    writer = _writer(plan, camera)
    try:
        life.ready()
        if first is None:  # perception has seen this recording's end
            return
        outlet = _outlet(plan, plan.hop_of(camera), stream.token_limits, live=source.live)
        try:
            runs = Runs(plan, camera, rows) if source.live and plan.durable else None
            if runs is not None:
                runs.end_last(outlet, life.stop.now)
            options = FeedOptions(
                realtime=asked.options.realtime,
                drain_s=stream.drain_s,
                budget_s=asked.options.budget_s if is_camera(asked.source) else math.inf,
                first=first,
                begins=runs.begin if runs is not None else lambda _: None,
                watch=watch,
            )
            feed(source, writer, outlet, rows, life.stop, options, reopen)
        finally:
            outlet.close()
    finally:
        writer.close()
        source.close()
        watch.close()
    if source.problem is not None and reopen is None:
        raise source.problem


def _take_up(plan: RunPlan, source: Source, rows: StageLedger) -> int | None:
    """The frame to begin with: the first, or where a process before was left off; None: all is over."""
    if source.live:
        return 0
    if not plan.recorded:  # beside live cameras nothing goes back
        return rows.value(source.camera, Count.CAPTURED)
    first, over = first_frame(plan, source)
    if first:  # the books too: those of a supervisor that was killed are gone
        rows.begin(source.camera, first)
    return None if over else first


def _open_camera(plan: RunPlan, camera: str) -> tuple[Source, Reconnect | None]:
    """The camera's source, and how to open it again should it be lost.

    One that cannot be reached at the start is an error where it is the only one, for somebody is watching;
    among several it is waited for, and the others go on.
    """
    asked = plan.config.cameras[camera]
    if not is_live(asked.source):
        return open_source(asked.source, camera, asked.options), None
    reopen = Reconnect(asked.source, camera, asked.options, open_source)
    try:
        return open_source(asked.source, camera, asked.options), reopen
    except CameraRefusesError:
        raise
    except SourceError as error:
        if len(plan.cameras) == 1 and not was_open(plan, camera):
            raise
        return AbsentSource(camera, error), reopen


def _run_stage(plan: RunPlan, name: str, life: Life, prepared: Any = None) -> None:
    """``prepared``: what its maker prepared by the plan before."""
    made = maker(name)
    stage, keeper = with_keeper(plan, name, made.build(plan, prepared or made.prepare(plan)))
    rows = Ledger.open(plan.ledger).stage(name)
    ports = replace(_ports(plan, name, keeper, life, stage), watch=_watch(plan, name, rows, life))
    loop = StageLoop(
        name,
        stage,
        ports,
        cameras=plan.cameras,
        ledger=rows,
        stop=life.stop,
        drain_s=plan.config.stream.drain_s,
        keeper=keeper,
    )
    life.ready()
    loop.run()


def _ports(plan: RunPlan, name: str, keeper: Keeper | None, life: Life, stage: Stage) -> Ports:
    limits = plan.config.stream.limits
    kept = keeper.restored if keeper else None
    inlet: Receiver
    newcomers: Callable[[], list[str]] = list
    if name == "perceive":
        tokens = plan.config.stream.token_limits
        cameras = kept.still_open(plan.cameras) if kept else plan.cameras
        frames = {camera: _inlet(plan, plan.hop_of(camera), tokens) for camera in cameras}
        inlet = Merge(frames, live=set(plan.live_cameras) & set(cameras), order=_order(plan))
        eased = stage.frames if isinstance(stage, EasedStage) else None
        newcomers = Newcomers(plan, inlet, life.newcomers, eased)
    else:
        inlet = _inlet(plan, plan.hop(name), limits, kept.positions_by_name() if kept else None)
    following = plan.stages[plan.stages.index(name) + 1 :]
    return Ports(
        inlet,
        _outlet(plan, plan.hop(following[0]), limits, durable=sender_of(name, keeper)) if following else None,
        ControlServer(plan.control) if name == "identify" else None,
        TraceWriter(plan.trace(name)) if plan.traces and name in TRACED else None,
        newcomers,
    )


def _watch(plan: RunPlan, name: str, rows: StageLedger, life: Life) -> Watch:
    """Who measures the stage; an age means something where the camera's time is this host's."""
    recorded = set(plan.cameras) - set(plan.live_cameras)
    return Watch(rows.meters, life.tell, recorded=recorded, tracer=_tracer(plan, name))


def _tracer(plan: RunPlan, name: str) -> FrameTracer | None:
    tracing = plan.config.tracing
    if not tracing.endpoint:
        return None
    otel = needing_extra("stream.otel")
    stage, share = ("source", tracing.share) if name.startswith(SOURCE) else (name, 0.0)
    tracer: FrameTracer = otel.SpanTracer(
        stage, plan.pipeline, otel.to_collector(tracing.endpoint), share=share
    )
    return tracer


def _order(plan: RunPlan) -> list[str]:
    """In a replay: whose message came after whose."""
    return [camera_of(line) for line in read_order(Path(plan.replay))] if plan.replay else []


class Newcomers:
    """Cameras attached to the running pipeline: perception opens an inlet for each."""

    def __init__(
        self, plan: RunPlan, merge: Merge, names: SimpleQueue[str], frames: PunctualFrames | None
    ) -> None:
        self._plan, self._merge, self._names, self._frames = plan, merge, names, frames

    def __call__(self) -> list[str]:
        """Open what was attached since the last call."""
        found = []
        while not self._names.empty():
            camera = self._names.get()
            inlet = _inlet(self._plan, self._plan.hop_of(camera), self._plan.config.stream.token_limits)
            self._merge.attach(camera, inlet)
            if self._frames is not None:
                note_budget(read_plan(self._plan.plan_file), self._frames, camera)
            found.append(camera)
        return found
