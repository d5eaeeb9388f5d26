"""Scores of a net against strangers: what was told is what the pipeline tells, and its map is a map of that."""

import numpy as np
import pytest

from calibration.scores import fit_score_map
from calibration.shipped_recipe import DRAWN, SEEN
from calibration.shipped_scores import LENGTHS, STRANGERS, WALKERS, labelled
from gait.decision_norm import Cohort
from gait.gallery.index import GalleryIndex
from gait.training.synthetic import TESTED_WITH

RNG = np.random.default_rng(3)


def unit(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)


OWN = RNG.normal(size=(30, 64))
GALLERY = unit(OWN + 0.4 * RNG.normal(size=OWN.shape))
PROBES = unit(OWN[:, None] + 0.6 * RNG.normal(size=(30, len(LENGTHS), 64)))
COHORT = Cohort("m", unit(RNG.normal(size=(60, 64))))


def test_scores_are_those_that_the_index_gives() -> None:
    people = tuple(f"p{k}" for k in range(30))
    index = GalleryIndex("m", 1, people, people, GALLERY, np.arange(30))
    asked = PROBES.reshape(-1, 64)
    for cohort in (None, COHORT):
        found = labelled(GALLERY, PROBES, cohort)
        np.testing.assert_allclose(found.scores.reshape(90, 30), index.scores(asked, cohort), atol=1e-5)
    assert found.same.sum() == 30 * len(LENGTHS)
    assert set(found.samples) == set(LENGTHS)


def test_a_map_of_told_scores_takes_them_as_they_are() -> None:
    found = labelled(GALLERY, PROBES, COHORT)
    told = fit_score_map(found, "m", "drawn", normalised=True)
    assert told.normalised
    evidence = told.evidence(found.scores[:, None], found.samples)[:, 0]
    assert evidence[found.same].mean() > 2 > -2 > evidence[~found.same].mean()
    # Far above artanh's reach, a told score still says more than a lower one.
    low, high = told.evidence(np.array([[2.0, 4.0]]), np.array([50.0]))[0]
    assert high > low


@pytest.mark.parametrize("people", [WALKERS, STRANGERS])
def test_nobody_judged_by_is_trained_on_or_tested(people: range) -> None:
    for others in (TESTED_WITH, *DRAWN.values(), *SEEN.values()):
        assert not set(people) & set(range(others.first, others.first + others.people))
    assert not set(WALKERS) & set(STRANGERS)
