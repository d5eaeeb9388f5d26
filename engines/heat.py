"""Landmarks placed by their heat maps: the centre of what is warm around where the net puts them.

The kernel, the least heat and that a cell stands for its low edge, not its middle, are those that BlazePose's
nets are published with (mediapipe's RefineLandmarksFromHeatmap); with the middle, rendered joints lie half a
cell off.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from engines.regions import Floats

REACH: Final = 3
"""Cells to each side of the landmark's own that are weighed."""
WARM: Final = 0.5
"""The heat that one of them must reach for the map to be believed."""
AROUND: Final = np.arange(-REACH, REACH + 1)


def refined(points: NDArray[Any], heat: NDArray[np.float32]) -> Floats:
    """Points (N, 2), shares of the picture's side, moved by ``heat`` (rows, columns, N), logits.

    A point outside the picture, or on a map that is nowhere warm around it, stays.
    """
    rows, columns, count = heat.shape
    sides = np.array([columns, rows])
    inside = np.all((points >= 0.0) & (points < 1.0), axis=1)
    own = (np.where(inside[:, None], points, 0.0) * sides).astype(np.intp)
    x, y = own[:, 0, None, None] + AROUND[None, None, :], own[:, 1, None, None] + AROUND[None, :, None]
    on_map = (x >= 0) & (x < columns) & (y >= 0) & (y < rows)
    logits = heat[y.clip(0, rows - 1), x.clip(0, columns - 1), np.arange(count)[:, None, None]]
    weight = np.where(on_map, 1.0 / (1.0 + np.exp(-np.clip(logits, -60.0, 60.0))), 0.0)
    warm = inside & (weight.max(axis=(1, 2)) >= WARM)
    whole = np.where(warm, weight.sum(axis=(1, 2)), 1.0)
    centre = np.stack([(weight * x).sum(axis=(1, 2)), (weight * y).sum(axis=(1, 2))], axis=1)
    moved = centre / whole[:, None] / sides
    return np.where(warm[:, None], moved, points).astype(np.float32)
