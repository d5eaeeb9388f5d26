"""What each rule of the window's gate refuses, on rendered people as our own perception saw them.

A frame is worth what its mask holds of the person: the overlap (IoU) with their whole silhouette, what is
hidden or outside the picture included. For each rule the frames are told apart by what it measures, in bands
around the limit in the box: a limit is right where those below it are worth little and those above it much.
Whether somebody walks is judged on people who stand, set out and stop, seen from three sides.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np

from benchmarks.perception_clips import LastFrame
from benchmarks.perception_judge import judge, sample
from engines.config import PerceiveConfig
from engines.perceive import PerceiveStage, Perception
from gait.walkers.camera import Camera
from gait.walkers.path import Path
from gait.walkers.person import sample_person
from gait.walkers.scene import Scene, Walker
from gait.walkers.scenes import perception_scene
from gait.walkers.timing import Stop
from gait.walkers.truth import TruthPerson
from stream.messages import EndOfStream, People, Person
from trackers.config import WindowConfig
from trackers.tracker import CameraTracker
from trackers.walking import Gait, ankle_separation

FPS: Final = 25.0
FIRST_SEED: Final = 41_000_000
"""Nothing that is judged here was fitted to people of such seeds."""
HEIGHT_PX: Final = (32.0, 500.0)
CROWDS: Final = (2, 4, 6)
BANDS: Final = {
    "score": (0.0, 0.5, 0.8, 0.95, 1.0),
    "height_px": (0.0, 36.0, 48.0, 64.0, 96.0, 4000.0),
    "truncation": (0.0, 0.02, 0.08, 0.15, 0.3, 1.0),
    "overlap": (0.0, 0.2, 0.4, 0.6, 0.8, 1.0),
    "confidence": (0.0, 0.3, 0.5, 0.7, 1.0),
    "agreement": (0.0, 0.4, 0.6, 0.8, 1.0),
}
GOOD: Final = 0.7
"""Worth from which on a frame's silhouette is the person's."""
STRIDES: Final = (0.015, 0.025, 0.04)
SPEEDS: Final = (0.1, 0.15, 0.25)
HEADINGS_DEG: Final = (0.0, 45.0, 90.0)
STAND_S: Final = 3.0
FULL: Final = 0.95
"""Vigour from which on somebody walks as they do."""
SETTLED_S: Final = 1.0
"""Before, the running means do not yet speak of what is."""


@dataclass(frozen=True)
class Look:
    """One person in one frame: what perception measured, and what the frame is worth."""

    measured: dict[str, float]
    worth: float


@dataclass(frozen=True)
class Moment:
    """A frame of somebody who stands or walks for ``since_s`` already; what the tracker measured.

    ``stopped``: they stand after a walk, of which the running means still speak.
    """

    walks: bool
    stopped: bool
    since_s: float
    stride: float
    speed: float


def rule_figures(scenes: int = 4, people: int = 4) -> dict[str, float]:
    """By rule and band the share of frames and what they are worth; by limit who is wrongly let pass."""
    perception = Perception.load(PerceiveConfig())
    looks = [look for scene in _scenes(scenes) for look in _looks(perception, scene)]
    moments = [
        moment
        for person in range(people)
        for heading in HEADINGS_DEG
        for moment in _moments(perception, _starter(FIRST_SEED + person, heading))
    ]
    return {"rules_frames": float(len(looks)), **band_figures(looks), **walking_figures(moments)}


def band_figures(looks: list[Look]) -> dict[str, float]:
    """For each rule, of the frames that every other rule of the gate in the box lets pass."""
    figures: dict[str, float] = {}
    for rule, edges in BANDS.items():
        others = [look for look in looks if all(passes(look, other) for other in BANDS if other != rule)]
        for low, high in pairwise(edges):
            top = high == edges[-1]
            band = [
                look.worth
                for look in others
                if low <= look.measured[rule] and (look.measured[rule] < high or top)
            ]
            name = f"rule_{rule}_{low:g}_{high:g}"
            figures[f"{name}_share"] = len(band) / max(len(others), 1)
            if band:
                figures[f"{name}_worth"] = float(np.mean(band))
                figures[f"{name}_good"] = float(np.mean(np.array(band) >= GOOD))
    return figures


def passes(look: Look, rule: str) -> bool:
    """Whether the limit in the box lets the frame pass by this rule."""
    config, value = WindowConfig(), look.measured[rule]
    least = {
        "score": config.min_score,
        "height_px": config.min_height_px,
        "confidence": config.min_confidence,
        "agreement": config.min_agreement,
    }
    most = {"truncation": config.max_truncation, "overlap": config.max_overlap}
    return value >= least[rule] if rule in least else value <= most[rule]


def walking_figures(moments: list[Moment]) -> dict[str, float]:
    """By limits: the share of standing frames called walking, of walking ones refused, and the delay after
    which somebody who stopped no longer walks.
    """
    stand = [one for one in moments if not one.walks and not one.stopped and one.since_s >= SETTLED_S]
    walk = [one for one in moments if one.walks and one.since_s >= SETTLED_S]
    stopped = [one for one in moments if one.stopped]
    figures = {"walking_frames": float(len(walk)), "standing_frames": float(len(stand))}
    for stride in STRIDES:
        for speed in SPEEDS:
            name = f"stride_{stride:g}_speed_{speed:g}"
            passed, kept, late = (
                [one.stride >= stride or one.speed >= speed for one in some]
                for some in (stand, walk, stopped)
            )
            figures[f"{name}_standing_passed"] = float(np.mean(passed)) if passed else 0.0
            figures[f"{name}_walking_refused"] = 1.0 - float(np.mean(kept)) if kept else 0.0
            over = [one.since_s for one, walks in zip(stopped, late, strict=True) if walks]
            figures[f"{name}_stop_seen_after_s"] = max(over, default=0.0)
    return figures


def _scenes(count: int) -> Iterator[Scene]:
    for turn in range(count):
        for crowd in CROWDS:
            yield perception_scene(FIRST_SEED + 10 * turn + crowd, crowd, HEIGHT_PX, 4.0)


def _looks(perception: Perception, scene: Scene) -> Iterator[Look]:
    for people, truth in _perceived(perception, scene):
        for answer, real in judge(people.people, truth).pairs:
            person, quality = people.people[answer], people.people[answer].quality
            measured = {
                "score": person.score,
                "height_px": quality.height_px,
                "truncation": quality.truncation,
                "overlap": quality.overlap,
                "confidence": quality.confidence,
                "agreement": quality.agreement,
            }
            yield Look(measured, worth(person, truth[real]))


def worth(person: Person, truth: TruthPerson) -> float:
    """IoU of the answer's mask with the person's whole silhouette, of which a part may not be seen."""
    if person.mask is None or not truth.visible > 0:
        return 0.0
    mask = truth.crop.mask
    own = sample(person.mask.numpy(), person.mask.to_image, truth.crop.left, truth.crop.top, mask.shape)
    both, seen = int(np.count_nonzero(own & mask)), int(np.count_nonzero(mask))
    claimed = int(np.count_nonzero(person.mask.numpy())) * person.mask.to_image[0] ** 2
    return both / max(claimed + seen / truth.visible - both, 1.0)


def _perceived(perception: Perception, scene: Scene) -> Iterable[tuple[People, tuple[TruthPerson, ...]]]:
    held = LastFrame()
    stage = PerceiveStage(held, perception)
    for rendered in scene.frames():
        (people,) = stage.handle(held.hold(rendered.image, f"{scene.seed}", rendered.number, FPS))
        assert isinstance(people, People)
        yield people, rendered.truth
    stage.finish(EndOfStream("bench", f"{scene.seed}", scene.frame_count, 0))


def _starter(seed: int, heading_deg: float) -> Scene:
    """Somebody who stands, walks four metres at ``heading_deg`` to the picture's plane, and stands again."""
    turn = np.deg2rad(heading_deg)
    way = np.array([np.cos(turn), -np.sin(turn)]) * 2.0
    middle = np.array([0.0, 6.5])
    start, end = (tuple(float(v) for v in middle + sign * way) for sign in (-1.0, 1.0))
    path = Path.line((start[0], start[1]), (end[0], end[1]))
    stops = (Stop(0.0, STAND_S), Stop(path.length, STAND_S))
    walker = Walker(sample_person(seed), path, stops=stops)
    return Scene(seed + round(heading_deg), Camera(), (walker,), walker.leave_s, FPS)


def _moments(perception: Perception, scene: Scene) -> Iterator[Moment]:
    timing = scene.walkers[0].walk.timing
    tracker, gait = CameraTracker("bench", f"{scene.seed}"), Gait(WindowConfig())
    vigours = [float(timing.at(n / FPS).vigour) for n in range(scene.frame_count)]
    moving = np.flatnonzero(np.array(vigours) > 0.0)
    for number, (people, _) in enumerate(_perceived(perception, scene)):
        seen = [track for track in tracker.update(people).tracks if track.person is not None]
        if not seen:
            continue
        track = max(seen, key=lambda one: one.box[3] - one.box[1])
        assert track.person is not None
        height = track.box[3] - track.box[1]
        apart = ankle_separation(people.people[track.person], height)
        gait.observe(people.frame.captured_ns, apart, track.speed)
        stopped, walks = number > moving[-1], vigours[number] >= FULL
        if stopped or walks or number < moving[0]:
            begun = moving[-1] + 1 if stopped else next(n for n, v in enumerate(vigours) if v >= FULL)
            since = number - begun if stopped or walks else number
            yield Moment(walks, stopped, since / FPS, gait.amplitude, gait.speed)
