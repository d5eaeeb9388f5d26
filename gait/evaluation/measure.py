"""Searches and pairs turned into a group's figures with their intervals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gait.evaluation import open_set, ranking, verification
from gait.evaluation.bootstrap import Estimate, around, cell_means, draws, estimate
from gait.evaluation.open_set import OpenSet
from gait.evaluation.ranking import Searches
from gait.evaluation.result import (
    FARS,
    FPIRS,
    RANKS,
    Curves,
    Group,
    Line,
    Matrix,
    OpenSetResult,
    Verification,
)
from gait.evaluation.searching import Pairs
from gait.evaluation.trials import Trial

Floats = NDArray[np.float64]
CMC_LENGTH = 50
# A drawn curve needs no more points than a screen has columns.
POINTS = 400


def measure(trials: Sequence[Trial], found: Sequence[Searches], pairs: Pairs, people: int) -> Group:
    """The figures of one group; ``found`` one per trial, ``people`` how many codes there are."""
    every = ranking.join(list(found))
    present = np.unique(every.people)
    weights = np.zeros((len(drawn := draws(len(present))), people))
    weights[:, present] = drawn
    opened, left_out = open_set.from_searches(every)
    return Group(
        name=trials[0].group,
        people=len(present),
        searches=len(every.people),
        without_mate=int((~every.mated).sum()),
        trials=len(trials),
        rank={str(k): _mean(found, partial(_within, k), people, weights) for k in RANKS},
        mean_average_precision=_mean(found, lambda searches: searches.precision, people, weights),
        mean_inverse_penalty=_mean(found, lambda searches: searches.penalty, people, weights),
        verification=_verified(pairs, weights),
        open_set=_opened(opened, left_out, weights),
        matrix=_matrix(trials, found),
        curves=_curves(found, pairs, opened),
    )


def _within(k: int, searches: Searches) -> NDArray[np.bool_]:
    return np.asarray(searches.rank <= k)


def _mean(
    found: Sequence[Searches], of: Callable[[Searches], NDArray[Any]], people: int, weights: Floats
) -> Estimate:
    """Mean over trials of the mean over the probes that have a mate."""
    hits, counts = np.zeros((people, len(found))), np.zeros((people, len(found)))
    for cell, searches in enumerate(found):
        mated = searches.mated
        who = searches.people[mated]
        hits[:, cell] = np.bincount(who, np.asarray(of(searches), np.float64)[mated], people)
        counts[:, cell] = np.bincount(who, minlength=people)
    replicates = cell_means(hits, counts, weights) if len(weights) else np.zeros(0)
    return around(float(cell_means(hits, counts)[0]), replicates)


def _verified(pairs: Pairs, weights: Floats) -> Verification:
    curve = verification.roc(pairs.exact)
    again = [verification.roc(counts) for counts in pairs.per_person.totals(weights)]

    def of(figure: Callable[[verification.Roc], float]) -> Estimate:
        return around(figure(curve), np.array([figure(one) for one in again], np.float64))

    return Verification(
        genuine=int(pairs.exact.genuine.sum()),
        impostor=int(pairs.exact.impostor.sum()),
        accuracy=_accuracy(pairs, weights),
        eer=of(verification.eer),
        auc=of(verification.auc),
        tar={str(far): of(partial(verification.tar_at_far, far=far)) for far in FARS},
    )


def _accuracy(pairs: Pairs, weights: Floats) -> Estimate:
    """Its interval redraws the judged people; the thresholds stay as chosen."""
    shares = verification.held_out_shares(pairs.per_person)
    value = verification.balanced(shares, np.ones(len(shares.accepted)))
    return estimate(value, weights, lambda row: verification.balanced(shares, row))


def _opened(opened: OpenSet, left_out: bool, weights: Floats) -> OpenSetResult:
    missed = {
        target: estimate(
            open_set.fnir_at_fpir(opened, target),
            weights,
            partial(open_set.fnir_at_fpir, opened, target, 1),
        )
        for target in FPIRS
    }
    return OpenSetResult(
        mated=len(opened.mated),
        unmated=len(opened.unmated),
        left_out=left_out,
        dir={str(target): _complement(value) for target, value in missed.items()},
        fnir={str(target): value for target, value in missed.items()},
    )


def _complement(value: Estimate) -> Estimate:
    def of(share: float | None) -> float | None:
        return None if share is None else 1 - share

    return Estimate(of(value.value), of(value.high), of(value.low))


def _matrix(trials: Sequence[Trial], found: Sequence[Searches]) -> Matrix | None:
    if not any(trial.row for trial in trials):
        return None
    rows = tuple(dict.fromkeys(trial.row for trial in trials))
    columns = tuple(sorted({trial.column for trial in trials}))
    cells = {
        (trial.row, trial.column): float(ranking.cmc(searches.rank, 1)[0])
        for trial, searches in zip(trials, found, strict=True)
        if searches.mated.any()
    }
    return Matrix(rows, columns, tuple(tuple(cells.get((row, column)) for column in columns) for row in rows))


def _curves(found: Sequence[Searches], pairs: Pairs, opened: OpenSet) -> Curves:
    shares = np.array([ranking.cmc(s.rank, CMC_LENGTH) for s in found if s.mated.any()])
    mean = shares.mean(axis=0) if len(shares) else np.zeros(0)
    curve, misses = verification.roc(pairs.exact), open_set.det(opened)
    return Curves(
        cmc=_line(np.arange(1, len(mean) + 1, dtype=np.float64), mean),
        roc=_line(curve.far, curve.tar),
        det=_line(misses.fpir, misses.fnir),
    )


def _line(x: Floats, y: Floats) -> Line:
    """At most ``POINTS`` points, half of them evenly over x, half over log x, where rates are small."""
    known = np.isfinite(x) & np.isfinite(y)
    x, y = x[known], y[known]
    if len(x) > POINTS:
        least = max(float(x[x > 0].min(initial=1.0)), 1e-9)
        wanted = np.concatenate([np.linspace(0, 1, POINTS // 2), np.geomspace(least, 1, POINTS // 2)])
        at = np.searchsorted(x, wanted * x[-1], side="right") - 1
        x, y = x[keep := np.unique(np.concatenate([[0], at, [len(x) - 1]]))], y[keep]
    return Line(tuple(float(v) for v in x), tuple(float(v) for v in y))
