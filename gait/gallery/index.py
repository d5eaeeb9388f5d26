"""One model's templates as a matrix in memory: exact search, rebuilt when the gallery's epoch moves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gait.gallery.reader import GalleryReader
from stream.errors import GalleryError, MessageError

Vectors = NDArray[np.float32]


def check_model(gallery: GalleryReader, model: str) -> None:
    """Raises GalleryError where the gallery has templates, but all of other models."""
    kept = gallery.models()
    if kept and model not in kept:
        what = f"its templates are of model {', '.join(digest[:12] for digest in kept)}"
        fix = "Enrol its people again with the model that runs, or run the one that made them"
        raise GalleryError(what, where=f"gallery {gallery.path}", wanted=f"model {model[:12]}", fix=fix)


@dataclass(frozen=True)
class GalleryIndex:
    """The people who have a template of ``model``, in the order of their ids, as of ``epoch``.

    ``matrix`` float32 (T, D) holds their templates side by side; person i's begin at row ``firsts[i]``.
    """

    model: str
    epoch: int
    people: tuple[str, ...]
    names: tuple[str, ...]
    matrix: Vectors
    firsts: NDArray[np.intp]

    @classmethod
    def of(cls, gallery: GalleryReader, model: str, dimension: int) -> GalleryIndex:
        """Read the gallery; templates of other models stay out."""
        names = gallery.names()
        owners, vectors = [], []
        for row, vector in gallery.vectors(model):
            owners.append(row.person)  # sorted, so each person's rows are neighbours
            vectors.append(vector)
        people = tuple(dict.fromkeys(owners))
        matrix = np.stack(vectors) if vectors else np.zeros((0, dimension), np.float32)
        firsts = np.unique(np.array(owners, dtype=np.str_), return_index=True)[1].astype(np.intp)
        return cls(model, gallery.epoch, people, tuple(names[p] for p in people), matrix, firsts)

    def scores(self, vectors: Vectors) -> Vectors:
        """(Q, people): the inner product of each vector (Q, D) with each person's nearest template.

        Raises MessageError for vectors of another dimension and for NaN, which would match nobody quietly.
        """
        if vectors.ndim != 2 or vectors.shape[1] != self.matrix.shape[1]:
            what = f"vectors of shape {vectors.shape} cannot be looked up"
            raise MessageError(what, wanted=f"(n, {self.matrix.shape[1]})")
        if not np.isfinite(vectors).all():
            raise MessageError("a vector to look up holds NaN or infinity", wanted="finite numbers")
        if not self.people:
            return np.zeros((len(vectors), 0), np.float32)
        nearest: Vectors = np.maximum.reduceat(vectors @ self.matrix.T, self.firsts, axis=1)
        return nearest
