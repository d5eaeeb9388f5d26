"""ROC, AUC, EER, TAR and accuracy equal scikit-learn or counting by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score, roc_curve

from gait.evaluation.verification import (
    Counts,
    PeopleCounts,
    accuracy,
    auc,
    bin_edges,
    eer,
    exact_counts,
    roc,
    tar_at_far,
)
from tests.strategies_evaluation import pairs


@given(pairs())
def test_curve_and_area_equal_scikit_learn(drawn) -> None:
    distance, genuine = drawn
    curve = roc(exact_counts(distance, genuine))
    far, tar, thresholds = roc_curve(genuine, -distance.astype(float), drop_intermediate=False)
    np.testing.assert_allclose(curve.far, far)
    np.testing.assert_allclose(curve.tar, tar)
    np.testing.assert_array_equal(curve.thresholds, -thresholds)
    assert auc(curve) == pytest.approx(roc_auc_score(genuine, -distance))


@given(pairs(), st.sampled_from([0.0, 0.001, 0.1, 0.25, 1 / 3, 1.0]))
def test_tar_at_far_is_the_best_threshold_tried_one_by_one(drawn, far) -> None:
    distance, genuine = drawn
    best = 0.0
    for threshold in distance:
        accepted = distance <= threshold
        if accepted[~genuine].sum() <= far * (~genuine).sum() + 1e-9:
            best = max(best, accepted[genuine].mean())
    assert tar_at_far(roc(exact_counts(distance, genuine)), far) == pytest.approx(best)


@given(pairs())
def test_eer_is_where_the_two_errors_cross(drawn) -> None:
    """By bisection along the curve's polyline, which is another way than ours."""
    distance, genuine = drawn
    levels = [-1.0, *sorted({float(d) for d in distance})]
    points = [
        (float((distance[~genuine] <= t).mean()), float((distance[genuine] > t).mean())) for t in levels
    ]
    low, high = 0.0, float(len(points) - 1)
    for _ in range(60):
        middle = (low + high) / 2
        index = min(int(middle), len(points) - 2)
        share = middle - index
        far, frr = (points[index][k] * (1 - share) + points[index + 1][k] * share for k in (0, 1))
        low, high = (middle, high) if far < frr else (low, middle)
    assert eer(roc(exact_counts(distance, genuine))) == pytest.approx(far, abs=1e-9)


def test_known_values() -> None:
    distance = np.array([0.1, 0.2, 0.3, 0.4], np.float32)
    curve = roc(exact_counts(distance, np.array([True, True, False, False])))
    assert (auc(curve), eer(curve), tar_at_far(curve, 0.0)) == (1.0, 0.0, 1.0)
    worst = roc(exact_counts(distance, np.array([False, False, True, True])))
    assert (auc(worst), eer(worst), tar_at_far(worst, 0.4)) == (0.0, 1.0, 0.0)
    same = roc(exact_counts(np.ones(4, np.float32), np.array([True, False, True, False])))
    assert (auc(same), eer(same), tar_at_far(same, 0.01)) == (0.5, 0.5, 0.0)


@pytest.mark.parametrize("genuine", [True, False])
def test_pairs_of_one_kind_alone_tell_nothing(genuine) -> None:
    curve = roc(exact_counts(np.ones(3, np.float32), np.full(3, genuine)))
    assert all(np.isnan([auc(curve), eer(curve), tar_at_far(curve, 0.1)]))


@given(pairs(), st.integers(1, 4))
def test_counts_per_person_sum_to_all(drawn, people) -> None:
    distance, genuine = drawn
    owner = np.arange(len(distance)) % people
    counts = PeopleCounts.empty(people, bin_edges(distance, genuine, people))
    counts.add(distance, owner, genuine)
    exact = exact_counts(distance, genuine)
    np.testing.assert_array_equal(counts.total().genuine, exact.genuine)
    np.testing.assert_array_equal(counts.total().impostor, exact.impostor)
    weights = np.arange(people) + 1.0
    assert counts.total(weights).genuine.sum() == weights[owner[genuine]].sum()


def test_bins_of_many_pairs_lose_next_to_nothing() -> None:
    rng = np.random.default_rng(3)
    distance = np.concatenate([rng.normal(1, 0.3, 20_000), rng.normal(2, 0.4, 400_000)]).astype(np.float32)
    genuine = np.arange(len(distance)) < 20_000
    sample = rng.permutation(len(distance))[:50_000]
    counts = PeopleCounts.empty(1, bin_edges(distance[sample], genuine[sample], 1))
    counts.add(distance, np.zeros(len(distance), np.int64), genuine)
    binned, exact = roc(counts.total()), roc(exact_counts(distance, genuine))
    assert auc(binned) == pytest.approx(auc(exact), abs=1e-4)
    assert eer(binned) == pytest.approx(eer(exact), abs=1e-3)
    for far in (0.1, 0.01, 0.001):
        assert tar_at_far(binned, far) == pytest.approx(tar_at_far(exact, far), abs=0.01)


def test_accuracy_chooses_its_threshold_on_other_people() -> None:
    """Two people whose distances have different scales: what suits one is wrong for the other."""
    edges = np.array([0.0, 1.0, 10.0, 11.0])
    counts = PeopleCounts.empty(2, edges)
    mine = np.array([0.0, 1.0, 10.0, 11.0], np.float32)
    counts.add(mine, np.array([0, 0, 1, 1]), np.array([True, False, True, False]))
    assert accuracy(counts) == 0.5
    one = PeopleCounts.empty(1, edges)
    one.add(mine, np.zeros(4, np.int64), np.array([True, True, False, False]))
    assert np.isnan(accuracy(one))


def test_accuracy_of_clear_pairs_is_one() -> None:
    counts = PeopleCounts.empty(12, np.array([0.1, 0.9]))
    for person in range(12):
        owner = np.full(2, person)
        counts.add(np.array([0.1, 0.9]), owner, np.array([True, False]))
    assert accuracy(counts) == 1.0
    assert auc(roc(Counts(counts.edges, counts.total().genuine, counts.total().impostor))) == 1.0
