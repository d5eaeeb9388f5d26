"""Feet that do not slide: footprints from the time law, rolled over heel and ball, swung between them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gait.walkers.gait import LegAction
from gait.walkers.path import Path
from gait.walkers.person import Person
from gait.walkers.seeds import stream
from gait.walkers.timing import Instant, Timing
from gait.walkers.vectors import UP, Floats, column, cross, heading_vector, level, smooth, unit

HEEL_SHARE, BALL_SHARE = 0.24, 0.58
"""Shares of the foot's length behind the ankle, and from the ankle to the ball."""
HEEL_RISE = 3.0
"""The heel leaves the ground slowly, then ever faster."""
LOADING = 0.09
"""Share of a stride from heel strike to the flat foot."""
CURL_PEAK, CURL_TURNS = 28.9, 0.44
"""A curve of height 1 over the swing, and the share of it up to which curling lifts the foot."""
VECTORS = ("ankle", "forward", "toes", "left", "up")


@dataclass(frozen=True)
class Foot:
    """``ankle`` (..., 3) metres; unit ``forward`` along the sole, ``toes`` along the toes, ``left``, ``up``.

    ``planted`` (...) bool: on the ground. The leading axes are those of the instants.
    """

    ankle: Floats
    forward: Floats
    toes: Floats
    left: Floats
    up: Floats
    planted: NDArray[np.bool_]


@dataclass(frozen=True)
class Footprint:
    """Where an ankle stands over the ground, ``at`` (..., 3) metres, and the foot's ``heading`` (...)."""

    at: Floats
    heading: Floats

    @classmethod
    def of(cls, rows: Floats) -> Footprint:
        """From (..., 4)."""
        return cls(rows[..., :3], rows[..., 3])


class Feet:
    """Both feet of one walk; side 0 is the right foot, 1 the left.

    Every pass ``visit`` has footprints of its own; None stands for the one that is always the same.
    """

    def __init__(self, person: Person, path: Path, timing: Timing, visit: int | None = None) -> None:
        self._person, self._path, self._timing = person, path, timing
        self._names: tuple[str | int, ...] = ("footprint",) if visit is None else ("footprint", visit)
        self._known: dict[tuple[int, int], Floats] = {}

    def at(self, side: int, now: Instant) -> Foot:
        """One foot at every instant."""
        gait = self._person.gait
        own = np.asarray(now.phase - 0.5 * side - (gait.asymmetry if side else 0.0))
        step = np.floor(own)
        share = own - step
        planted = share <= gait.stance
        if planted.all():
            return self._standing(side, step, share, now.vigour)
        swinging = self._swinging(side, step, np.maximum(share, gait.stance), now.vigour)
        if not planted.any():
            return swinging
        return _either(planted, self._standing(side, step, share, now.vigour), swinging)

    def _action(self, side: int) -> LegAction:
        return self._person.gait.left_leg if side else self._person.gait.right_leg

    def _prints(self, side: int, steps: Floats) -> Footprint:
        """The footprints of ``steps`` (...), whole numbers."""
        if steps.ndim == 0:
            return Footprint.of(self._print(side, int(steps)))
        wanted, back = np.unique(steps, return_inverse=True)
        table = np.stack([self._print(side, int(step)) for step in wanted])
        return Footprint.of(table[back.reshape(steps.shape)])

    def _print(self, side: int, step: int) -> Floats:
        """(4,) of one footprint, made once: it stays where it is."""
        if (side, step) not in self._known:
            self._known[side, step] = self._make_print(side, step)
        return self._known[side, step]

    def _make_print(self, side: int, step: int) -> Floats:
        gait, action = self._person.gait, self._action(side)
        phase = step + 0.5 * side + (gait.asymmetry if side else 0.0) + gait.over
        place = self._path.at(self._timing.distance_at_phase(phase))
        outward = 1.0 if side else -1.0
        along, aside, turn = stream(self._person.seed, *self._names, side, step).normal(size=3)
        forward = place.forward
        left = cross(UP, forward)
        at = place.ground + outward * gait.step_width / 2 * left
        at += gait.irregularity * (along * forward + 0.5 * aside * left)
        return np.array([*at, place.heading + outward * action.toe_out + 0.03 * turn])

    def _standing(self, side: int, step: Floats, share: Floats, vigour: Floats) -> Foot:
        return self._rolling(side, self._prints(side, step), share, vigour)

    def _rolling(self, side: int, on: Footprint, share: Floats, vigour: Floats) -> Foot:
        """Roll from the heel onto the sole, then up over the ball; the pivot stays where it is."""
        action, stance = self._action(side), self._person.gait.stance
        pitch = action.strike_pitch * vigour * (1 - smooth(share / LOADING))
        rise = np.maximum(0.0, (share - action.rise_from) / (stance - action.rise_from))
        pitch -= action.rise_pitch * vigour * rise**HEEL_RISE
        return self._pivot(on.at, on.heading, pitch)

    def _pivot(self, at: Floats, heading: Floats, pitch: Floats) -> Foot:
        body = self._person.body
        flat = heading_vector(heading)
        forward, up = _pitched(flat, pitch)
        # Toes up: the heel carries; toes down: the ball does.
        along = column(np.where(pitch > 0, -HEEL_SHARE, BALL_SHARE) * body.foot)
        ankle = at + along * flat - along * forward + body.ankle_height * up
        # The toes lie flat as long as the ball carries.
        toes = np.where(column(pitch) < 0, flat, forward)
        return Foot(ankle, forward, toes, cross(up, forward), up, planted=np.ones(pitch.shape, np.bool_))

    def _swinging(self, side: int, step: Floats, share: Floats, vigour: Floats) -> Foot:
        """A cubic from toe-off to heel strike that leaves and arrives with the stance's own speed."""
        action, stance = self._action(side), self._person.gait.stance
        tiny = 0.004
        none = np.zeros_like(share)
        old, new = self._prints(side, step), self._prints(side, step + 1)
        off, before = (self._rolling(side, old, none + (stance - by), vigour) for by in (0.0, tiny))
        on, after = (self._rolling(side, new, none + by, vigour) for by in (0.0, tiny))
        u = (share - stance) / (1 - stance)
        scale = (1 - stance) / tiny
        leave, arrive = (off.ankle - before.ankle) * scale, (after.ankle - on.ankle) * scale
        ankle = _hermite(off.ankle, leave, on.ankle, 0.5 * arrive, u)
        hump = column(16 * (u * (1 - u)) ** 2)
        early = column(action.curl * CURL_PEAK * u**2 * (1 - u) ** 3 * (CURL_TURNS - u))
        outward = cross(UP, on.forward) * (1.0 if side else -1.0)
        ankle = ankle + hump * column(vigour) * (action.swing_lift * UP + action.swing_out * outward)
        ankle = ankle + early * column(vigour) * UP
        pitch = action.strike_pitch * smooth((u - 0.45) / 0.55) - action.rise_pitch * _falling(u)
        heading = _blend_heading(off.forward, on.forward, smooth(u))
        forward, up = _pitched(heading, pitch * vigour)
        toes, _ = _pitched(heading, pitch * vigour * smooth(2.5 * u))
        return Foot(ankle, forward, toes, cross(up, forward), up, planted=np.zeros(u.shape, np.bool_))


def _either(first: NDArray[np.bool_], a: Foot, b: Foot) -> Foot:
    """``a`` at the instants where ``first`` (...) is true, ``b`` at the others."""
    ankle, forward, toes, left, up = (
        np.where(first[..., None], getattr(a, part), getattr(b, part)) for part in VECTORS
    )
    return Foot(ankle, forward, toes, left, up, np.where(first, a.planted, b.planted))


def _falling(u: Floats) -> Floats:
    """From 1 at toe-off to 0 past the middle of the swing."""
    return 1 - smooth(u / 0.58)


def _pitched(flat: Floats, pitch: Floats) -> tuple[Floats, Floats]:
    cos, sin = column(np.cos(pitch)), column(np.sin(pitch))
    return cos * flat + sin * UP, cos * UP - sin * flat


def _blend_heading(a: Floats, b: Floats, u: Floats) -> Floats:
    return unit(column(1 - u) * level(a) + column(u) * level(b))


def _hermite(p0: Floats, m0: Floats, p1: Floats, m1: Floats, share: Floats) -> Floats:
    u = column(share)
    u2, u3 = u * u, u * u * u
    return np.asarray(
        (2 * u3 - 3 * u2 + 1) * p0 + (u3 - 2 * u2 + u) * m0 + (3 * u2 - 2 * u3) * p1 + (u3 - u2) * m1
    )
