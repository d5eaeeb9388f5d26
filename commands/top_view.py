"""What `top` shows, in numbers: the difference between two looks at a pipeline."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from commands.process_plan import SOURCE
from stream.figures import Figure
from stream.health import Health
from stream.look import CameraStatus, HopStatus, StageState, Status
from stream.meters import BOUNDS_S, Histogram, total

_MB: Final = 1e6


class Spread(msgspec.Struct, frozen=True):
    """Durations of the last seconds, in milliseconds; None where nothing was measured."""

    p50_ms: float | None = None
    p99_ms: float | None = None

    @classmethod
    def of(cls, found: Histogram) -> Spread:
        """Median and 99 of 100."""
        return cls(_ms(found.quantile_s(0.5)), _ms(found.quantile_s(0.99)))

    def __str__(self) -> str:
        return "-" if self.p50_ms is None else f"{_shown(self.p50_ms)} / {_shown(self.p99_ms)}"


class CameraRow(msgspec.Struct, frozen=True):
    """One camera: frames a second of the last seconds, and its books since the start."""

    camera: str
    state: str
    source: str
    captured_per_s: float
    processed_per_s: float
    dropped_per_s: float
    captured: int
    processed: int
    in_flight: int
    dropped: dict[str, int]
    capture_to_event: Spread
    events: dict[str, int]
    answers: dict[str, int]


class StageRow(msgspec.Struct, frozen=True):
    """One stage: ``takes`` a frame, ``age`` of live frames when it is through, ``cpu`` in cores."""

    stage: str
    state: str
    restarts: int
    frames_per_s: float
    takes: Spread
    age: Spread
    queue: int | None
    cpu: float | None
    resident_mb: float | None
    silent_s: float


class TopView(msgspec.Struct, frozen=True):
    """A pipeline at one moment; rates and spreads are of the last ``seconds``."""

    pipeline: str
    at_s: float
    uptime_s: float
    seconds: float
    health: Health
    cameras: tuple[CameraRow, ...]
    stages: tuple[StageRow, ...]
    figures: tuple[Figure, ...]
    """What stages say of themselves that has no column: the gallery's size, subscriptions, sinks."""


def top_view(before: Status, now: Status, verdict: Health) -> TopView:
    """What happened between the two looks."""
    seconds = max(1e-3, now.at_s - before.at_s)
    earlier = {camera.camera: camera for camera in before.cameras}
    states = {stage.name: stage for stage in now.look.stages}
    return TopView(
        pipeline=now.pipeline,
        at_s=now.at_s,
        uptime_s=now.at_s - now.started_s,
        seconds=seconds,
        health=verdict,
        cameras=tuple(
            _camera(one, earlier.get(one.camera), states.get(SOURCE + one.camera), seconds)
            for one in now.cameras
        ),
        stages=tuple(_stage(stage, before, now, seconds) for stage in now.look.stages),
        figures=tuple(
            figure
            for stage in now.look.stages
            for figure in stage.figures
            if figure.name not in ("queue", "camera_up", "camera_lost_since")
        ),
    )


def _camera(
    camera: CameraStatus, before: CameraStatus | None, source: StageState | None, seconds: float
) -> CameraRow:
    dropped = sum(camera.dropped.values()) - (sum(before.dropped.values()) if before else 0)
    return CameraRow(
        camera=camera.camera,
        state=_state(camera, source),
        source=camera.state.source,
        captured_per_s=(camera.captured - (before.captured if before else 0)) / seconds,
        processed_per_s=(camera.processed - (before.processed if before else 0)) / seconds,
        dropped_per_s=dropped / seconds,
        captured=camera.captured,
        processed=camera.processed,
        in_flight=camera.in_flight,
        dropped=camera.dropped,
        capture_to_event=Spread.of(camera.event_age.since(before.event_age) if before else camera.event_age),
        events={kind: count for kind, count in camera.events.items() if count},
        answers={answer: count for answer, count in camera.answers.items() if count},
    )


def _state(camera: CameraStatus, source: StageState | None) -> str:
    if source is None or source.state == "ended":
        return "detached" if camera.state.live else "ended"
    if camera.state.paused:
        return "paused"
    if camera.lost_s is not None:
        return f"lost {camera.lost_s:.0f} s"
    return "attached" if source.state == "running" else source.state


def _stage(stage: StageState, before: Status, now: Status, seconds: float) -> StageRow:
    hops, earlier = _hops(stage.name, now), _hops(stage.name, before)
    cost, cost_before = now.costs.get(stage.name), before.costs.get(stage.name)
    spent_s = cost.cpu_s - cost_before.cpu_s if cost and cost_before else None
    queues = [figure.value for figure in stage.figures if figure.name == "queue"]
    return StageRow(
        stage=stage.name,
        state=stage.state,
        restarts=stage.restarts,
        frames_per_s=max(0, _frames(hops) - _frames(earlier)) / seconds,
        takes=Spread.of(total(hop.takes for hop in hops).since(total(hop.takes for hop in earlier))),
        age=Spread.of(total(hop.age for hop in hops).since(total(hop.age for hop in earlier))),
        queue=int(sum(queues)) if queues else None,
        cpu=spent_s / seconds if spent_s is not None and spent_s >= 0 else None,
        resident_mb=cost.resident_bytes / _MB if cost else None,
        silent_s=stage.silent_s,
    )


def _hops(stage: str, status: Status) -> list[HopStatus]:
    """What the stage did, of every camera; a source's process does one camera's."""
    if stage.startswith(SOURCE):
        camera = stage.removeprefix(SOURCE)
        return [one.stages["source"] for one in status.cameras if one.camera == camera]
    return [one.stages[stage] for one in status.cameras if stage in one.stages]


def _frames(hops: Iterable[HopStatus]) -> int:
    return sum(hop.handled or hop.sent for hop in hops)


def _shown(ms: float | None) -> str:
    """Three digits; what is above the last bound of the histograms is only known to be."""
    if ms is None:
        return "-"
    if ms >= 1000 * BOUNDS_S[-1]:
        return f">{1000 * BOUNDS_S[-1]:.0f}"
    return f"{ms:.0f}" if ms >= 100 else f"{ms:.3g}"


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(1000 * seconds, 2)
