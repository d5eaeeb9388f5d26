"""Costs and assignment."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trackers.associate import hidden_share, hint_cost, iou, keypoint_similarity, motion_cost, solve
from trackers.config import AssociationConfig

INF = float("inf")


def test_iou_of_known_boxes() -> None:
    boxes = np.array([[0.0, 0, 2, 2], [1.0, 1, 3, 3], [5.0, 5, 6, 6], [1.0, 1, 1, 1]])
    assert iou(boxes[:1], boxes)[0].tolist() == pytest.approx([1.0, 1 / 7, 0.0, 0.0])


def test_a_box_behind_a_nearer_one_is_hidden_and_not_the_other_way_round() -> None:
    nearer, farther = [0.0, 0.0, 4.0, 10.0], [2.0, 0.0, 6.0, 8.0]
    assert hidden_share(np.array([nearer, farther])).tolist() == [0.0, 0.5]


def test_an_outlier_costs_less_than_a_gaussian_would_ask() -> None:
    cost = motion_cost(np.array([[0.0, 1.0, 50.0]]), np.zeros(1), tails=8.0)[0]
    assert cost[0] == 0.0
    assert cost[1] == pytest.approx(0.5, rel=0.5)
    assert cost[2] < 25.0


def test_hints_help_only_where_both_sides_have_one() -> None:
    rules = AssociationConfig()
    table = hint_cost(np.array([5, -1]), np.array([5, 6, -1]), rules)
    assert table.tolist() == [[-rules.hint_bonus, rules.hint_penalty, 0.0], [0.0, 0.0, 0.0]]


def test_keypoints_that_nobody_is_sure_of_say_nothing() -> None:
    unsure = np.zeros((1, 17, 3))
    assert np.isnan(keypoint_similarity(unsure, unsure, np.array([200.0]), 0.08)).all()


def test_similarity_falls_with_distance_in_heights() -> None:
    here = np.ones((2, 17, 3))
    there = here.copy()
    there[:, :, 0] += 16.0
    near, far = keypoint_similarity(here, there, np.array([400.0, 100.0]), 0.08)
    assert near > 0.8
    assert far < 0.2


@settings(max_examples=80, deadline=None)
@given(
    st.integers(0, 4).flatmap(
        lambda n: st.lists(
            st.lists(st.sampled_from([0.0, 1.0, 2.5, 4.0, 7.0, INF]), min_size=3, max_size=3),
            min_size=n,
            max_size=n,
        )
    )
)
def test_the_pairing_is_the_best_of_all_partial_pairings(rows: list[list[float]]) -> None:
    cost, limit = np.array(rows).reshape(-1, 3), 5.0
    found = solve(cost, limit)
    value = cost[found.tracks, found.detections].sum() - limit * len(found.tracks)
    best = 0.0
    for size in range(1, min(cost.shape) + 1):
        for tracks in itertools.combinations(range(len(cost)), size):
            for people in itertools.permutations(range(3), size):
                best = min(best, sum(cost[t, p] for t, p in zip(tracks, people, strict=True)) - limit * size)
    assert value == pytest.approx(best)
    assert (cost[found.tracks, found.detections] < limit).all()
