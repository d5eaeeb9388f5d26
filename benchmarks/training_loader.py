"""How fast training clips are read: our shards against the pickles that other gait programs keep.

Both hold the same generated walks and give the same frames of the same clips; files are in the page cache,
so what is compared is the work and not the disk. The plain unpickler stands for the usual way; ours that
runs no code is measured beside it.
"""

from __future__ import annotations

import pickle  # The peer being measured, on files written here a moment before.
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gait.data.layouts import export_opengait
from gait.data.restricted import load_pickle
from gait.data.source import make_walk
from gait.data.store import DataSet, DataSetWriter, Entry
from gait.sample import sample_walk

# A usual sequence of CASIA-B or Gait3D, and the usual clip.
FRAMES: Final = 100
CLIP: Final = 30
SEQUENCES: Final = 64
ROUNDS: Final = 5
READS: Final = 300

Read = Callable[[Entry, NDArray[np.int64]], NDArray[Any]]


@dataclass(frozen=True)
class LoaderRates:
    """Clips a second of each way, and bytes on disk of a sequence's silhouettes."""

    ours: float
    ours_binary: float
    pickles: float
    restricted: float
    ours_bytes: float
    ours_binary_bytes: float
    pickle_bytes: float

    @property
    def times_faster(self) -> float:
        """Ours against the pickles, of the same grey silhouettes."""
        return self.ours / self.pickles

    def figures(self) -> dict[str, float]:
        """For a bench's result."""
        return {
            "loader_ours_clips_per_s": self.ours,
            "loader_ours_binary_clips_per_s": self.ours_binary,
            "loader_pickles_clips_per_s": self.pickles,
            "loader_restricted_clips_per_s": self.restricted,
            "loader_times_faster_than_pickles": self.times_faster,
            "loader_ours_bytes_per_frame": self.ours_bytes / FRAMES,
            "loader_ours_binary_bytes_per_frame": self.ours_binary_bytes / FRAMES,
            "loader_pickle_bytes_per_frame": self.pickle_bytes / FRAMES,
        }


def loader_rates(folder: Path, sequences: int = SEQUENCES, reads: int = READS) -> LoaderRates:
    """Write generated walks below ``folder`` in every form, then read random clips of each in turn."""
    grey = _written(folder / "grey", sequences, binary=False)
    binary = _written(folder / "binary", sequences, binary=True)
    tree = folder / "tree"
    export_opengait(grey, tree)

    def pickled(entry: Entry, frames: NDArray[np.int64]) -> NDArray[Any]:
        with _pickle_of(tree, entry).open("rb") as file:
            values: NDArray[Any] = pickle.load(file)  # noqa: S301 # the peer, on files of our own
        return values[frames]

    def restricted(entry: Entry, frames: NDArray[np.int64]) -> NDArray[Any]:
        values: NDArray[Any] = load_pickle(_pickle_of(tree, entry))
        return values[frames]

    ways: list[Read] = [
        lambda entry, frames: grey.read(entry, frames).silhouettes,
        lambda entry, frames: binary.read(entry, frames).silhouettes,
        pickled,
        restricted,
    ]
    _check_same(ways[0], pickled, grey)
    ours, ours_binary, pickles, careful = _interleaved(ways, grey.entries, reads)
    pickle_bytes = sum(_pickle_of(tree, entry).stat().st_size for entry in grey.entries) / sequences
    return LoaderRates(
        ours, ours_binary, pickles, careful, _shard_bytes(grey), _shard_bytes(binary), pickle_bytes
    )


def _written(folder: Path, sequences: int, *, binary: bool) -> DataSet:
    with DataSetWriter(folder) as writer:
        for number in range(sequences):
            # Few walkers drawn, many sequences: drawing is slow and does not matter here.
            images = np.roll(sample_walk(number % 4, FRAMES).silhouettes, number, axis=0)
            if binary:
                images = np.where(images > 127, np.uint8(255), np.uint8(0))
            writer.add(Entry(f"{number:03}", "nm-01", "090", FRAMES), make_walk(images))
        writer.finish()
    return DataSet.open(folder)


def _pickle_of(tree: Path, entry: Entry) -> Path:
    return tree / entry.person / entry.condition / entry.view / "0_sil.pkl"


def _check_same(one: Read, other: Read, data: DataSet) -> None:
    frames = np.arange(CLIP)
    for entry in data.entries[:4]:
        assert np.array_equal(one(entry, frames), other(entry, frames)), "both ways give the same frames"


def _interleaved(ways: list[Read], entries: tuple[Entry, ...], reads: int) -> list[float]:
    """Clips a second of each way, the best of rounds in turn: what else runs disturbs all alike."""
    best = [0.0] * len(ways)
    for turn in range(ROUNDS):
        for index, way in enumerate(ways):
            rng = np.random.default_rng(turn)
            draws = [(entries[rng.integers(len(entries))], _clip(rng)) for _ in range(reads)]
            started = time.perf_counter()
            for entry, frames in draws:
                way(entry, frames)
            best[index] = max(best[index], reads / (time.perf_counter() - started))
    return best


def _clip(rng: np.random.Generator) -> NDArray[np.int64]:
    return np.arange(CLIP, dtype=np.int64) + rng.integers(FRAMES - CLIP)


def _shard_bytes(data: DataSet) -> float:
    return sum(path.stat().st_size for path in data.folder.glob("shard-*")) / len(data)
