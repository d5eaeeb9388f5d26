"""Ranks, AP and INP equal a search by hand, ties and missing mates included."""

import numpy as np
import pytest
from hypothesis import given
from sklearn.metrics import average_precision_score

from gait.evaluation.ranking import cmc, join, search
from tests.strategies_evaluation import Case, cases


def by_hand(case: Case, row: int):
    """(rank, INP, nearest mate, nearest other, place among people), counted one by one."""
    items = [
        (float(case.distance[row, j]), bool(case.gallery[j] == case.probes[row]), int(case.gallery[j]))
        for j in range(len(case.gallery))
        if case.allowed[row, j]
    ]
    items.sort(key=lambda item: (item[0], item[1]))
    mates = [place for place, item in enumerate(items, 1) if item[1]]
    other = min((item[0] for item in items if not item[1]), default=np.inf)
    if not mates:
        return 0, np.nan, np.inf, other, 0
    nearest = items[mates[0] - 1][0]
    best = {}
    for value, _, person in items:
        best[person] = min(value, best.get(person, np.inf))
    place = 1 + sum(best[p] <= nearest for p in best if p != case.probes[row])
    return mates[0], len(mates) / mates[-1], nearest, other, place


@given(cases())
def test_equals_a_search_by_hand(case: Case) -> None:
    found = search(case.distance, case.probes, case.gallery, case.allowed)
    for row in range(len(case.probes)):
        rank, penalty, mate, other, place = by_hand(case, row)
        assert found.rank[row] == rank
        assert found.penalty[row] == pytest.approx(penalty, nan_ok=True)
        assert (found.mate[row], found.other[row], found.place[row]) == (mate, other, place)


@given(cases())
def test_average_precision_equals_scikit_learn(case: Case) -> None:
    found = search(case.distance, case.probes, case.gallery, case.allowed)
    for row in range(len(case.probes)):
        taken = case.allowed[row]
        mates = (case.gallery == case.probes[row])[taken]
        if mates.any():
            wanted = average_precision_score(mates, -case.distance[row][taken])
            assert found.precision[row] == pytest.approx(wanted)
        else:
            assert np.isnan(found.precision[row])


@given(cases())
def test_rows_do_not_depend_on_their_block(case: Case) -> None:
    whole = search(case.distance, case.probes, case.gallery)
    parts = [
        search(case.distance[i : i + 1], case.probes[i : i + 1], case.gallery)
        for i in range(len(case.probes))
    ]
    for name in ("people", "rank", "precision", "penalty", "mate", "other", "place"):
        np.testing.assert_array_equal(getattr(join(parts), name), getattr(whole, name))


@given(cases())
def test_cmc_equals_counting(case: Case) -> None:
    rank = search(case.distance, case.probes, case.gallery).rank
    ranked = [int(r) for r in rank if r]
    for k, share in enumerate(cmc(rank, 6), 1):
        assert share == pytest.approx(
            sum(r <= k for r in ranked) / len(ranked) if ranked else np.nan, nan_ok=True
        )


def test_an_embedder_that_says_the_same_of_all_recognises_nobody() -> None:
    people = np.arange(10)
    found = search(np.zeros((10, 10), np.float32), people, people)
    assert (found.rank == 10).all()
    assert (found.place == 10).all()
    np.testing.assert_allclose(found.precision, 0.1)


def test_without_a_gallery_nobody_has_a_mate() -> None:
    found = search(np.zeros((3, 0), np.float32), np.arange(3), np.zeros(0, np.int64))
    assert not found.mated.any()
    assert np.isnan(cmc(found.rank, 5)).all()
