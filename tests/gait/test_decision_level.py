"""How alike a camera's people look: learned from pairs that are not one person, and taken off every score."""

import msgspec
import numpy as np
import pytest

from gait.decision_clusters import Strangers, own_name
from gait.decision_level import (
    FIRST_GUESS,
    GUESS_WEIGHT,
    MIN_SPREAD,
    MOST,
    NONE,
    Impostors,
    Level,
    Others,
    guessed,
    pairs_of,
    settled,
)
from gait.decision_norm import Cohort
from gait.gallery.index import GalleryIndex
from gait.identify import Belief, Decider, DecisionConfig, Pool
from gait.score_map import ScoreMap
from stream.errors import ConfigError
from tests.strategies_gallery import MODEL, embedding
from tests.strategies_gallery import unit as unit_of

DIMENSION = 128
PEOPLE = 6
CAMERA = 5000


def unit(seed: int) -> np.ndarray:
    return unit_of(seed, DIMENSION)


COHORT = Cohort(MODEL, np.stack([unit(1000 + n) for n in range(60)]))
MAP = ScoreMap(MODEL, -7.0, 1.5, 0.0, 100, 1000, "made up", normalised=True, others=Impostors(-1.1, 1.8))
"""Made for people who have cameras of their own: two of them reach -1.1 in the mean and 4 at the most."""


def at_a_camera(seed: int, shared: float, by: float = 0.0, again: int = 0) -> np.ndarray:
    """Somebody, with so much in what they show that all who pass the camera have in common."""
    person = unit(seed) + by * unit(seed + 10_000 * again)
    vector = person / np.linalg.norm(person) + shared * unit(CAMERA)
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def gallery(shared: float, people: int = PEOPLE) -> GalleryIndex:
    names = tuple(f"p{n}" for n in range(people))
    matrix = np.stack([at_a_camera(n, shared) for n in range(people)])
    return GalleryIndex(MODEL, 1, names, names, matrix, np.arange(people))


def believed(vector: np.ndarray, index: GalleryIndex, level: Level | None = None, told=MAP) -> Belief:
    pool = Pool(10.0)
    pool.add(embedding(vector, samples=100))
    (belief,) = Decider(told, DecisionConfig(min_samples=20), COHORT).believe([pool], index, level)
    return belief


def named(belief: Belief) -> int | None:
    best = int(belief.probabilities.argmax())
    return best if best < len(belief.probabilities) - 1 and belief.probabilities[best] >= 0.75 else None


@pytest.mark.parametrize("shared", [0.0, 0.7])
def test_whatever_a_camera_has_in_common_strangers_stay_strangers_and_the_enrolled_are_named(
    shared: float,
) -> None:
    index = gallery(shared)
    for n in range(PEOPLE):
        assert named(believed(at_a_camera(n, shared, 0.2, again=1), index)) == n
        assert named(believed(at_a_camera(100 + n, shared), index)) is None


def test_without_a_level_strangers_at_such_a_camera_are_somebody() -> None:
    index, deaf = gallery(0.9), msgspec.structs.replace(MAP, others=None)
    strangers = [at_a_camera(100 + n, 0.9) for n in range(20)]
    assert any(named(believed(stranger, index, told=deaf)) is not None for stranger in strangers)
    assert all(named(believed(stranger, index)) is None for stranger in strangers)


def test_what_was_learned_of_a_camera_counts_where_a_gallery_shows_little() -> None:
    index, stranger = gallery(0.7, people=1), at_a_camera(100, 0.7)
    level = Level()
    for n in range(40):
        level.learn(believed(at_a_camera(200 + n, 0.7), gallery(0.7)).others)
    fresh, wise = (believed(stranger, index, one).probabilities[0] for one in (None, level))
    assert wise < fresh
    assert named(believed(stranger, index, level)) is None
    assert named(believed(at_a_camera(0, 0.7, 0.3, again=1), index, level)) == 0


def test_nobody_is_taken_to_look_more_like_the_enrolled_than_they_look_like_each_other() -> None:
    rng = np.random.default_rng(0)
    ten_at_cameras_of_their_own = rng.normal(-3.0, 2.0, 45)
    assert guessed(ten_at_cameras_of_their_own).mean == pytest.approx(-1.3, abs=0.7)
    assert guessed(np.full(4950, -3.0)).mean == pytest.approx(-2.5, abs=0.1)
    assert guessed(np.full(4950, -3.0)).spread == FIRST_GUESS.spread
    for of_little_weight in (np.full(45, 4.0), np.full(3, 0.5), np.zeros(0)):
        assert guessed(of_little_weight) == FIRST_GUESS


def test_such_a_gallery_is_heeded_before_a_new_camera() -> None:
    many, few = gallery(0.0, people=40), gallery(0.0, people=2)
    levels = [believed(at_a_camera(100, 0.0), index).impostors for index in (many, few)]
    assert levels[0] is not None
    assert levels[1] is not None
    assert levels[0].mean < levels[1].mean - 1


def test_scores_among_the_enrolled_are_those_of_each_two_and_the_same_both_ways() -> None:
    vectors = np.stack([unit(n) for n in range(7)])
    firsts = np.array([0, 2, 3, 5])  # people with 2, 1, 2 and 2 templates
    names = ("a", "b", "c", "d")
    index = GalleryIndex(MODEL, 1, names, names, vectors, firsts)
    among = index.among_anyone(COHORT)
    assert among.shape == (6,)
    means = np.stack([rows.mean(axis=0) for rows in np.split(vectors, firsts[1:])])
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    table = index.scores(means.astype(np.float32), COHORT)
    expected = [(table[i, j] + table[j, i]) / 2 for i in range(4) for j in range(i + 1, 4)]
    np.testing.assert_allclose(among, expected, atol=1e-4)
    some = GalleryIndex(MODEL, 1, names, names, vectors, firsts, 5000, anyone=np.array([1, 3]))
    np.testing.assert_allclose(some.among_anyone(COHORT), [expected[4]], atol=1e-4)
    assert index.among_anyone(COHORT) is among
    turn, _ = np.linalg.qr(np.random.default_rng(1).normal(size=(DIMENSION, DIMENSION)))
    turned = GalleryIndex(
        MODEL, 1, names, names, (vectors @ turn).astype(np.float32), firsts, turned=lambda v: v @ turn
    )
    np.testing.assert_allclose(turned.among_anyone(COHORT), among, atol=1e-3)


def test_of_a_thousand_enrolled_an_even_choice_stands_for_all() -> None:
    names = tuple(f"p{n}" for n in range(1000))
    vectors = np.stack([unit(n) for n in range(1000)])
    among = GalleryIndex(MODEL, 1, names, names, vectors, np.arange(1000)).among_anyone(COHORT)
    assert len(among) == 125 * 124 // 2


def test_a_pair_that_is_one_person_does_not_raise_the_level() -> None:
    scores = np.array([[9.0, -1.0, 1.0]])
    (others,) = pairs_of(scores, np.array([[1.0, 0.0, 0.5]]))
    assert others == Others(-0.5, 1.5, 1.5)
    found = settled(Level(), FIRST_GUESS, scores, np.array([True]), lambda _: np.array([[1.0, 0.0, 0.0]]))
    guess = GUESS_WEIGHT * FIRST_GUESS.mean
    assert found.mean == pytest.approx((guess - 1.0 + 1.0) / (GUESS_WEIGHT + 2))


def test_a_track_of_few_samples_says_nothing_of_the_camera() -> None:
    scores = np.array([[4.0, 4.0], [-2.0, -2.0]])
    found = settled(Level(), FIRST_GUESS, scores, np.array([False, True]), lambda _: np.zeros((2, 2)))
    assert found.mean == pytest.approx((GUESS_WEIGHT * FIRST_GUESS.mean - 4.0) / (GUESS_WEIGHT + 2))


def pairs(mean: float, spread: float, count: float = 6.0) -> Others:
    return Others(mean * count, (spread**2 + mean**2) * count, count)


def test_many_pairs_outweigh_the_first_guess_and_new_ones_outweigh_old_ones() -> None:
    level = Level()
    assert level.impostors().mean == pytest.approx(FIRST_GUESS.mean)
    assert level.impostors().spread > FIRST_GUESS.spread  # the mean is only guessed
    level.learn(NONE)
    assert level.seen == NONE
    for _ in range(1000):
        level.learn(pairs(-3.0, 1.0))
    assert level.impostors() == pytest.approx((-3.0, 1.0), abs=0.1)
    assert level.seen.count == pytest.approx(MOST)
    for _ in range(1000):
        level.learn(pairs(2.0, 2.5))
    assert level.impostors() == pytest.approx((2.0, 2.5), abs=0.3)


def test_pairs_that_happen_to_be_alike_make_no_camera_exact() -> None:
    level = Level()
    level.learn(pairs(1.0, 0.0, 300.0))
    assert level.impostors().spread == MIN_SPREAD


def test_a_score_is_told_by_how_far_out_it_lies() -> None:
    here, fitted = Impostors(3.0, 1.5), Impostors(-3.0, 2.0)
    told = here.told_as(fitted, np.array([3.0, 4.5, 9.0]))
    np.testing.assert_allclose(told, [-3.0, -1.0, 5.0])


def test_of_a_large_gallery_only_people_taken_at_random_tell_the_level() -> None:
    vectors = [at_a_camera(0, 0.0, 0.5, again=n) for n in range(1, 5)] + [unit(50 + n) for n in range(8)]
    names = tuple(f"p{n}" for n in range(len(vectors)))
    nearest_and_anyone = GalleryIndex(
        MODEL, 1, names, names, np.stack(vectors), np.arange(12), 5000, anyone=np.arange(4, 12)
    )
    belief = believed(unit(0), nearest_and_anyone)
    assert belief.others.count == pytest.approx(8, abs=0.1)
    assert belief.others.total / belief.others.count < 0
    assert (
        believed(unit(0), GalleryIndex(MODEL, 1, (), (), np.zeros((0, DIMENSION)), np.zeros(0))).others
        == NONE
    )


def clusters(heeded: bool) -> list[set[str]]:
    """What twelve strangers are called who pass a camera three times each."""
    strangers, level = Strangers(MAP, cohort=COHORT), Level()
    for n in range(20):
        level.learn(believed(at_a_camera(200 + n, 0.7), gallery(0.7)).others)
    names: list[set[str]] = [set() for _ in range(12)]
    for again in range(3):
        for n, called in enumerate(names):
            vector = at_a_camera(300 + n, 0.7, 0.2, again)
            found = believed(vector, gallery(0.7), level).impostors if heeded else None
            own = own_name(f"door/run/{1000 * n + again}")
            name = strangers.recognise(vector, 100.0, own, None, impostors=found)
            strangers.learn(name, vector, 100.0, again)
            called.add(name)
    return names


def test_strangers_at_one_camera_are_not_taken_for_one() -> None:
    names = clusters(heeded=True)
    assert [len(called) for called in names] == [1] * 12
    assert len(set.union(*names)) == 12
    assert len(set.union(*clusters(heeded=False))) < 12
    with pytest.raises(ConfigError, match="go together"):
        Strangers(MAP)


@pytest.mark.parametrize("others", [(float("nan"), 1.0), (0.0, float("inf")), (0.0, 0.0), (0.0, -1.0)])
def test_a_map_with_bad_impostors_is_refused(others: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="others"):
        msgspec.structs.replace(MAP, others=Impostors(*others))
    with pytest.raises(ValueError, match="others"):
        msgspec.structs.replace(MAP, normalised=False)
