"""Is a tracked person really walking, and how many gait cycles have they walked?

The signal is the vector from the left to the right ankle, in heights: it swings once to and fro per gait
cycle, sideways when seen from the side and up and down (by perspective and the lifted foot) when seen from
the front. Running means and variances over the real time step keep it at a few numbers per person.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from stream.messages import Person
from trackers.config import NS_PER_S, WindowConfig

ANKLES: Final = {"blazepose33": (27, 28), "coco17": (15, 16), "coco18": (13, 10), "gaitway16": (6, 3)}
"""Left and right ankle in the keypoint layouts that are known; others are judged by speed alone."""

LEAST_CONFIDENCE: Final = 0.3
HYSTERESIS: Final = 0.5
"""A crossing counts once the signal is this many standard deviations beyond its mean."""


def ankle_separation(person: Person, height: float) -> tuple[float, float] | None:
    """Right minus left ankle (x, y) in heights; None where the layout has none or they are not sure."""
    ankles = ANKLES.get(person.layout)
    if ankles is None or len(person.keypoints.shape) != 2 or person.keypoints.shape[0] <= max(ankles):
        return None
    left, right = person.keypoints.numpy()[list(ankles)].tolist()
    if not min(left[2], right[2]) >= LEAST_CONFIDENCE or not height > 0:
        return None
    apart = ((right[0] - left[0]) / height, (right[1] - left[1]) / height)
    return apart if math.isfinite(apart[0]) and math.isfinite(apart[1]) else None


@dataclass
class Swing:
    """Running mean and variance of one signal, and how often it crossed its mean."""

    mean: float = 0.0
    variance: float = 0.0
    side: int = 0
    crossings: int = 0

    def add(self, value: float, share: float) -> None:
        """Take ``value`` with ``share`` of the running mean in [0, 1]."""
        apart = value - self.mean
        self.mean += share * apart
        self.variance = (1.0 - share) * (self.variance + share * apart * apart)
        beyond = value - self.mean
        if abs(beyond) > HYSTERESIS * math.sqrt(self.variance):
            side = 1 if beyond > 0 else -1
            self.crossings += self.side not in (0, side)
            self.side = side


@dataclass
class Gait:
    """What one person's ankles and speed say of their walking, over the last ``walk_span_s`` or so."""

    config: WindowConfig
    first_ns: int | None = None
    last_ns: int | None = None
    across: Swing | None = None
    along: Swing | None = None
    speed: float = 0.0
    counted_from: float = 0.0

    def observe(self, now_ns: int, separation: tuple[float, float] | None, speed: float) -> None:
        """Take one frame: the ankles' separation and the box's speed, in heights (per second)."""
        dt_s = 0.0 if self.last_ns is None else (now_ns - self.last_ns) / NS_PER_S
        share = 1.0 - math.exp(-dt_s / self.config.walk_span_s)
        self.speed += (share if self.last_ns is not None else 1.0) * (speed - self.speed)
        self.first_ns = now_ns if self.first_ns is None else self.first_ns
        self.last_ns = now_ns
        if separation is None:
            return
        if self.across is None or self.along is None:
            self.across, self.along = Swing(separation[0]), Swing(separation[1])
            return
        self.across.add(separation[0], share)
        self.along.add(separation[1], share)

    @property
    def amplitude(self) -> float:
        """Standard deviation of the ankles' separation, in heights; 0 where it was never seen."""
        if self.across is None or self.along is None:
            return 0.0
        return math.sqrt(self.across.variance + self.along.variance)

    @property
    def walking(self) -> bool:
        """True once the ankles swing or the person moves enough."""
        return self.amplitude >= self.config.stride_amplitude or self.speed >= self.config.walk_speed

    @property
    def cycles(self) -> float:
        """Gait cycles since ``restart``: two crossings each, on the axis that swings more."""
        return max(self._crossings() / 2.0 - self.counted_from, 0.0)

    def restart(self) -> None:
        """Count cycles from here: a new window opens."""
        self.counted_from = self._crossings() / 2.0

    def _crossings(self) -> int:
        if self.across is None or self.along is None:
            return 0
        return (self.across if self.across.variance >= self.along.variance else self.along).crossings
