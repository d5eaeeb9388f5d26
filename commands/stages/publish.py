"""The publish stage of a run."""

from __future__ import annotations

from pathlib import Path

from commands.plan import RunPlan
from stream.publish import Publisher, PublishStage
from stream.stage import Stage


def prepare(_: RunPlan) -> bool:
    """Nothing is slow here."""
    return True


def build(plan: RunPlan, _: object) -> Stage:
    """The event log and the sockets."""
    events, security = plan.config.events, plan.config.security
    return PublishStage(
        plan.event_log,
        Publisher(events.endpoint, keys=security.guarding(events.endpoint, "subscriber", "operator")),
        fresh=plan.recorded and not _has_lines(plan.event_log),  # an earlier run's is aside by now
        sync=events.sync,
        repair=events.repair,
        keys=security.guarding(events.repair, "subscriber", "operator"),
        timings=Path(plan.results) / "timings.jsonl",
    )


def _has_lines(log: Path) -> bool:
    return log.is_file() and log.stat().st_size > 0
