"""The fitted map finds the truth it was drawn from, and refuses what cannot be known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibration.scores import (
    LabelledScores,
    error_rates,
    fit_score_map,
    probabilities,
    reliability,
    threshold,
)
from stream.errors import ConfigError


def drawn(people: int = 60, apart: float = 3.0, seed: int = 0, each: int = 20) -> LabelledScores:
    """Fisher z of two normals ``apart`` standard deviations of 0.1 apart, half between the same person."""
    rng = np.random.default_rng(seed)
    whose = np.repeat(np.arange(people), 2 * each)
    same = np.tile(np.repeat([True, False], each), people)
    scores = np.tanh(rng.normal(0.0, 0.1, len(same)) + 0.1 * apart * same)
    return LabelledScores(scores, same, np.full(len(same), 100.0), whose)


def test_the_evidence_is_the_log_likelihood_ratio() -> None:
    fitted = fit_score_map(drawn(people=400, apart=2.0), "m", "drawn")
    stretched = np.array([[-0.1, 0.1, 0.3]])
    true = (stretched - 0.1) * 0.2 / 0.01  # two normals of one spread: linear in z
    np.testing.assert_allclose(fitted.evidence(np.tanh(stretched), np.array([100.0])), true, atol=0.15)


def test_told_probabilities_come_true_on_people_not_fitted_on() -> None:
    fitted = fit_score_map(drawn(people=300, seed=1), "m", "drawn")
    fresh = drawn(people=300, seed=2)
    assert reliability(probabilities(fitted, fresh), fresh.same).expected_error < 0.02


def test_scores_that_never_overlap_do_not_make_certainty() -> None:
    fitted = fit_score_map(drawn(people=30, apart=30.0), "m", "drawn")
    top = probabilities(fitted, drawn(people=30, apart=30.0)).max()
    assert 0.9 < top < 0.999  # 435 pairs of people cannot show that one in a thousand never happens


def test_short_probes_are_trusted_less() -> None:
    rng = np.random.default_rng(5)
    long, n = drawn(people=100, apart=4.0), 4000
    short = np.tanh(rng.normal(0.0, 0.4, n) + 0.4 * long.same[:n])
    both = LabelledScores(
        np.concatenate([long.scores[:n], short]),
        np.concatenate([long.same[:n]] * 2),
        np.repeat([200.0, 10.0], n),
        np.concatenate([long.whose[:n]] * 2),
    )
    fitted = fit_score_map(both, "m", "drawn")
    assert fitted.half_samples > 5
    few, many = fitted.evidence(np.full((2, 1), 0.5), np.array([10.0, 200.0]))[:, 0]
    assert 0 < few < many


def test_the_fit_is_the_same_each_time() -> None:
    assert fit_score_map(drawn(), "m", "drawn") == fit_score_map(drawn(), "m", "drawn")


@pytest.mark.parametrize("labelled", [drawn(people=19), drawn(people=0)], ids=["few", "none"])
def test_too_few_people_are_refused(labelled: LabelledScores) -> None:
    with pytest.raises(ConfigError, match="at least 20 people"):
        fit_score_map(labelled, "m", "drawn")


def test_scores_without_other_people_are_refused() -> None:
    every = drawn()
    same = every.same
    alone = LabelledScores(every.scores[same], same[same], every.samples[same], every.whose[same])
    with pytest.raises(ConfigError, match="0 against others"):
        fit_score_map(alone, "m", "drawn")


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_bad_columns_are_refused(bad: float) -> None:
    one = np.ones(3)
    with pytest.raises(ConfigError, match="NaN"):
        LabelledScores(one * bad, one > 0, one, one.astype(np.intp))
    with pytest.raises(ConfigError, match="without samples"):
        LabelledScores(one, one > 0, one * 0, one.astype(np.intp))
    with pytest.raises(ConfigError, match="one length"):
        LabelledScores(one, one > 0, np.ones(2), one.astype(np.intp))


@settings(deadline=None)
@given(st.integers(0, 100), st.sampled_from([0.001, 0.01, 0.1, 0.5]))
def test_no_more_than_the_wanted_share_of_others_passes(seed: int, rate: float) -> None:
    labelled = drawn(people=50, seed=seed)
    at = threshold(labelled, rate)
    others = labelled.scores[~labelled.same]
    assert (others >= at).mean() <= rate
    assert (others >= np.nextafter(at, -np.inf)).mean() >= rate - 2 / len(others)


def test_a_rate_that_cannot_be_seen_is_refused() -> None:
    with pytest.raises(ConfigError, match="cannot show a rate of 1e-05"):
        threshold(drawn(people=20), 1e-5)
    with pytest.raises(ConfigError, match="cannot show"):
        threshold(drawn(), 1.5)


def test_the_det_curve_runs_from_no_miss_to_no_alarm() -> None:
    misses, alarms = error_rates(drawn(), np.linspace(-2, 2, 50))
    assert (np.diff(misses) >= 0).all()
    assert (np.diff(alarms) <= 0).all()
    assert (misses[0], alarms[0], misses[-1], alarms[-1]) == (0, 1, 1, 0)


def test_reliability_finds_the_error() -> None:
    told = np.full(100, 0.8)
    assert reliability(told, np.arange(100) < 80).expected_error == pytest.approx(0.0, abs=1e-9)
    assert reliability(told, np.arange(100) < 30).expected_error == pytest.approx(0.5)
    with pytest.raises(ConfigError, match="reliability needs"):
        reliability(np.array([1.5]), np.array([True]))
