"""The track stage of a run."""

from __future__ import annotations

from importlib import import_module

from commands.plan import RunPlan
from gait.body import body_of
from stream.stage import Stage
from trackers.stage import TrackStage


def prepare(_: RunPlan) -> object:
    """What pairs people with tracks: now, not at the first frame with people."""
    return import_module("scipy.optimize")


def build(plan: RunPlan, _: object) -> Stage:
    """The tracker."""
    return TrackStage(body_of, plan.config.track)
