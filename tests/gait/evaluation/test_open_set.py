"""FPIR, FNIR and DIR equal counting by hand at every threshold, ties included."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gait.evaluation.open_set import OpenSet, det, fnir, fnir_at_fpir, fpir, from_searches
from gait.evaluation.ranking import search
from tests.strategies_evaluation import Case, cases


@st.composite
def opened(draw: st.DrawFn) -> OpenSet:
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    strangers, known = draw(st.integers(1, 25)), draw(st.integers(1, 25))
    levels = draw(st.sampled_from([1, 3, 1000]))
    return OpenSet(
        rng.integers(0, levels, strangers) / 4.0,
        rng.integers(0, 4, strangers),
        rng.integers(0, levels, known) / 4.0,
        rng.integers(1, 4, known),
        rng.integers(0, 4, known),
    )


def by_hand(case: OpenSet, target: float, rank: int, weights) -> float:
    """Try each distance as threshold; the least misses among those that keep the target."""
    best = 1.0
    for threshold in [-1.0, *case.unmated, *case.mated]:
        alarms = sum(
            weights[p] for d, p in zip(case.unmated, case.unmated_people, strict=True) if d <= threshold
        )
        everyone = sum(weights[p] for p in case.unmated_people)
        missed = sum(
            weights[p]
            for d, r, p in zip(case.mated, case.place, case.mated_people, strict=True)
            if r > rank or d > threshold
        )
        if alarms <= target * everyone + 1e-9:
            best = min(best, missed / sum(weights[p] for p in case.mated_people))
    return best


@given(opened(), st.sampled_from([0.0, 0.01, 0.1, 0.2, 0.5, 1.0]), st.integers(1, 3))
def test_misses_at_a_false_alarm_rate_equal_trying_every_threshold(case, target, rank) -> None:
    assert fnir_at_fpir(case, target, rank) == pytest.approx(by_hand(case, target, rank, [1] * 4))


@given(opened(), st.sampled_from([0.0, 0.1, 0.5]))
def test_people_drawn_twice_count_twice(case, target) -> None:
    weights = np.array([2.0, 0.0, 1.0, 3.0])
    found = fnir_at_fpir(case, target, weights=weights)
    if weights[case.unmated_people].sum() and weights[case.mated_people].sum():
        assert found == pytest.approx(by_hand(case, target, 1, weights))
    else:
        assert np.isnan(found)


@given(opened())
def test_the_curve_is_fpir_and_fnir_at_its_thresholds(case) -> None:
    curve = det(case)
    for threshold, alarms, misses in zip(curve.thresholds, curve.fpir, curve.fnir, strict=True):
        assert alarms == pytest.approx(fpir(case, threshold))
        assert misses == pytest.approx(fnir(case, threshold))
    assert (np.diff(curve.fpir) >= 0).all()
    assert (np.diff(curve.fnir) <= 1e-12).all()


@given(cases())
def test_strangers_are_those_without_a_mate_or_everybody_left_out_once(case: Case) -> None:
    searches = search(case.distance, case.probes, case.gallery)
    found, left_out = from_searches(searches)
    strangers = [i for i, p in enumerate(case.probes) if p not in case.gallery]
    assert left_out == (not strangers)
    assert len(found.unmated) == (len(case.probes) if left_out else len(strangers))
    assert len(found.mated) == len(case.probes) - len(strangers)


def test_the_same_answer_to_everybody_finds_nobody() -> None:
    same = OpenSet(np.ones(5), np.arange(5), np.ones(5), np.ones(5, np.int64), np.arange(5))
    assert fnir_at_fpir(same, 0.1) == 1.0
    assert fnir_at_fpir(same, 1.0) == 0.0


def test_without_strangers_or_without_mates_there_is_no_figure() -> None:
    none, few = np.zeros(0), np.ones(2)
    codes, zero = np.zeros(2, np.int64), np.zeros(0, np.int64)
    assert np.isnan(fnir_at_fpir(OpenSet(none, zero, few, codes + 1, codes), 0.1))
    assert np.isnan(fnir_at_fpir(OpenSet(few, codes, none, zero, zero), 0.1))
    assert np.isnan(fnir(OpenSet(few, codes, none, zero, zero), 0.5))
