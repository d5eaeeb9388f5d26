"""One trial's searches and pairs, a block of distances at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gait.data.store import Entry
from gait.evaluation import ranking, verification
from gait.evaluation.distances import Distances, Metric, Vectors, blocks, distances
from gait.evaluation.ranking import Searches
from gait.evaluation.trials import Indices, Trial
from gait.evaluation.verification import Counts, PeopleCounts

# So many probes of a group show where its distances lie, before they are all counted in bins.
SAMPLE_ROWS: Final = 96


@dataclass(frozen=True)
class Embedded:
    """All entries, who they are (codes into ``names``), and what an embedder said: ``vectors`` (N, P, C)."""

    entries: Sequence[Entry]
    names: tuple[str, ...]
    people: NDArray[np.int64]
    vectors: Vectors

    @staticmethod
    def of(entries: Sequence[Entry], vectors: Vectors) -> Embedded:
        """Codes in the order of the sorted names."""
        names, codes = np.unique([entry.person for entry in entries], return_inverse=True)
        return Embedded(entries, tuple(str(name) for name in names), codes.astype(np.int64), vectors)


@dataclass(frozen=True)
class Block:
    """Some probes' distances to the whole gallery, whose each is, and which pairs count (None: all)."""

    distance: Distances
    probes: NDArray[np.int64]
    gallery: NDArray[np.int64]
    allowed: NDArray[np.bool_] | None


@dataclass(frozen=True)
class Pairs:
    """All pairs of a group: ``exact`` where they are few enough, else the sum of the bins."""

    exact: Counts
    per_person: PeopleCounts


def trial_blocks(embedded: Embedded, trial: Trial, metric: Metric) -> Iterator[Block]:
    """The trial's distances; of whole walks where its entries are pieces of them."""
    if trial.joined:
        yield joined_block(embedded, trial, metric)
        return
    gallery = embedded.vectors[trial.gallery]
    for rows, distance in blocks(embedded.vectors[trial.probes], gallery, metric):
        probes = trial.probes[rows]
        yield Block(
            distance,
            embedded.people[probes],
            embedded.people[trial.gallery],
            _allowed(embedded, trial, probes),
        )


def joined_block(embedded: Embedded, trial: Trial, metric: Metric) -> Block:
    """Walks against walks: the mean over the pieces of one of the nearest piece of the other, both ways.

    As in Lu et al., "MPCA", 2008: a walk is the pieces that share person, condition and view.
    """
    matrix = distances(embedded.vectors[trial.probes], embedded.vectors[trial.gallery], metric)
    rows, columns = _walks(embedded, trial.probes), _walks(embedded, trial.gallery)
    out = np.empty((len(rows), len(columns)), np.float32)
    for i, probe in enumerate(rows):
        for j, gallery in enumerate(columns):
            part = matrix[np.ix_(probe, gallery)]
            out[i, j] = (part.min(axis=1).mean() + part.min(axis=0).mean()) / 2
    probes = embedded.people[trial.probes[[walk[0] for walk in rows]]]
    return Block(out, probes, embedded.people[trial.gallery[[walk[0] for walk in columns]]], None)


def search_all(tried: Sequence[tuple[Embedded, Trial]], metric: Metric) -> tuple[list[Searches], Pairs]:
    """Each trial's searches, and the pairs of all of them together; all are of the same people."""
    counter = _counter(tried, metric)
    found = []
    for embedded, trial in tried:
        parts = []
        for block in trial_blocks(embedded, trial, metric):
            parts.append(ranking.search(block.distance, block.probes, block.gallery, block.allowed))
            counter.add(block)
        found.append(ranking.join(parts))
    return found, counter.finish()


def nearest(embedded: Embedded, trial: Trial, probe: int, metric: Metric) -> tuple[Indices, Distances]:
    """The gallery's entries from near to far for one probe (an index), without pairs that do not count."""
    one = np.array([probe], np.int64)
    row = distances(embedded.vectors[one], embedded.vectors[trial.gallery], metric)[0]
    allowed = _allowed(embedded, trial, one)
    order = np.argsort(row, kind="stable")
    if allowed is not None:
        order = order[allowed[0][order]]
    return trial.gallery[order], row[order]


class _Exact:
    """Keeps every pair."""

    def __init__(self, people: int) -> None:
        self._people = people
        self._parts: list[tuple[Distances, NDArray[np.int64], NDArray[np.bool_]]] = []

    def add(self, block: Block) -> None:
        self._parts.append(_flat(block))

    def finish(self) -> Pairs:
        distance, people, genuine = (np.concatenate(column) for column in zip(*self._parts, strict=True))
        counts = PeopleCounts.empty(self._people, verification.bin_edges(distance, genuine, self._people))
        if distance.size:
            counts.add(distance, people, genuine)
        return Pairs(verification.exact_counts(distance, genuine), counts)


class _Binned:
    """Counts pairs in bins laid by a sample of them."""

    def __init__(self, people: int, sample: Sequence[Block]) -> None:
        distance, _, genuine = (
            np.concatenate(column) for column in zip(*(_flat(b) for b in sample), strict=True)
        )
        self._counts = PeopleCounts.empty(people, verification.bin_edges(distance, genuine, people))

    def add(self, block: Block) -> None:
        self._counts.add(*_flat(block))

    def finish(self) -> Pairs:
        return Pairs(self._counts.total(), self._counts)


def _counter(tried: Sequence[tuple[Embedded, Trial]], metric: Metric) -> _Exact | _Binned:
    people = len(tried[0][0].names)
    pairs = sum(trial.probes.size * trial.gallery.size for _, trial in tried)
    if pairs <= verification.EXACT_PAIRS or any(trial.joined for _, trial in tried):
        return _Exact(people)
    some = tried[:: max(1, len(tried) // 8)]
    sample: list[Block] = []
    for embedded, trial in some:
        step = max(1, trial.probes.size * len(some) // SAMPLE_ROWS)
        thin = Trial(trial.group, trial.probes[::step], trial.gallery, exclude=trial.exclude)
        sample.extend(trial_blocks(embedded, thin, metric))
    return _Binned(people, sample)


def _flat(block: Block) -> tuple[Distances, NDArray[np.int64], NDArray[np.bool_]]:
    """(distance, whose probe, genuine) of every pair that counts."""
    genuine = block.probes[:, None] == block.gallery
    people = np.broadcast_to(block.probes[:, None], genuine.shape)
    if block.allowed is None:
        return block.distance.ravel(), people.ravel(), genuine.ravel()
    return block.distance[block.allowed], people[block.allowed], genuine[block.allowed]


def _allowed(embedded: Embedded, trial: Trial, probes: Indices) -> NDArray[np.bool_] | None:
    """Which pairs count: an entry is never its own mate, and what the trial excludes."""
    refused = probes[:, None] == trial.gallery
    if trial.exclude != "nothing":
        same = embedded.people[probes][:, None] == embedded.people[trial.gallery]
        alike = _equal([embedded.entries[i].view for i in probes], embedded, trial, "view")
        if trial.exclude == "own view and clothes":
            alike |= _equal([embedded.entries[i].condition for i in probes], embedded, trial, "condition")
        refused |= same & alike
    return ~refused if refused.any() else None


def _equal(values: list[str], embedded: Embedded, trial: Trial, field: str) -> NDArray[np.bool_]:
    others = np.array([getattr(embedded.entries[i], field) for i in trial.gallery])
    return np.asarray(np.array(values)[:, None] == others)


def _walks(embedded: Embedded, chosen: Indices) -> list[list[int]]:
    """Positions within ``chosen`` of each walk's pieces, in the order of their first piece."""
    found: dict[tuple[str, str, str], list[int]] = {}
    for place, index in enumerate(chosen):
        entry = embedded.entries[index]
        found.setdefault((entry.person, entry.condition, entry.view), []).append(place)
    return list(found.values())
