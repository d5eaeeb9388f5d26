"""Labelled tracks: whose they are, on which visit, and the scores that they give each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from calibration.scores import LabelledScores
from gait.identify import Pool
from stream.errors import FOREIGN_ARRAYS, ConfigError
from stream.messages import Embedding

Vectors = NDArray[np.float32]
COLUMNS: Final = ("vectors", "people", "visits", "samples")


@dataclass(frozen=True)
class LabelledTracks:
    """Pooled unit vectors (n, D) of ``model``; ``people`` (n,) and ``visits`` (n,) are names.

    Tracks of one visit share clothes, light and the moment; a person's own score is one between visits.
    """

    model: str
    vectors: Vectors
    people: NDArray[np.str_]
    visits: NDArray[np.str_]
    samples: NDArray[np.float64]

    def __post_init__(self) -> None:
        lengths = {len(column) for column in (self.vectors, self.people, self.visits, self.samples)}
        if len(lengths) != 1 or self.vectors.ndim != 2 or not len(self.vectors):
            raise ConfigError(
                "labelled tracks of unequal columns", wanted=f"{', '.join(COLUMNS)} of one length"
            )
        good = (
            np.isfinite(self.vectors).all() and np.isfinite(self.samples).all() and (self.samples > 0).all()
        )
        if not good or not np.allclose(np.linalg.norm(self.vectors, axis=1), 1.0, atol=1e-2):
            raise ConfigError("labelled tracks hold NaN, no samples, or vectors that are not of unit length")

    def of(self, chosen: NDArray[np.bool_]) -> LabelledTracks:
        """Some of the tracks."""
        return LabelledTracks(
            *(
                self.model,
                self.vectors[chosen],
                self.people[chosen],
                self.visits[chosen],
                self.samples[chosen],
            )
        )

    def scores(self) -> LabelledScores:
        """Every track against every person as enrolled from their other visits: the best of their tracks."""
        names, owner = np.unique(self.people, return_inverse=True)
        order = np.argsort(owner, kind="stable")
        firsts = np.searchsorted(owner[order], np.arange(len(names)))
        products = self.vectors @ self.vectors.T
        together = (owner[:, None] == owner[None]) & (self.visits[:, None] == self.visits[None])
        products[together] = -np.inf
        best = np.maximum.reduceat(products[:, order], firsts, axis=1)
        known = np.isfinite(best)
        probes, who = np.nonzero(known)
        return LabelledScores(
            best[known].astype(np.float64), owner[probes] == who, self.samples[probes], owner[probes]
        )


def pooled(
    model: str, tracks: Sequence[tuple[str, str, Sequence[Embedding]]], half_life_s: float
) -> LabelledTracks:
    """Labelled tracks of (person, visit, embeddings), pooled as the running decision pools them."""
    vectors, samples = [], []
    for _, _, embeddings in tracks:
        pool = Pool(half_life_s)
        for embedding in embeddings:
            pool.add(embedding)
        vectors.append(pool.vector())
        samples.append(pool.samples)
    if not vectors:
        raise ConfigError("no labelled track gave an embedding", wanted="people who walk in full view")
    people, visits = (np.array([track[side] for track in tracks]) for side in (0, 1))
    return LabelledTracks(model, np.stack(vectors), people, visits, np.array(samples))


def read_tracks(path: Path) -> LabelledTracks:
    """Labelled tracks of an .npz file; raises ConfigError for anything else."""
    where = f"tracks {path}"
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            return LabelledTracks(
                *(str(file["model"]), file["vectors"].astype(np.float32), file["people"].astype(np.str_)),
                *(file["visits"].astype(np.str_), file["samples"].astype(np.float64)),
            )
    except OSError as error:
        raise ConfigError(f"cannot be read ({error.strerror or error})", where=where) from error
    except FOREIGN_ARRAYS as error:
        wanted = f"{', '.join(COLUMNS)} and model"
        raise ConfigError(f"holds no labelled tracks ({error})", where=where, wanted=wanted) from error
