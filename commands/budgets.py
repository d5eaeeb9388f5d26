"""How old a camera's frames may be, and how important it is, by the configuration."""

from __future__ import annotations

from commands.plan import RunPlan
from stream.punctual import Budget, PunctualFrames
from stream.sources.reconnect import is_camera


def note_budget(plan: RunPlan, frames: PunctualFrames, name: str) -> None:
    """Of a camera whose clock is its own; rendered walkers are as old as their rendering makes them."""
    camera = plan.config.cameras[name]
    if is_camera(camera.source):
        frames.attach(name, Budget(camera.options.budget_s, camera.options.priority))
