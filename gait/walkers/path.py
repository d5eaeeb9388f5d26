"""Where a person walks: a smooth curve on the ground, by distance along it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gait.walkers.vectors import Floats, Reals, column, heading_vector

STEP_M = 0.02
"""Spacing of the stored curve."""


@dataclass(frozen=True)
class Place:
    """Points of a path: ``at`` (..., 2) metres on the ground, ``heading`` (...) radians from x to y axis."""

    at: Floats
    heading: Floats

    @property
    def forward(self) -> Floats:
        """(..., 3) unit, level."""
        return heading_vector(self.heading)

    @property
    def ground(self) -> Floats:
        """(..., 3) metres, on the floor."""
        return np.concatenate([self.at, np.zeros_like(self.at[..., :1])], axis=-1)


class Path:
    """A curve of ``length`` metres; beyond its ends it goes on straight."""

    def __init__(self, points: Floats, headings: Floats) -> None:
        if points.shape[0] < 2 or points.shape != (headings.size, 2) or not np.isfinite(points).all():
            raise ValueError(f"a path needs two finite points or more and a heading each, got {points.shape}")
        steps = np.hypot(*np.diff(points, axis=0).T)
        self._s = np.concatenate([[0.0], np.cumsum(steps)])
        self._points, self._headings = points, np.unwrap(headings)

    @property
    def length(self) -> float:
        """Metres."""
        return float(self._s[-1])

    @classmethod
    def line(cls, start: tuple[float, float], end: tuple[float, float]) -> Path:
        """Straight from ``start`` to ``end``."""
        return cls.through([start, end])

    @classmethod
    def through(cls, corners: Sequence[tuple[float, float]], radius: float = 0.8) -> Path:
        """Straight stretches joined by turns of about ``radius`` metres at the inner corners."""
        at = np.asarray(corners, dtype=np.float64)
        pieces = [at[:1]]
        for before, corner, after in zip(at[:-2], at[1:-1], at[2:], strict=True):
            pieces.append(_turn(before, corner, after, radius))
        dense = _resample(np.concatenate([*pieces, at[-1:]]))
        tangent = np.gradient(dense, axis=0)
        return cls(dense, np.arctan2(tangent[:, 1], tangent[:, 0]))

    def at(self, s: Reals) -> Place:
        """The places ``s`` (...) metres from the start."""
        inside = np.minimum(np.maximum(s, 0.0), self.length)
        heading = np.interp(inside, self._s, self._headings)
        at = np.stack([np.interp(inside, self._s, self._points[:, axis]) for axis in (0, 1)], axis=-1)
        return Place(at + column(s - inside) * heading_vector(heading)[..., :2], heading)


def _turn(before: Floats, corner: Floats, after: Floats, radius: float) -> Floats:
    """A quadratic Bezier curve in place of a corner."""
    back, ahead = before - corner, after - corner
    reach = min(radius, 0.5 * float(np.hypot(*back)), 0.5 * float(np.hypot(*ahead)))
    first, last = corner + reach * back / np.hypot(*back), corner + reach * ahead / np.hypot(*ahead)
    u = np.linspace(0.0, 1.0, 24)[:, None]
    return np.asarray((1 - u) ** 2 * first + 2 * u * (1 - u) * corner + u**2 * last)


def _resample(points: Floats) -> Floats:
    s = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])
    if not s[-1] > 0:
        raise ValueError("a path needs two different points")
    even = np.linspace(0.0, s[-1], max(2, round(s[-1] / STEP_M) + 1))
    return np.stack([np.interp(even, s, points[:, axis]) for axis in (0, 1)], axis=1)
