"""Tubes of elliptic rings: the one primitive that people are made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gait.walkers.body import Colour
from gait.walkers.vectors import Floats, unit


@dataclass(frozen=True)
class Tube:
    """``n`` rings joined one to the next; lengths in metres, colours red, green, blue in [0, 1].

    ``centre``, ``left``, ``front`` (n, 3); ``half`` (n, 3): how far a ring reaches to the sides, to the front
    and to the back. ``paint`` (n - 1, sides, 3): colours of the patches between rings. ``nudge`` (n - 1,):
    metres by which patches pass for nearer than they are, for cloth that lies on cloth.
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
        """``left`` and ``front`` may be one vector (3,) for all rings, ``nudge`` one number."""
        rings = centre.shape[0]
        every = np.zeros((rings, 3))
        return cls(centre, every + left, every + front, half, paint, np.zeros(rings - 1) + nudge)


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
    """Points and directions along two bones: t 0 at the start, 1 at the middle joint, 2 at the end.

    Within ``soft`` of the middle joint the straight lines give way to a parabola.
    """
    first, second = middle - start, end - middle
    u = t[:, None]
    near = np.clip((u - 1 + soft) / (2 * soft), 0, 1)
    curve = start + u * first + soft * near**2 * (second - first)
    straight = np.where(u < 1, start + u * first, middle + (u - 1) * second)
    points = np.where(np.abs(u - 1) < soft, curve, straight)
    return points, unit((1 - near) * unit(first) + near * unit(second))
