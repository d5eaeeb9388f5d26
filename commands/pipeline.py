"""The whole flow on one screen: lay the stages out, start them, watch, and see that the books add up.

source --frame--> perceive --people--> track --samples--> embed --vectors--> identify --events--> publish
"""

from __future__ import annotations

import itertools
import threading
import uuid
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from commands.camera_desk import CameraDesk
from commands.checkpoints import prepare_checkpoints
from commands.cli import progress, teller
from commands.config import PipelineConfig
from commands.plan import Last, RunPlan, write_plan
from commands.process_plan import SINKS, SOURCE, process_plan
from commands.stage import stage_runner
from stream.checkpoint import forget
from stream.errors import ConfigError, ResourceError
from stream.ledger import Count, Ledger
from stream.monitor import Monitor
from stream.runner import StagePlan
from stream.sinks.run import prepare_cursors
from stream.supervisor import Outcome, Supervisor

_LOOK_S: Final = 0.2


@dataclass(frozen=True)
class Finished:
    """A run that ended: how, and the plan that says where its results lie."""

    plan: RunPlan
    outcome: Outcome


def new_plan(
    config: PipelineConfig, results: Path, *, last: Last = "publish", traces: bool = False, pipeline: str = ""
) -> RunPlan:
    """A plan with a name of its own; raises where there is no camera or no place for the results."""
    if not config.cameras:
        raise ConfigError(
            "there is no camera",
            wanted="at least one",
            fix="Add it under cameras: in pipeline.yaml, or use --source",
        )
    try:
        results.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ResourceError(
            f"the folder cannot be made ({error.strerror})",
            where=str(results),
            fix="Name another one with --out",
        ) from error
    name = pipeline or uuid.uuid4().hex[:8]
    return RunPlan(name, str(results.resolve()), config, last, traces)


def run_plan(
    plan: RunPlan, expected_frames: int | None = None, what: str = "frames", *, resume: bool = False
) -> Finished:
    """Start every stage of ``plan``, watch until the last has ended; a bar shows the frames processed.

    ``resume``: go on with the run that was left off in the same folder, if there is one.
    """
    write_plan(plan)
    resumed = plan.durable and prepare_checkpoints(plan, resume=resume)
    anew = plan.recorded and not resumed
    if anew:
        _set_aside(plan.event_log)
    if plan.has_sinks:
        prepare_cursors(plan.config.sinks, plan.event_log, Path(plan.results), anew=anew)
    ledger = Ledger.create(plan.ledger, plan.stages, plan.cameras)
    supervisor = Supervisor(
        stage_plans(plan),
        ledger,
        pipeline=plan.pipeline,
        folder=plan.folder,
        config=plan.config.stream,
        note=teller(plan.config.logs),
    )
    try:
        with ExitStack() as around:
            around.enter_context(
                _Watch(ledger, plan, around.enter_context(progress(what, expected_frames)).set)
            )
            if plan.last == "publish":
                desk = CameraDesk(plan, supervisor, ledger)
                around.enter_context(desk)
                _open_monitor(around, plan, desk)
            outcome = supervisor.run()
    finally:
        ledger.close()
        plan.plan_file.unlink(missing_ok=True)
    if plan.durable and outcome.error is None and not outcome.hurried:
        forget(plan.checkpoints)
    return Finished(plan, outcome)


def _open_monitor(around: ExitStack, plan: RunPlan, desk: CameraDesk) -> None:
    """Where the configuration names a port: metrics and health over HTTP."""
    address = plan.config.monitor.address
    if address is not None:
        around.enter_context(Monitor(address, desk.status, plan.config.health_limits))


def _set_aside(log: Path) -> None:
    """A recording's log begins anew; an earlier one in its place is kept as events.1.jsonl and so on."""
    if log.is_file():
        free = next(n for n in itertools.count(1) if not log.with_suffix(f".{n}{log.suffix}").exists())
        log.rename(log.with_suffix(f".{free}{log.suffix}"))


def stage_plans(plan: RunPlan) -> list[StagePlan]:
    """How each stage is run: as a thread under inproc, as a process of its own otherwise."""
    names = [*(f"{SOURCE}{camera}" for camera in plan.cameras), *plan.stages[1:]]
    names += [SINKS] if plan.has_sinks else []
    if plan.config.stream.transport == "inproc":
        return [
            StagePlan(
                name,
                run=stage_runner(plan, name),
                source=name.startswith(SOURCE),
                after=plan.last if name == SINKS else "",
            )
            for name in names
        ]
    return [process_plan(plan, name) for name in names]


class _Watch:
    """While entered, tell ``show`` now and then how many frames the last stage has processed."""

    def __init__(self, ledger: Ledger, plan: RunPlan, show: Callable[[int], None]) -> None:
        self._rows, self._cameras, self._show = ledger.stage(plan.last), plan.cameras, show
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="progress", daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(_LOOK_S):
            self._show(sum(self._rows.value(camera, Count.HANDLED) for camera in self._cameras))
