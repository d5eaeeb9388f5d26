"""What an embedder is taught by is its gallery and nothing else."""

import itertools

import numpy as np
import pytest

from gait.evaluation.embedding import Taught
from gait.evaluation.run import evaluate
from gait.evaluation.teaching import GalleryAlone
from tests.strategies_evaluation import entries_of, walks_of

RUNS = entries_of(*(f"{p}/{run}" for p, run in itertools.product("ab", ("N/1", "N/2", "AR/3", "AR/4"))))


def test_it_is_taught_once_for_each_gallery_and_never_by_a_probe() -> None:
    """Two normal runs, each searched for in the other; both other runs in the two normal ones."""
    taught = []

    def teach(entries):
        taught.append([str(entry) for entry in entries])
        return lambda walk: walk.silhouettes.mean(axis=0)

    evaluate(walks_of(RUNS, noise=1), Taught("taught", teach), "leave-run-out")
    assert taught == [["a/N/2", "b/N/2"], ["a/N/1", "b/N/1"], ["a/N/1", "a/N/2", "b/N/1", "b/N/2"]]


def test_each_gallery_s_embedder_answers_for_its_own_trials() -> None:
    """One that was taught by run 1 alone says what it knows: who is who in both runs, or nothing."""

    def teach(entries):
        knows = any(entry.view == "1" for entry in entries)
        return lambda walk: walk.silhouettes.mean(axis=0) if knows else np.ones((2, 2))

    normal, other = evaluate(walks_of(RUNS), Taught("x", teach), "leave-run-out").evaluation.groups
    assert (normal.rank["1"].value, other.rank["1"].value) == (0.5, 1.0)


def test_a_learner_comes_after_the_teaching() -> None:
    learned = []

    def learn(features, people):
        learned.append((features.shape, list(people)))
        return lambda vectors: vectors

    def teach(entries):
        return lambda walk: np.full((1, len(entries)), walk.silhouettes.mean())

    evaluate(walks_of(RUNS), Taught("x", teach, learn), "leave-run-out")
    assert learned[0] == ((2, 1, 2), ["a", "b"])
    assert learned[2] == ((4, 1, 4), ["a", "a", "b", "b"])


def test_the_gallery_is_read_whole_and_knows_its_lengths() -> None:
    """Sets read as published do not know lengths; training asks for frames by number."""
    walks = walks_of(RUNS, noise=3)
    gallery = GalleryAlone(walks, RUNS[:2])
    assert gallery.partition.train == ("a",)
    for published, entry in zip(RUNS[:2], gallery.entries, strict=True):
        whole = walks.read(published)
        assert entry.frames == len(whole.silhouettes)
        part = gallery.read(entry, np.array([0, 0]))
        assert np.array_equal(part.silhouettes, whole.silhouettes[[0, 0]])
    with pytest.raises(KeyError):
        gallery.read(RUNS[-1])
    assert gallery.digest() != GalleryAlone(walks, RUNS[:3]).digest()
