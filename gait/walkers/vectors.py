"""Small vector algebra; numpy's own cross and broadcast cost more than the work on arrays this small.

Everything takes any leading axes, so that one formula serves one instant and a whole walk.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Reals = float | NDArray[np.float64]
"""One number, or one for every instant (T,)."""
UP: Floats = np.array([0.0, 0.0, 1.0])
LEVEL: Floats = np.array([1.0, 1.0, 0.0])
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


def dot(a: Floats, b: Floats) -> Floats:
    """The scalar product over the last axis."""
    return np.asarray(np.einsum("...i,...i->...", a, b))


def level(v: Floats) -> Floats:
    """Vectors (..., 3) without their height, of length one."""
    return unit(v * LEVEL)


def heading_vector(angle: Reals) -> Floats:
    """(..., 3) unit vectors on the level, ``angle`` (...) radians from the x axis to the y axis."""
    angle = np.asarray(angle, np.float64)
    return np.stack([np.cos(angle), np.sin(angle), np.zeros_like(angle)], axis=-1)


def column(x: Reals) -> Floats:
    """Numbers (...) as factors (..., 1) of vectors (..., 3)."""
    return np.asarray(x, np.float64)[..., None]


def smooth(x: Reals) -> Floats:
    """From 0 at 0 to 1 at 1 with no slope at either end; elementwise."""
    x = np.minimum(np.maximum(x, 0.0), 1.0)
    return np.asarray(x * x * (3 - 2 * x))
