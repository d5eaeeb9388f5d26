"""Are these two walks of one person? ROC, EER, AUC, TAR at a FAR, accuracy, from pairs of distances.

A pair is accepted at threshold t where its distance is <= t. Distances are counted per distinct value, so
that ties move together, and exactly as long as there are at most ``EXACT_PAIRS`` pairs. Beyond, they are
counted in bins laid denser where it matters (few false accepts); intervals always are, per probe identity.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

EXACT_PAIRS: Final = 8_000_000
# Bins x identities is what the counts of the intervals may hold: 2 x 128 MiB at 4 bytes.
MAX_COUNTS: Final = 2**25
MAX_BINS: Final = 4096
FOLDS: Final = 10


@dataclass(frozen=True)
class Counts:
    """How many ``genuine`` and ``impostor`` pairs lie at each of the rising distances ``values``."""

    values: Floats
    genuine: Floats
    impostor: Floats


@dataclass(frozen=True)
class Roc:
    """Accept rates at rising ``thresholds``; the first point accepts nothing."""

    thresholds: Floats
    far: Floats
    tar: Floats


@dataclass(frozen=True)
class PeopleCounts:
    """``Counts`` in bins, for each of P people: arrays (P, bins) over the bins' upper ``edges``."""

    edges: Floats
    genuine: NDArray[np.int32]
    impostor: NDArray[np.int32]

    @staticmethod
    def empty(people: int, edges: Floats) -> PeopleCounts:
        """No pairs yet."""
        shape = (people, len(edges))
        return PeopleCounts(edges, np.zeros(shape, np.int32), np.zeros(shape, np.int32))

    def add(self, distance: NDArray[Any], people: NDArray[np.int64], genuine: NDArray[np.bool_]) -> None:
        """Count pairs (1-D arrays); a distance beyond the last edge counts in the last bin."""
        bins = np.minimum(np.searchsorted(self.edges, distance), len(self.edges) - 1)
        flat = people * len(self.edges) + bins
        for chosen, counts in ((genuine, self.genuine), (~genuine, self.impostor)):
            found = np.bincount(flat[chosen], minlength=counts.size)
            np.add(counts, found.reshape(counts.shape), out=counts, casting="unsafe")

    def total(self, weights: Floats | None = None) -> Counts:
        """All people's pairs, each person's taken ``weights`` times."""
        each = np.ones(len(self.genuine)) if weights is None else weights
        return Counts(self.edges, each @ self.genuine, each @ self.impostor)

    def totals(self, weights: Floats) -> list[Counts]:
        """``total`` for each row of weights (R, P), some people at a time, so that memory stays bounded."""
        shape = (len(weights), len(self.edges))
        genuine, impostor = np.zeros(shape), np.zeros(shape)
        for start in range(0, len(self.genuine), 256):
            some = slice(start, start + 256)
            genuine += weights[:, some] @ self.genuine[some]
            impostor += weights[:, some] @ self.impostor[some]
        return [Counts(self.edges, *row) for row in zip(genuine, impostor, strict=True)]


def exact_counts(distance: NDArray[Any], genuine: NDArray[np.bool_]) -> Counts:
    """Every distinct distance of the pairs (1-D arrays)."""
    values, place = np.unique(np.asarray(distance, np.float64), return_inverse=True)
    size = len(values)
    return Counts(
        values,
        np.bincount(place[genuine], minlength=size).astype(np.float64),
        np.bincount(place[~genuine], minlength=size).astype(np.float64),
    )


def bin_edges(distance: NDArray[Any], genuine: NDArray[np.bool_], people: int) -> Floats:
    """Upper edges from a sample of pairs: its own values where they are few, else quantiles of both kinds."""
    bins = int(np.clip(MAX_COUNTS // max(1, people), 256, MAX_BINS))
    values = np.unique(np.asarray(distance, np.float64))
    if len(values) <= bins:
        return values
    even, rare = np.linspace(0, 1, bins // 4), np.geomspace(1e-7, 1, bins // 4)
    parts = [values[[0, -1]]]
    for sample in (distance[genuine], distance[~genuine]):
        if sample.size:
            parts.append(np.quantile(sample, np.concatenate([even, rare]), method="lower"))
    return np.unique(np.concatenate(parts).astype(np.float64))


def roc(counts: Counts) -> Roc:
    """Accept rates at every threshold; NaN where there are no pairs of a kind."""
    rates = []
    for kind in (counts.impostor, counts.genuine):
        total = kind.sum()
        cumulated = np.concatenate([[0.0], np.cumsum(kind)])
        rates.append(cumulated / total if total > 0 else np.full(len(cumulated), np.nan))
    return Roc(np.concatenate([[-np.inf], counts.values]), far=rates[0], tar=rates[1])


def auc(curve: Roc) -> float:
    """Chance that a genuine pair is nearer than an impostor pair, ties counting half."""
    return (
        float(np.sum(np.diff(curve.far) * (curve.tar[1:] + curve.tar[:-1]) / 2))
        if _defined(curve)
        else np.nan
    )


def eer(curve: Roc) -> float:
    """The rate at which false accepts equal false rejects, on the line between the two nearest thresholds."""
    if not _defined(curve):
        return np.nan
    gap = curve.far - (1 - curve.tar)
    after = int(np.argmax(gap >= 0))
    if after == 0:
        return float(curve.far[0])
    before = after - 1
    share = -gap[before] / (gap[after] - gap[before])
    return float(curve.far[before] + share * (curve.far[after] - curve.far[before]))


def tar_at_far(curve: Roc, far: float) -> float:
    """The best share of genuine pairs accepted while at most ``far`` of the impostors are."""
    if not _defined(curve):
        return np.nan
    # Rates are quotients of counts: a far of exactly k/n must admit k.
    allowed = np.flatnonzero(curve.far <= far * (1 + 1e-12))
    return float(curve.tar[allowed[-1]])


@dataclass(frozen=True)
class HeldOut:
    """Per person: genuine pairs ``accepted`` and impostor pairs ``refused`` at thresholds chosen on others,
    beside how many ``genuine`` and ``impostor`` pairs there are.
    """

    accepted: Floats
    refused: Floats
    genuine: Floats
    impostor: Floats


def held_out_shares(counts: PeopleCounts, folds: int = FOLDS) -> HeldOut:
    """People are dealt into ``folds``; each fold is judged at the threshold that is best on the rest.

    A person without a threshold of others' (too few people) counts for nothing: a threshold chosen on the
    pairs it judges would flatter.
    """
    present = np.flatnonzero(counts.genuine.any(axis=1) | counts.impostor.any(axis=1))
    found = HeldOut(*(np.zeros(len(counts.genuine)) for _ in range(4)))
    for held in range(min(folds, len(present))):
        judged = present[held::folds]
        others = np.zeros(len(counts.genuine))
        others[present] = 1.0
        others[judged] = 0.0
        curve = roc(counts.total(others))
        if _defined(curve):
            gain = curve.tar - curve.far
            # Of thresholds that are alike on the others, the middle one leaves most room to either side.
            alike = np.flatnonzero(gain >= gain.max() - 1e-12)
            best = int(alike[len(alike) // 2])
            found.accepted[judged] = counts.genuine[judged, :best].sum(axis=1)
            found.refused[judged] = counts.impostor[judged, best:].sum(axis=1)
            found.genuine[judged] = counts.genuine[judged].sum(axis=1)
            found.impostor[judged] = counts.impostor[judged].sum(axis=1)
    return found


def balanced(found: HeldOut, weights: Floats) -> float:
    """Share of right answers, both kinds of pair weighing alike; NaN without pairs of a kind."""
    genuine, impostor = weights @ found.genuine, weights @ found.impostor
    if genuine <= 0 or impostor <= 0:
        return np.nan
    return float((weights @ found.accepted / genuine + weights @ found.refused / impostor) / 2)


def accuracy(counts: PeopleCounts, folds: int = FOLDS) -> float:
    """Share of right answers at thresholds chosen on other people, see ``held_out_shares``."""
    return balanced(held_out_shares(counts, folds), np.ones(len(counts.genuine)))


def _defined(curve: Roc) -> bool:
    return bool(np.isfinite(curve.far[-1]) and np.isfinite(curve.tar[-1]))
