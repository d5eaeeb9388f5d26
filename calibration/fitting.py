"""One fit as the user meets it: the map, the threshold, and how it did on people it had not seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from calibration.scores import (
    LabelledScores,
    Reliability,
    error_rates,
    fit_score_map,
    probabilities,
    reliability,
    threshold,
)
from calibration.tracks import LabelledTracks
from gait.score_map import ScoreMap

Floats = NDArray[np.float64]
FOLDS: Final = 5
CURVE: Final = 400
"""Points of the DET curve."""


class Summary(msgspec.Struct, frozen=True):
    """What the fit rests on and how well it holds; every rate is on people who were not fitted on.

    ``accept``: the probability, at even odds, of a score at ``score_threshold``, which at most
    ``false_alarm_rate`` of other people's scores reach.
    """

    model: str
    people: int
    tracks: int
    own_scores: int
    other_scores: int
    expected_calibration_error: float
    equal_error_rate: float
    false_alarm_rate: float
    score_threshold: float
    accept: float
    missed_there: float


@dataclass(frozen=True)
class Fitted:
    """The map, its summary, and the curves to draw."""

    score_map: ScoreMap
    summary: Summary
    reliability: Reliability
    misses: Floats
    alarms: Floats


def fit(tracks: LabelledTracks, false_alarm_rate: float, about: str) -> Fitted:
    """Fit on everybody; judge on folds of people left out. Raises ConfigError where there are too few."""
    scores = tracks.scores()
    score_map = fit_score_map(scores, tracks.model, about)
    limit = threshold(scores, false_alarm_rate)
    told, same = _left_out(tracks)
    curve = reliability(told, same)
    marks = _marks(scores)
    misses, alarms = error_rates(scores, marks)
    crossing = int(np.argmin(np.abs(misses - alarms)))
    usual = np.array([float(np.median(scores.samples))])
    own = scores.scores[scores.same]
    summary = Summary(
        model=tracks.model,
        people=scores.people,
        tracks=len(tracks.vectors),
        own_scores=int(scores.same.sum()),
        other_scores=int((~scores.same).sum()),
        expected_calibration_error=round(curve.expected_error, 4),
        equal_error_rate=round(float(misses[crossing] + alarms[crossing]) / 2, 4),
        false_alarm_rate=false_alarm_rate,
        score_threshold=round(limit, 4),
        accept=round(float(expit(score_map.evidence(np.array([[limit]]), usual)[0, 0])), 4),
        missed_there=round(float((own < limit).mean()), 4),
    )
    return Fitted(score_map, summary, curve, misses, alarms)


def _marks(scores: LabelledScores) -> Floats:
    """Thresholds at which the curve bends: among own scores evenly, among others' ever closer to the top."""
    own = np.quantile(scores.scores[scores.same], np.linspace(0, 1, CURVE // 2))
    rates = np.geomspace(1e-5, 1.0, CURVE // 2)
    return np.sort(np.concatenate([own, np.quantile(scores.scores[~scores.same], 1 - rates)]))


def _left_out(tracks: LabelledTracks) -> tuple[Floats, NDArray[np.bool_]]:
    """Told probabilities and outcomes of scores among people whom the map was not fitted on.

    As many own as other scores count: the map's probabilities are told at even odds.
    """
    names = np.unique(tracks.people)
    fold_of = dict(zip(names.tolist(), (np.arange(len(names)) % FOLDS).tolist(), strict=True))
    folds = np.array([fold_of[person] for person in tracks.people.tolist()])
    told: list[Floats] = []
    same: list[NDArray[np.bool_]] = []
    for fold in range(FOLDS):
        score_map = fit_score_map(tracks.of(folds != fold).scores(), tracks.model, "a fold")
        fresh = _even(tracks.of(folds == fold).scores())
        told.append(probabilities(score_map, fresh))
        same.append(fresh.same)
    return np.concatenate(told), np.concatenate(same)


def _even(scores: LabelledScores) -> LabelledScores:
    """As many scores of others, drawn evenly over their order, as there are of the same person."""
    own, others = np.flatnonzero(scores.same), np.flatnonzero(~scores.same)
    ranked = others[np.argsort(scores.scores[others], kind="stable")]
    places = np.linspace(0, len(ranked) - 1, min(len(own), len(ranked))).round().astype(np.intp)
    chosen = np.concatenate([own, ranked[places]])
    return LabelledScores(
        scores.scores[chosen], scores.same[chosen], scores.samples[chosen], scores.whose[chosen]
    )
