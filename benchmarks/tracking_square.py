"""Walkers with true masks and joints for the tracking bench: they cross a square, turn, stop, come back.

Gaits, bodies and clothes are those of ``gait/walkers``, without colours (they would take minutes and change
no track); bodies are put together at half of 1080p, the nearer over the farther. The truth is kept in the
cache folder.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path as FolderPath

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from gait import walkers
from gait.skeleton import BLAZEPOSE33, GAITWAY16, convert
from gait.walkers.camera import Camera
from gait.walkers.path import Path
from gait.walkers.person import Person as Body
from gait.walkers.rapid import Sight, see
from gait.walkers.scene import Scene, Walker
from gait.walkers.scenes import sample_people
from gait.walkers.timing import Stop
from stream.messages import Array, Box, Mask

SHRINK = 2
SIZE = (1920, 1080)
FOCAL = 1250.0
DEPTHS_M = (8.0, 20.0)
STOP_SHARE = 0.2
CHUNK = 30
Floats = NDArray[np.float64]


class Seen(msgspec.Struct, frozen=True):
    """One person's truth in one frame, in pixels of 1080p; ``stay`` counts the visits of all people.

    ``whole`` is the box of the whole body, ``inside`` the part of it within the picture; ``visible`` is the
    share of the body that can be seen. ``joints`` float32 (16, 2) pixels, ``world`` float32 (16, 3) metres
    from the pelvis.
    """

    person: int
    stay: int
    walking: bool
    whole: Box
    inside: Box
    visible: float
    mask: Mask
    joints: Array
    world: Array


class Truth(msgspec.Struct, frozen=True):
    """All frames of one square, near people first."""

    fps: float
    frames: tuple[tuple[Seen, ...], ...]


@dataclass(frozen=True)
class _Stay:
    """One visit over some frames: whose, in which of them, and what the camera sees of that body alone."""

    person: int
    stay: int
    frames: NDArray[np.intp]
    depth_m: Floats
    walking: NDArray[np.bool_]
    sight: Sight
    joints: NDArray[np.float32]
    world: NDArray[np.float32]


def rendered_truth(people: int, seconds: float, seed: int, folder: FolderPath) -> Truth:
    """The truth of a square at 30 fps, from the cache or drawn now on all cores."""
    path = folder / f"square-{_drawn_by()}-{people}-{seconds:g}s-{seed}.msgpack"
    if path.is_file():
        return msgspec.msgpack.decode(path.read_bytes(), type=Truth)
    numbers = range(round(seconds * 30.0))
    draw = partial(_draw_frames, people, seconds, seed)
    chunks = [numbers[start : start + CHUNK] for start in range(0, len(numbers), CHUNK)]
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
    camera = Camera(*SIZE, focal=FOCAL, height=5.0, pitch=0.3)
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
    stays = list(_stays(scene, np.array(numbers) / scene.fps))
    return [_draw(stays, frame) for frame in range(len(numbers))]


def _stays(scene: Scene, times: Floats) -> Iterator[_Stay]:
    """Everybody who is there at some of ``times``."""
    names = sorted({walker.person.name for walker in scene.walkers})
    for number, walker in enumerate(scene.walkers):
        frames = np.flatnonzero((walker.enter_s <= times) & (times <= walker.leave_s))
        if not len(frames):
            continue
        since = times[frames] - walker.enter_s
        pose = walker.walk.pose(since)
        sight = see(walker.walk.person, pose, scene.camera)
        _, depth = scene.camera.project(pose.joints[:, 0])
        joints = convert(sight.joints_2d, BLAZEPOSE33, GAITWAY16, confidence=False).points
        world = convert(sight.joints_3d, BLAZEPOSE33, GAITWAY16, confidence=False).points
        yield _Stay(
            names.index(walker.person.name),
            number,
            frames,
            np.asarray(depth),
            np.asarray(walker.walk.timing.at(since).vigour > 0.5),
            sight,
            joints.astype(np.float32),
            (world - world[:, :1]).astype(np.float32),
        )


def _draw(stays: Sequence[_Stay], frame: int) -> tuple[Seen, ...]:
    there = [(stay, int(np.searchsorted(stay.frames, frame))) for stay in stays if frame in stay.frames]
    there.sort(key=lambda one: (float(one[0].depth_m[one[1]]), one[0].stay))
    taken = np.zeros((SIZE[1] // SHRINK, SIZE[0] // SHRINK), np.uint8)
    seen = (_draw_person(stay, at, taken) for stay, at in there)
    return tuple(one for one in seen if one is not None)


def _draw_person(stay: _Stay, at: int, taken: NDArray[np.uint8]) -> Seen | None:
    """Draw a body behind what is ``taken``; None where nothing of it is seen."""
    body, low = _placed(stay.sight, at)
    high = low + body.shape[::-1]
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
    # A pixel's middle, as cv2 counts: that of the first small one lies between the first two large ones.
    first = 0.5 * (grow - 1.0)
    x, y = (grow * float(start) + first for start in (left + columns.start, top + rows.start))
    mask = Mask.of(visible[rows, columns].astype(bool), (grow, 0.0, x, 0.0, grow, y))
    return Seen(
        stay.person,
        stay.stay,
        bool(stay.walking[at]),
        _box(body, low[0], low[1]),
        _box(inside, left, top),
        float(visible.sum() / body.sum()),
        mask,
        Array.of(stay.joints[at]),
        Array.of(stay.world[at]),
    )


def _placed(sight: Sight, at: int) -> tuple[NDArray[np.uint8], NDArray[np.intp]]:
    """A body on the small picture's grid, 0 or 1, and (x, y) of its first pixel there."""
    scale, left, top = (float(value) / SHRINK for value in sight.to_image[at])
    low = np.floor([left, top]).astype(np.intp)
    height, width = sight.masks[at].shape
    size = (int(np.ceil(width * scale)) + 1, int(np.ceil(height * scale)) + 1)
    shift = 0.5 * scale - 0.5
    to_small = np.array([[scale, 0.0, shift + left - low[0]], [0.0, scale, shift + top - low[1]]])
    drawn = cv2.warpAffine(sight.masks[at], to_small, size)
    return (drawn >= 128).astype(np.uint8), low


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
