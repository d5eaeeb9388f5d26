"""How well silhouettes overlap: a track's last one, moved to where it should be, and a detection's.

A silhouette is kept as a coarse grid over its box, so that a pair costs a few microseconds.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stream.messages import Box, Mask
from trackers.motion import Floats

ROWS, COLUMNS = 24, 12
"""Cells as wide as high in the box of somebody who stands; a limb is two cells wide."""
Grids = NDArray[np.bool_]
_ACROSS = (np.arange(COLUMNS) + 0.5) / COLUMNS
_DOWN = (np.arange(ROWS) + 0.5) / ROWS


def empty(count: int) -> Grids:
    """(count, ROWS, COLUMNS) silhouettes of nobody."""
    return np.zeros((count, ROWS, COLUMNS), np.bool_)


def _nothing() -> Grids:
    return np.zeros((ROWS, COLUMNS), np.bool_)


def grid_of(mask: Mask | None, box: Box) -> Grids:
    """(ROWS, COLUMNS) which cells of ``box`` the mask covers; none where there is no usable mask."""
    if mask is None or not np.isfinite(mask.to_image).all():
        return _nothing()
    a, b, c, d, e, f = mask.to_image
    turn = a * e - b * d
    if turn == 0.0:
        return _nothing()
    x = box[0] + (box[2] - box[0]) * _ACROSS[None, :] - c
    y = box[1] + (box[3] - box[1]) * _DOWN[:, None] - f
    columns = np.rint(np.clip((e * x - b * y) / turn, -1.0, mask.width)).astype(np.intp)
    rows = np.rint(np.clip((a * y - d * x) / turn, -1.0, mask.height)).astype(np.intp)
    inside = (columns >= 0) & (columns < mask.width) & (rows >= 0) & (rows < mask.height)
    bits = mask.numpy()
    return np.asarray(inside & bits[np.where(inside, rows, 0), np.where(inside, columns, 0)])


def grid_overlap(expected: Grids, at: Floats, seen: Grids, boxes: Floats) -> Floats:
    """(P,) intersection over union of P pairs of silhouettes; not a number where one is empty.

    ``expected`` (P, ROWS, COLUMNS) lie in the boxes ``at`` (P, 4), ``seen`` in ``boxes`` (P, 4), by corners.
    """
    sizes = [np.maximum(corners[:, 2:] - corners[:, :2], 1e-9) for corners in (at, boxes)]
    x = (at[:, None, 0] + sizes[0][:, None, 0] * _ACROSS - boxes[:, None, 0]) / sizes[1][:, None, 0] * COLUMNS
    y = (at[:, None, 1] + sizes[0][:, None, 1] * _DOWN - boxes[:, None, 1]) / sizes[1][:, None, 1] * ROWS
    columns, rows = np.floor(x).astype(np.intp), np.floor(y).astype(np.intp)
    across, down = (columns >= 0) & (columns < COLUMNS), (rows >= 0) & (rows < ROWS)
    pairs = np.arange(len(at))[:, None, None]
    met = seen[pairs, np.where(down, rows, 0)[:, :, None], np.where(across, columns, 0)[:, None, :]]
    both = met & expected & down[:, :, None] & across[:, None, :]
    cells = [size.prod(axis=1) / (ROWS * COLUMNS) for size in sizes]
    areas = [grids.sum(axis=(1, 2)) * cell for grids, cell in zip((expected, seen), cells, strict=True)]
    shared = both.sum(axis=(1, 2)) * cells[0]
    known = (areas[0] > 0) & (areas[1] > 0)
    return np.where(known, shared / np.maximum(areas[0] + areas[1] - shared, 1e-9), np.nan)
