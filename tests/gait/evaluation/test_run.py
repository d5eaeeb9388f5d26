"""A protocol from walks to figures: right for a perfect and for a useless embedder, fair to learners."""

import itertools

import numpy as np
import pytest

from gait.evaluation import searching, verification
from gait.evaluation.baselines import baseline
from gait.evaluation.embedding import Subject
from gait.evaluation.run import evaluate
from gait.evaluation.searching import Embedded, search_all
from gait.evaluation.trials import Trial, indices
from stream.errors import MessageError
from tests.strategies_evaluation import entries_of, walks_of

PEOPLE = [f"{i:02d}" for i in range(12)]
CASIA = entries_of(
    *(
        f"{p}/{c}/{v}"
        for p, c, v in itertools.product(PEOPLE, ("nm-01", "nm-02", "nm-05", "bg-01"), ("000", "090"))
    )
)
LISTS = entries_of(
    *(f"{p}/a/1/{n}:{role}" for p, n, role in itertools.product(PEOPLE, "01", ("probe", "gallery")) if 1),
    *(f"{p}/b/1/9:probe" for p in ("stranger", "other")),
)


def test_a_good_embedder_gets_everything_right() -> None:
    found = evaluate(walks_of(CASIA, noise=1), baseline("average-silhouette"), "casia-b").evaluation
    assert [group.name for group in found.groups] == ["NM", "BG"]
    for group in found.groups:
        assert group.rank["1"].value == group.mean_average_precision.value == 1.0
        assert (group.verification.eer.value, group.verification.auc.value) == (0.0, 1.0)
        assert group.verification.accuracy.value >= 0.99
        assert group.open_set.dir["0.01"].value == 1.0
        assert group.matrix.values == ((None, 1.0), (1.0, None))
        assert (group.trials, group.searches, group.people) == (2, 24, 12)


def test_an_embedder_that_says_the_same_of_all_gets_nothing() -> None:
    same = Subject("same", lambda walk: np.ones((2, 3)))
    (group, _) = evaluate(walks_of(CASIA), same, "casia-b").evaluation.groups
    assert group.rank["20"].value == 0.0
    assert group.verification.auc.value == group.verification.eer.value == 0.5
    assert group.open_set.fnir["0.1"].value == 1.0


def test_strangers_of_the_data_are_the_open_set() -> None:
    walks = walks_of(LISTS, noise=1)
    (group,) = evaluate(walks, baseline("average-silhouette"), "lists").evaluation.groups
    assert (group.without_mate, group.open_set.unmated, group.open_set.left_out) == (2, 2, False)
    assert group.rank["1"].value == 1.0


def test_a_learner_is_fitted_to_each_gallery_alone() -> None:
    taught = []

    def learn(features, people):
        taught.append(list(people))
        return lambda vectors: vectors

    entries = entries_of(
        *(f"{p}/{run}" for p, run in itertools.product("ab", ("N/1", "N/2", "AR/3", "AR/4")))
    )
    evaluate(
        walks_of(entries), Subject("learner", baseline("average-silhouette").features, learn), "leave-run-out"
    )
    assert taught == [["a", "b"], ["a", "b"], ["a", "a", "b", "b"]]


def test_the_same_run_gives_the_same_bytes() -> None:
    subject = baseline("average-silhouette")
    first, second = (evaluate(walks_of(CASIA), subject, "casia-b").evaluation for _ in range(2))
    assert first == second


def test_controls_reach_the_embedder() -> None:
    seen = []

    def watch(walk):
        seen.append(len(np.unique(walk.silhouettes, axis=0)))
        return np.ones((1, 2)) * len(seen)

    evaluate(walks_of(CASIA), Subject("watch", watch), "casia-b", control="single-frame")
    assert set(seen) == {1}


@pytest.mark.parametrize(
    ("answer", "reason"),
    [(np.full((1, 2), np.nan), "not finite"), (np.ones(3), r"shape \(3,\)")],
)
def test_a_walk_that_fails_is_named(answer, reason) -> None:
    with pytest.raises(MessageError, match=rf"00/nm-01/000.*{reason}"):
        evaluate(walks_of(CASIA), Subject("broken", lambda walk: answer), "casia-b")


def test_walks_joined_of_pieces_equal_a_slow_count() -> None:
    entries = entries_of(*(f"{p}/{c}//{n}" for p, c, n in itertools.product("abc", ("gal", "prb"), "123")))
    vectors = np.random.default_rng(0).normal(size=(18, 1, 4)).astype(np.float32)
    probes = [i for i, e in enumerate(entries) if e.condition == "prb"]
    gallery = [i for i, e in enumerate(entries) if e.condition == "gal"]
    embedded = Embedded.of(entries, vectors)
    block = searching.joined_block(
        embedded, Trial("x", indices(probes), indices(gallery), joined=True), "euclidean"
    )
    for i, j in itertools.product(range(3), repeat=2):
        part = np.array(
            [
                [np.linalg.norm(vectors[p] - vectors[g]) for g in gallery[3 * j : 3 * j + 3]]
                for p in probes[3 * i : 3 * i + 3]
            ]
        )
        wanted = (part.min(1).mean() + part.min(0).mean()) / 2
        assert block.distance[i, j] == pytest.approx(wanted, rel=1e-5)


def test_many_pairs_counted_in_bins_tell_the_same(monkeypatch) -> None:
    rng = np.random.default_rng(5)
    entries = entries_of(*(f"{i % 40}/a/1/{i}" for i in range(400)))
    centres = rng.normal(size=(40, 1, 8))
    vectors = (centres[np.arange(400) % 40] + rng.normal(0, 0.7, (400, 1, 8))).astype(np.float32)
    embedded = Embedded.of(entries, vectors)
    trial = Trial("x", indices(range(200)), indices(range(400)))
    searches, exact = search_all([(embedded, trial)], "euclidean")
    monkeypatch.setattr(verification, "EXACT_PAIRS", 0)
    again, binned = search_all([(embedded, trial)], "euclidean")
    np.testing.assert_array_equal(searches[0].rank, again[0].rank)
    one, other = verification.roc(exact.exact), verification.roc(binned.exact)
    assert exact.exact.genuine.sum() == binned.exact.genuine.sum() == 200 * 9
    assert verification.auc(one) == pytest.approx(verification.auc(other), abs=1e-3)
    assert verification.eer(one) == pytest.approx(verification.eer(other), abs=3e-3)


def test_a_probe_is_never_its_own_mate() -> None:
    entries = entries_of("a/x/1", "b/x/1", "a/x/2")
    embedded = Embedded.of(entries, np.array([[[0.0]], [[1.0]], [[5.0]]], np.float32))
    everyone = indices([0, 1, 2])
    (searches,), pairs = search_all([(embedded, Trial("x", everyone, everyone))], "euclidean")
    assert searches.rank.tolist() == [2, 0, 2]
    assert (pairs.exact.genuine.sum(), pairs.exact.impostor.sum()) == (2, 4)


def test_the_same_person_in_the_same_view_is_passed_over() -> None:
    entries = entries_of("a/shirt/1", "a/shirt/1/again", "a/shirt/2", "a/coat/3", "b/shirt/1")
    embedded = Embedded.of(entries, np.array([[[0.0]], [[0.1]], [[0.2]], [[9.0]], [[3.0]]], np.float32))

    def mates(exclude):
        trial = Trial("x", indices([0]), indices([1, 2, 3, 4]), exclude=exclude)
        order, _ = searching.nearest(embedded, trial, 0, "euclidean")
        (searches,), _ = search_all([(embedded, trial)], "euclidean")
        return order.tolist(), int(searches.rank[0])

    assert mates("nothing") == ([1, 2, 4, 3], 1)
    assert mates("own view") == ([2, 4, 3], 1)
    assert mates("own view and clothes") == ([4, 3], 2)


def test_several_probe_sets_end_with_their_mean() -> None:
    entries = entries_of(
        *(f"{p}/gallery//{n}:gallery" for p, n in itertools.product("abcd", "12")),
        *(f"{p}/A//{n}:probe" for p, n in itertools.product("abcd", "12")),
        *(f"{p}/B//{n}:probe" for p, n in itertools.product("ab", "12")),
    )
    found = evaluate(walks_of(entries, noise=1), baseline("average-silhouette"), "usf").evaluation
    assert [group.name for group in found.groups] == ["A, walks", "B, walks", "A, pieces", "B, pieces"]
    assert [group.searches for group in found.groups] == [4, 2, 8, 4]
    assert found.notes[0].startswith("Mean over the 2 probe sets, walks: rank-1 100.0%")
