"""The decision: probabilities that follow the scores, names that do not flicker and are not given twice."""

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gait.baseline import BaselineEmbedder
from gait.gallery.index import GalleryIndex
from gait.identify import Belief, Decider, DecisionConfig, Held, Pool
from gait.score_map import ScoreMap, built_in_map, load_score_map
from stream.errors import ConfigError, MessageError
from stream.messages import Identity
from tests.strategies_gallery import DIMENSION, MODEL, START_NS, embedding, unit

MAP = ScoreMap(MODEL, -10.0, 14.0, 0.0, 100, 1000, "made up")
DECIDER = Decider(MAP, DecisionConfig(accept=0.9, release=0.5, patience=2, min_samples=20))


def index_of(people: dict[str, list[np.ndarray]]) -> GalleryIndex:
    rows = [vector for vectors in people.values() for vector in vectors]
    counts = [len(vectors) for vectors in people.values()]
    firsts = np.cumsum([0, *counts[:-1]]).astype(np.intp) if counts else np.zeros(0, np.intp)
    matrix = np.stack(rows) if rows else np.zeros((0, DIMENSION), np.float32)
    return GalleryIndex(MODEL, 1, tuple(people), tuple(f"name of {p}" for p in people), matrix, firsts)


GALLERY = {f"p{n}": [unit(n), unit(n, near=unit(n))] for n in range(4)}
INDEX = index_of(GALLERY)


def pool_of(vector: np.ndarray, samples: int = 100) -> Pool:
    pool = Pool(10.0)
    pool.add(embedding(vector, samples=samples))
    return pool


def test_the_enrolled_are_named_and_a_stranger_is_not() -> None:
    seen = [pool_of(unit(50 + n, near=unit(n), by=0.3)) for n in range(4)] + [pool_of(unit(99))]
    for n, pool in enumerate(seen):
        (belief,) = DECIDER.believe([pool], INDEX)
        answer = DECIDER.answer(belief, INDEX)
        if n == 4:
            assert (answer.answer, answer.person) == ("unknown", None)
        else:
            assert (answer.answer, answer.person, answer.name) == ("person", f"p{n}", f"name of p{n}")
        assert answer.probability is not None
        assert answer.probability > 0.9
        assert answer.margin is not None
        assert answer.margin > 0.8


def test_an_empty_gallery_knows_nobody() -> None:
    empty = index_of({})
    (belief,) = DECIDER.believe([pool_of(unit(1))], empty)
    assert DECIDER.answer(belief, empty) == Identity("unknown", probability=1.0, margin=1.0)


def test_too_few_samples_say_what_is_missing() -> None:
    (belief,) = DECIDER.believe([pool_of(unit(1), samples=12)], INDEX)
    answer = DECIDER.answer(belief, INDEX)
    assert (answer.answer, answer.missing) == ("insufficient_evidence", "8 more valid samples")
    assert answer.probability is None


def test_between_two_people_nobody_is_named() -> None:
    between = (unit(0) + unit(1)) / np.linalg.norm(unit(0) + unit(1))
    (belief,) = DECIDER.believe([pool_of(between.astype(np.float32))], INDEX)
    answer = DECIDER.answer(belief, INDEX)
    assert answer.answer == "insufficient_evidence"
    assert answer.missing is not None
    assert answer.missing.startswith("a clearer match")


@settings(deadline=None)
@given(st.floats(-1, 1), st.floats(-1, 1), st.integers(20, 500), st.integers(1, 5000))
def test_a_higher_score_is_never_less_probable(one: float, other: float, samples: int, people: int) -> None:
    low, high = sorted((one, other))
    decider = Decider(msgspec.structs.replace(MAP, half_samples=30.0))
    evidence = decider.score_map.evidence(np.array([[low], [high]]), np.array([samples, samples]))
    assert evidence[0, 0] <= evidence[1, 0]
    prior = decider._prior(people)
    assert prior <= decider._prior(1)


@settings(deadline=None)
@given(st.permutations(range(4)), st.integers(0, 30))
def test_the_gallerys_order_does_not_matter(order: list[int], seed: int) -> None:
    shuffled = index_of({f"p{n}": GALLERY[f"p{n}"][::-1] for n in order})
    vector = unit(seed, near=unit(seed % 5), by=0.5)
    answers = [
        DECIDER.answer(DECIDER.believe([pool_of(vector)], index)[0], index) for index in (INDEX, shuffled)
    ]
    assert answers[0] == answers[1]


@settings(deadline=None)
@given(st.lists(st.integers(0, 6), min_size=1, max_size=6), st.floats(0.05, 0.6))
def test_two_tracks_at_once_never_share_a_name(who: list[int], by: float) -> None:
    pools = [pool_of(unit(200 + k, near=unit(n), by=by)) for k, n in enumerate(who)]
    answers = [DECIDER.answer(belief, INDEX) for belief in DECIDER.believe(pools, INDEX)]
    named = [answer.person for answer in answers if answer.person]
    assert len(named) == len(set(named))


def test_of_two_tracks_at_once_the_nearer_gets_the_name() -> None:
    near, far = pool_of(unit(60, near=unit(1), by=0.1)), pool_of(unit(61, near=unit(1), by=0.3))
    answers = [DECIDER.answer(belief, INDEX) for belief in DECIDER.believe([far, near], INDEX)]
    assert [answer.person for answer in answers] == [None, "p1"]


def test_a_larger_gallery_asks_for_more() -> None:
    rng = np.random.default_rng(3)
    crowd = {f"x{n}": [unit(int(seed))] for n, seed in enumerate(rng.integers(1000, 2**31, 200))}
    vector = unit(70, near=unit(1), by=0.7)
    small, large = INDEX, index_of(GALLERY | crowd)
    chances = [DECIDER.believe([pool_of(vector)], index)[0].probabilities[1] for index in (small, large)]
    assert chances[0] > chances[1]


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_vectors_with_nan_are_refused_everywhere(bad: float) -> None:
    vector = unit(1).copy()
    vector[3] = bad
    pool = pool_of(unit(2))
    with pytest.raises(MessageError, match="finite"):
        pool.add(embedding(vector))
    assert pool.vector() == pytest.approx(unit(2), abs=1e-6)
    with pytest.raises(MessageError, match="NaN"):
        INDEX.scores(vector[None])
    with pytest.raises(MessageError, match="cannot be looked up"):
        INDEX.scores(np.zeros((1, 3), np.float32))
    with pytest.raises(MessageError, match="of its model"):
        pool.add(embedding(unit(1, 8)))


def test_windows_that_overlap_count_their_samples_once() -> None:
    pool = Pool(10.0)
    for at_s in (2.0, 3.0, 4.0):  # two seconds each, so every window after the first is half new
        pool.add(embedding(unit(1), at_s=at_s, samples=50))
    assert pool.samples == pytest.approx(100)
    assert (pool.start_ns, pool.end_ns) == (START_NS, START_NS + 4_000_000_000)


def test_better_windows_weigh_more() -> None:
    pool = Pool(10.0)
    pool.add(embedding(unit(1), quality=0.9))
    pool.add(embedding(unit(2), at_s=4.0, quality=0.1))
    assert pool.vector() @ unit(1) > 0.95
    assert 0.1 < pool.quality < 0.9


def test_a_track_that_swaps_people_is_believed_anew() -> None:
    pool = Pool(2.0)
    for k in range(60):
        pool.add(embedding(unit(1), at_s=2.0 + 0.5 * k))
    for k in range(12):
        pool.add(embedding(unit(2), at_s=32.0 + 0.5 * k))
    assert pool.vector() @ unit(2) > 0.9
    assert pool.samples == pytest.approx(50 + 50 * 0.25 * 71)


def belief(*chances: float) -> Belief:
    return Belief(np.array([*chances, 0, 0, 1 - sum(chances)]), 100)


def names(*beliefs: Belief, last: int = -1) -> list[str | None]:
    held: Held | None = None
    found = []
    for turn, one in enumerate(beliefs):
        held = DECIDER.settle(held, one, INDEX, last=turn == last)
        found.append(held.identity.person or held.identity.answer)
    return found


def test_a_name_is_held_while_the_evidence_wavers() -> None:
    sure, unsure, against = belief(0.95, 0.0), belief(0.6, 0.3), belief(0.2, 0.2)
    assert names(sure, unsure, sure) == ["p0"] * 3
    assert names(sure, against, sure) == ["p0"] * 3
    assert names(sure, against, against) == ["p0", "p0", "unknown"]


def test_the_last_decision_waits_for_nothing() -> None:
    assert names(belief(0.95, 0.0), belief(0.2, 0.2), last=1) == ["p0", "unknown"]
    assert names(belief(0.95, 0.0), belief(0.6, 0.3), last=1) == ["p0", "p0"]


def test_too_little_evidence_gives_way_at_once() -> None:
    assert names(belief(0.5, 0.45), belief(0.95, 0.0)) == ["insufficient_evidence", "p0"]


def test_the_probability_told_is_todays() -> None:
    held = DECIDER.settle(Held(Identity("person", "p0", "x", 0.95, 0.9)), belief(0.6, 0.3), INDEX)
    assert held.identity == Identity("person", "p0", "name of p0", 0.6, 0.3)


def test_somebody_who_left_the_gallery_is_held_no_longer() -> None:
    held = Held(Identity("person", "gone", "Gone", 0.99, 0.9))
    assert DECIDER.settle(held, belief(0.2, 0.2), INDEX).identity.answer == "unknown"


def test_beliefs_are_probabilities() -> None:
    beliefs = DECIDER.believe([pool_of(unit(n)) for n in range(6)], INDEX)
    for one in beliefs:
        assert one.probabilities.sum() == pytest.approx(1.0)
        assert (one.probabilities >= 0).all()
    assert DECIDER.believe([], INDEX) == []


def test_a_score_map_for_another_model_is_refused() -> None:
    with pytest.raises(ConfigError, match="wanted one for model other"):
        MAP.checked_for("other")


@pytest.mark.parametrize("text", ["", "{", '{"model": "m"}', "[]", "null"])
def test_a_file_that_is_no_score_map_is_refused(tmp_path, text: str) -> None:
    (tmp_path / "map.json").write_text(text)
    with pytest.raises(ConfigError, match="is none"):
        load_score_map(tmp_path / "map.json")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_score_map(tmp_path / "none.json")


@pytest.mark.parametrize(
    "wrong", [{"slope": 0.0}, {"slope": -1.0}, {"half_samples": -1.0}, {"intercept": float("nan")}]
)
def test_a_score_map_that_turns_evidence_round_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="slope above 0"):
        ScoreMap(**(msgspec.structs.asdict(MAP) | wrong))


@pytest.mark.parametrize(
    "wrong",
    [
        {"accept": 1.0},
        {"release": 0.95},
        {"patience": 0},
        {"min_samples": 0},
        {"stranger_share": 1.0},
        {"half_life_s": 0.0},
    ],
)
def test_rules_without_sense_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must"):
        DecisionConfig(**wrong)


def test_the_built_in_map_is_the_baselines() -> None:
    built_in_map("baseline").checked_for(BaselineEmbedder().model.digest)
