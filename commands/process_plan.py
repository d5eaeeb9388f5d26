"""How a stage of a run is started as a process, and what is done when it dies."""

from __future__ import annotations

import sys
from typing import Final

from commands.cli import ROOT
from commands.plan import RunPlan
from stream.runner import StagePlan

SOURCE: Final = "source-"
SINKS: Final = "sinks"


def process_plan(plan: RunPlan, name: str) -> StagePlan:
    """A stage as a process. Over recordings, sources and perception go back together; the rest go alone."""
    source, stream = name.startswith(SOURCE), plan.config.stream
    argv = (sys.executable, str(ROOT / "run_pipeline.py"), "stage", name, "--plan", str(plan.plan_file))
    if name == SINKS:
        return StagePlan(name, argv=argv, restarts=stream.restarts, after=plan.last)
    place = 0 if source else plan.stages.index(name)
    capture = place <= 1
    return StagePlan(
        name,
        argv=argv,
        source=source,
        restarts=stream.restarts if plan.durable else 0,
        group="capture" if capture and plan.recorded else "",
        before=plan.stages[place + 1] if place + 1 < len(plan.stages) else "",
        loses=capture and not plan.recorded,
        spare=(*argv, "--spare") if plan.durable and name in stream.standby else (),
    )
