"""Intervals redraw people, repeatably, and cover what they should."""

import numpy as np
import pytest

from gait.evaluation.bootstrap import around, cell_means, draws, estimate


def test_each_replicate_draws_as_many_people_as_there_are_and_repeats() -> None:
    weights = draws(7, 50, seed=3)
    assert (weights.sum(axis=1) == 7).all()
    np.testing.assert_array_equal(weights, draws(7, 50, seed=3))
    assert (weights != draws(7, 50, seed=4)).any()


def test_one_person_has_no_interval() -> None:
    found = estimate(0.5, draws(1), lambda weights: float(weights.sum()))
    assert (found.value, found.low, found.high) == (0.5, None, None)


def test_a_person_of_many_walks_widens_the_interval_by_people_not_by_walks() -> None:
    """Ten people, each all right or all wrong: a thousand walks each tell no more than one."""
    right = np.array([1, 0] * 5, np.float64)[:, None]
    few = around(0.5, cell_means(right, np.ones((10, 1)), draws(10)))
    many = around(0.5, cell_means(right * 1000, np.full((10, 1), 1000.0), draws(10)))
    assert few == many
    assert few.high - few.low > 0.4


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    rng, hit = np.random.default_rng(0), 0
    for trial in range(200):
        people = (rng.random((60, 1)) < 0.7) * 1.0
        found = around(float(people.mean()), cell_means(people, np.ones((60, 1)), draws(60, 300, trial)))
        hit += found.low <= 0.7 <= found.high
    assert 0.88 <= hit / 200 <= 0.99


def test_cells_weigh_alike_and_empty_ones_not_at_all() -> None:
    hits, counts = np.array([[3.0, 0, 0], [0, 1, 0]]), np.array([[3.0, 9, 0], [0, 1, 0]])
    assert cell_means(hits, counts)[0] == pytest.approx((1.0 + 0.1) / 2)
    assert np.isnan(cell_means(hits * 0, counts * 0)[0])


def test_an_undefined_figure_is_none() -> None:
    assert around(float("nan"), np.ones(3)).value is None
