"""Maps fitted to whole decisions: told probabilities come true, also in galleries larger than any fitted on."""

import numpy as np
import pytest

from calibration.identification import draw_trials, fit_to_galleries
from calibration.scores import reliability
from gait.score_map import ScoreMap
from stream.errors import ConfigError

START = ScoreMap("m", -1.0, 1.0, 1.0, 9, 9, "made up", normalised=True)
APART = 4.0


def drawn(people: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores whose true log likelihood ratio is known: N(APART, 1) for oneself, N(0, 1) for others."""
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(people, people)) + APART * np.eye(people)
    return scores, np.arange(people), np.full(people, 1e6)


def test_the_true_likelihood_ratio_is_found() -> None:
    found = fit_to_galleries(START, *drawn(400, 1))
    assert found.slope == pytest.approx(APART, rel=0.1)
    assert found.intercept == pytest.approx(-(APART**2) / 2, rel=0.12)


def test_what_is_told_comes_true_in_a_larger_gallery() -> None:
    found = fit_to_galleries(START, *drawn(160, 2))
    scores, whose, samples = drawn(1200, 3)
    (trial,) = draw_trials(scores, whose, samples, 0, sizes=(600,))[:1]
    odds = found.evidence(trial.scores, trial.samples) - np.log(600)
    full = np.concatenate([odds, np.zeros((len(odds), 1))], axis=1)
    told = np.exp(full - full.max(axis=1, keepdims=True))
    told /= told.sum(axis=1, keepdims=True)
    assert reliability(told.max(axis=1), told.argmax(axis=1) == trial.true).expected_error < 0.03


def test_walks_that_show_little_are_believed_less() -> None:
    rng = np.random.default_rng(4)
    scores, whose, _ = drawn(300, 4)
    short = np.arange(300) % 2 == 0
    scores[short] = rng.normal(size=(150, 300)) + 0.5 * np.eye(300)[short]
    found = fit_to_galleries(START, scores, whose, np.where(short, 5.0, 100.0))
    assert found.half_samples > 10


def test_too_few_people_for_a_gallery_are_refused() -> None:
    with pytest.raises(ConfigError, match="9 people"):
        fit_to_galleries(START, *drawn(9, 0))


def test_strangers_count_as_much_as_the_enrolled() -> None:
    for trial in draw_trials(*drawn(100, 5), 0):
        known = trial.true < trial.scores.shape[1]
        assert trial.weights[known].sum() == pytest.approx(0.5)
        assert trial.weights[~known].sum() == pytest.approx(0.5)
