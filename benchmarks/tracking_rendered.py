"""What perception would say of the tracking bench's squares, and when it looks.

A detection is the body's box within the picture, with noise and a score that both worsen with what is hidden,
the visible mask as it truly is, and the joints; none below ``least_visible``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.tracking_scenes import EPOCH_NS, S, SceneFrame
from benchmarks.tracking_square import SIZE, Seen, Truth
from stream.messages import Array, Box, FrameRef, People, Person, Quality

LEAST_TRUE = 0.1
JOINT_NOISE_M = 1.7
"""Metres to a height, for the noise of joints in space."""


@dataclass(frozen=True)
class Looks:
    """How the truth is looked at: when frames are taken, and how well people are found in them."""

    stalls: bool = False
    fps: float = 30.0
    jitter: float = 0.0
    box_noise: float = 0.004
    joint_noise: float = 0.01
    least_visible: float = 0.2


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
    joints = one.joints.numpy() + rng.normal(0.0, looks.joint_noise * doubt * height, (16, 2))
    world = one.world.numpy() + rng.normal(0.0, looks.joint_noise * doubt * JOINT_NOISE_M, (16, 3))
    sure = np.clip(rng.normal(0.95 * (1.0 - hidden), 0.05, (16, 1)), 0.0, 1.0)
    keypoints = Array.of(np.concatenate([joints, sure], axis=1).astype(np.float32))
    overlap = max((_covered(one.inside, other.inside) for other in nearer), default=0.0)
    quality = Quality(height, 1.0 - within, float(sure.mean()), overlap)
    score = float(np.clip(0.35 + 0.6 * one.visible + rng.normal(0.0, 0.03), 0.05, 0.99))
    left, top, right, bottom = box.tolist()
    return Person(
        (left, top, right, bottom),
        score,
        "gaitway16",
        keypoints,
        quality,
        Array.of(world.astype(np.float32)),
        one.mask,
    )


def _covered(box: Box, other: Box) -> float:
    width = min(box[2], other[2]) - max(box[0], other[0])
    height = min(box[3], other[3]) - max(box[1], other[1])
    return max(width, 0.0) * max(height, 0.0) / max((box[2] - box[0]) * (box[3] - box[1]), 1e-6)
