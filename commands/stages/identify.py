"""The identify stage of a run."""

from __future__ import annotations

from importlib import import_module

from commands.plan import RunPlan
from commands.recogniser import maps_of, recogniser, written_by
from engines.perceive import engine_names
from gait.embedder import Embedder
from gait.identify_stage import IdentifyStage
from stream.stage import Stage
from trackers.linker import Linker


def prepare(plan: RunPlan) -> Embedder:
    """The net, for what it says of itself; and what pairs people with tracks."""
    import_module("scipy.optimize")
    return recogniser(plan.config)


def build(plan: RunPlan, embedder: Embedder) -> Stage:
    """The gallery and its rules."""
    config, model = plan.config, embedder.model
    score_map, told_against = maps_of(config, model)
    gallery = config.gallery.open(endpoint=plan.control)
    for path, kind in written_by(plan):  # a removal has to reach them
        gallery.note_place(path, kind)
    return IdentifyStage(
        gallery,
        model,
        score_map,
        config.identify,
        config_digest=config.digest,
        engines=engine_names(plan.config.perceive),
        linker=Linker(score_map.evidence, config.track.stitch),
        told_against=told_against,
    )
