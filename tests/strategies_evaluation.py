"""Gallery searches as Hypothesis draws them: ties, one sample, no mate, all the same."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from gait.data.store import Entry, Partition
from gait.inputs import Walk


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


def entries_of(*keys: str) -> tuple[Entry, ...]:
    """Entries written as ``person/condition/view`` or ``person/condition/view/name:role``."""
    found = []
    for key in keys:
        path, _, role = key.partition(":")
        person, condition, view, *name = path.split("/")
        found.append(Entry(person, condition, view, 1, "".join(name), role))
    return tuple(found)


@dataclass(frozen=True)
class MemoryWalks:
    """Walks whose one silhouette says who walks: what a test's embedder makes of it is up to the test."""

    entries: tuple[Entry, ...]
    walks: dict[Entry, Walk]
    partition: Partition = field(default_factory=Partition)

    def read(self, entry: Entry) -> Walk:
        return self.walks[entry]


def walks_of(entries: tuple[Entry, ...], seed: int = 0, noise: float = 20.0) -> MemoryWalks:
    """Every person a random 8 x 4 picture, every walk of theirs four noisy frames of it."""
    rng = np.random.default_rng(seed)
    pictures = {person: rng.uniform(40, 215, (8, 4)) for person in sorted({e.person for e in entries})}
    walks = {
        entry: Walk(
            np.clip(pictures[entry.person] + rng.normal(0, noise, (4, 8, 4)), 0, 255).astype(np.uint8),
            np.zeros((4, 16, 0), np.float32),
        )
        for entry in entries
    }
    return MemoryWalks(entries, walks)
