"""A score map fitted to what is asked of it: who of a gallery it is, or nobody.

``scores.fit_score_map`` weighs single comparisons, of which the bulk lies where nothing is decided. In a
gallery of hundreds the one score that counts is the best of all strangers', far out in the tail. So the map's
three numbers are fitted here by what the whole decision says: galleries of several sizes are drawn from
labelled people, half of all probes are of somebody else, and the probability told for what is true is made
as large as it can be (the logarithmic score, which only honest probabilities maximise).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import logsumexp

from calibration.scores import MAX_HALF_SAMPLES, MAX_SLOPE
from gait.score_map import ScoreMap, fisher
from stream.errors import ConfigError

Floats = NDArray[np.float64]
SIZES: Final = (5, 20, 80, 320)
"""Galleries are drawn of these sizes, as far as there are people for twice as many."""
PROBES_EACH: Final = 4000
"""About so many probes of each size."""


@dataclass(frozen=True)
class Trial:
    """Probes against one gallery: ``scores`` (Q, P), ``samples`` (Q,), ``true`` (Q,), P for nobody."""

    scores: Floats
    samples: Floats
    true: NDArray[np.intp]
    weights: Floats


def fit_to_galleries(
    start: ScoreMap, scores: Floats, whose: NDArray[np.intp], samples: Floats, seed: int = 0
) -> ScoreMap:
    """``start`` with its numbers moved; ``scores`` (Q, people) of probes of person ``whose`` (Q,).

    Raises ConfigError where there are too few people for any gallery with as many strangers.
    """
    trials = draw_trials(scores, whose, samples, seed)
    straight = [t.scores if start.normalised else fisher(t.scores) for t in trials]
    total = sum(float(trial.weights.sum()) for trial in trials)

    def loss(parameters: Floats) -> float:
        found = 0.0
        for trial, values in zip(trials, straight, strict=True):
            found -= float((trial.weights * _log_told(parameters, values, trial)).sum())
        return found / total

    first = np.array([start.intercept, np.log(start.slope), start.half_samples])
    bounds = [(None, None), (None, float(np.log(MAX_SLOPE))), (0.0, MAX_HALF_SAMPLES)]
    best = minimize(loss, first, method="L-BFGS-B", bounds=bounds).x
    return msgspec.structs.replace(
        start,
        intercept=round(float(best[0]), 4),
        slope=round(float(np.exp(best[1])), 4),
        half_samples=round(float(best[2]), 2),
    )


def draw_trials(
    scores: Floats, whose: NDArray[np.intp], samples: Floats, seed: int, sizes: Sequence[int] = SIZES
) -> list[Trial]:
    """Galleries of each size that people suffice for; who is not in one probes it as a stranger."""
    rng = np.random.default_rng(seed)
    people = scores.shape[1]
    fitting = [size for size in sizes if 2 * size <= people]
    if not fitting:
        raise ConfigError(f"{people} people", wanted=f"{2 * min(sizes)} at least, to draw galleries from")
    trials = []
    for size in fitting:
        for _ in range(max(1, PROBES_EACH // len(scores))):
            trials.append(_trial(scores, whose, samples, rng.permutation(people)[:size]))
    return trials


def _trial(scores: Floats, whose: NDArray[np.intp], samples: Floats, chosen: NDArray[np.intp]) -> Trial:
    place = np.full(scores.shape[1], len(chosen))
    place[chosen] = np.arange(len(chosen))
    true = place[whose]
    known = true < len(chosen)
    # Enrolled people and strangers count alike, as the decision's prior has them.
    weights = np.where(known, 0.5 / max(1, known.sum()), 0.5 / max(1, (~known).sum()))
    return Trial(scores[:, chosen], samples, true, weights)


def _log_told(parameters: Floats, straight: Floats, trial: Trial) -> Floats:
    """(Q,) the logarithm of the probability told for what is true."""
    intercept, log_slope, half = parameters
    trust = trial.samples / (trial.samples + half)
    odds = (intercept + np.exp(log_slope) * straight) * trust[:, None] - np.log(straight.shape[1])
    full = np.concatenate([odds, np.zeros((len(odds), 1))], axis=1)
    told: Floats = full[np.arange(len(full)), trial.true] - logsumexp(full, axis=1)
    return told
