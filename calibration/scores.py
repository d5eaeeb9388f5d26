"""From labelled scores to the map and the threshold that the running pipeline is given.

The map is Platt's logistic (1999, "Probabilistic outputs for support vector machines") with both classes
weighed alike, so that its logit is a log likelihood ratio and priors stay out of it, over Fisher's z of the
scores. How sure it may become is bounded by how many people it was fitted on, not by how many scores: scores
of one person are not independent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

from gait.score_map import ScoreMap, fisher
from stream.errors import ConfigError

Floats = NDArray[np.float64]
MIN_PEOPLE: Final = 20
"""Fewer identities say next to nothing about the people who are yet to come."""
MAX_SLOPE: Final = 200.0
MAX_HALF_SAMPLES: Final = 500.0


@dataclass(frozen=True)
class LabelledScores:
    """``scores`` (n,) of a probe against a person, whether it was the ``same`` (n,) person, on how many valid
    ``samples`` (n,) the probe rests, and ``whose`` (n,) probe it was.
    """

    scores: Floats
    same: NDArray[np.bool_]
    samples: Floats
    whose: NDArray[np.intp]

    def __post_init__(self) -> None:
        shapes = {array.shape for array in (self.scores, self.same, self.samples, self.whose)}
        if len(shapes) != 1 or self.scores.ndim != 1:
            raise ConfigError(
                f"labelled scores of shapes {sorted(shapes)}", wanted="four columns of one length"
            )
        if not (
            np.isfinite(self.scores).all() and np.isfinite(self.samples).all() and (self.samples > 0).all()
        ):
            raise ConfigError("labelled scores hold NaN, infinity or probes without samples")

    @property
    def people(self) -> int:
        """Identities with a score against themselves."""
        return len(np.unique(self.whose[self.same]))


@dataclass(frozen=True)
class Reliability:
    """Per bin of told probability: mean told, share that was so, how many; and the expected error of all."""

    told: Floats
    happened: Floats
    counts: NDArray[np.intp]
    expected_error: float


def fit_score_map(
    labelled: LabelledScores, model: str, fitted_on: str, *, normalised: bool = False
) -> ScoreMap:
    """The map that makes the labels likeliest; raises ConfigError where too few people stand behind them.

    ``normalised``: the scores were told against a cohort and are taken as they are.
    """
    _refuse_few(labelled)
    targets = _softened(labelled)
    weights = np.where(labelled.same, 0.5 / labelled.same.sum(), 0.5 / (~labelled.same).sum())

    stretched = labelled.scores if normalised else fisher(labelled.scores)

    def loss(parameters: Floats) -> float:
        logits = _logits(parameters, stretched, labelled.samples)
        likely = targets * np.logaddexp(0.0, -logits) + (1 - targets) * np.logaddexp(0.0, logits)
        return float((weights * likely).sum())

    middle = float(stretched[labelled.same].mean() + stretched[~labelled.same].mean()) / 2
    bounds = [(None, None), (0.0, np.log(MAX_SLOPE)), (0.0, MAX_HALF_SAMPLES)]
    steep = 1.5 if normalised else 10.0
    start = np.array([-steep * middle, np.log(steep), 10.0])
    found = minimize(loss, start, method="L-BFGS-B", bounds=bounds)
    intercept, log_slope, half = (float(value) for value in found.x)
    pairs = len(labelled.scores)
    slope = float(np.exp(log_slope))
    return ScoreMap(
        model,
        round(intercept, 4),
        round(slope, 4),
        round(half, 2),
        labelled.people,
        pairs,
        fitted_on,
        normalised=normalised,
    )


def threshold(labelled: LabelledScores, false_alarm_rate: float) -> float:
    """The lowest score that at most this share of other people's scores reaches.

    Raises ConfigError where there are too few of those to tell such a rate.
    """
    others = np.sort(labelled.scores[~labelled.same])
    allowed = int(false_alarm_rate * len(others))
    if not 0 < false_alarm_rate < 1 or allowed < 1:
        what = f"{len(others)} scores between different people cannot show a rate of {false_alarm_rate:g}"
        wanted = f"at least {int(np.ceil(1 / max(false_alarm_rate, 1e-9)))} and a rate inside (0, 1)"
        raise ConfigError(what, wanted=wanted, fix="Label more tracks, or ask for a higher rate")
    return float(np.nextafter(others[-allowed - 1], np.inf))


def reliability(told: Floats, happened: NDArray[np.bool_], bins: int = 10) -> Reliability:
    """How far told probabilities (n,) are from what happened (n,), in equal bins from 0 to 1."""
    if told.shape != happened.shape or not told.size or not ((told >= 0) & (told <= 1)).all():
        raise ConfigError("reliability needs as many probabilities in [0, 1] as outcomes, and at least one")
    which = np.minimum((told * bins).astype(np.intp), bins - 1)
    counts = np.bincount(which, minlength=bins)
    full = np.maximum(counts, 1)
    means = np.bincount(which, weights=told, minlength=bins) / full
    shares = np.bincount(which, weights=happened.astype(np.float64), minlength=bins) / full
    error = float((counts * np.abs(means - shares)).sum() / told.size)
    return Reliability(means, shares, counts, error)


def error_rates(labelled: LabelledScores, thresholds: Floats) -> tuple[Floats, Floats]:
    """(miss rates, false-alarm rates) at each threshold: the points of a DET curve."""
    same, others = np.sort(labelled.scores[labelled.same]), np.sort(labelled.scores[~labelled.same])
    misses = np.searchsorted(same, thresholds) / max(1, len(same))
    alarms = 1.0 - np.searchsorted(others, thresholds) / max(1, len(others))
    return np.asarray(misses), np.asarray(alarms)


def probabilities(score_map: ScoreMap, labelled: LabelledScores) -> Floats:
    """What the map makes of each score, at even odds."""
    evidence = score_map.evidence(labelled.scores[:, None], labelled.samples)[:, 0]
    chances: Floats = expit(evidence)
    return chances


def _logits(parameters: Floats, stretched: Floats, samples: Floats) -> Floats:
    intercept, log_slope, half = parameters
    logits: Floats = (intercept + np.exp(log_slope) * stretched) * (samples / (samples + half))
    return logits


def _softened(labelled: LabelledScores) -> Floats:
    """Targets just short of 1 and above 0, as Platt's (2.2), by what so many people leave open.

    That two people never score so high is shown by the pairs of people there are; that one person never
    scores so low, by the people.
    """
    people = labelled.people
    pairs = people * (people - 1) / 2
    softened: Floats = np.where(labelled.same, 1 - 1 / (pairs + 2), 1 / (people + 2))
    return softened


def _refuse_few(labelled: LabelledScores) -> None:
    if labelled.people < MIN_PEOPLE or labelled.same.all():
        others = int((~labelled.same).sum())
        what = f"{labelled.people} people with scores against themselves, {others} against others"
        wanted = f"at least {MIN_PEOPLE} people, and scores against others"
        raise ConfigError(what, wanted=wanted, fix="Label more tracks of more people")
