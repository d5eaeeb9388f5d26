"""What the average person looks like from every side: the file that the baseline recogniser subtracts.

Rendered walkers go round in a circle before perception, so that masks and directions are what the running
pipeline will see. To make the file again::

    python -c "from calibration.baseline import write_views; write_views()"
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engines.perceive import PerceiveStage, Perception
from gait.baseline import VIEWS_FILE, aside_of, view_of
from gait.body import body_of
from gait.silhouette import HEIGHT, WIDTH
from gait.walkers.camera import Camera
from gait.walkers.path import Path as WalkPath
from gait.walkers.person import sample_person
from gait.walkers.scene import Scene, Walker
from stream.messages import Body, FrameRef, FrameToken, People

FIRST_SEED: Final = 2_000_000
"""People of the average; no demo, bench or test draws seeds so high."""
PEOPLE: Final = 26
VIEWS_DEGREES: Final = np.arange(-90, 91, 15)
FPS: Final = 12.5
CAMERA: Final = Camera(width=960, height_px=540, focal=750.0, height=1.45, pitch=0.05)
DISTANCE_M: Final = 6.0
RADIUS_M: Final = 1.5
SMOOTH_FRAMES: Final = 7
"""Directions are medians over half a second; the pipeline's are over a whole window."""

Floats = NDArray[np.float64]


class _OneFrame:
    """The pixels of the frame in hand, as a frame store."""

    def __init__(self) -> None:
        self.pixels: NDArray[np.uint8] = np.zeros((0, 0, 3), np.uint8)

    @contextmanager
    def lease(self, token: FrameToken) -> Iterator[NDArray[np.uint8]]:
        del token
        yield self.pixels


def write_views(
    path: Path = VIEWS_FILE, people: int = PEOPLE, progress: Callable[[int, int], None] | None = None
) -> None:
    """Watch ``people`` from every side and write their averages, uint8 (13, 64, 44)."""
    perception = Perception.load()
    total, weight = np.zeros((len(VIEWS_DEGREES), HEIGHT, WIDTH)), np.zeros(len(VIEWS_DEGREES))
    for number in range(people):
        for share, silhouette in _shares(watch(FIRST_SEED + number, perception)):
            total += share[:, None, None] * silhouette
            weight += share
        if progress is not None:
            progress(number + 1, people)
    np.save(path, np.round(total / weight[:, None, None]).astype(np.uint8), allow_pickle=False)


def watch(seed: int, perception: Perception) -> list[Body]:
    """Person ``seed`` once round the circle, as perception sees them; frames with nobody are left out."""
    person = sample_person(seed)
    turns = np.linspace(0, 2 * np.pi, 181) + (seed * 0.618034 % 1.0) * 2 * np.pi
    ahead = np.array([np.cos(CAMERA.heading), np.sin(CAMERA.heading)])
    points = DISTANCE_M * ahead + RADIUS_M * np.stack([np.cos(turns), np.sin(turns)], axis=1)
    walker = Walker(person, WalkPath(points, turns + np.pi / 2))
    scene = Scene(seed, CAMERA, (walker,), walker.leave_s, FPS)
    frames = _OneFrame()
    stage = PerceiveStage(frames, perception)
    bodies = []
    for rendered in scene.frames():
        frames.pixels = rendered.image
        time_ns = round(rendered.time_s * 1e9)
        ref = FrameRef("circle", str(seed), rendered.number, time_ns, time_ns, CAMERA.width, CAMERA.height_px)
        (people,) = stage.handle(FrameToken(ref, "", 0, 0))
        assert isinstance(people, People)
        body = body_of(people.people[0]) if len(people.people) == 1 else None
        if body is not None:
            bodies.append(body)
    return bodies


def _shares(bodies: list[Body]) -> Iterator[tuple[Floats, NDArray[np.uint8]]]:
    """Each silhouette, walking right, with its share (13,) in the two nearest views."""
    asides = [aside_of(body.joints_3d) for body in bodies]
    for number, body in enumerate(bodies):
        first = max(0, number - SMOOTH_FRAMES // 2)
        near = [aside for aside in asides[first : first + SMOOTH_FRAMES] if aside is not None]
        if near:
            leftwards, degrees = view_of(near)
            silhouette = body.silhouette.numpy()
            distance = np.abs(VIEWS_DEGREES - degrees) / (VIEWS_DEGREES[1] - VIEWS_DEGREES[0])
            yield np.maximum(0.0, 1.0 - distance), silhouette[:, ::-1] if leftwards else silhouette
