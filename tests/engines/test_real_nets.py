"""The real nets on rendered walkers: found, outlined, placed in space, and the same bytes every time."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.perception_judge import Tally
from engines.config import NetConfig, PerceiveConfig
from engines.perceive import PerceiveStage, Perception
from gait.walkers.scenes import perception_scene
from gait.walkers.truth import Rendered
from stream.errors import WeightsError
from stream.frames import HeldFrames
from stream.messages import FrameRef, People, encode

FRAMES = 6


def load(threads: int) -> Perception:
    try:
        return Perception.load(PerceiveConfig(nets=NetConfig(threads=threads)))
    except WeightsError as error:
        pytest.skip(f"the nets' weights cannot be had here: {error}")


@pytest.fixture(scope="module")
def rendered() -> list[Rendered]:
    """Two walkers in full view, 720p."""
    scene = perception_scene(11, 2, (120.0, 400.0), seconds=6.0)
    first = next(
        number
        for number in range(0, scene.frame_count, 5)
        if sum(person.visible > 0.95 for person in scene.frame(number).truth) >= 1
    )
    return [scene.frame(number) for number in range(first, min(first + FRAMES, scene.frame_count))]


def watch(perception: Perception, frames: list[Rendered]) -> list[People]:
    held = HeldFrames()
    stage = PerceiveStage(held, perception)
    answers = []
    for frame in frames:
        height, width = frame.image.shape[:2]
        ref = FrameRef("c", "r", frame.number, round(frame.time_s * 1e9), 0, width, height)
        (people,) = stage.handle(held.hold(ref, frame.image))
        assert isinstance(people, People)
        answers.append(people)
    return answers


def test_walkers_are_found_and_outlined(rendered: list[Rendered]) -> None:
    tally = Tally()
    for people, frame in zip(watch(load(1), rendered), rendered, strict=True):
        tally.add(people, [person for person in frame.truth if person.visible > 0.95 or person.visible < 0.3])
    assert tally.right >= FRAMES
    assert tally.recall >= 0.95
    assert np.mean(tally.mask_ious) >= 0.9
    assert np.mean(tally.joint_mm) < 180


def test_two_runs_with_other_threads_give_the_same_bytes(rendered: list[Rendered]) -> None:
    first, second = (watch(load(threads), rendered) for threads in (1, 2))
    assert [encode(people) for people in first] == [encode(people) for people in second]
