"""Simulated walkers at the level of boxes and keypoints: crossing, hiding each other, with exact truth.

Bodies are upright ellipses on a ground plane in front of a pinhole camera; the nearer hides the farther. A
detection is the body's box with noise that grows with what is hidden, its score falls with what is hidden,
and below ``least_visible`` there is none. Everything follows from the seed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stream.messages import Array, Box, FrameRef, People, Person, Quality

Floats = NDArray[np.float64]
S = 1_000_000_000
EPOCH_NS = 1_700_000_000 * S


@dataclass(frozen=True)
class SceneSpec:
    """What to simulate; distances in metres, times in seconds."""

    people: int = 12
    seconds: float = 72.0
    fps: float = 30.0
    jitter: float = 0.0
    stalls: bool = False
    width: int = 1920
    height: int = 1080
    noise: float = 0.008
    least_visible: float = 0.25
    standing_share: float = 0.0


@dataclass(frozen=True)
class SceneFrame:
    """One frame: what perception says, who each of its people truly is, and everyone's true box."""

    people: People
    truth_of: tuple[int, ...]
    boxes: dict[int, Box]
    walking: frozenset[int]
    visible: dict[int, float]


@dataclass(frozen=True)
class Camera:
    """A pinhole camera above the ground, looking down a little."""

    focal: float = 1250.0
    above_m: float = 2.6
    tilt: float = 0.12

    def project(self, points: Floats, width: int, height: int) -> Floats:
        """(..., 3) metres (x right, y forward, z up) -> (..., 2) pixels."""
        x, y, z = points[..., 0], points[..., 1], points[..., 2] - self.above_m
        depth = y * math.cos(self.tilt) - z * math.sin(self.tilt)
        down = -z * math.cos(self.tilt) - y * math.sin(self.tilt)
        return np.stack([width / 2 + self.focal * x / depth, height / 2 + self.focal * down / depth], axis=-1)


@dataclass
class Walkers:
    """N people on the ground: position, heading, speed, and the phase of their gait."""

    rng: np.random.Generator
    place: Floats
    heading: Floats
    speed: Floats
    tall: Floats
    phase: Floats
    goal: Floats
    standing_s: Floats
    standing_share: float

    @classmethod
    def of(cls, spec: SceneSpec, rng: np.random.Generator) -> Walkers:
        """People spread over the part of the ground that the camera sees."""
        n = spec.people
        place = np.array([_spot(rng) for _ in range(n)])
        return cls(
            rng,
            place,
            rng.uniform(-math.pi, math.pi, n),
            rng.uniform(0.9, 1.6, n),
            rng.uniform(1.55, 1.95, n),
            rng.uniform(0, 2 * math.pi, n),
            np.array([_spot(rng) for _ in range(n)]),
            np.zeros(n),
            spec.standing_share,
        )

    def step(self, dt_s: float) -> None:
        """Walk on towards the goals, turning gradually; choose new goals where they are reached."""
        apart = self.goal - self.place
        wanted = np.arctan2(apart[:, 1], apart[:, 0])
        turn = (wanted - self.heading + math.pi) % (2 * math.pi) - math.pi
        self.heading += np.clip(turn, -1.8 * dt_s, 1.8 * dt_s)
        moving = self.standing_s <= 0
        pace = np.where(moving, self.speed * np.clip(1.2 - np.abs(turn) / 2, 0.35, 1.0), 0.0)
        self.place[:, 0] += pace * np.cos(self.heading) * dt_s
        self.place[:, 1] += pace * np.sin(self.heading) * dt_s
        self.phase += 2 * math.pi * 0.68 * pace * dt_s
        self.standing_s = np.maximum(self.standing_s - dt_s, 0.0)
        for i in np.flatnonzero(np.hypot(*apart.T) < 0.6):
            self.goal[i] = _spot(self.rng)
            if self.rng.random() < self.standing_share:
                self.standing_s[i] = self.rng.uniform(2.0, 5.0)

    def joints(self) -> Floats:
        """(N, 17, 3) metres in the coco17 order: a stick figure that walks."""
        n = len(self.place)
        ahead = np.stack([np.cos(self.heading), np.sin(self.heading), np.zeros(n)], axis=1)
        side = np.stack([np.sin(self.heading), -np.cos(self.heading), np.zeros(n)], axis=1)
        up = np.array([0.0, 0.0, 1.0])
        base = np.concatenate([self.place, np.zeros((n, 1))], axis=1)
        amplitude = np.where(self.standing_s > 0, 0.0, 1.0)
        swing = amplitude * np.sin(self.phase)
        lift = amplitude * np.cos(self.phase)

        def at(
            height: float, across: float, forward: Floats | float = 0.0, raised: Floats | float = 0.0
        ) -> Floats:
            level = (height + np.asarray(raised)) * self.tall
            point: Floats = base + np.asarray(level).reshape(-1, 1) * up
            point = point + (across * self.tall)[:, None] * side
            return np.asarray(point + (np.broadcast_to(forward, (n,)) * self.tall)[:, None] * ahead)

        def pair(
            height: float, across: float, reach: float, sign: float, raise_by: float = 0.0
        ) -> list[Floats]:
            return [
                at(height, s * across, sign * s * reach * swing, raise_by * np.maximum(sign * s * lift, 0.0))
                for s in (-1.0, 1.0)
            ]

        head = [at(0.93, 0.0, 0.06), *pair(0.95, 0.02, 0.0, 1), *pair(0.93, 0.045, 0.0, 1)]
        arms = pair(0.82, 0.11, 0.01, -1) + pair(0.64, 0.13, 0.06, -1) + pair(0.48, 0.13, 0.14, -1)
        legs = pair(0.53, 0.06, 0.01, 1) + pair(0.28, 0.055, 0.08, 1) + pair(0.04, 0.05, 0.16, 1, 0.05)
        return np.stack(head + arms + legs, axis=1)


def _spot(rng: np.random.Generator) -> Floats:
    """A place on the ground well inside the picture, 4.5 to 15 m away."""
    y = rng.uniform(4.5, 15.0)
    return np.array([rng.uniform(-0.62, 0.62) * y, y])


def capture_times(spec: SceneSpec, rng: np.random.Generator) -> list[int]:
    """Nanoseconds since the start: regular or jittered, with 0.17-0.63 s stalls about every 2.5 s."""
    times: list[int] = []
    at, next_stall = 0.0, rng.uniform(1.0, 4.0)
    while at < spec.seconds:
        times.append(round(at * S))
        at += (1.0 + rng.uniform(-spec.jitter, spec.jitter)) / spec.fps
        if spec.stalls and at >= next_stall:
            at += rng.uniform(0.17, 0.63)
            next_stall = at + rng.uniform(1.0, 4.0)
    return times


def simulate(spec: SceneSpec, seed: int, camera: str = "sim") -> list[SceneFrame]:
    """All frames of one scene."""
    rng = np.random.default_rng(seed)
    walkers, view = Walkers.of(spec, rng), Camera()
    frames: list[SceneFrame] = []
    clock = 0
    for number, time_ns in enumerate(capture_times(spec, rng)):
        while clock < time_ns:
            tick = min(20_000_000, time_ns - clock)
            walkers.step(tick / S)
            clock += tick
        ref = FrameRef(camera, str(seed), number, EPOCH_NS + time_ns, time_ns, spec.width, spec.height)
        frames.append(_look(walkers, view, spec, ref, rng))
    return frames


def _look(
    walkers: Walkers, view: Camera, spec: SceneSpec, ref: FrameRef, rng: np.random.Generator
) -> SceneFrame:
    points = view.project(walkers.joints(), spec.width, spec.height)
    feet = np.concatenate([walkers.place, np.zeros((len(walkers.place), 1))], axis=1)
    scale = view.project(feet + np.array([0.0, 0.0, 1.0]), spec.width, spec.height)[:, 1]
    scale = view.project(feet, spec.width, spec.height)[:, 1] - scale
    flesh = 0.09 * scale[:, None]
    corners = np.concatenate([points.min(axis=1) - flesh, points.max(axis=1) + flesh], axis=1)
    size = np.array([spec.width, spec.height] * 2)
    seen = np.clip(corners, 0, size)
    inside = np.prod(seen[:, 2:] - seen[:, :2], axis=1) / np.prod(corners[:, 2:] - corners[:, :2], axis=1)
    visible, covered = _visibility(corners, walkers.place[:, 1])
    people: list[Person] = []
    truth: list[int] = []
    for i in rng.permutation(len(seen)):
        share = visible[i] * inside[i]
        if share < spec.least_visible:
            continue
        height = seen[i, 3] - seen[i, 1]
        noise = spec.noise * height * (1.0 + 4.0 * (1.0 - visible[i]))
        box = seen[i] + rng.normal(0.0, noise, 4)
        keypoints = np.zeros((17, 3), np.float32)
        keypoints[:, :2] = points[i] + rng.normal(0.0, 1.5 * noise, (17, 2))
        keypoints[:, 2] = np.clip(rng.normal(0.95 * visible[i], 0.05, 17), 0.0, 1.0)
        score = float(np.clip(0.35 + 0.6 * share + rng.normal(0, 0.03), 0.05, 0.99))
        quality = Quality(
            float(height), float(1 - inside[i]), float(keypoints[:, 2].mean()), float(covered[i])
        )
        left, top, right, bottom = box.tolist()
        people.append(Person((left, top, right, bottom), score, "coco17", Array.of(keypoints), quality))
        truth.append(int(i))
    boxes = {i: tuple(seen[i].tolist()) for i in range(len(seen)) if inside[i] > 0.1 and visible[i] > 0.0}
    walking = frozenset(int(i) for i in np.flatnonzero(walkers.standing_s <= 0))
    return SceneFrame(
        People(ref, tuple(people)), tuple(truth), boxes, walking, {i: float(visible[i]) for i in boxes}
    )


def _visibility(corners: Floats, depth: Floats) -> tuple[Floats, Floats]:
    """Share of each body's ellipse not hidden by nearer ones, and of each box under a nearer box."""
    grid_y, grid_x = np.meshgrid(np.linspace(-0.95, 0.95, 20), np.linspace(-0.9, 0.9, 9), indexing="ij")
    disc = np.stack([grid_x.ravel(), grid_y.ravel()], axis=1)
    disc = disc[(disc**2).sum(axis=1) < 1.0]
    centre, half = (corners[:, :2] + corners[:, 2:]) / 2, (corners[:, 2:] - corners[:, :2]) / 2
    body_half = half * [0.7, 1.0]
    order = np.argsort(depth)
    visible, covered = np.ones(len(depth)), np.zeros(len(depth))
    for place, i in enumerate(order):
        nearer = order[:place]
        points = centre[i] + disc * body_half[i]
        apart = (points[:, None] - centre[None, nearer]) / body_half[None, nearer]
        visible[i] = 1.0 - ((apart**2).sum(axis=2) < 1.0).any(axis=1).mean() if place else 1.0
        if place:
            low = np.maximum(corners[i, :2], corners[nearer, :2])
            high = np.minimum(corners[i, 2:], corners[nearer, 2:])
            shared = np.prod(np.maximum(high - low, 0.0), axis=1)
            covered[i] = min(1.0, shared.max() / np.prod(2 * half[i]))
    return visible, covered
