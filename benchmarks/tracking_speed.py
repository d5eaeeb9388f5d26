"""How long the tracker takes for 60 people, and whether it grows over 100,000 frames."""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from benchmarks.tracking_scenes import SceneSpec, simulate
from stream.messages import Array, Body, FrameRef, People
from trackers.stage import TrackStage
from trackers.tracker import CameraTracker

PEOPLE = 60
WARM_UP = 60
BODY = Body(Array.of(np.zeros((64, 44), np.uint8)), Array.of(np.zeros((16, 3), np.float32)), None)


@dataclass(frozen=True)
class Speed:
    """Milliseconds per frame; ``stage`` is tracker, gate and windows together, without shaping bodies."""

    tracker_mean: float
    tracker_p99: float
    stage_mean: float
    stage_p99: float


def speed(seed: int) -> Speed:
    """60 detections a frame with keypoints, 30 fps; processor time of one thread, whatever else runs."""
    everyone = SceneSpec(people=PEOPLE, seconds=20.0, least_visible=-1.0)
    frames = [frame.people for frame in simulate(everyone, seed)]
    ref = frames[0].frame
    tracker = CameraTracker(ref.camera, ref.run)
    alone = _times_ms(frames, tracker.update)
    stage = TrackStage(lambda _: BODY)
    whole = _times_ms(frames, stage.handle)
    return Speed(*_mean_and_p99(alone), *_mean_and_p99(whole))


def _times_ms(frames: list[People], step: Callable[[People], object]) -> list[float]:
    times = []
    for people in frames:
        start_ns = time.thread_time_ns()
        step(people)
        times.append((time.thread_time_ns() - start_ns) / 1e6)
    return times[WARM_UP:]


def _mean_and_p99(times_ms: list[float]) -> tuple[float, float]:
    return float(np.mean(times_ms)), float(np.percentile(times_ms, 99))


def growth(frames: int, seed: int) -> int:
    """Memory blocks that the stage holds at the end beyond those it held after a tenth of ``frames``.

    People come and go all the time, so that a list that only grows would show.
    """
    crowd = [frame.people.people for frame in simulate(SceneSpec(people=3, seconds=2.0, fps=25.0), seed)]
    stage, held = TrackStage(lambda _: BODY), 0
    for number in range(frames):
        at_ns = number * 40_000_000
        ref = FrameRef("door", "r", number, at_ns, at_ns, 1920, 1080)
        # Three of every five seconds are empty, longer than a track is kept: everybody is new each time.
        here = crowd[number % 125] if number % 125 < len(crowd) else ()
        stage.handle(People(ref, here))
        if number == frames // 10:
            held = _blocks()
    return _blocks() - held


def _blocks() -> int:
    gc.collect()
    return sys.getallocatedblocks()
