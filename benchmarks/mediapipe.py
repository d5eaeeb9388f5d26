"""Bench ``mediapipe``: one person at 720p, against mediapipe 0.10.21's own Pose in an environment of its own.

The same nets run on both sides (complexity 1, segmentation on, smoothing off), so what differs is the work
around them, the runtime, and where the region is placed. Both take turns; rates are of wall time on every
core, and the ratio of processor time stands beside them, for a busy machine. Four people, which mediapipe
cannot do, are set against one of ours.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.perception_clips import LastFrame
from benchmarks.report import BenchResult, Figure
from commands.cli import progress, whole
from engines import mediapipe_environment
from engines.config import PerceiveConfig, SearchConfig
from engines.perceive import PerceiveStage, Perception
from engines.regions import matrix
from gait.walkers.camera import Camera
from gait.walkers.path import Path as WalkedPath
from gait.walkers.person import sample_person
from gait.walkers.scene import Scene, Walker
from stream.errors import ResourceError
from stream.messages import Mask, People

WORKER: Final = Path(__file__).with_name("mediapipe_worker.py").resolve()
FPS: Final = 25.0
BODY: Final = (0, *range(11, 17), *range(23, 33))
"""Landmarks that a body's height can be judged by; fingers and eyes of a walker are a few pixels."""


def configure(parser: argparse.ArgumentParser) -> None:
    """How long, how often."""
    parser.add_argument("--frames", type=whole(2), default=75, help="of the clip (default 75)")
    parser.add_argument("--turns", type=whole(1), default=3, help="of each side (default 3)")
    parser.add_argument(
        "--tiles",
        type=int,
        default=0,
        help="places a frame searched for new people; mediapipe searches none while it follows (default 0)",
    )
    parser.add_argument("--seed", type=whole(0), default=0, help="of the people")


@dataclass(frozen=True)
class Seen:
    """One run over a clip: landmarks (T, 33, 2), masks (T, h, w), seconds, people found in all."""

    landmarks: NDArray[np.float32]
    masks: NDArray[np.bool_]
    wall_s: float
    cpu_s: float
    people: int


def run(arguments: argparse.Namespace) -> BenchResult:
    """Both sides in turn over one walker, then four of ours."""
    python = mediapipe_environment.ensure()
    one, four = (render(arguments.seed, count, arguments.frames) for count in (1, 4))
    perception = Perception.load(PerceiveConfig(search=SearchConfig(tiles_per_frame=arguments.tiles)))
    ours, theirs, crowd = [], [], []
    with (
        tempfile.TemporaryDirectory(prefix="gaitway-") as folder,
        progress("taking turns", arguments.turns) as bar,
    ):
        np.save(Path(folder) / "frames.npy", one)
        for _ in range(arguments.turns):
            theirs.append(run_peer(python, Path(folder), one.shape))
            ours.append(run_ours(perception, one))
            crowd.append(run_ours(perception, four))
            bar.advance()
    return BenchResult.of("mediapipe", *_judged(ours, theirs, crowd, arguments.frames, perception))


def _judged(
    ours: list[Seen], theirs: list[Seen], crowd: list[Seen], frames: int, perception: Perception
) -> tuple[dict[str, Figure], dict[str, float]]:
    """Figures, and what the goals ask for."""
    our_s, their_s = (_median([one.wall_s for one in side]) for side in (ours, theirs))
    our_cpu, their_cpu, crowd_cpu = (_median([one.cpu_s for one in side]) for side in (ours, theirs, crowd))
    both = [t for t in range(frames) if np.isfinite(theirs[0].landmarks[t]).all() and ours[0].masks[t].any()]
    if not both:
        raise ResourceError("no frame in which both sides see the person", where="bench mediapipe")
    rows = theirs[0].landmarks[both][:, BODY, 1]
    heights = rows.max(axis=1) - rows.min(axis=1)
    gaps = np.linalg.norm(ours[0].landmarks[both][:, BODY] - theirs[0].landmarks[both][:, BODY], axis=2)
    ious = [iou(ours[0].masks[t], theirs[0].masks[t]) for t in both]
    per_person = crowd_cpu / max(crowd[0].people, 1)
    values = {
        "rate_over_peer": their_s / our_s,
        "landmark_gap": float((gaps.mean(axis=1) / heights).mean()),
        "mask_iou": float(np.mean(ious)),
        "person_of_four_over_one": per_person / (our_cpu / max(ours[0].people, 1)),
    }
    figures: dict[str, Figure] = {
        "frames": frames,
        "frames_both_see": len(both),
        "our_frames_per_s": (frames - 1) / our_s,
        "peer_frames_per_s": (frames - 1) / their_s,
        "our_cpu_ms_per_frame": 1e3 * our_cpu / (frames - 1),
        "peer_cpu_ms_per_frame": 1e3 * their_cpu / (frames - 1),
        "cpu_over_peer": their_cpu / our_cpu,
        "cpu_ms_per_person_of_four": 1e3 * per_person,
        "people_found_of_four": crowd[0].people / frames,
        "search_tiles_per_frame": perception.config.search.tiles_per_frame,
        "precision": perception.nets[0].precision,
        "runtime": perception.nets[0].runtime,
        "peer": f"mediapipe {mediapipe_environment.VERSION}",
    }
    return figures, values


def _median(values: list[float]) -> float:
    return float(np.median(values))


def render(seed: int, count: int, frames: int) -> NDArray[np.uint8]:
    """(T, 720, 1280, 3): people who cross in lanes of their own, wholly in view."""
    camera = Camera()
    walkers = []
    for lane in range(count):
        ahead, start = 6.0 + 0.9 * lane, -2.6 + 1.25 * lane if count > 1 else -1.6
        path = WalkedPath.line((start, ahead), (start + 1.5 * frames / FPS + 0.5, ahead))
        walkers.append(Walker(sample_person(100 * seed + lane), path))
    scene = Scene(seed, camera, tuple(walkers), frames / FPS, FPS)
    return np.stack([scene.frame(number).image for number in range(frames)])


def run_ours(perception: Perception, frames: NDArray[np.uint8]) -> Seen:
    """Our stage over the frames, from pixels to messages; the person taken is the surest."""
    held = LastFrame()
    stage = PerceiveStage(held, perception)
    answers: list[People] = []
    wall, spent = time.perf_counter(), time.process_time()
    for number, frame in enumerate(frames):
        if number == 1:  # the search of the first frame is not timed
            wall, spent = time.perf_counter(), time.process_time()
        (people,) = stage.handle(held.hold(frame, "bench", number, FPS))
        assert isinstance(people, People)
        answers.append(people)
    wall, spent = time.perf_counter() - wall, time.process_time() - spent
    landmarks = np.full((len(frames), 33, 2), np.nan, np.float32)
    masks = np.zeros(frames.shape[:3], np.bool_)
    for number, answer in enumerate(answers):
        if answer.people:
            best = max(answer.people, key=lambda person: person.score)
            landmarks[number] = best.keypoints.numpy()[:, :2]
            if best.mask is not None:
                masks[number] = on_frame(best.mask, *frames.shape[1:3])
    return Seen(landmarks, masks, wall, spent, sum(len(answer.people) for answer in answers))


def iou(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    """Intersection over union of two masks."""
    return int(np.count_nonzero(one & other)) / max(int(np.count_nonzero(one | other)), 1)


def on_frame(mask: Mask, high: int, wide: int) -> NDArray[np.bool_]:
    """A person's mask on the frame's own pixels."""
    drawn = cv2.warpAffine(
        mask.numpy().astype(np.uint8), matrix(mask.to_image), (wide, high), flags=cv2.INTER_NEAREST
    )
    return np.asarray(drawn) > 0


def run_peer(python: Path, folder: Path, shape: tuple[int, ...]) -> Seen:
    """mediapipe over the same frames, in its own process."""
    target = folder / "answers.npz"
    arguments = [str(python), "-I", str(WORKER), str(folder / "frames.npy"), str(target)]
    done = subprocess.run(arguments, capture_output=True, check=False, cwd=Path.home())
    if done.returncode:
        last = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:] or ["no message"]
        raise ResourceError(f"mediapipe failed: {last[0][:200]}", where=str(python))
    with np.load(target) as held:
        flat = np.unpackbits(held["masks"], axis=1, count=shape[1] * shape[2])
        masks = flat.reshape(shape[:3]).astype(np.bool_)
        return Seen(held["landmarks"], masks, float(held["wall_s"]), float(held["cpu_s"]), len(masks))
