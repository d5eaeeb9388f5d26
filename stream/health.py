"""Whether a pipeline is well, and which part of it is not: what `/healthz` and `/readyz` say.

*Ready*: every stage is up, and a frame has come through to the last one. *Healthy*: no stage is dead or being
started again, none has fallen silent, the supervisor looks after them, and no camera has been lost for longer
than it may. A paused camera, and one whose recording has ended, are as they should be.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from stream.look import Look, Status
from stream.stop import Level

SUPERVISOR_S = 5.0
"""The supervisor looks after its stages every 0.2 s; one that has not for so long hangs."""


class HealthLimits(msgspec.Struct, frozen=True):
    """``silent_s``: a stage not heard of for so long hangs. ``lost_s``: how long a camera may be lost."""

    silent_s: float
    lost_s: float


class Health(msgspec.Struct, frozen=True):
    """The verdict; ``problems`` name what is not well, ``waiting`` what is not there yet."""

    ready: bool
    healthy: bool
    problems: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()


def health(status: Status, limits: HealthLimits) -> Health:
    """How the pipeline stands."""
    problems = (*_stages(status.look, limits), *_cameras(status, limits))
    waiting = tuple(_missing(status))
    return Health(not waiting and not problems, not problems, problems, waiting)


def _stages(look: Look, limits: HealthLimits) -> Iterator[str]:
    if look.looked_s > SUPERVISOR_S:
        yield f"the supervisor has not looked after its stages for {look.looked_s:.0f} s"
    for stage in look.stages:
        if stage.state == "dead":
            yield f"stage {stage.name} is dead"
        elif stage.state == "restarting":
            yield f"stage {stage.name} died and is being started again"
        elif stage.state == "running" and stage.silent_s > limits.silent_s:
            yield f"stage {stage.name} hangs: not heard of for {stage.silent_s:.0f} s"


def _cameras(status: Status, limits: HealthLimits) -> Iterator[str]:
    for camera in status.cameras:
        lost_s = camera.lost_s
        if lost_s is not None and lost_s > limits.lost_s and not camera.state.paused:
            yield f"camera {camera.camera} has been lost for {lost_s:.0f} s"


def _missing(status: Status) -> Iterator[str]:
    if status.look.level is not Level.RUN:
        yield "the pipeline is ending"
    starting = [stage.name for stage in status.look.stages if stage.state == "starting"]
    if starting or not status.look.began:
        yield f"not up yet: {', '.join(starting) or 'the sources'}"
    if not any(camera.processed for camera in status.cameras):
        yield "no frame has come through yet"
