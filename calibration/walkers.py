"""Rendered walkers as the running pipeline's perception sees them, one at a time, for fits to rest on."""

from __future__ import annotations

from typing import Final

import numpy as np

from calibration.in_process import OneFrame
from engines.perceive import PerceiveStage, Perception
from gait.body import body_of
from gait.walkers.camera import Camera
from gait.walkers.path import Path
from gait.walkers.person import sample_person
from gait.walkers.scene import Scene, Walker
from stream.messages import FrameRef, FrameToken, People, Sample, TrackletId

FPS: Final = 12.5
SAMPLES_PER_FRAME: Final = 2
"""Each frame stands for two instants of the pipeline's 25 Hz grid; averages do not notice, renderers do."""
CAMERA: Final = Camera(width=640, height_px=360, focal=500.0, height=1.45, pitch=0.05)
"""People of 90 to 160 pixels: more than the silhouette keeps, and quick to render."""
CIRCLE_M: Final = 6.0
RADIUS_M: Final = 1.5
GOLDEN: Final = 0.618034


def circle(person: int) -> Scene:
    """Person ``person`` once round a circle before the camera: seen from every side."""
    turns = np.linspace(0, 2 * np.pi, 181) + (person * GOLDEN % 1.0) * 2 * np.pi
    ahead = np.array([np.cos(CAMERA.heading), np.sin(CAMERA.heading)])
    points = CIRCLE_M * ahead + RADIUS_M * np.stack([np.cos(turns), np.sin(turns)], axis=1)
    walker = Walker(sample_person(person), Path(points, turns + np.pi / 2))
    return Scene(person, CAMERA, (walker,), walker.leave_s, FPS)


def crossing(person: int, visit: int) -> Scene:
    """Person ``person`` through the picture; visits differ in distance, by some degrees, in light and phase.

    Like the two clips of the demo, every visit goes the same way.
    """
    rng = np.random.default_rng([person, visit])
    distance, slant = float(rng.uniform(5.6, 8.4)), float(np.radians(rng.uniform(-8, 8)))
    side = 1.0 if person % 2 else -1.0
    ahead = np.array([np.cos(CAMERA.heading), np.sin(CAMERA.heading)])
    right = np.array([ahead[1], -ahead[0]])
    way = side * np.cos(slant) * right + np.sin(slant) * ahead
    half = CAMERA.width / 2 / CAMERA.focal * distance / np.cos(slant) + 0.5
    start, end = distance * ahead - half * way, distance * ahead + half * way
    path = Path.line((float(start[0]), float(start[1])), (float(end[0]), float(end[1])))
    walker = Walker(sample_person(person), path, phase=float(rng.random()))
    return Scene(2 * person + visit, CAMERA, (walker,), walker.leave_s, FPS)


def watch(scene: Scene, perception: Perception) -> list[Sample]:
    """The scene's one walker, frame by frame, wherever the whole body is in view."""
    frames = OneFrame()
    stage = PerceiveStage(frames, perception)
    key = TrackletId("calibration", str(scene.seed), 0)
    samples = []
    for rendered in scene.frames():
        frames.pixels = rendered.image
        time_ns = round(rendered.time_s * 1e9)
        size = (CAMERA.width, CAMERA.height_px)
        frame = FrameRef(key.camera, key.run, rendered.number, time_ns, time_ns, *size)
        (people,) = stage.handle(FrameToken(frame, "", 0, 0))
        assert isinstance(people, People)
        whole = [one for one in people.people if one.quality.truncation == 0]
        body = body_of(whole[0]) if len(whole) == 1 else None
        if body is not None:
            samples.append(Sample(key, time_ns, body.silhouette, body.joints_2d, body.joints_3d, True, 1.0))
    return samples
