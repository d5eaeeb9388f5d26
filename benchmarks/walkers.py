"""Walkers to train on: what a frame of masks and joints costs, and whether it is the full renderer's.

The peer is the plainest thing that draws a person: circles along the bones with cv2, from the same joints.
Times are of one thread's processor, so that what else runs on the machine does not count.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.report import BenchResult
from commands.cli import progress, whole
from gait.walkers.background import sample_light
from gait.walkers.camera import Camera
from gait.walkers.conditions import sample_conditions
from gait.walkers.feet import BALL_SHARE, HEEL_SHARE
from gait.walkers.motion import BONES, Walk
from gait.walkers.person import sample_person
from gait.walkers.population import STREET
from gait.walkers.rapid import MASK_PX, Sight, aligned, see
from gait.walkers.render import draw_person
from gait.walkers.views import path_past

FPS: Final = 25.0
FRAMES: Final = 50
CAMERA: Final = Camera(960, 720, focal=900.0, height=1.4, pitch=0.06)
FINE_PX: Final = 256.0
CIRCLES: Final = 8
"""To a bone, as a sketch would."""

Mask = NDArray[np.uint8]
Made = TypeVar("Made")


@dataclass(frozen=True)
class Pass:
    """One walker's pass and what its frames cost, milliseconds of processor."""

    quick_ms: float
    align_ms: float
    sketch_ms: float
    full_ms: float
    overlaps: tuple[float, ...]
    slide_mm: float


def configure(parser: argparse.ArgumentParser) -> None:
    """How many walkers."""
    parser.add_argument("--people", type=whole(1), default=12, help="walkers, each in a view of their own")
    parser.add_argument("--seed", type=whole(0), default=1, help="of the first of them (default 1)")


def run(arguments: argparse.Namespace) -> BenchResult:
    """Everyone passes once, under conditions drawn among all kinds."""
    passes = []
    cv2.setNumThreads(1)
    with progress("walkers", arguments.people) as step:
        for number in range(arguments.people):
            passes.append(_measured(arguments.seed + number, 360 / arguments.people * number))
            step.advance()
    overlaps = [overlap for one in passes for overlap in one.overlaps]
    quick = float(np.median([one.quick_ms for one in passes]))
    sketch = float(np.median([one.sketch_ms for one in passes]))
    figures = {
        "people": len(passes),
        "frames": len(passes) * FRAMES,
        "masks_and_joints_ms_a_frame": quick,
        "alignment_ms_a_frame": float(np.median([one.align_ms for one in passes])),
        "circles_with_cv2_ms_a_frame": sketch,
        "full_renderer_ms_a_frame": float(np.median([one.full_ms for one in passes])),
        "mask_iou_worst": min(overlaps),
    }
    bars = {
        "ms_a_frame": quick,
        "mask_iou": float(np.mean(overlaps)),
        "foot_slide_mm": max(one.slide_mm for one in passes),
    }
    return BenchResult.of("walkers", figures, bars)


def _measured(seed: int, view_deg: float) -> Pass:
    person = sample_person(seed, population=STREET).under(sample_conditions(seed))
    walk = Walk(person, path_past(CAMERA, view_deg, 5.5, 4.0), visit=seed)
    times = 0.3 + np.arange(FRAMES) / FPS
    see(walk.person, walk.pose(times[:2]), CAMERA)
    sight, quick = _timed(lambda: see(walk.person, walk.pose(times), CAMERA))
    _, align = _timed(lambda: aligned(sight))
    _, sketch = _timed(lambda: [_circles(joints) for joints in walk.pose(times).joints])
    fine = see(walk.person, walk.pose(times), CAMERA, FINE_PX)
    shown = list(range(3, FRAMES, FRAMES // 4))
    layers, full = _timed(lambda: [_full(walk, float(times[number])) for number in shown])
    overlaps = tuple(_overlap(fine, number, layer) for number, layer in zip(shown, layers, strict=True))
    return Pass(
        quick / FRAMES, align / FRAMES, sketch / FRAMES, full / len(shown), overlaps, 1000 * _slide(walk)
    )


def _timed(work: Callable[[], Made]) -> tuple[Made, float]:
    began = time.thread_time()
    made = work()
    return made, 1000 * (time.thread_time() - began)


def _circles(joints: NDArray[np.float64]) -> Mask:
    """The sketch: every bone as a row of discs, at the size of the quick masks."""
    pixels, _ = CAMERA.project(joints)
    low, high = pixels.min(axis=0), pixels.max(axis=0)
    radius = 0.05 * MASK_PX
    pixels = (pixels - low) * ((MASK_PX - 3 * radius) / (high - low)[1]) + 1.5 * radius
    mask = np.zeros((int(MASK_PX), int(MASK_PX)), np.uint8)
    for a, b in BONES:
        for u in np.linspace(0, 1, CIRCLES):
            x, y = (1 - u) * pixels[a] + u * pixels[b]
            cv2.circle(mask, (round(x), round(y)), round(radius), 255, -1)
    return mask


def _full(walk: Walk, t: float) -> Mask:
    """The full renderer's mask in the picture."""
    drawn = draw_person(walk.person, walk.pose(t), CAMERA, sample_light(1))
    whole = np.zeros((CAMERA.height_px, CAMERA.width), np.uint8)
    if drawn is None:
        return whole
    layer = drawn.layer
    matrix = np.array([[1.0, 0, layer.left], [0, 1.0, layer.top]])
    return np.asarray(cv2.warpAffine(layer.cover, matrix, (CAMERA.width, CAMERA.height_px)), np.uint8)


def _overlap(sight: Sight, number: int, full: Mask) -> float:
    """Intersection over union of the quick mask, laid into the picture, and the full renderer's."""
    scale, left, top = sight.to_image[number]
    matrix = np.array([[scale, 0, left + scale / 2 - 0.5], [0, scale, top + scale / 2 - 0.5]])
    quick = cv2.warpAffine(sight.masks[number], matrix, (CAMERA.width, CAMERA.height_px)) >= 128
    solid = full >= 128
    return float((quick & solid).sum() / max(1, (quick | solid).sum()))


def _slide(walk: Walk) -> float:
    """The furthest that a foot's carrying point moves between two planted instants, metres."""
    pose = walk.pose(np.arange(0.0, walk.timing.seconds, 0.01))
    body, worst = walk.person.body, 0.0
    for foot in pose.feet:
        sole = foot.ankle - body.ankle_height * foot.up
        points = [(sole + share * body.foot * foot.forward)[:, :2] for share in (-HEEL_SHARE, BALL_SHARE)]
        for (before, after), (i, j) in zip(
            pairwise(np.stack(points, axis=1)), pairwise(foot.planted), strict=True
        ):
            if i and j:
                worst = max(worst, float(np.hypot(*(after - before).T).min()))
    return worst
