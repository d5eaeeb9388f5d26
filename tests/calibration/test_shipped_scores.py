"""Scores of a net against strangers: what was told is what the pipeline tells, and its map is a map of that."""

import numpy as np
import pytest

from calibration.scores import fit_score_map
from calibration.shipped_recipe import DRAWN, SEEN
from calibration.shipped_scores import (
    LENGTHS,
    SEEN_STRANGERS,
    SEEN_WALKERS,
    STRANGERS,
    WALKERS,
    Passes,
    joined,
    labelled,
    seen_twice,
)
from engines.streaming_embedder import StreamingEmbedder
from gait.data.records import Entry, Partition
from gait.decision_norm import Cohort
from gait.gallery.index import GalleryIndex
from gait.inputs import Walk
from gait.models.weights import STEM
from gait.sample import sample_walk
from gait.training.synthetic import TESTED_WITH

RNG = np.random.default_rng(3)


def unit(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)


OWN = RNG.normal(size=(30, 64))
GALLERY = unit(OWN + 0.4 * RNG.normal(size=OWN.shape))
PROBES = unit(OWN[:, None] + 0.6 * RNG.normal(size=(30, len(LENGTHS), 64)))
PASSES = Passes(GALLERY, PROBES, np.tile(np.array(LENGTHS, float), (30, 1)))
COHORT = Cohort("m", unit(RNG.normal(size=(60, 64))))


def test_scores_are_those_that_the_index_gives() -> None:
    people = tuple(f"p{k}" for k in range(30))
    index = GalleryIndex("m", 1, people, people, GALLERY, np.arange(30))
    asked = PROBES.reshape(-1, 64)
    for cohort in (None, COHORT):
        found = labelled(PASSES, cohort)
        np.testing.assert_allclose(found.scores.reshape(90, 30), index.scores(asked, cohort), atol=1e-5)
    assert found.same.sum() == 30 * len(LENGTHS)
    assert set(found.samples) == set(LENGTHS)


def test_a_map_of_told_scores_takes_them_as_they_are() -> None:
    found = labelled(PASSES, COHORT)
    told = fit_score_map(found, "m", "drawn", normalised=True)
    assert told.normalised
    evidence = told.evidence(found.scores[:, None], found.samples)[:, 0]
    assert evidence[found.same].mean() > 2 > -2 > evidence[~found.same].mean()
    # Far above artanh's reach, a told score still says more than a lower one.
    low, high = told.evidence(np.array([[2.0, 4.0]]), np.array([50.0]))[0]
    assert high > low


def test_groups_put_together_keep_their_people_apart() -> None:
    one = labelled(PASSES, COHORT)
    both = joined([one, one])
    assert both.people == 2 * one.people
    assert len(both.scores) == 2 * len(one.scores)
    np.testing.assert_array_equal(both.whose[len(one.whose) :], one.whose + 30)


class Seen:
    """Whom perception saw: two people twice, of whom one for a second alone, and one once."""

    partition = Partition()
    entries = tuple(
        Entry(who, "perceived", "any", 0, name)
        for who, name in (("1", "0"), ("1", "1"), ("2", "0"), ("3", "1"), ("3", "0"))
    )

    def read(self, entry: Entry, indices: object = None) -> Walk:
        return sample_walk(int(entry.person), 12 if entry.person == "3" else 30)


def test_visits_in_colour_are_of_those_seen_twice_and_rest_on_what_was_seen() -> None:
    found = seen_twice(StreamingEmbedder(STEM), Seen())
    assert found.gallery.shape == (2, 512)
    np.testing.assert_array_equal(found.samples, [[25, 30, 30], [12, 12, 12]])
    np.testing.assert_array_equal(found.probes[1, 0], found.probes[1, 2])
    # Both visits are the same walk here: whole, it is itself.
    assert (found.probes[:, -1] * found.gallery).sum(axis=1) == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize(
    "people",
    [WALKERS, STRANGERS, *(range(s.first, s.first + s.people) for s in (SEEN_WALKERS, SEEN_STRANGERS))],
)
def test_nobody_judged_by_is_trained_on_or_tested(people: range) -> None:
    for others in (TESTED_WITH, *DRAWN.values(), *SEEN.values()):
        assert not set(people) & set(range(others.first, others.first + others.people))
    assert not set(WALKERS) & set(STRANGERS)
