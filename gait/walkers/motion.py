"""A person's skeleton in world metres at any instant of a walk.

World: x and y on the ground, z up. The 16 joints: 0 pelvis; 1-3 right hip, knee, ankle; 4-6 left; 7 spine;
8 neck (middle of the shoulders); 9 head (its middle); 10-12 left shoulder, elbow, wrist; 13-15 right.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gait.walkers.feet import Feet, Foot
from gait.walkers.gait import ArmSwing
from gait.walkers.path import Path
from gait.walkers.person import Person
from gait.walkers.timing import Instant, Stop, Timing
from gait.walkers.variation import ARM_WANDER, HEAD_NOD, HEAD_TURN, TRUNK_WANDER, Mood, as_walked
from gait.walkers.vectors import UP, Floats, Reals, column, cross, dot, length, unit

JOINTS = 16
BONES = (
    (0, 1), (1, 2), (2, 3), (0, 4), (4, 5), (5, 6), (0, 7), (7, 8), (8, 9),
    (8, 10), (10, 11), (11, 12), (8, 13), (13, 14), (14, 15),
)  # fmt: skip
REACH = 0.999
"""A leg never quite locks."""
TAU = 2 * np.pi


@dataclass(frozen=True)
class Axes:
    """Unit vectors (..., 3) of a body part."""

    forward: Floats
    left: Floats
    up: Floats

    def turned(self, yaw: Reals = 0.0, roll: Reals = 0.0, pitch: Reals = 0.0) -> Axes:
        """Yaw turns to the left, roll drops the left side, pitch bows forward; radians, in that order."""
        forward, left = _rotate(self.forward, self.left, yaw)
        up, left = _rotate(self.up, left, -roll)
        up, forward = _rotate(up, forward, pitch)
        return Axes(forward, left, up)


@dataclass(frozen=True)
class Pose:
    """``joints`` (..., 16, 3) metres, and the axes that the flesh hangs on. Sides: 0 right, 1 left."""

    joints: Floats
    pelvis: Axes
    chest: Axes
    head: Axes
    feet: tuple[Foot, Foot]


class Walk:
    """One person's walk along one path; ``pose(t)`` for one or more times, seconds from the path's start.

    ``visit`` numbers a person's passes, each a little different from the others as real ones are; None is the
    person's mean. ``person`` is then as they walk this time: dress this one.
    """

    def __init__(
        self,
        person: Person,
        path: Path,
        pace: float = 1.0,
        stops: Sequence[Stop] = (),
        phase: float = 0.0,
        visit: int | None = None,
    ) -> None:
        self.person, self.path = as_walked(person, visit), path
        self._mood = None if visit is None else Mood.of(person.seed, visit)
        wander = self._mood.phase if self._mood else None
        pace *= person.conditions.pace
        self.timing = Timing(self.person.gait, path.length, pace, stops, phase, wander)
        self.feet = Feet(self.person, path, self.timing, visit)

    def pose(self, t: Reals) -> Pose:
        """The skeleton at ``t``; all arrays of a pose start with the shape of ``t``."""
        now = self.timing.at(t)
        place = self.path.at(now.distance)
        walking = Axes(place.forward, cross(UP, place.forward), UP)
        feet = (self.feet.at(0, now), self.feet.at(1, now))
        pelvis = self._pelvis_axes(walking, now)
        root = self._root(place.ground, walking, pelvis, feet, now)
        joints = np.zeros((*root.shape[:-1], JOINTS, 3))
        joints[..., 0, :] = root
        for side, (hip, foot) in enumerate(zip(self._hips(root, pelvis), feet, strict=True)):
            leg = (hip, self._knee(hip, foot, pelvis, side), foot.ankle)
            joints[..., 1 + 3 * side : 4 + 3 * side, :] = np.stack(leg, axis=-2)
        chest, head = self._upper_axes(walking, now)
        self._upper_body(joints, pelvis, chest, head, now)
        return Pose(joints, pelvis, chest, head, feet)

    def _pelvis_axes(self, walking: Axes, now: Instant) -> Axes:
        gait = self.person.gait
        # The right side is ahead when the right foot strikes (phase 0) and drops while it swings.
        yaw = gait.pelvis_rotation * np.cos(TAU * (now.phase - gait.pelvis_lag))
        roll = gait.pelvis_list * np.cos(TAU * (now.phase - 0.12))
        return walking.turned(yaw=yaw * now.vigour, roll=roll * now.vigour)

    def _root(
        self, ground: Floats, walking: Axes, pelvis: Axes, feet: tuple[Foot, Foot], now: Instant
    ) -> Floats:
        """The pelvis: over the path, swaying to the foot that stands, as high as both legs allow."""
        gait, body = self.person.gait, self.person.body
        aside = -gait.sway * np.cos(TAU * (now.phase - gait.over)) * now.vigour
        ahead = gait.surge * np.sin(2 * TAU * (now.phase - gait.over)) * now.vigour
        root = ground + column(aside) * walking.left + column(ahead) * walking.forward
        bob = gait.bob * np.cos(2 * TAU * (now.phase - gait.over - gait.bob_lag)) * now.vigour
        limits = [body.ankle_height + gait.straightness * body.leg + bob]
        for hip, foot in zip(self._hips(root, pelvis), feet, strict=True):
            apart = foot.ankle - hip
            level = np.hypot(apart[..., 0], apart[..., 1])
            reach = np.sqrt(np.maximum((REACH * body.leg) ** 2 - level**2, 0.04))
            limits.append(foot.ankle[..., 2] + reach - hip[..., 2])
        return np.asarray(root + column(_soft_minimum(np.stack(limits, axis=-1), gait.give)) * UP)

    def _hips(self, root: Floats, pelvis: Axes) -> tuple[Floats, Floats]:
        half = self.person.body.hip_width / 2 * pelvis.left
        return root - half, root + half

    def _knee(self, hip: Floats, foot: Foot, pelvis: Axes, side: int) -> Floats:
        """Where thigh and shank meet, bent towards where foot and pelvis point."""
        body, gait = self.person.body, self.person.gait
        out = (gait.left_leg.knee_out if side else -gait.right_leg.knee_out) * pelvis.left
        return _joint(hip, foot.ankle, body.thigh, body.shank, pelvis.forward + 0.5 * foot.forward + out)

    def _upper_axes(self, walking: Axes, now: Instant) -> tuple[Axes, Axes]:
        gait = self.person.gait
        turn = -gait.shoulder_rotation * np.cos(TAU * (now.phase - gait.shoulder_lag)) * now.vigour
        roll = gait.shoulder_tilt - gait.shoulder_list * np.cos(TAU * (now.phase - 0.15)) * now.vigour
        swing = gait.lean_swing * np.cos(2 * TAU * (now.phase - 0.05)) * now.vigour
        lean = gait.lean * (0.3 + 0.7 * now.vigour) + swing
        nod = gait.head_pitch + gait.head_nod * np.cos(2 * TAU * (now.phase - 0.2)) * now.vigour
        look = gait.head_follow * turn
        if self._mood:
            turn = turn + TRUNK_WANDER * self._mood.trunk[0].at(now.phase)
            lean = lean + TRUNK_WANDER * self._mood.trunk[1].at(now.phase)
            look = look + HEAD_TURN * self._mood.head[0].at(now.phase)
            nod = nod + HEAD_NOD * self._mood.head[1].at(now.phase)
        chest = walking.turned(yaw=turn, roll=roll, pitch=lean)
        return chest, walking.turned(yaw=look, roll=0.3 * roll, pitch=nod)

    def _upper_body(self, joints: Floats, pelvis: Axes, chest: Axes, head: Axes, now: Instant) -> None:
        body, gait = self.person.body, self.person.gait
        # The spine bends: the lower half follows the pelvis more, and a slouch rounds the upper half.
        spine = joints[..., 0, :] + 0.5 * body.trunk * unit(pelvis.up + chest.up)
        high = chest.turned(pitch=0.5 * gait.slouch).up
        neck = spine + 0.5 * body.trunk * high
        to_head = head.turned(pitch=gait.slouch + 0.08).up + 0.4 * high
        joints[..., 7, :], joints[..., 8, :] = spine, neck
        joints[..., 9, :] = neck + body.head_height * unit(to_head)
        half, drop = body.shoulder_width / 2 * chest.left, body.shoulder_drop * body.stature * chest.up
        joints[..., 13:16, :] = self._arm(neck - half - drop, chest, gait.right_arm, now, side=0)
        joints[..., 10:13, :] = self._arm(neck + half - drop, chest, gait.left_arm, now, side=1)

    def _arm(self, shoulder: Floats, chest: Axes, arm: ArmSwing, now: Instant, side: int) -> Floats:
        """Shoulder, elbow and wrist; an arm goes forward with the other side's leg."""
        body = self.person.body
        phase = TAU * (now.phase + (0.0 if side else 0.5) - arm.lag)
        swing = (arm.swing * np.cos(phase) + arm.second * np.cos(2 * phase)) * now.vigour
        if self._mood:
            swing = swing * (1 + ARM_WANDER * self._mood.arms[side].at(now.phase))
        out = chest.left if side else -chest.left
        hanging = Axes(chest.forward, chest.left, 0.6 * UP + 0.4 * chest.up)
        upper = _arm_direction(hanging, out, arm.bias + swing, arm.out)
        bend = arm.elbow * (0.5 + 0.5 * now.vigour) + arm.elbow_swing * np.cos(phase) * now.vigour
        bend = np.maximum(0.04, bend) + arm.hold
        lower = _arm_direction(hanging, out, arm.bias + swing + bend, 0.5 * arm.out - 0.25 * bend)
        elbow = shoulder + body.upper_arm * upper
        return np.stack([shoulder, elbow, elbow + body.forearm * lower], axis=-2)


def _arm_direction(axes: Axes, out: Floats, ahead: Reals, aside: Reals) -> Floats:
    v = column(np.cos(ahead)) * -axes.up + column(np.sin(ahead)) * axes.forward + column(np.tan(aside)) * out
    return unit(v)


def _rotate(a: Floats, b: Floats, angle: Reals) -> tuple[Floats, Floats]:
    """Turn ``a`` towards ``b`` and ``b`` away from ``a``, both unit and square to each other."""
    cos, sin = column(np.cos(angle)), column(np.sin(angle))
    return cos * a + sin * b, cos * b - sin * a


def _joint(start: Floats, end: Floats, first: float, second: float, towards: Floats) -> Floats:
    """The middle joint of two bones between ``start`` and ``end``, bent ``towards``."""
    line = end - start
    reach = length(line)
    distance = np.minimum(np.maximum(reach, abs(first - second) + 1e-6), first + second - 1e-9)
    axis = line / column(reach)
    along = (first**2 - second**2 + distance**2) / (2 * distance)
    pole = unit(towards - column(dot(towards, axis)) * axis)
    return np.asarray(
        start + column(along) * axis + column(np.sqrt(np.maximum(first**2 - along**2, 0.0))) * pole
    )


def _soft_minimum(values: Floats, width: float) -> Floats:
    """Over the last axis, rounded off within ``width``: the pelvis keeps within both legs' reach smoothly."""
    least = values.min(axis=-1)
    return np.asarray(least - width * np.log(np.exp(-(values - least[..., None]) / width).sum(axis=-1)))


def travel(walk: Walk, times: Sequence[float]) -> Floats:
    """(T, 16, 3) joints at ``times``."""
    return walk.pose(np.asarray(times, np.float64)).joints


def bone_lengths(joints: Floats) -> Floats:
    """(..., 15) metres, in the order of ``BONES``."""
    return np.stack(
        [np.linalg.norm(joints[..., b, :] - joints[..., a, :], axis=-1) for a, b in BONES], axis=-1
    )
