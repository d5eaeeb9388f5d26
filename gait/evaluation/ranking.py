"""What one search of the gallery gave, per probe, and the figures made of it: CMC, mAP, mINP.

Ties never flatter: a stranger at a mate's distance stands before the mate. Average precision treats equal
distances as one threshold, as its definition over thresholds does. A probe without a mate in the gallery
cannot be ranked; it is left out of these figures and counted.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Searches:
    """One entry per probe.

    ``people`` who the probe is (a code); ``rank`` of the first mate among the gallery's entries, 0 without a
    mate; ``precision`` (average) and ``penalty`` (inverse negative penalty), NaN without a mate; ``mate`` and
    ``other``: distance of the nearest mate and of the nearest other person, infinite without one; ``place``
    of the mate among people, 0 without a mate.
    """

    people: NDArray[np.int64]
    rank: NDArray[np.int64]
    precision: Floats
    penalty: Floats
    mate: Floats
    other: Floats
    place: NDArray[np.int64]

    @property
    def mated(self) -> NDArray[np.bool_]:
        """Which probes have a mate in the gallery."""
        return self.rank > 0


def search(
    block: NDArray[np.float32],
    probe_people: NDArray[np.int64],
    gallery_people: NDArray[np.int64],
    allowed: NDArray[np.bool_] | None = None,
) -> Searches:
    """Rank the gallery for each row of ``block`` (rows, M); pairs not ``allowed`` do not exist."""
    values = np.asarray(block, np.float64)
    if allowed is not None:
        values = np.where(allowed, values, np.inf)
    same = (probe_people[:, None] == gallery_people) & np.isfinite(values)
    ordered = np.sort(values, axis=1)
    found = [
        _listed(row, np.sort(line[mates])) for row, line, mates in zip(ordered, values, same, strict=True)
    ]
    rank, precision, penalty = (
        (np.array(column) for column in zip(*found, strict=True)) if found else ([],) * 3
    )
    mate, other, place = _among_people(values, probe_people, gallery_people)
    return Searches(
        people=np.asarray(probe_people, np.int64),
        rank=np.asarray(rank, np.int64),
        precision=np.asarray(precision, np.float64),
        penalty=np.asarray(penalty, np.float64),
        mate=mate,
        other=other,
        place=place,
    )


def join(parts: list[Searches]) -> Searches:
    """Several blocks' searches as one."""
    columns: dict[str, Any] = {
        field.name: np.concatenate([getattr(part, field.name) for part in parts])
        for field in fields(Searches)
    }
    return Searches(**columns)


def cmc(rank: NDArray[np.int64], length: int) -> Floats:
    """Share of ranked probes whose mate is among the first 1..``length``; NaN where none is ranked."""
    ranked = rank[rank > 0]
    if not ranked.size:
        return np.full(length, np.nan)
    counts = np.bincount(np.minimum(ranked, length + 1), minlength=length + 2)
    return np.asarray(np.cumsum(counts[1 : length + 1]) / ranked.size)


def _listed(row: Floats, mates: Floats) -> tuple[int, float, float]:
    """(rank of the first mate, average precision, inverse negative penalty) of one sorted row."""
    if not mates.size:
        return 0, np.nan, np.nan
    before = np.searchsorted(row, mates, side="right")
    hits = np.searchsorted(mates, mates, side="right")
    first_tied = int(np.searchsorted(mates, mates[0], side="right"))
    rank = int(before[0]) - first_tied + 1
    return rank, float(np.mean(hits / before)), mates.size / float(before[-1])


def _among_people(
    values: Floats, probe_people: NDArray[np.int64], gallery_people: NDArray[np.int64]
) -> tuple[Floats, Floats, NDArray[np.int64]]:
    """Each person of the gallery by their nearest entry: the mate's distance, the best other's, the place."""
    if not values.shape[1]:
        nothing = np.full(len(values), np.inf)
        return nothing, nothing.copy(), np.zeros(len(values), np.int64)
    order = np.argsort(gallery_people, kind="stable")
    people, starts = np.unique(gallery_people[order], return_index=True)
    nearest = np.minimum.reduceat(values[:, order], starts, axis=1)
    own = people == probe_people[:, None]
    mate = np.where(own, nearest, np.inf).min(axis=1)
    others = np.where(own, np.inf, nearest)
    place = np.where(np.isfinite(mate), 1 + (others <= mate[:, None]).sum(axis=1), 0)
    return mate, others.min(axis=1), place.astype(np.int64)
