"""The Kalman box filter: all tracks of one camera at once, on the real time step.

A box is (centre x, centre y, width, height) in pixels, each with a rate of change in pixels per second. The
four are filtered independently, so a covariance is three numbers (position, cross, rate) instead of an 8x8
matrix; noise is scaled by the box's height, which makes the filter indifferent to the image's scale.
Process noise is that of white-noise acceleration over the elapsed time (Bar-Shalom, Li and Kirubarajan,
"Estimation with Applications to Tracking and Navigation", section 6.2.2).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from stream.messages import Affine
from trackers.config import MotionConfig

Floats = NDArray[np.float64]


def _empty() -> Floats:
    return np.zeros((0, 4))


def centred(boxes: Floats) -> Floats:
    """(N, 4) left, top, right, bottom -> centre x, centre y, width, height."""
    size = boxes[:, 2:] - boxes[:, :2]
    return np.concatenate([boxes[:, :2] + 0.5 * size, size], axis=1)


def cornered(boxes: Floats) -> Floats:
    """(N, 4) centre x, centre y, width, height -> left, top, right, bottom."""
    half = 0.5 * boxes[:, 2:]
    return np.concatenate([boxes[:, :2] - half, boxes[:, :2] + half], axis=1)


@dataclass
class BoxFilter:
    """State of N tracks, row by row: ``box`` and ``rate`` (N, 4), and the variances of their estimates."""

    config: MotionConfig
    box: Floats = field(default_factory=_empty)
    rate: Floats = field(default_factory=_empty)
    box_variance: Floats = field(default_factory=_empty)
    cross_variance: Floats = field(default_factory=_empty)
    rate_variance: Floats = field(default_factory=_empty)

    def __len__(self) -> int:
        return len(self.box)

    def append(self, boxes: Floats) -> None:
        """Start tracks at ``boxes`` (M, 4), centred, with unknown velocity."""
        height = boxes[:, 3:4]
        start = np.array([1.0, 1.0, 0.3, 0.3]) * self.config.start_speed
        self.box = np.concatenate([self.box, boxes])
        self.rate = np.concatenate([self.rate, np.zeros_like(boxes)])
        self.box_variance = np.concatenate([self.box_variance, self._noise(height)])
        self.cross_variance = np.concatenate([self.cross_variance, np.zeros_like(boxes)])
        self.rate_variance = np.concatenate([self.rate_variance, (start * height) ** 2])

    def keep(self, rows: NDArray[np.intp]) -> None:
        """Forget all tracks but ``rows``, in that order."""
        self.box, self.rate = self.box[rows], self.rate[rows]
        self.box_variance = self.box_variance[rows]
        self.cross_variance = self.cross_variance[rows]
        self.rate_variance = self.rate_variance[rows]

    def predict(self, dt_s: float) -> None:
        """Move every track ``dt_s`` seconds on."""
        if not len(self):
            return
        config = self.config
        fade = np.exp(-dt_s / config.size_memory_s)
        self.box[:, :2] += dt_s * self.rate[:, :2]
        self.box[:, 2:] += config.size_memory_s * (1.0 - fade) * self.rate[:, 2:]
        self.rate[:, 2:] *= fade
        agility = np.array([config.centre_agility] * 2 + [config.size_agility] * 2)
        density = (agility * self.box[:, 3:4]) ** 2
        self.box_variance += dt_s * (2.0 * self.cross_variance + dt_s * self.rate_variance)
        self.box_variance += density * (dt_s**3 / 3.0)
        self.cross_variance += dt_s * self.rate_variance + density * (dt_s**2 / 2.0)
        self.rate_variance += density * dt_s
        np.maximum(self.box[:, 2:], 1e-3, out=self.box[:, 2:])

    def warp(self, motion: Affine) -> None:
        """Follow the camera: ``motion`` maps the previous frame's pixels to this frame's.

        A rotation is taken to be small: it turns positions and velocities, not the variances.
        """
        a, b, c, d, e, f = motion
        if not len(self) or motion == (1.0, 0.0, 0.0, 0.0, 1.0, 0.0):
            return
        turn = np.array([[a, b], [d, e]])
        scale = float(np.sqrt(max(abs(a * e - b * d), 1e-6)))
        self.box[:, :2] = self.box[:, :2] @ turn.T + (c, f)
        self.rate[:, :2] = self.rate[:, :2] @ turn.T
        self.box[:, 2:] *= scale
        self.rate[:, 2:] *= scale
        self.box_variance *= scale**2
        self.cross_variance *= scale**2
        self.rate_variance *= scale**2

    def distances(self, boxes: Floats) -> tuple[Floats, Floats]:
        """Squared Mahalanobis distance (N, M) of each track to each centred box, and log spread (N,).

        The spread is the logarithm of the innovation's volume in heights, so that a vague prediction does
        not win every box merely by being vague.
        """
        height = self.box[:, 3:4]
        spread = self.box_variance + self._noise(height)
        squared = np.zeros((len(self), len(boxes)))
        for k in range(4):
            squared += (boxes[:, k] - self.box[:, k, None]) ** 2 / spread[:, k, None]
        return squared, 0.5 * np.log(spread / height**2).sum(axis=1)

    def update(self, rows: NDArray[np.intp], boxes: Floats, scores: Floats) -> None:
        """Correct tracks ``rows`` by their detections; a low score weighs less."""
        if not len(rows):
            return
        doubt = 1.0 + self.config.low_score_noise * (1.0 - np.clip(scores, 0.0, 1.0))
        spread = self.box_variance[rows]
        cross = self.cross_variance[rows]
        total = spread + self._noise(boxes[:, 3:4]) * doubt[:, None] ** 2
        apart = boxes - self.box[rows]
        self.box[rows] += spread / total * apart
        self.rate[rows] += cross / total * apart
        self.box_variance[rows] = spread - spread * spread / total
        self.cross_variance[rows] = cross - spread * cross / total
        self.rate_variance[rows] -= cross * cross / total

    def _noise(self, height: Floats) -> Floats:
        config = self.config
        noise = np.array([config.centre_noise] * 2 + [config.width_noise, config.size_noise])
        return np.asarray((noise * height) ** 2)
