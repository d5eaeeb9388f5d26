"""How our perception errs: walkers rendered in colour, perceived, and held against the truth.

What comes out is ``gait/training/synthetic_noise.json``, by which training data without colours are made,
and, of all the cameras of ``perceived_walkers`` with their faults, ``synthetic_noise_far.json``::

    python -m calibration.perception_noise
    python -m calibration.perception_noise far

It prints, for real perception and for the model fitted to it, how masks agree with the truth (IoU) and how
far joints lie from theirs.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from calibration.in_process import OneFrame
from calibration.perceived_walkers import PERCEIVED, scene_of
from engines.perceive import PerceiveStage, Perception
from gait.skeleton import BLAZEPOSE33, GAITWAY16, convert
from gait.training.synthetic_noise import (
    ARMS,
    ENDS,
    FITTED,
    FITTED_FAR,
    LEFT,
    LEGS,
    RIGHT,
    PerceptionNoise,
    perceived_masks,
)
from gait.walkers.camera import Camera
from gait.walkers.landmarks import landmarks
from gait.walkers.person import sample_person
from gait.walkers.scene import Scene, Walker
from gait.walkers.seeds import stream
from gait.walkers.views import path_past
from stream.messages import FrameRef, FrameToken, People, Person

WALKS: Final = range(4_000_000, 4_000_024)
FAR_WALKS: Final = range(4_100_000, 4_100_120)
"""Nobody with such a seed is trained on, demonstrated or tested."""
CAMERA: Final = Camera(width=640, height_px=360, focal=500.0, height=1.45, pitch=0.05)
COARSE: Final = 0.5
"""Every second walk is shown at half size, without colours: what old and far cameras give."""
BLUR: Final = (0.008, 0.024)
FAR_BLUR: Final = (0.008, 0.036)
"""One to three pixels of the 128 that the net's own mask shows a person with; far ones have fewer."""
BANDS: Final = 20
FAR_OFF: Final = 0.06
"""Heights: outlines further off are limbs lost or scenery taken in, not errors of the edge."""
LOST: Final = 0.3
SWAPPED: Final = 0.6
SHANKS: Final = ([2, 3], [5, 6])
FOREARMS: Final = ([14, 15], [11, 12])

Floats = NDArray[np.float64]
Bits = NDArray[np.bool_]


@dataclass(frozen=True)
class Look:
    """One frame: the true and the perceived mask of the picture, joints (16, 3) in pixels, world (16, 3)."""

    truth: Bits
    seen: Bits
    joints: Floats
    seen_joints: Floats
    world: Floats
    seen_world: Floats
    height_px: float

    @property
    def iou(self) -> float:
        """Of the masks."""
        return float((self.truth & self.seen).sum() / max(1, (self.truth | self.seen).sum()))


def main(argv: Sequence[str]) -> None:
    """Perceive, fit, write, and show both sides."""
    parser = argparse.ArgumentParser(prog="python -m calibration.perception_noise", description=__doc__)
    parser.add_argument("cameras", nargs="?", choices=("near", "far"), default="near", help="default: near")
    far = parser.parse_args(argv).cameras == "far"
    seeds = FAR_WALKS if far else WALKS
    perception = Perception.load()
    walks = []
    for number, seed in enumerate(seeds):
        scene = scene_of(seed, 0, PERCEIVED) if far else _near(seed)
        looks = list(looks_in(scene, perception, coarse=not far and number % 2 == 1))
        if len(looks) >= (PERCEIVED.least if far else BANDS):
            walks.append(looks)
        _tell(f"walk {number + 1} of {len(seeds)}: {len(looks)} looks")
    noise = fit(walks, FAR_BLUR if far else BLUR)
    written = FITTED_FAR if far else FITTED
    written.write_bytes(msgspec.json.format(msgspec.json.encode(noise), indent=2) + b"\n")
    for line in shown(walks, noise):
        _tell(line)


def _tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _near(seed: int) -> Scene:
    """One person past a good camera, from a side of their own."""
    rng = stream(seed, "look")
    view = float(rng.choice([90.0, 270.0])) + float(rng.uniform(-60, 60))
    path = path_past(CAMERA, view, float(rng.uniform(5.5, 8.5)), 5.0)
    walker = Walker(sample_person(seed), path, phase=float(rng.random()))
    return Scene(seed, CAMERA, (walker,), walker.leave_s, 25.0)


def looks_in(scene: Scene, perception: Perception, *, coarse: bool) -> Iterator[Look]:
    """The scene's one walker, wherever the whole body is in view."""
    (walker,), camera = scene.walkers, scene.camera
    store = OneFrame()
    stage = PerceiveStage(store, perception)
    for rendered in scene.frames():
        store.pixels = _coarser(rendered.image) if coarse else rendered.image
        at_ns = round(rendered.time_s * 1e9)
        size = (camera.width, camera.height_px)
        frame = FrameRef("noise", str(scene.seed), rendered.number, at_ns, at_ns, *size)
        (people,) = stage.handle(FrameToken(frame, "", 0, 0))
        pose = walker.pose(rendered.time_s)
        assert isinstance(people, People)
        whole = [one for one in people.people if one.quality.truncation == 0 and one.mask is not None]
        if len(whole) != 1 or pose is None or not rendered.truth:
            continue
        joints = landmarks(walker.person, pose)
        pixels, _ = camera.project(joints)
        truth = rendered.truth[0].crop.on(camera.height_px, camera.width)
        yield _look(whole[0], truth, pixels, camera.to_camera(joints))


def _coarser(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    small = cv2.resize(grey, None, fx=COARSE, fy=COARSE, interpolation=cv2.INTER_AREA)
    back = cv2.resize(small, (picture.shape[1], picture.shape[0]), interpolation=cv2.INTER_CUBIC)
    return np.asarray(cv2.cvtColor(back, cv2.COLOR_GRAY2BGR), np.uint8)


def _look(person: Person, truth: Bits, pixels: Floats, joints: Floats) -> Look:
    assert person.mask is not None, "asked for before"
    assert person.world is not None, "perception gives them always"
    to_image = np.array(person.mask.to_image).reshape(2, 3)
    size = truth.shape[::-1]
    seen = cv2.warpAffine(person.mask.numpy().astype(np.uint8) * 255, to_image, size) >= 128
    marked = np.concatenate([pixels - 0.5, np.ones((len(pixels), 1))], axis=1)
    hips = joints[BLAZEPOSE33.indices("left_hip", "right_hip")].mean(axis=0)
    rows = np.flatnonzero(truth.any(axis=1))

    def sixteen(points: NDArray[np.generic], *, confidence: bool) -> Floats:
        return convert(points, BLAZEPOSE33, GAITWAY16, confidence=confidence).points.astype(np.float64)

    return Look(
        truth,
        seen,
        sixteen(marked.astype(np.float32), confidence=True),
        sixteen(person.keypoints.numpy(), confidence=True),
        sixteen((joints - hips).astype(np.float32), confidence=False),
        sixteen(person.world.numpy(), confidence=False),
        float(rows[-1] - rows[0] + 1) if rows.size else 1.0,
    )


def fit(walks: list[list[Look]], blur: tuple[float, float] = BLUR) -> PerceptionNoise:
    """The numbers of the model from what was seen; medians where single frames go astray."""
    legs, arms = (
        np.mean([_swapped(look, *sides) for walk in walks for look in walk]) for sides in (SHANKS, FOREARMS)
    )
    near, far = _confidences(walks)
    walks = [[_sorted(look) for look in walk] for walk in walks]
    profiles = [np.stack([outline_errors(look) for look in walk]) for walk in walks]
    means = np.array([np.nanmean(profile) for profile in profiles])
    still = [np.nanstd(np.nanmean(profile, axis=0)) for profile in profiles]
    moving = [np.nanstd(profile - np.nanmean(profile, axis=0)) for profile in profiles]
    errors = [_joint_errors(walk) for walk in walks]
    walk_part = np.median([np.abs(np.median(e, axis=0)).mean(axis=-1) for e in errors], axis=0) * 1.25
    spreads = np.array([_spread(e - np.median(e, axis=0)) for e in errors])
    frame_part = np.median(spreads, axis=0)
    worlds = [np.stack([look.seen_world - look.world for look in walk]) for walk in walks]
    offsets = np.stack([np.median(world, axis=0) for world in worlds])
    bias = offsets.mean(axis=0)
    steady = (offsets - bias).std(axis=0).mean(axis=-1)
    shaking = np.mean([_spread(world - np.median(world, axis=0)) for world in worlds], axis=0)
    whole = np.hypot(steady, shaking)
    return PerceptionNoise(
        outline_bias=_rounded(means.mean()),
        bias_spread=_rounded(means.std()),
        outline_walk=_rounded(np.mean(still)),
        outline_frame=_rounded(np.mean(moving)),
        blur=blur,
        joint_walk=tuple(_rounded(v) for v in walk_part),
        joint_frame=tuple(_rounded(v) for v in frame_part),
        world_walk=_rounded(steady.mean()),
        world_frame=_rounded(shaking.mean()),
        sure_near=tuple(near),
        sure_far=tuple(far),
        legs_swapped=_rounded(legs),
        limb_lost=_rounded(np.mean([_lost(look, 0.6) for walk in walks for look in walk])),
        arms_swapped=_rounded(arms),
        limb_whole=_rounded(np.mean([_lost(look, 0.1) for walk in walks for look in walk])),
        uneven=_rounded(np.log(spreads / frame_part).mean(axis=1).std()),
        world_shares=tuple(_rounded(v) for v in whole / np.hypot(steady.mean(), shaking.mean())),
        world_bias=tuple((_rounded(x), _rounded(y), _rounded(z)) for x, y, z in bias),
    )


def _sorted(look: Look) -> Look:
    """Limbs that were taken for each other put right, so that errors of place alone are left."""
    order = np.arange(GAITWAY16.size)
    for (right, left), ends in ((LEGS, SHANKS), (ARMS, FOREARMS)):
        if _swapped(look, *ends):
            order[list(right + left)] = order[list(left + right)]
    return replace(look, seen_joints=look.seen_joints[order], seen_world=look.seen_world[order])


def outline_errors(look: Look) -> Floats:
    """(20,) how far the perceived outline lies outside the true one, in heights, by height on the body."""
    inside = cv2.distanceTransform(look.seen.astype(np.uint8), cv2.DIST_L2, 5)
    outside = cv2.distanceTransform((~look.seen).astype(np.uint8), cv2.DIST_L2, 5)
    edge = look.truth & ~cv2.erode(look.truth.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
    rows, columns = np.nonzero(edge)
    # The innermost true pixel lies half a pixel inside the outline, as does the perceived one.
    off = (np.where(inside > 0, inside - 1.0, -outside)[rows, columns]) / look.height_px
    band = ((rows - rows.min()) * BANDS // max(1, rows.max() - rows.min() + 1)).astype(int)
    kept = np.abs(off) < FAR_OFF
    found = np.full(BANDS, np.nan)
    for k in range(BANDS):
        own = off[kept & (band == k)]
        if own.size:
            found[k] = own.mean()
    return found


def _joint_errors(walk: list[Look]) -> Floats:
    """(T, 16, 2) heights."""
    return np.stack([(one.seen_joints[:, :2] - one.joints[:, :2]) / one.height_px for one in walk])


def _spread(errors: Floats) -> Floats:
    """(16,) a standard deviation per axis that single strays do not move."""
    return np.asarray(np.median(np.abs(errors), axis=(0, 2)) * 1.4826)


def _confidences(walks: list[list[Look]]) -> tuple[list[float], list[float]]:
    """Mean confidences (16,) of the side that is nearer to the camera and of the other one."""
    near: list[list[float]] = [[] for _ in range(GAITWAY16.size)]
    far: list[list[float]] = [[] for _ in range(GAITWAY16.size)]
    for look in (look for walk in walks for look in walk):
        for side, other in ((RIGHT, LEFT), (LEFT, RIGHT)):
            nearer = look.world[list(side), 2].mean() < look.world[list(other), 2].mean()
            for joint in side:
                (near if nearer else far)[joint].append(look.seen_joints[joint, 2])
        for joint in set(range(GAITWAY16.size)) - {*RIGHT, *LEFT}:
            near[joint].append(look.seen_joints[joint, 2])
            far[joint].append(look.seen_joints[joint, 2])
    # Both sides of the body are alike.
    for right, left in zip(RIGHT, LEFT, strict=True):
        for part in (near, far):
            part[right] = part[left] = part[right] + part[left]
    return [_rounded(np.mean(v)) for v in near], [_rounded(np.mean(v)) for v in far]


def _swapped(look: Look, right: list[int], left: list[int]) -> bool:
    """Whether two limbs are nearer to each other's truth, by a margin."""
    seen, true = look.seen_joints[:, :2], look.joints[:, :2]

    def apart(a: list[int], b: list[int]) -> float:
        return float(np.linalg.norm(seen[a] - true[b], axis=1).sum())

    return apart(right, left) + apart(left, right) < SWAPPED * (apart(right, right) + apart(left, left))


def _lost(look: Look, beyond: float) -> float:
    """The share of the four limbs of which, beyond a share of them, little is left in the perceived mask."""
    lost = 0
    for start, end in ENDS:
        area = np.zeros(look.truth.shape, np.uint8)
        near, far = look.joints[start, :2], look.joints[end, :2]
        points = [tuple(np.round(p).astype(int).tolist()) for p in (near + beyond * (far - near), far)]
        cv2.line(area, points[0], points[1], 255, max(2, round(0.03 * look.height_px)))
        limb = (area > 0) & look.truth
        lost += bool(limb.any() and (limb & look.seen).sum() < LOST * limb.sum())
    return lost / len(ENDS)


def shown(walks: list[list[Look]], noise: PerceptionNoise) -> list[str]:
    """The fit in words: perception's masks and the model's, each against the truth."""
    rng = np.random.default_rng(0)
    real = np.array([look.iou for walk in walks for look in walk])
    model = []
    for walk in walks:
        masks = np.stack([look.truth for look in walk]).astype(np.uint8) * np.uint8(255)
        made = perceived_masks(masks, walk[0].height_px, noise, rng) > 0
        model += [float((a & b).sum() / max(1, (a | b).sum())) for a, b in zip(made, masks > 0, strict=True)]
    lines = [f"{len(walks)} walks, {real.size} looks"]
    for name, values in (("perceived", real), ("modelled", np.array(model))):
        low, middle, high = np.quantile(values, [0.05, 0.5, 0.95])
        lines.append(f"mask IoU {name}: {low:.3f} {middle:.3f} {high:.3f} (5 %, median, 95 %)")
    errors = np.concatenate([np.linalg.norm(_joint_errors(walk), axis=-1) for walk in walks])
    for joint, name in enumerate(GAITWAY16.joints):
        low, middle, high = np.quantile(errors[:, joint], [0.05, 0.5, 0.95])
        drawn = np.hypot(noise.joint_walk[joint], noise.joint_frame[joint]) * 1.177
        lines.append(f"{name}: perceived {middle:.4f} (95 % {high:.4f}), modelled {drawn:.4f} heights")
    lines.append(f"legs swapped {noise.legs_swapped:.3f}, arms {noise.arms_swapped:.3f}")
    lines.append(f"limb ends lost {noise.limb_lost:.3f}, limbs {noise.limb_whole:.3f}")
    return lines


def _rounded(value: float | np.floating) -> float:
    return round(float(value), 5)


if __name__ == "__main__":
    main(sys.argv[1:])
