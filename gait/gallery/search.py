"""One model's templates in memory, searched exactly, and brought up to date when the gallery's epoch moves.

The vectors are one matrix that FAISS searches where it lies; batches are cut into blocks of matrix products,
which on our machines beat its own loop. After a change only those it was about are read again.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from typing import Final, Protocol

import faiss
import msgspec
import numpy as np
from numpy.typing import NDArray

from gait.gallery.index import SPREAD, GalleryIndex
from gait.gallery.matrix import TemplateMatrix
from gait.gallery.reader import GalleryReader
from stream.errors import GalleryError, MessageError

Vectors = NDArray[np.float32]
Rows = NDArray[np.int64]

CHUNK: Final = 2_048
"""Templates read at a time: 4 MB of 512 numbers each."""
BLOCK: Final = 8_192
"""Templates a matrix product: 16 MB of 512 numbers, about what a core's share of the cache holds."""
UNREAD: Final = -1
WHOLE: Final = 4_096
"""Templates up to which a decision looks at everybody: 8 MB of 512 numbers, a millisecond."""
NEAREST: Final = 256
"""Templates a vector beyond that: those further away have odds that no calibration tells from none."""
BATCH: Final = 8
"""Queries from which on blocks of products are quicker than FAISS's loop over the templates."""


def check_model(gallery: GalleryReader, model: str) -> None:
    """Raises GalleryError where the gallery has templates, but all of other models."""
    kept = gallery.models()
    if kept and model not in kept:
        what = f"its templates are of model {', '.join(digest[:12] for digest in kept)}"
        fix = "Run the model that made them, or make them anew with `gallery re-embed` or `enrol`"
        raise GalleryError(what, where=f"gallery {gallery.path}", wanted=f"model {model[:12]}", fix=fix)


class Found(msgspec.Struct, frozen=True):
    """The people nearest to one vector, best first, each once, and their best template's score."""

    people: tuple[str, ...]
    scores: tuple[float, ...]


class PeopleIndex(Protocol):
    """What the decision asks of an index, whatever searches behind it."""

    @property
    def epoch(self) -> int:
        """The gallery's epoch that it is as of."""
        ...

    @property
    def size(self) -> int:
        """How many people can be found."""
        ...

    @property
    def templates(self) -> int:
        """By how many templates."""
        ...

    def refresh(self) -> bool:
        """Take in what has changed since; whether anything had."""
        ...

    def view(self, vectors: Vectors, keep: Collection[str] = ()) -> GalleryIndex:
        """Those who come into question for these vectors (Q, D), and whoever of ``keep`` is still there."""
        ...


class TemplateIndex:
    """The people who have a template of ``model``, by id, as of ``epoch``."""

    def __init__(self, gallery: GalleryReader, model: str, dimension: int) -> None:
        """Read the gallery; templates of other models stay out."""
        self._gallery, self.model, self.dimension = gallery, model, dimension
        self.epoch = UNREAD
        self._names: dict[str, str] = {}
        self._whole: GalleryIndex | None = None
        self._read_all()

    def _read_all(self) -> None:
        self.epoch = self._gallery.epoch
        count = self._gallery.models().get(self.model, 0)
        self._matrix = TemplateMatrix(self.dimension, room=count)
        self._names.clear()
        self._whole = None
        self._add(None)

    def _add(self, person: str | None) -> None:
        """Read everybody's templates, or one person's."""
        owners: list[str] = []
        blobs: list[bytes] = []
        for row, blob in self._gallery.stored_vectors(self.model, person):
            if len(blob) != 4 * self.dimension:
                what = f"template {row.template} has {len(blob) // 4} numbers"
                raise GalleryError(
                    what, where=f"gallery {self._gallery.path}", wanted=f"{self.dimension}, as this model's"
                )
            owners.append(row.person)
            blobs.append(blob)
            if len(owners) == CHUNK:
                self._matrix.append(owners, b"".join(blobs))
                owners, blobs = [], []
        self._matrix.append(owners, b"".join(blobs))

    def refresh(self) -> bool:
        """Take in what has changed since; whether anything had."""
        epoch = self._gallery.epoch
        if epoch == self.epoch:
            return False
        touched = self._gallery.touched_since(self.epoch)
        if touched is None or len(touched) > max(CHUNK, len(self._matrix) // 8):
            self._read_all()
            return True
        self._whole = None
        self._matrix.remove(touched)
        for person in touched:
            self._names.pop(person, None)
            self._add(person)
        self.epoch = epoch
        return True

    @property
    def people(self) -> tuple[str, ...]:
        """Everybody who can be found, by id."""
        return self._matrix.people

    @property
    def size(self) -> int:
        """How many people can be found."""
        return len(self._matrix.people)

    @property
    def templates(self) -> int:
        """By how many templates."""
        return len(self._matrix)

    def __len__(self) -> int:
        """How many templates there are."""
        return len(self._matrix)

    def name(self, person: str) -> str:
        """What somebody is called."""
        if person not in self._names:
            self._names[person] = self._gallery.name_of(person) or person
        return self._names[person]

    def search(self, vectors: Vectors, count: int) -> list[Found]:
        """The people of the ``count`` templates nearest to each vector (Q, D), as the gallery is now."""
        self.refresh()
        queries = self._checked(vectors)
        owners = self._matrix.owners
        if not owners:
            return [Found((), ())] * len(queries)
        scores, rows = _nearest(queries, self._matrix.vectors, min(count, len(owners)))
        return [_found(owners, *best) for best in zip(rows.tolist(), scores.tolist(), strict=True)]

    def scores(self, vectors: Vectors) -> Vectors:
        """(Q, people): the inner product of each vector (Q, D) with each person's nearest template."""
        queries = self._checked(vectors)
        return self._matrix.best(queries, self._matrix.people)

    def view(self, vectors: Vectors, keep: Collection[str] = ()) -> GalleryIndex:
        """Those who come into question for these vectors (Q, D), and whoever of ``keep`` is still there.

        Everybody in a gallery of up to ``WHOLE`` templates; in a larger one the owners of the ``NEAREST``
        templates of each vector, and of ``SPREAD`` others. As of the index's epoch.
        """
        if len(self._matrix) <= WHOLE:
            if self._whole is None:
                self._whole = self._view_of(self.people)
            return self._whole
        _, rows = _nearest(self._checked(vectors), self._matrix.vectors, NEAREST)
        kept = self._matrix.there(keep)
        anyone = set(self._matrix.owners[:: len(self._matrix) // SPREAD])
        people = tuple(sorted({*self._matrix.owners_of(rows), *kept, *anyone}))
        return self._view_of(people, places(people, anyone))

    def _view_of(self, people: tuple[str, ...], anyone: Rows | None = None) -> GalleryIndex:
        matrix, firsts = self._matrix.side_by_side(people)
        names = tuple(self.name(person) for person in people)
        turned = self._gallery.vault.turned
        return GalleryIndex(
            self.model, self.epoch, people, names, matrix, firsts, len(self.people), turned, anyone
        )

    def _checked(self, vectors: Vectors) -> Vectors:
        """The vectors as the index holds them; raises MessageError for what cannot be looked up."""
        return self._gallery.vault.turned(checked_queries(vectors, self.dimension))


def places(people: Sequence[str], wanted: Collection[str]) -> Rows:
    """Where those ``wanted`` stand among ``people``."""
    return np.flatnonzero([person in wanted for person in people])


def checked_queries(vectors: Vectors, dimension: int) -> Vectors:
    """The vectors (Q, D), contiguous.

    Raises MessageError for another dimension and for NaN, which would match nobody quietly.
    """
    if vectors.ndim != 2 or vectors.shape[1] != dimension:
        what = f"vectors of shape {vectors.shape} cannot be looked up"
        raise MessageError(what, wanted=f"(n, {dimension})")
    flat = vectors.ravel()
    if not math.isfinite(np.dot(flat, flat)):
        raise MessageError("a vector to look up holds NaN or infinity", wanted="finite numbers")
    return np.ascontiguousarray(vectors, dtype=np.float32)


def _found(owners: Sequence[str], rows: Iterable[int], scores: Iterable[float]) -> Found:
    """Each person once, with their best score; the scores come best first."""
    best: dict[str, float] = {}
    for row, score in zip(rows, scores, strict=True):
        best.setdefault(owners[row], score)
    return Found(tuple(best), tuple(best.values()))


def _nearest(queries: Vectors, vectors: Vectors, count: int) -> tuple[Vectors, Rows]:
    """Scores and rows (Q, count) of the nearest vectors (n, D) to each query (Q, D), best first; exact."""
    if len(queries) < BATCH or len(vectors) <= BLOCK:
        scores, rows = faiss.knn(queries, vectors, count, metric=faiss.METRIC_INNER_PRODUCT)
        return scores, rows
    best: list[Vectors] = []
    where: list[Rows] = []
    for first in range(0, len(vectors), BLOCK):
        products = queries @ vectors[first : first + BLOCK].T
        kept = min(count, products.shape[1])
        columns = np.argpartition(products, -kept, axis=1)[:, -kept:]
        best.append(np.take_along_axis(products, columns, axis=1))
        where.append(columns + first)
    scores, rows = np.concatenate(best, axis=1), np.concatenate(where, axis=1)
    order = np.lexsort((rows, -scores), axis=1)[:, :count]
    return np.take_along_axis(scores, order, axis=1), np.take_along_axis(rows, order, axis=1)
