"""The recogniser that the configuration asks for, and the files in which a run leaves what it saw."""

from __future__ import annotations

from pathlib import Path

from commands.config import PipelineConfig
from commands.plan import RunPlan
from gait.baseline import BaselineEmbedder
from gait.embedder import Embedder
from gait.gallery.redact import CHECKPOINTS, LOG, TRACE


def recogniser(config: PipelineConfig) -> Embedder:
    """The same for the pipeline, enrolment and the gallery; today the baseline, whatever is configured."""
    del config
    return BaselineEmbedder()


def written_by(plan: RunPlan) -> list[tuple[Path, str]]:
    """The files of a run that name people or hold their vectors, and what kind each is."""
    traces = [plan.trace(stage) for stage in plan.stages] if plan.traces else []
    checkpoints = Path(plan.results) / "checkpoints"
    return [(plan.event_log, LOG), (checkpoints, CHECKPOINTS), *((trace, TRACE) for trace in traces)]
