"""Tubes of elliptic rings: the one primitive that people are made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gait.walkers.body import Colour
from gait.walkers.vectors import Floats, unit


@dataclass(frozen=True)
class Tube:
    """``n`` rings joined one to the next; lengths in metres, colours red, green, blue in [0, 1].

    ``centre``, ``left``, ``front``, ``half`` (..., n, 3), the leading axes being those of the pose; ``half``:
    how far a ring reaches to the sides, to the front and to the back. ``paint`` (n - 1, sides, 3): colours of
    the patches between rings. ``nudge`` (n - 1,): metres by which patches pass for nearer than they are, for
    cloth that lies on cloth.
    """

    centre: Floats
    left: Floats
    front: Floats
    half: Floats
    paint: Floats
    nudge: Floats

    @classmethod
    def of(
        cls,
        centre: Floats,
        left: Floats,
        front: Floats,
        half: Floats,
        paint: Floats,
        nudge: float | Floats = 0.0,
    ) -> Tube:
        """``left`` and ``front`` may be one (..., 3) for all rings, ``half`` (n, 3), ``nudge`` one number."""
        rings = centre.shape[-2]
        left, front = _for_all(left, centre), _for_all(front, centre)
        if half.ndim < centre.ndim:
            half = np.zeros_like(centre) + half
        return cls(centre, left, front, half, paint, np.zeros(rings - 1) + nudge)


def _for_all(vectors: Floats, centre: Floats) -> Floats:
    if vectors.shape == centre.shape:
        return vectors
    return np.zeros_like(centre) + (vectors[..., None, :] if vectors.ndim < centre.ndim else vectors)


def corners(tubes: Sequence[Tube], sides: int) -> Floats:
    """(..., rings, sides, 3) metres: the corners of the rings of all tubes, one tube after another."""
    turn = angles(sides)
    cos, sin = np.cos(turn), np.sin(turn)
    centre, left, front, half = (
        np.concatenate([getattr(tube, part) for tube in tubes], axis=-2)
        for part in ("centre", "left", "front", "half")
    )
    reach = np.where(sin > 0, half[..., 1:2], half[..., 2:3]) * sin
    aside = (half[..., :1] * cos)[..., None] * left[..., None, :]
    return np.asarray(centre[..., None, :] + aside + reach[..., None] * front[..., None, :])


def low_rings(tubes: Sequence[Tube]) -> NDArray[np.intp]:
    """Which rings have a next one in their own tube, as indices into ``corners``."""
    counts = np.array([tube.half.shape[-2] for tube in tubes])
    return np.setdiff1d(np.arange(counts.sum()), np.cumsum(counts) - 1)


def angles(sides: int) -> Floats:
    """(sides,) where a ring's corners lie: 0 is left, a quarter turn the front."""
    return np.asarray((np.arange(sides) + 0.5) * (2 * np.pi / sides), np.float64)


def patch_angles(sides: int) -> Floats:
    """(sides,) where the middles of a ring's patches lie."""
    return angles(sides) + np.pi / sides


def between(t: Floats) -> Floats:
    """(n - 1,) positions of the patches between rings at ``t``."""
    return np.asarray((t[1:] + t[:-1]) / 2)


def profile(table: Sequence[tuple[float, ...]], t: Floats) -> Floats:
    """The columns after the first of ``table``, linear between rows, at positions ``t``: (n, columns - 1)."""
    rows = np.array(table)
    return np.stack([np.interp(t, rows[:, 0], rows[:, column]) for column in range(1, rows.shape[1])], axis=1)


def plain(colour: Colour, rings: int, sides: int) -> Floats:
    """One colour for a whole tube: (rings - 1, sides, 3), to be changed by the caller."""
    return np.zeros((rings - 1, sides, 3)) + colour


def chain(start: Floats, middle: Floats, end: Floats, t: Floats, soft: float = 0.16) -> tuple[Floats, Floats]:
    """Points and directions (..., n, 3) along two bones from ``start`` over ``middle`` to ``end`` (..., 3).

    t is 0 at the start, 1 at the middle joint, 2 at the end. Within ``soft`` of the middle joint the straight
    lines give way to a parabola.
    """
    start, middle, end = (point[..., None, :] for point in (start, middle, end))
    first, second = middle - start, end - middle
    u = t[:, None]
    near = np.clip((u - 1 + soft) / (2 * soft), 0, 1)
    curve = start + u * first + soft * near**2 * (second - first)
    straight = np.where(u < 1, start + u * first, middle + (u - 1) * second)
    points = np.where(np.abs(u - 1) < soft, curve, straight)
    return points, unit((1 - near) * unit(first) + near * unit(second))
