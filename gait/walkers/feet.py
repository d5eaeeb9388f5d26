"""Feet that do not slide: footprints from the time law, rolled over heel and ball, swung between them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gait.walkers.gait import LegAction
from gait.walkers.path import Path
from gait.walkers.person import Person
from gait.walkers.seeds import stream
from gait.walkers.timing import Instant, Timing
from gait.walkers.vectors import UP, Floats, cross, level, smooth, unit

HEEL_SHARE, BALL_SHARE = 0.24, 0.58
"""Shares of the foot's length behind the ankle, and from the ankle to the ball."""
HEEL_RISE = 3.0
"""The heel leaves the ground slowly, then ever faster."""
LOADING = 0.09
"""Share of a stride from heel strike to the flat foot."""


@dataclass(frozen=True)
class Foot:
    """``ankle`` (3,) metres; unit ``forward`` along the sole, ``toes`` along the toes, ``left``, ``up``."""

    ankle: Floats
    forward: Floats
    toes: Floats
    left: Floats
    up: Floats
    planted: bool


class Feet:
    """Both feet of one walk; side 0 is the right foot, 1 the left."""

    def __init__(self, person: Person, path: Path, timing: Timing) -> None:
        self._person, self._path, self._timing = person, path, timing

    def at(self, side: int, now: Instant) -> Foot:
        """One foot at an instant."""
        gait = self._person.gait
        own = now.phase - 0.5 * side - (gait.asymmetry if side else 0.0)
        step, share = int(np.floor(own)), float(own - np.floor(own))
        if share <= gait.stance:
            return self._standing(side, step, share, now.vigour)
        return self._swinging(side, step, share, now.vigour)

    def _action(self, side: int) -> LegAction:
        return self._person.gait.left_leg if side else self._person.gait.right_leg

    def _print(self, side: int, step: int) -> tuple[Floats, float]:
        """Where the ankle stands over footprint ``step`` (on the ground), and the foot's heading."""
        gait, action = self._person.gait, self._action(side)
        phase = step + 0.5 * side + (gait.asymmetry if side else 0.0) + gait.over
        place = self._path.at(self._timing.distance_at_phase(phase))
        outward = 1.0 if side else -1.0
        chance = stream(self._person.seed, "footprint", side, step).normal(size=3)
        left = cross(UP, place.forward)
        at = np.array([*place.at, 0.0]) + outward * gait.step_width / 2 * left
        at += gait.irregularity * (chance[0] * place.forward + 0.5 * chance[1] * left)
        return at, place.heading + outward * action.toe_out + 0.03 * float(chance[2])

    def _standing(self, side: int, step: int, share: float, vigour: float) -> Foot:
        """Roll from the heel onto the sole, then up over the ball; the pivot stays where it is."""
        action, stance = self._action(side), self._person.gait.stance
        pitch = action.strike_pitch * vigour * (1 - smooth(share / LOADING))
        rise = max(0.0, (share - action.rise_from) / (stance - action.rise_from))
        pitch -= action.rise_pitch * vigour * rise**HEEL_RISE
        return self._pivot(*self._print(side, step), pitch)

    def _pivot(self, at: Floats, heading: float, pitch: float) -> Foot:
        body = self._person.body
        flat = np.array([np.cos(heading), np.sin(heading), 0.0])
        forward, up = _pitched(flat, pitch)
        # Toes up: the heel carries; toes down: the ball does.
        along = (-HEEL_SHARE if pitch > 0 else BALL_SHARE) * body.foot
        ankle = at + along * flat - along * forward + body.ankle_height * up
        # The toes lie flat as long as the ball carries.
        toes = flat if pitch < 0 else forward
        return Foot(ankle, forward, toes, cross(up, forward), up, planted=True)

    def _swinging(self, side: int, step: int, share: float, vigour: float) -> Foot:
        """A cubic from toe-off to heel strike that leaves and arrives with the stance's own speed."""
        action, stance = self._action(side), self._person.gait.stance
        tiny = 0.004
        off, before = (self._standing(side, step, stance - by, vigour) for by in (0.0, tiny))
        on, after = (self._standing(side, step + 1, by, vigour) for by in (0.0, tiny))
        u = (share - stance) / (1 - stance)
        scale = (1 - stance) / tiny
        leave, arrive = (off.ankle - before.ankle) * scale, (after.ankle - on.ankle) * scale
        ankle = _hermite(off.ankle, leave, on.ankle, 0.5 * arrive, u)
        hump = 16 * (u * (1 - u)) ** 2
        outward = cross(UP, on.forward) * (1.0 if side else -1.0)
        ankle = ankle + hump * (action.swing_lift * vigour * UP + action.swing_out * vigour * outward)
        pitch = action.strike_pitch * smooth((u - 0.45) / 0.55) - action.rise_pitch * _falling(u)
        heading = _blend_heading(off.forward, on.forward, smooth(u))
        forward, up = _pitched(heading, pitch * vigour)
        toes, _ = _pitched(heading, pitch * vigour * smooth(2.5 * u))
        return Foot(ankle, forward, toes, cross(up, forward), up, planted=False)


def _falling(u: float) -> float:
    """From 1 at toe-off to 0 past the middle of the swing."""
    return 1 - smooth(u / 0.58)


def _pitched(flat: Floats, pitch: float) -> tuple[Floats, Floats]:
    forward = np.cos(pitch) * flat + np.sin(pitch) * UP
    return forward, np.cos(pitch) * UP - np.sin(pitch) * flat


def _blend_heading(a: Floats, b: Floats, u: float) -> Floats:
    return unit((1 - u) * level(a) + u * level(b))


def _hermite(p0: Floats, m0: Floats, p1: Floats, m1: Floats, u: float) -> Floats:
    u2, u3 = u * u, u * u * u
    return np.asarray(
        (2 * u3 - 3 * u2 + 1) * p0 + (u3 - 2 * u2 + u) * m0 + (3 * u2 - 2 * u3) * p1 + (u3 - u2) * m1
    )
