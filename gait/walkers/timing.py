"""When a walker is where: distance and gait phase as functions of time, with starts and stops.

Phase counts strides; the right foot strikes at whole numbers, the left at halves. Distance and phase rise
together, so footprints follow from the phase at which the body passes over them, and feet never slide.
At lower speed both stride and cadence fall with the root of speed (Grieve 1968).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from gait.walkers.gait import Gait
from gait.walkers.vectors import Floats, Reals, smooth

TICK_S = 0.005
RAMP_S = 0.9
"""People reach or leave their speed within about two steps."""
BEYOND_S = 4.0
"""A walker is taken to walk before the path's start and after its end: the feet need somewhere to go."""


@dataclass(frozen=True)
class Stop:
    """Stand still for ``seconds`` at ``at_m`` metres along the path."""

    at_m: float
    seconds: float


@dataclass(frozen=True)
class Instant:
    """``distance`` metres along the path, ``phase`` strides, ``vigour`` 0 standing to 1 at full walk.

    Each is one number, or (T,) for as many instants.
    """

    distance: Floats
    phase: Floats
    vigour: Floats


class Timing:
    """The time law of one walk over ``length`` metres at ``pace`` times the preferred speed.

    ``wander`` turns an even phase into one whose strides are not all alike; it must rise everywhere.
    """

    def __init__(
        self,
        gait: Gait,
        length: float,
        pace: float = 1.0,
        stops: Sequence[Stop] = (),
        phase: float = 0.0,
        wander: Callable[[Floats], Floats] | None = None,
    ) -> None:
        self._speed, self._cadence = gait.speed * pace, gait.cadence * pace**0.5
        self._length, self._wander = length, wander
        # Standing happens with both feet down: the middle of double support.
        self._rest_phase = (gait.stance - 0.5) / 2
        ordered = sorted(stops, key=lambda stop: stop.at_m)
        if any(not 0 <= stop.at_m <= length or stop.seconds < 0 for stop in ordered):
            raise ValueError(f"stops must lie on the path's {length:.2f} m and last 0 s or more: {ordered}")
        self._rates: list[Floats] = []
        self._phases: list[Floats] = []
        self._last_rest = sum(stop.seconds for stop in ordered if stop.at_m >= length - 1e-9)
        lead = self._plan(ordered)
        self._tabulate(np.concatenate(self._rates), np.concatenate(self._phases), lead, phase)

    def _plan(self, stops: Sequence[Stop]) -> int:
        """Lay out the walk, rests and what lies beyond the ends; return how many ticks precede the start."""
        beyond = BEYOND_S * self._speed
        if not _at(stops, 0.0):
            self._walk(-beyond, 0.0, resting=(False, False))
        lead = sum(rates.size for rates in self._rates)
        here = 0.0
        for stop in stops:
            self._walk(here, stop.at_m, resting=(_at(stops, here), True))
            self._stand(stop.seconds)
            here = stop.at_m
        self._walk(here, self._length, resting=(_at(stops, here), False))
        if _at(stops, self._length):
            self._stand(BEYOND_S)
        else:
            self._walk(self._length, self._length + beyond, resting=(False, False))
        return lead

    def _walk(self, start: float, end: float, resting: tuple[bool, bool]) -> None:
        """Add a stretch; a stretch between two rests takes a whole number of steps, as people do."""
        metres = end - start
        if metres <= 1e-9:
            return
        ramp = min(RAMP_S, metres / self._speed)
        seconds = metres / self._speed + ramp / 2 * sum(resting)
        t = (np.arange(max(2, round(seconds / TICK_S))) + 0.5) * TICK_S
        rate = np.ones_like(t)
        for rests, since in zip(resting, (t, t[-1] + TICK_S / 2 - t), strict=True):
            if rests:
                rate *= smooth(since / ramp)
        turns = np.sqrt(rate) * self._cadence * TICK_S
        if all(resting):
            turns *= max(1, round(2 * turns.sum())) / 2 / turns.sum()
        self._rates.append(rate * metres / rate.sum())
        self._phases.append(turns)

    def _stand(self, seconds: float) -> None:
        still = np.zeros(max(1, round(seconds / TICK_S)))
        self._rates.append(still)
        self._phases.append(still)

    def _tabulate(self, rates: Floats, turns: Floats, lead: int, phase: float) -> None:
        """Sum up the steps; the free first phase is set so that rests fall into double support."""
        s = np.concatenate([[0.0], np.cumsum(rates)])
        phi = np.concatenate([[0.0], np.cumsum(turns)])
        self._t = (np.arange(s.size) - lead) * TICK_S
        self._s = s - s[lead]
        phi = phi - phi[lead] + phase
        still = int(np.argmin(rates))
        if rates[still] <= 0:
            phi += np.round(2 * (phi[still] - self._rest_phase)) / 2 + self._rest_phase - phi[still]
        # ``wander`` is a function of the phase, not of time: who stands still keeps still.
        self._phi = phi if self._wander is None else self._wander(phi)
        speed = np.gradient(self._s, TICK_S) / self._speed
        self._vigour = np.sqrt(np.clip(speed, 0.0, 1.0))

    @property
    def seconds(self) -> float:
        """How long the path takes, rests included."""
        done = np.flatnonzero(self._s >= self._length - 1e-9)
        return float(self._t[done[0]] if done.size else self._t[-1]) + self._last_rest

    def at(self, t: Reals) -> Instant:
        """The state ``t`` (...) seconds after the path's start."""
        tables = (self._s, self._phi, self._vigour)
        return Instant(*(np.asarray(np.interp(t, self._t, table)) for table in tables))

    def time_at_phase(self, phase: Reals) -> Floats:
        """When the gait's phase first is ``phase``."""
        return np.asarray(np.interp(phase, self._phi, self._t))

    def distance_at_phase(self, phase: Reals) -> Floats:
        """Metres along the path when the gait's phase is ``phase``."""
        return np.asarray(np.interp(phase, self._phi, self._s))


def _at(stops: Sequence[Stop], metres: float) -> bool:
    return any(abs(stop.at_m - metres) < 1e-9 for stop in stops)
