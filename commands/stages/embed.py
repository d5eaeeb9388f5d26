"""The embed stage of a run."""

from __future__ import annotations

from commands.plan import RunPlan
from commands.recogniser import recogniser
from engines.embed import EmbedStage
from gait.embedder import Embedder
from stream.stage import Stage


def prepare(plan: RunPlan) -> Embedder:
    """The net."""
    return recogniser(plan.config)


def build(plan: RunPlan, embedder: Embedder) -> Stage:
    """The embedder."""
    return EmbedStage(embedder, plan.config.embed)
