"""What is evaluated: something that turns a walk into a vector, perhaps after learning from the gallery."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gait.data.errors import naming
from gait.data.store import Entry
from gait.evaluation.controls import Control
from gait.evaluation.distances import Vectors
from gait.evaluation.trials import Walks
from gait.inputs import Walk
from stream.errors import MessageError

Embedder = Callable[[Walk], NDArray[Any]]
Learn = Callable[[Vectors, Sequence[str]], Callable[[Vectors], Vectors]]
Progress = Callable[[int], None]


@dataclass(frozen=True)
class Subject:
    """An embedder by name.

    ``features`` (walk -> (strips, numbers)) is computed once per walk. A subject with ``learn`` is fitted for
    each gallery on that gallery's features and people alone, and maps features to vectors.
    """

    name: str
    features: Embedder
    learn: Learn | None = None


@dataclass(frozen=True)
class Taught:
    """An embedder that is made anew for each gallery, from that gallery's walks alone; see ``Subject``."""

    name: str
    teach: Callable[[Sequence[Entry]], Embedder]
    learn: Learn | None = None


def embed(
    walks: Walks,
    entries: Iterable[Entry],
    embedder: Embedder,
    control: Control,
    done: Progress = lambda _: None,
) -> Vectors:
    """(N, strips, numbers), one walk in memory at a time; raises MessageError naming an entry that fails."""
    found: list[NDArray[np.float32]] = []
    for entry in entries:
        with naming(entry):
            vector = np.asarray(embedder(control(walks.read(entry))), np.float32)
        where = str(entry)
        if vector.ndim != 2 or (found and vector.shape != found[0].shape):
            raise MessageError(
                f"an embedding of shape {vector.shape}",
                where=where,
                wanted="(strips, numbers), alike for all",
            )
        if not np.isfinite(vector).all():
            raise MessageError("its embedding is not finite", where=where, wanted="finite numbers")
        found.append(vector)
        done(1)
    return np.stack(found) if found else np.zeros((0, 1, 1), np.float32)
