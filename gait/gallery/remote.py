"""The same search on Qdrant, for galleries beyond one machine: ``gallery.index: qdrant:http://host:6333``.

SQLite stays the record; Qdrant holds vectors and people's ids, no names, and is brought up to date change by
change, or filled anew where it has missed some. Search is exact there too. Whoever runs the server sees the
vectors: rotate them (``gallery.cancelable``), since encryption at rest ends at the database.
"""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Collection, Iterator, Sequence
from itertools import islice
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gait.gallery.index import SPREAD, GalleryIndex
from gait.gallery.reader import GalleryReader
from gait.gallery.search import (
    NEAREST,
    UNREAD,
    Found,
    PeopleIndex,
    TemplateIndex,
    checked_queries,
    places,
)
from gait.gallery.store import Gallery
from stream.errors import GalleryError, ResourceError

Vectors = NDArray[np.float32]
QDRANT: Final = "qdrant:"
BATCH: Final = 1_000
"""Points a request: two megabytes of 512 numbers each."""
TIMEOUT_S: Final = 30


class RemoteIndex:
    """The people who have a template of ``model``, as of ``epoch``, in a Qdrant collection of their own."""

    def __init__(self, gallery: GalleryReader, model: str, dimension: int, address: str) -> None:
        """Connect to ``address`` (a URL, or ``:memory:`` for tests); fill what is missing there.

        Raises ResourceError where the client is not installed or nobody answers.
        """
        self._gallery, self.model, self.dimension, self._address = gallery, model, dimension, address
        self._qdrant = _package()
        tag = gallery.vault.digest(f"collection {model}").hex()[:16]  # galleries share a server, not points
        self._points, self._state = f"gaitway_{tag}", f"gaitway_{tag}_state"
        self._names: dict[str, str] = {}
        self._counted: tuple[int, tuple[int, int]] = (-2, (0, 0))  # epoch, sizes
        self._spread: tuple[int, frozenset[str]] = (-2, frozenset())  # epoch, people
        with self._one_line():
            place = {"location": address} if address == ":memory:" else {"url": address, "timeout": TIMEOUT_S}
            self._client: Any = self._qdrant.QdrantClient(**place)
            self.epoch = self._kept_epoch()
        if not self._follow():
            self._fill()

    @property
    def size(self) -> int:
        """How many people can be found."""
        return self._sizes()[0]

    @property
    def templates(self) -> int:
        """By how many templates."""
        return self._sizes()[1]

    def _sizes(self) -> tuple[int, int]:
        """People and templates; counted once an epoch."""
        if self._counted[0] != self.epoch:
            templates = self._gallery.models().get(self.model, 0)
            self._counted = (self.epoch, (self._gallery.people_with(self.model), templates))
        return self._counted[1]

    def name(self, person: str) -> str:
        """What somebody is called."""
        if person not in self._names:
            self._names[person] = self._gallery.name_of(person) or person
        return self._names[person]

    def refresh(self) -> bool:
        """Take in what has changed since; whether anything had."""
        if self._gallery.epoch == self.epoch:
            return False
        if not self._follow():
            self._fill()
        return True

    def search(self, vectors: Vectors, count: int) -> list[Found]:
        """The people of the ``count`` templates nearest to each vector (Q, D), as the gallery is now."""
        self.refresh()
        return [Found(tuple(best), tuple(best.values())) for best in self._nearest(vectors, count)]

    def view(self, vectors: Vectors, keep: Collection[str] = ()) -> GalleryIndex:
        """Those who come into question for these vectors (Q, D), and whoever of ``keep`` is still there."""
        anyone = self._anyone()
        asked = {person for best in self._nearest(vectors, NEAREST) for person in best} | {*keep, *anyone}
        people: list[str] = []
        rows: list[Vectors] = []
        for person in sorted(asked):
            theirs = [self._vector(blob) for _, blob in self._gallery.stored_vectors(self.model, person)]
            if theirs:
                people.append(person)
                rows.append(np.stack(theirs))
        matrix = np.concatenate(rows) if rows else np.zeros((0, self.dimension), np.float32)
        firsts = np.cumsum([0, *(len(theirs) for theirs in rows)])[:-1].astype(np.intp)
        names = tuple(self.name(person) for person in people)
        turned = self._gallery.vault.turned
        return GalleryIndex(
            self.model,
            self.epoch,
            tuple(people),
            names,
            matrix,
            firsts,
            self.size,
            turned,
            places(people, anyone),
        )

    def _anyone(self) -> frozenset[str]:
        """People who are looked at whomever they look like; chosen once an epoch."""
        if self._spread[0] != self.epoch:
            self._spread = (self.epoch, self._gallery.spread(self.model, SPREAD))
        return self._spread[1]

    def _nearest(self, vectors: Vectors, count: int) -> list[dict[str, float]]:
        """Each vector's nearest people, best first, with their best scores."""
        queries = self._gallery.vault.turned(checked_queries(vectors, self.dimension))
        models = self._qdrant.models
        asked = [
            models.QueryRequest(
                query=query, limit=count, with_payload=True, params=models.SearchParams(exact=True)
            )
            for query in queries.tolist()
        ]
        with self._one_line():
            answers = self._client.query_batch_points(self._points, requests=asked)
        found: list[dict[str, float]] = []
        for answer in answers:
            best: dict[str, float] = {}
            for point in answer.points:
                best.setdefault(point.payload["person"], float(point.score))
            found.append(best)
        return found

    def _follow(self) -> bool:
        """Bring the points up to the gallery's epoch; False where what changed is no longer known."""
        epoch = self._gallery.epoch
        touched = self._gallery.touched_since(self.epoch)
        if touched is None:
            return False
        models = self._qdrant.models
        with self._one_line():
            for person in touched:
                theirs = models.FieldCondition(key="person", match=models.MatchValue(value=person))
                chosen = models.FilterSelector(filter=models.Filter(must=[theirs]))
                self._client.delete(self._points, points_selector=chosen, wait=True)
                self._names.pop(person, None)
                self._upload(person)
        self._keep_epoch(epoch)
        return True

    def _fill(self) -> None:
        """Everything anew; the epoch is kept last, so that a fill that was cut short is done again."""
        epoch = self._gallery.epoch
        models = self._qdrant.models
        with self._one_line():
            for name, size in ((self._state, 1), (self._points, self.dimension)):
                if self._client.collection_exists(name):
                    self._client.delete_collection(name)
                how = models.VectorParams(size=size, distance=models.Distance.DOT)
                self._client.create_collection(name, vectors_config=how)
            self._upload(None)
        self._names.clear()
        self._keep_epoch(epoch)

    def _upload(self, person: str | None) -> None:
        points = self._point_rows(person)
        while batch := list(islice(points, BATCH)):
            self._client.upsert(self._points, points=batch, wait=True)

    def _point_rows(self, person: str | None) -> Iterator[Any]:
        for row, blob in self._gallery.stored_vectors(self.model, person):
            vector = self._vector(blob).tolist()
            yield self._qdrant.models.PointStruct(
                id=row.template, vector=vector, payload={"person": row.person}
            )

    def _vector(self, blob: bytes) -> Vectors:
        if len(blob) != 4 * self.dimension:
            what = f"a template has {len(blob) // 4} numbers"
            raise GalleryError(what, where=f"gallery {self._gallery.path}", wanted=str(self.dimension))
        return np.frombuffer(blob, "<f4").astype(np.float32)

    def _kept_epoch(self) -> int:
        """The epoch that the points are of; ``UNREAD`` where there are none, or not all."""
        if not self._client.collection_exists(self._state):
            return UNREAD
        kept: Sequence[Any] = self._client.retrieve(self._state, ids=[1], with_payload=True)
        return int(kept[0].payload["epoch"]) if kept else UNREAD

    def _keep_epoch(self, epoch: int) -> None:
        point = self._qdrant.models.PointStruct(id=1, vector=[1.0], payload={"epoch": epoch})
        with self._one_line():
            self._client.upsert(self._state, points=[point], wait=True)
        self.epoch = epoch

    @contextlib.contextmanager
    def _one_line(self) -> Iterator[None]:
        """Turn what the client raises into one line that names the server."""
        http = importlib.import_module("httpx")
        known = importlib.import_module("qdrant_client.http.exceptions")
        try:
            yield
        except (http.HTTPError, known.ApiException, OSError) as error:
            what = f"does not answer as it should ({str(error)[:200] or type(error).__name__})"
            fix = "Start it, correct gallery.index, or leave that empty to search in memory"
            raise ResourceError(what, where=f"Qdrant at {self._address}", fix=fix) from error


def index_of(gallery: Gallery, model: str, dimension: int) -> PeopleIndex:
    """What searches this gallery: memory, or the server that it was opened with."""
    if gallery.index:
        return RemoteIndex(gallery, model, dimension, gallery.index.removeprefix(QDRANT))
    return TemplateIndex(gallery, model, dimension)


def _package() -> Any:
    try:
        return importlib.import_module("qdrant_client")
    except ModuleNotFoundError as error:
        fix = "pip install -c constraints.txt -e '.[qdrant]', or leave gallery.index empty"
        raise ResourceError("gallery.index: qdrant needs the package qdrant-client", fix=fix) from error
