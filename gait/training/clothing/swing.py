"""How cloth and bags follow the body: late, and falling back slower than they are pushed."""

from __future__ import annotations

from typing import Final

import numpy as np

from gait.training.clothing.figure import Floats

FPS: Final = 25.0
SETTLING: Final = 25
"""Frames run backwards before the first, so that a track does not start with cloth at rest."""


def pendulum(drive: Floats, turns_hz: float, damping: float) -> Floats:
    """(T, ...) what hangs from ``drive`` (T, ...) does: a damped second-order lag of that frequency."""
    omega, step = 2 * np.pi * turns_hz, 1.0 / (4 * FPS)
    led = _led_in(drive)
    place, speed = led[0].copy(), np.zeros_like(led[0])
    out = np.empty_like(led)
    for t, target in enumerate(led):
        for _ in range(4):
            speed = speed + step * (omega**2 * (target - place) - 2 * damping * omega * speed)
            place = place + step * speed
        out[t] = place
    return out[len(led) - len(drive) :]


def draped(reach: Floats, fall: float) -> Floats:
    """(T, ...) how far cloth stands out that legs push to ``reach``: it falls back by ``fall`` a frame."""
    led = _led_in(reach)
    out = np.empty_like(led)
    held = led[0]
    for t, pushed in enumerate(led):
        held = np.maximum(pushed, held - fall * (held - pushed))
        out[t] = held
    return out[len(led) - len(reach) :]


def _led_in(values: Floats) -> Floats:
    """The track with its beginning mirrored before it."""
    before = values[1 : SETTLING + 1][::-1]
    return np.concatenate([before, values])
