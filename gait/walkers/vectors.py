"""Small vector algebra; numpy's own cross and broadcast cost more than the work on arrays this small."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
UP: Floats = np.array([0.0, 0.0, 1.0])
_NEXT, _LAST = np.array([1, 2, 0]), np.array([2, 0, 1])


def cross(a: Floats, b: Floats) -> Floats:
    """The cross product over the last axis (3)."""
    return np.asarray(a[..., _NEXT] * b[..., _LAST] - a[..., _LAST] * b[..., _NEXT])


def length(v: Floats) -> Floats:
    """Lengths (...) of vectors (..., 3)."""
    return np.asarray(np.sqrt(np.einsum("...i,...i->...", v, v)))


def unit(v: Floats) -> Floats:
    """Vectors (..., 3) of length one."""
    return np.asarray(v / length(v)[..., None])


def level(v: Floats) -> Floats:
    """``v`` (3,) without its height, of length one."""
    return unit(np.array([v[0], v[1], 0.0]))


def smooth(x: float) -> float:
    """From 0 at 0 to 1 at 1 with no slope at either end."""
    x = min(max(x, 0.0), 1.0)
    return x * x * (3 - 2 * x)
