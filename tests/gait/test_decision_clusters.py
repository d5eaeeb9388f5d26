"""A stranger seen again is the same stranger; two at once are two; memory is bounded."""

import numpy as np
import pytest

from gait.decision_clusters import ClusterConfig, Strangers, own_name
from gait.score_map import ScoreMap
from tests.strategies_gallery import MODEL, SECOND, START_NS, unit

MAP = ScoreMap(MODEL, -10.0, 14.0, 0.0, 100, 1000, "made up")


def seen(like: int, again: int, by: float = 0.3) -> np.ndarray:
    return unit(1000 * like + again, near=unit(like), by=by)


def visit(strangers: Strangers, like: int, again: int, at_s: float = 0.0, taken=()) -> str:
    vector, own = seen(like, again), own_name(f"door/run/{1000 * like + again}")
    name = strangers.recognise(vector, 100.0, own, None, taken)
    strangers.learn(name, vector, 100.0, START_NS + int(at_s * SECOND))
    return name


def test_a_stranger_who_comes_again_has_the_same_name() -> None:
    strangers = Strangers(MAP)
    names = {like: {visit(strangers, like, again) for again in range(6)} for like in range(12)}
    assert all(len(found) == 1 for found in names.values())
    assert len(set.union(*names.values())) == len(strangers) == 12


def test_two_who_are_seen_at_once_are_two() -> None:
    strangers = Strangers(MAP)
    first = visit(strangers, 1, 0)
    assert visit(strangers, 1, 1, taken={first}) != first


def test_a_name_holds_until_it_is_unlikely() -> None:
    strangers = Strangers(MAP, ClusterConfig(join=0.9, leave=0.3))
    name = visit(strangers, 1, 0)
    middling = next(
        v
        for by in np.linspace(0.5, 2.0, 200)
        for v in [unit(77, near=unit(1), by=float(by))]
        if 0.3 < strangers._chances(v, 100.0, [name], 0.0)[0] < 0.9
    )
    assert strangers.recognise(middling, 100.0, "own", None) == "own"
    assert strangers.recognise(middling, 100.0, "own", name) == name
    assert strangers.recognise(unit(500), 100.0, "own", name) == "own"


def test_strangers_are_forgotten_after_a_while_and_when_there_are_too_many() -> None:
    strangers = Strangers(MAP, ClusterConfig(forget_s=100.0, most=3))
    names = [visit(strangers, like, 0, at_s=like) for like in range(5)]
    assert list(strangers._known) == names[2:]
    visit(strangers, 9, 0, at_s=500.0)
    assert len(strangers) == 1


def test_no_memory_means_no_clusters() -> None:
    strangers = Strangers(MAP, ClusterConfig(memory=0.0))
    assert visit(strangers, 1, 0) != visit(strangers, 1, 1)
    assert len(strangers) == 0


def test_a_dropped_stranger_is_new_again() -> None:
    strangers = Strangers(MAP)
    name = visit(strangers, 1, 0)
    strangers.drop(name)
    assert visit(strangers, 1, 1) != name


def test_long_memories_stay_bounded_and_follow_the_person() -> None:
    strangers = Strangers(MAP, ClusterConfig(memory=300.0))
    name = visit(strangers, 1, 0)
    for again in range(50):
        assert visit(strangers, 1, again) == name
    assert strangers._known[name].samples == pytest.approx(300.0)


@pytest.mark.parametrize(
    "wrong",
    [{"join": 0.3}, {"leave": 0.0}, {"new_share": 1.0}, {"most": 0}, {"forget_s": 0.0}, {"memory": -1.0}],
)
def test_a_config_without_sense_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must"):
        ClusterConfig(**wrong)
