"""The recogniser that the configuration asks for, and the files in which a run leaves what it saw."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from commands.config import PipelineConfig
from commands.plan import RunPlan
from engines.runtimes.choose import choose
from engines.streaming_embedder import StreamingConfig, StreamingEmbedder
from gait.baseline import BaselineEmbedder
from gait.decision_norm import Cohort, built_in_cohort
from gait.embedder import Embedder, ModelInfo
from gait.gallery.redact import CHECKPOINTS, LOG, TRACE
from gait.models.weights import NETS
from gait.score_map import ScoreMap, built_in_map, chosen_map
from stream.sinks.run import jsonl_path

GPU_BATCH: Final = 16
"""People in one run of the trunk on a GPU."""


def recogniser(config: PipelineConfig) -> Embedder:
    """The same for the pipeline, enrolment and the gallery."""
    stem = NETS.get(config.embedder)
    if stem is not None:
        # Of perception's settings the runtime alone is taken: a narrower precision would move embeddings.
        runtime = config.perceive.nets.runtime
        batch = GPU_BATCH if choose(runtime).runtime == "tensorrt" else 1
        return StreamingEmbedder(stem, StreamingConfig(runtime=runtime, batch=batch))
    return BaselineEmbedder()


def maps_of(config: PipelineConfig, model: ModelInfo) -> tuple[ScoreMap, tuple[Cohort, ScoreMap] | None]:
    """The map from scores to evidence, and the cohort with its own map where the model ships with one."""
    score_map = chosen_map(config.identify.score_map, model.name)
    cohort = None if config.identify.score_map else built_in_cohort(model.name, model.digest)
    return score_map, (cohort, built_in_map(f"{model.name}.told")) if cohort else None


def written_by(plan: RunPlan) -> list[tuple[Path, str]]:
    """The files of a run that name people or hold their vectors, and what kind each is."""
    traces = [plan.trace(stage) for stage in plan.stages] if plan.traces else []
    checkpoints = Path(plan.results) / "checkpoints"
    copies = [(jsonl_path(sink, Path(plan.results)), LOG) for sink in plan.config.sinks.jsonl.values()]
    own = [(plan.event_log, LOG), (checkpoints, CHECKPOINTS), *((trace, TRACE) for trace in traces)]
    return [*own, *copies]
