"""A gallery's walks as training takes them, and nothing else of the data set: no probe can leak in."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

import msgspec
import numpy as np

from gait.data.store import Entry, Frames, Partition
from gait.evaluation.trials import Walks
from gait.inputs import Walk


class GalleryAlone:
    """The given entries in memory, their people all to be trained on; ``gait.training.people.Source``."""

    def __init__(self, walks: Walks, entries: Sequence[Entry]) -> None:
        # Sets read as they are published do not know a sequence's length before it is read.
        read = {entry.key: walks.read(entry) for entry in entries}
        self._walks = read
        self._entries = tuple(
            msgspec.structs.replace(entry, frames=len(read[entry.key].joints_2d)) for entry in entries
        )

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The gallery's, their lengths known."""
        return self._entries

    @property
    def partition(self) -> Partition:
        """Everybody is trained on."""
        return Partition(train=tuple(sorted({entry.person for entry in self._entries})))

    def read(self, entry: Entry, indices: Frames = None) -> Walk:
        """Those frames of a sequence."""
        walk = self._walks[entry.key]
        chosen = slice(None) if indices is None else indices
        return replace(
            walk,
            silhouettes=np.array(walk.silhouettes[chosen]),
            joints_2d=np.array(walk.joints_2d[chosen]),
            joints_3d=None if walk.joints_3d is None else np.array(walk.joints_3d[chosen]),
        )

    def digest(self) -> str:
        """Names this very choice of sequences."""
        lines = "\n".join(f"{entry} {entry.frames}" for entry in self._entries)
        return hashlib.sha256(lines.encode()).hexdigest()
