"""Walkers with true masks and joints for the tracking bench: they cross a square, turn, stop, come back.

Gaits and joints are those of ``gait/walkers``; bodies are drawn as limbs of their width at a quarter of 1080p
and scaled back, the nearer over the farther (clothes and light would take minutes and change no track). The
truth is kept in the cache folder. A detection is the body's box within the picture, with noise and a score
that both worsen with what is hidden, the visible mask, and the joints; none below ``least_visible``.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path as FolderPath

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from benchmarks.tracking_scenes import EPOCH_NS, S, SceneFrame
from gait import walkers
from gait.walkers.camera import Camera
from gait.walkers.motion import BONES
from gait.walkers.path import Path
from gait.walkers.person import Person as Body
from gait.walkers.scene import Scene, Walker
from gait.walkers.scenes import sample_people
from gait.walkers.timing import Stop
from stream.messages import Array, Box, FrameRef, Mask, People, Person, Quality

SHRINK = 4
SIZE = (1920, 1080)
FOCAL = 1250.0
DEPTHS_M = (8.0, 20.0)
STOP_SHARE = 0.2
LEAST_TRUE = 0.1
WIDTHS_M = (0.20, 0.16, 0.12, 0.20, 0.16, 0.12, 0.32, 0.32, 0.14, 0.14, 0.10, 0.09, 0.14, 0.10, 0.09)
"""How wide each of ``BONES`` is drawn."""
HEAD, HEAD_M = 9, 0.12
Floats = NDArray[np.float64]


class Seen(msgspec.Struct, frozen=True):
    """One person's truth in one frame, in pixels of 1080p; ``stay`` counts the visits of all people.

    ``whole`` is the box of the whole body, ``inside`` the part of it within the picture; ``visible`` is the
    share of the body that can be seen.
    """

    person: int
    stay: int
    walking: bool
    whole: Box
    inside: Box
    visible: float
    mask: Mask
    joints: tuple[tuple[float, float], ...]


class Truth(msgspec.Struct, frozen=True):
    """All frames of one square, near people first."""

    fps: float
    frames: tuple[tuple[Seen, ...], ...]


@dataclass(frozen=True)
class _Who:
    """Which person, on which of all visits, and whether they walk just now."""

    person: int
    stay: int
    walking: bool


@dataclass(frozen=True)
class Looks:
    """How the truth is looked at: when frames are taken, and how well people are found in them."""

    stalls: bool = False
    fps: float = 30.0
    jitter: float = 0.0
    box_noise: float = 0.004
    joint_noise: float = 0.01
    least_visible: float = 0.2


def rendered_truth(people: int, seconds: float, seed: int, folder: FolderPath) -> Truth:
    """The truth of a square at 30 fps, from the cache or drawn now on all cores."""
    path = folder / f"square-{_drawn_by()}-{people}-{seconds:g}s-{seed}.msgpack"
    if path.is_file():
        return msgspec.msgpack.decode(path.read_bytes(), type=Truth)
    numbers = range(round(seconds * 30.0))
    draw = partial(_draw_frames, people, seconds, seed)
    chunks = [numbers[start : start + 30] for start in range(0, len(numbers), 30)]
    with ProcessPoolExecutor(max_workers=os.cpu_count()) as pool:
        frames = [frame for chunk in pool.map(draw, chunks) for frame in chunk]
    truth = Truth(30.0, tuple(frames))
    folder.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_bytes(msgspec.msgpack.encode(truth))
    part.replace(path)
    return truth


@cache
def _drawn_by() -> str:
    """What the truth depends on: a digest of this file and of the walkers' sources."""
    sources = sorted(FolderPath(walkers.__file__).parent.glob("*.py"))
    text = b"".join(path.read_bytes() for path in (FolderPath(__file__), *sources))
    return hashlib.sha256(text).hexdigest()[:12]


def square(people: int, seconds: float, seed: int) -> Scene:
    """People who walk in from a side, turn once or twice, sometimes stop, leave, and soon come back."""
    rng = np.random.default_rng(seed)
    size = (SIZE[0] // SHRINK, SIZE[1] // SHRINK)
    camera = Camera(*size, focal=FOCAL / SHRINK, height=5.0, pitch=0.3)
    stays: list[Walker] = []
    for person in sample_people(seed, people):
        enter_s, side = float(rng.uniform(-12.0, 4.0)), int(rng.choice((-1, 1)))
        while enter_s < seconds:
            stay, side = _stay(person, camera, enter_s, side, rng)
            stays.append(stay)
            enter_s = stay.leave_s + float(rng.uniform(0.5, 2.5))
    return Scene(seed, camera, tuple(stays), seconds, 30.0, name="square")


def _stay(
    person: Body, camera: Camera, enter_s: float, side: int, rng: np.random.Generator
) -> tuple[Walker, int]:
    """One visit that begins at ``side`` of the picture, and the side where it ends."""
    out = int(rng.choice((-1, 1)))
    depths = rng.uniform(*DEPTHS_M, 4)
    turns = [(float(rng.uniform(-0.35, 0.35)), depth) for depth in depths[1 : 2 + int(rng.integers(0, 2))]]
    places = [(0.5 * side, depths[0]), *turns, (0.5 * out, depths[3])]
    corners = [_ground(camera, across, float(depth)) for across, depth in places]
    path = Path.through(corners)
    stops = (Stop(0.5 * path.length, float(rng.uniform(2.0, 4.0))),) if rng.random() < STOP_SHARE else ()
    return Walker(person, path, enter_s, stops=stops, phase=float(rng.random())), out


def _ground(camera: Camera, across: float, depth_m: float) -> tuple[float, float]:
    """The ground ``across`` the picture from its middle (a half is the edge, and then a step beyond)."""
    beyond = 0.8 * np.sign(across) * camera.focal / depth_m if abs(across) >= 0.5 else 0.0
    return camera.ground((0.5 + across) * camera.width + float(beyond), depth_m)


def _draw_frames(people: int, seconds: float, seed: int, numbers: Sequence[int]) -> list[tuple[Seen, ...]]:
    scene = square(people, seconds, seed)
    order = {name: i for i, name in enumerate(sorted({walker.person.name for walker in scene.walkers}))}
    return [_draw(scene, order, number) for number in numbers]


def _draw(scene: Scene, order: dict[str, int], number: int) -> tuple[Seen, ...]:
    camera, time_s = scene.camera, number / scene.fps
    taken = np.zeros((camera.height_px, camera.width), np.uint8)
    there: list[tuple[float, _Who, Floats]] = []
    for stay, walker in enumerate(scene.walkers):
        pose = walker.pose(time_s)
        if pose is not None:
            pixels, depth = camera.project(pose.joints)
            walking = bool(walker.walk.timing.at(time_s - walker.enter_s).vigour > 0.5)
            there.append((float(depth[0]), _Who(order[walker.person.name], stay, walking), pixels))
    there.sort(key=lambda one: (one[0], one[1].stay))
    seen = (_draw_person(who, pixels, camera.focal / depth, taken) for depth, who, pixels in there)
    return tuple(one for one in seen if one is not None)


def _draw_person(who: _Who, pixels: Floats, metre: float, taken: NDArray[np.uint8]) -> Seen | None:
    """Draw a body, ``metre`` pixels to the metre, behind what is ``taken``; None where nothing is seen."""
    low = np.floor(pixels.min(axis=0) - 0.2 * metre - 2.0).astype(int)
    high = np.ceil(pixels.max(axis=0) + 0.2 * metre + 2.0).astype(int)
    body = np.zeros((high[1] - low[1], high[0] - low[0]), np.uint8)
    points = np.round(pixels - low).astype(int).tolist()
    for (start, stop), width in zip(BONES, WIDTHS_M, strict=True):
        cv2.line(body, points[start], points[stop], 1, max(1, round(width * metre)))
    cv2.circle(body, points[HEAD], max(1, round(HEAD_M * metre)), 1, -1)
    left, top = np.maximum(low, 0)
    right, bottom = np.minimum(high, taken.shape[::-1])
    if right <= left or bottom <= top:
        return None
    inside = body[top - low[1] : bottom - low[1], left - low[0] : right - low[0]]
    visible: NDArray[np.uint8] = np.where(taken[top:bottom, left:right] > 0, 0, inside).astype(np.uint8)
    taken[top:bottom, left:right] |= inside
    if not visible.any():
        return None
    rows, columns = _span(visible)
    grow = float(SHRINK)
    mask = Mask.of(
        visible[rows, columns].astype(bool),
        (grow, 0.0, grow * float(left + columns.start), 0.0, grow, grow * float(top + rows.start)),
    )
    joints = tuple((grow * float(x), grow * float(y)) for x, y in pixels)
    share = float(visible.sum() / body.sum())
    whole, shown = _box(body, low[0], low[1]), _box(inside, left, top)
    return Seen(who.person, who.stay, who.walking, whole, shown, share, mask, joints)


def _span(drawn: NDArray[np.uint8]) -> tuple[slice, slice]:
    rows, columns = np.flatnonzero(drawn.any(axis=1)), np.flatnonzero(drawn.any(axis=0))
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def _box(drawn: NDArray[np.uint8], left: int, top: int) -> Box:
    """Where ``drawn`` is not empty, in pixels of 1080p."""
    rows, columns = _span(drawn)
    return (
        SHRINK * float(left + columns.start),
        SHRINK * float(top + rows.start),
        SHRINK * float(left + columns.stop),
        SHRINK * float(top + rows.stop),
    )


def look(truth: Truth, looks: Looks, seed: int, camera: str = "square") -> list[SceneFrame]:
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
    shown = [one for one in seen if one.visible >= LEAST_TRUE]
    return SceneFrame(
        People(ref, people),
        tuple(one.person for one, _ in found),
        {one.stay: one.inside for one in shown},
        frozenset(one.person for one in shown if one.walking),
        {one.person: one.visible for one in shown},
    )


def _person(one: Seen, nearer: Sequence[Seen], looks: Looks, rng: np.random.Generator) -> Person:
    height = one.inside[3] - one.inside[1]
    within = _covered(one.whole, one.inside)
    hidden = min(1.0, max(0.0, 1.0 - one.visible / max(within, 1e-6)))
    doubt = 1.0 + 4.0 * hidden
    box = np.array(one.inside) + rng.normal(0.0, looks.box_noise * doubt * height, 4)
    joints = np.array(one.joints) + rng.normal(0.0, looks.joint_noise * doubt * height, (16, 2))
    sure = np.clip(rng.normal(0.95 * (1.0 - hidden), 0.05, (16, 1)), 0.0, 1.0)
    keypoints = Array.of(np.concatenate([joints, sure], axis=1).astype(np.float32))
    overlap = max((_covered(one.inside, other.inside) for other in nearer), default=0.0)
    quality = Quality(height, 1.0 - within, float(sure.mean()), overlap)
    score = float(np.clip(0.35 + 0.6 * one.visible + rng.normal(0.0, 0.03), 0.05, 0.99))
    left, top, right, bottom = box.tolist()
    return Person((left, top, right, bottom), score, "gaitway16", keypoints, quality, mask=one.mask)


def _covered(box: Box, other: Box) -> float:
    width = min(box[2], other[2]) - max(box[0], other[0])
    height = min(box[3], other[3]) - max(box[1], other[1])
    return max(width, 0.0) * max(height, 0.0) / max((box[2] - box[0]) * (box[3] - box[1]), 1e-6)
