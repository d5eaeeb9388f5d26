"""Gallery searches as Hypothesis draws them: ties, one sample, no mate, all the same."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray


@dataclass(frozen=True)
class Case:
    """Distances (N, M) on a coarse grid, so that ties are common, and who is who."""

    distance: NDArray[np.float32]
    probes: NDArray[np.int64]
    gallery: NDArray[np.int64]
    allowed: NDArray[np.bool_]


@st.composite
def cases(draw: st.DrawFn, max_size: int = 12) -> Case:
    rows, columns = draw(st.integers(1, max_size)), draw(st.integers(1, max_size))
    people = draw(st.integers(1, 5))
    levels = draw(st.sampled_from([1, 2, 5, 1000]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return Case(
        (rng.integers(0, levels, (rows, columns)) / 8).astype(np.float32),
        rng.integers(0, people, rows),
        rng.integers(0, people, columns),
        rng.random((rows, columns)) < draw(st.sampled_from([0.6, 1.0])),
    )


@st.composite
def pairs(draw: st.DrawFn) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Distances of pairs and which are genuine; at least one of each kind."""
    size = draw(st.integers(2, 60))
    levels = draw(st.sampled_from([1, 2, 6, 10_000]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    genuine = rng.random(size) < draw(st.sampled_from([0.1, 0.5, 0.9]))
    genuine[0], genuine[1] = True, False
    return (rng.integers(0, levels, size) / 16).astype(np.float32), genuine
