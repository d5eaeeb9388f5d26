"""Rendered walkers for the tracking bench: true masks and joints of people who cross a street to and fro.

The bodies are those of ``gait/walkers``, drawn without their background at a quarter of 1080p and scaled
back; drawing takes minutes, so the truth is kept in a cache folder under a name that says what it holds. A
detection is what can be seen: the true mask, its box with a little noise, a score that falls with what is
hidden.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import msgspec
import numpy as np

from benchmarks.tracking_scenes import EPOCH_NS, S, SceneFrame
from gait.walkers.background import sample_light, turned_with
from gait.walkers.render import compose, draw_person
from gait.walkers.scene import Scene
from gait.walkers.scenes import street_scene
from gait.walkers.truth import TruthPerson
from stream.messages import Array, Box, FrameRef, Mask, People, Person, Quality

SHRINK = 4
SIZE = (1920, 1080)
VERSION = 1


class Seen(msgspec.Struct, frozen=True):
    """One person's truth in one frame, in pixels of 1080p."""

    person: int
    whole: Box
    box: Box
    visible: float
    mask: Mask
    joints: tuple[tuple[float, float], ...]


class Truth(msgspec.Struct, frozen=True):
    """All frames of one rendered street, near people first."""

    fps: float
    frames: tuple[tuple[Seen, ...], ...]


@dataclass(frozen=True)
class Looks:
    """How the truth is looked at: when frames are taken, and how well people are found in them."""

    stalls: bool = False
    fps: float = 30.0
    jitter: float = 0.0
    box_noise: float = 0.004
    joint_noise: float = 0.01
    least_visible: float = 0.2


def rendered_truth(people: int, seconds: float, seed: int, cache: Path) -> Truth:
    """The truth of a street at 30 fps, from the cache or drawn now on all cores."""
    path = cache / f"street-{VERSION}-{people}-{seconds:g}s-{seed}.msgpack"
    if path.is_file():
        return msgspec.msgpack.decode(path.read_bytes(), type=Truth)
    numbers = range(round(seconds * 30.0))
    draw = partial(_draw_frames, people, seconds, seed)
    chunks = [numbers[start : start + 30] for start in range(0, len(numbers), 30)]
    with ProcessPoolExecutor(max_workers=os.cpu_count()) as pool:
        frames = [frame for chunk in pool.map(draw, chunks) for frame in chunk]
    truth = Truth(30.0, tuple(frames))
    cache.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.msgpack.encode(truth))
    return truth


def _draw_frames(people: int, seconds: float, seed: int, numbers: Sequence[int]) -> list[tuple[Seen, ...]]:
    scene = street_scene(seed, people, seconds, (SIZE[0] // SHRINK, SIZE[1] // SHRINK), 30.0)
    order = {name: i for i, name in enumerate(sorted({walker.person.name for walker in scene.walkers}))}
    return [_draw(scene, order, number) for number in numbers]


def _draw(scene: Scene, order: dict[str, int], number: int) -> tuple[Seen, ...]:
    canvas = np.zeros((scene.camera.height_px, scene.camera.width, 3), np.uint8)
    light = turned_with(sample_light(scene.seed), scene.camera)
    poses = [(walker.person, pose) for walker in scene.walkers if (pose := walker.pose(number / scene.fps))]
    drawn = [one for who, pose in poses if (one := draw_person(who, pose, scene.camera, light))]
    truth = compose(canvas, drawn, scene.camera)
    return tuple(_seen(one, order[one.identity]) for one in truth if one.visible_box is not None)


def _seen(one: TruthPerson, person: int) -> Seen:
    grow = float(SHRINK)
    to_image = (grow, 0.0, grow * one.crop.left, 0.0, grow, grow * one.crop.top)
    return Seen(
        person,
        _grown(one.box),
        _grown(one.visible_box or one.box),
        one.visible,
        Mask.of(one.crop.mask, to_image),
        tuple((grow * float(x), grow * float(y)) for x, y in one.joints_2d),
    )


def _grown(box: Box) -> Box:
    left, top, right, bottom = (SHRINK * side for side in box)
    return (left, top, right, bottom)


def look(truth: Truth, looks: Looks, seed: int, camera: str = "street") -> list[SceneFrame]:
    """What perception would say of the truth's frames, taken at the times that ``looks`` describes."""
    rng = np.random.default_rng(seed)
    frames = []
    for number, index in enumerate(_taken(len(truth.frames), truth.fps, looks, rng)):
        source_ns = round(index / truth.fps * S)
        ref = FrameRef(camera, str(seed), number, EPOCH_NS + source_ns, source_ns, *SIZE)
        frames.append(_scene_frame(truth.frames[index], ref, looks, rng))
    return frames


def _taken(count: int, fps: float, looks: Looks, rng: np.random.Generator) -> list[int]:
    """Indices of the frames that are taken: evenly or jittered, with 0.17-0.63 s stalls every few seconds."""
    taken: list[int] = []
    at, next_stall = 0.0, float(rng.uniform(1.0, 4.0))
    while (index := round(at * fps)) < count:
        if not taken or index > taken[-1]:
            taken.append(index)
        at += (1.0 + float(rng.uniform(-looks.jitter, looks.jitter))) / looks.fps
        if looks.stalls and at >= next_stall:
            at += float(rng.uniform(0.17, 0.63))
            next_stall = at + float(rng.uniform(1.0, 4.0))
    return taken


def _scene_frame(seen: Sequence[Seen], ref: FrameRef, looks: Looks, rng: np.random.Generator) -> SceneFrame:
    found = [(one, place) for place, one in enumerate(seen) if one.visible >= looks.least_visible]
    people = tuple(_person(one, seen[:place], looks, rng) for one, place in found)
    shown = [one for one in seen if one.visible >= 0.1]
    return SceneFrame(
        People(ref, people),
        tuple(one.person for one, _ in found),
        {one.person: one.box for one in shown},
        frozenset(one.person for one in shown),
        {one.person: one.visible for one in shown},
    )


def _person(one: Seen, nearer: Sequence[Seen], looks: Looks, rng: np.random.Generator) -> Person:
    height = one.box[3] - one.box[1]
    box = np.array(one.box) + rng.normal(0.0, looks.box_noise * height, 4)
    joints = np.array(one.joints) + rng.normal(0.0, looks.joint_noise * height, (16, 2))
    inside = _share_inside(one.whole)
    hidden = min(1.0, max(0.0, 1.0 - one.visible / max(inside, 1e-6)))
    sure = np.clip(rng.normal(0.95 * (1.0 - hidden), 0.05, (16, 1)), 0.0, 1.0)
    keypoints = Array.of(np.concatenate([joints, sure], axis=1).astype(np.float32))
    overlap = max((_covered(one.box, other.box) for other in nearer), default=0.0)
    quality = Quality(height, 1.0 - inside, float(sure.mean()), overlap)
    score = float(np.clip(0.35 + 0.6 * one.visible + rng.normal(0.0, 0.03), 0.05, 0.99))
    left, top, right, bottom = box.tolist()
    return Person((left, top, right, bottom), score, "gaitway16", keypoints, quality, mask=one.mask)


def _share_inside(box: Box) -> float:
    width = min(box[2], SIZE[0]) - max(box[0], 0.0)
    height = min(box[3], SIZE[1]) - max(box[1], 0.0)
    return max(width, 0.0) * max(height, 0.0) / max((box[2] - box[0]) * (box[3] - box[1]), 1e-6)


def _covered(box: Box, other: Box) -> float:
    width = min(box[2], other[2]) - max(box[0], other[0])
    height = min(box[3], other[3]) - max(box[1], other[1])
    return max(width, 0.0) * max(height, 0.0) / max((box[2] - box[0]) * (box[3] - box[1]), 1e-6)
