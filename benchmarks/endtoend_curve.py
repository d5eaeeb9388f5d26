"""The curve of ``bench endtoend``: more people before one camera, more cameras with one person each.

Each point runs twice. As fast as it goes: frames a second, of all cameras together. Then at the speed of a
camera, 25 frames a second where the machine keeps up with that, and at 80 % of what it does where not: the
delay of every event from the capture of its frame until it was sent. A recording never drops, so a machine
that does not keep up would only tell how long the clip is.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import av
import msgspec

from benchmarks.pipeline_clock import run_timed
from benchmarks.report import Figure
from commands.cli import progress
from commands.config import CameraConfig, PipelineConfig
from gait.walkers.clip import write_clip
from gait.walkers.scenes import perception_scene
from stream.sources import SourceOptions

PEOPLE: Final = (1, 2, 4, 8, 12)
CAMERAS: Final = (1, 2, 4, 8)
HEIGHT_PX: Final = (150.0, 400.0)
FPS: Final = 25.0
KEPT_UP: Final = 0.8
"""The share of the full speed at which the delays are measured, so that no queue grows."""


def curve(config: PipelineConfig, seed: int, seconds: float, folder: Path) -> dict[str, Figure]:
    """The figures of every point."""
    points = [("people", count, 1) for count in PEOPLE] + [("cameras", 1, count) for count in CAMERAS[1:]]
    config = msgspec.structs.replace(
        config, perceive=msgspec.structs.replace(config.perceive, max_people=max(*PEOPLE, 12))
    )
    figures: dict[str, Figure] = {}
    clips = {count: _clip(seed, count, seconds, folder) for count in PEOPLE}
    with progress("the curve", len(points)) as bar:
        for axis, people, cameras in points:
            count = people if axis == "people" else cameras
            found = point(config, clips[people], cameras, folder / f"{axis}-{count}")
            figures |= {f"{axis}_{count}.{name}": figure for name, figure in found.items()}
            bar.advance()
    return figures


def point(config: PipelineConfig, clip: Path, cameras: int, folder: Path) -> dict[str, Figure]:
    """One point: full speed, then delays at a speed that is kept up with."""
    full = run_timed(config, _cameras(clip, cameras, SourceOptions()), folder / "full")
    fps = full.frames / full.seconds
    played = min(FPS, KEPT_UP * fps / cameras)
    slower = slowed(clip, folder / "played.mp4", FPS / played)
    paced = run_timed(config, _cameras(slower, cameras, SourceOptions(realtime=True)), folder / "paced")
    return {
        "fps": fps,
        "fps_a_camera": fps / cameras,
        "played_fps": played,
        "events": len(paced.delays_s),
        **{f"delay_p{p}_ms": paced.delay_ms(p) for p in (50, 95, 99)},
    }


def _cameras(clip: Path, count: int, options: SourceOptions) -> dict[str, CameraConfig]:
    return {f"bench{number}": CameraConfig(str(clip), options) for number in range(count)}


def _clip(seed: int, people: int, seconds: float, folder: Path) -> Path:
    path, scene = folder / f"people-{people}.mp4", perception_scene(seed, people, HEIGHT_PX, seconds)
    with progress(f"rendering {people}", scene.frame_count) as step:
        write_clip(scene, path, progress=step.set)
    return path


def slowed(clip: Path, target: Path, factor: float) -> Path:
    """The clip with its pictures ``factor`` times as far apart; the pictures themselves are not touched."""
    if math.isclose(factor, 1.0):
        return clip
    stretch: Callable[[int | None], Any] = lambda ticks: None if ticks is None else round(ticks * factor)  # noqa: E731
    target.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(clip)) as source, av.open(str(target), "w") as sink:
        shown = source.streams.video[0]
        stream = sink.add_stream_from_template(shown)
        for packet in source.demux(shown):
            if packet.dts is None:
                continue
            packet.pts, packet.dts = stretch(packet.pts), stretch(packet.dts)
            packet.stream = stream
            sink.mux(packet)
    return target
