"""Searching a gallery that may not hold the person: false alarms against misses.

FPIR(t): share of searches by people who are not enrolled that return anybody within t. FNIR(t, R): share of
searches by enrolled people whose own entry is not among the first R people or not within t. DIR = 1 - FNIR.
A threshold for a wanted FPIR is the largest that keeps it, never one between two tied searches.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gait.evaluation.ranking import Searches

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class OpenSet:
    """Searches of both kinds, and whose they were.

    ``unmated`` (U,): distance of the best stranger; ``mated`` (M,): of the mate, with its ``place`` among
    people.
    """

    unmated: Floats
    unmated_people: NDArray[np.int64]
    mated: Floats
    place: NDArray[np.int64]
    mated_people: NDArray[np.int64]


@dataclass(frozen=True)
class Det:
    """Misses against false alarms at rising ``thresholds``."""

    thresholds: Floats
    fpir: Floats
    fnir: Floats


def from_searches(searches: Searches) -> tuple[OpenSet, bool]:
    """The open set of a closed or open protocol; whether identities had to be left out for it.

    Where probes of strangers exist they are the unmated ones. Where every probe has a mate, each is searched
    a second time as if its own identity had never been enrolled.
    """
    mated = searches.mated
    left_out = bool(mated.all())
    unmated = np.ones_like(mated) if left_out else ~mated
    opened = OpenSet(
        unmated=searches.other[unmated],
        unmated_people=searches.people[unmated],
        mated=searches.mate[mated],
        place=searches.place[mated],
        mated_people=searches.people[mated],
    )
    return opened, left_out


def fpir(opened: OpenSet, threshold: float) -> float:
    """Share of strangers' searches that return somebody within ``threshold``."""
    return float(np.mean(opened.unmated <= threshold)) if opened.unmated.size else np.nan


def fnir(opened: OpenSet, threshold: float, rank: int = 1) -> float:
    """Share of enrolled people's searches that miss them."""
    if not opened.mated.size:
        return np.nan
    return float(np.mean((opened.place > rank) | (opened.mated > threshold)))


def fnir_at_fpir(opened: OpenSet, target: float, rank: int = 1, weights: Floats | None = None) -> float:
    """FNIR at the largest threshold with FPIR <= ``target``; ``weights`` (people) repeat people's searches.

    NaN without searches of either kind.
    """
    taken = _weights_of(weights, opened.unmated_people)
    missed = _weights_of(weights, opened.mated_people)
    if taken.sum() <= 0 or missed.sum() <= 0:
        return np.nan
    limit = _first_refused(opened.unmated, taken, target)
    found = (opened.place <= rank) & (opened.mated < limit)
    return float(1 - (missed * found).sum() / missed.sum())


def det(opened: OpenSet, rank: int = 1) -> Det:
    """The whole curve, at every distance at which a rate changes."""
    unmated, found = np.sort(opened.unmated), np.sort(opened.mated[opened.place <= rank])
    thresholds = np.unique(np.concatenate([[-np.inf], unmated, found]))
    thresholds = thresholds[thresholds < np.inf]
    alarms = np.searchsorted(unmated, thresholds, side="right") / max(1, unmated.size)
    hits = np.searchsorted(found, thresholds, side="right") / max(1, opened.mated.size)
    return Det(thresholds, alarms if unmated.size else alarms * np.nan, 1 - hits)


def _first_refused(unmated: Floats, taken: Floats, target: float) -> float:
    """The smallest stranger's distance that a threshold must stay under; infinite where all may pass."""
    values, place = np.unique(unmated, return_inverse=True)
    cumulated = np.cumsum(np.bincount(place, weights=taken, minlength=len(values)))
    # Rates are quotients of counts: a target of exactly k/n must admit k.
    beyond = np.flatnonzero(cumulated > target * cumulated[-1] * (1 + 1e-12))
    if not beyond.size:
        return np.inf
    return float(values[beyond[0]])


def _weights_of(weights: Floats | None, people: NDArray[Any]) -> Floats:
    return np.ones(len(people)) if weights is None else np.asarray(weights[people], np.float64)
