"""Links between tracklets: found, refused, abstained from, retracted."""

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.messages import Array, Box, Link, TrackletId
from tests.trackers.makers import EPOCH, SECOND
from trackers.config import StitchConfig
from trackers.stitch import End, Transit, find_links, learn_transit, review_link, way_evidence

RULES = StitchConfig()
AXES = np.eye(8)


def evidence(scores: np.ndarray, samples: np.ndarray) -> np.ndarray:
    """A score map: 10 nats for equal gaits, none at 0.5, -10 for gaits that have nothing in common."""
    return (20.0 * scores - 10.0) * (samples / (samples + 1.0))[:, None]


def end(
    n: int,
    at_s: float,
    who: int = 0,
    *,
    camera: str = "door",
    x: float = 0.0,
    height: float = 200.0,
    lean: float = 0.0,
    samples: int = 50,
    ground: tuple[float, float] | None = None,
) -> End:
    """A tracklet's end by person ``who``, whose vector leans towards person 7 by ``lean``."""
    vector = AXES[who] + lean * AXES[7]
    box: Box = (x, 100.0, x + height / 3, 100.0 + height)
    unit = Array.of((vector / np.linalg.norm(vector)).astype(np.float32))
    return End(TrackletId(camera, "r", n), EPOCH + round(at_s * SECOND), box, unit, samples, ground)


def pairs(links: tuple[Link, ...]) -> list[tuple[int, int]]:
    return [(link.earlier.n, link.later.n) for link in links]


def find(
    ended: list[End], begun: list[End], transits: dict[tuple[str, str], Transit] | None = None
) -> tuple[Link, ...]:
    return find_links(ended, begun, EPOCH + 30 * SECOND, evidence, RULES, transits=transits)


def test_everyone_is_linked_to_their_own_continuation() -> None:
    ended = [end(i, 1.0, who=i, lean=0.1 * i) for i in range(4)]
    begun = [end(10 + i, 3.0, who=i) for i in (2, 0, 3, 1)]
    links = find(ended, begun)
    assert pairs(links) == [(0, 10), (1, 11), (2, 12), (3, 13)]
    assert all(link.confidence > 0.99 for link in links)


def test_the_pairing_is_global_not_greedy() -> None:
    """Tracklet 0 goes best with 10, but 10 is all that 1 goes with: each has the partner that suits all."""
    ended = [end(0, 1.0, who=0, lean=0.9), end(1, 1.0, who=0)]
    begun = [end(10, 3.0, who=0, lean=0.5), end(11, 3.0, who=7, lean=0.0)]
    loose = msgspec.structs.replace(RULES, min_confidence=0.0)
    links = find_links(ended, begun, EPOCH, evidence, loose)
    assert pairs(links) == [(1, 10), (0, 11)]


def test_two_equal_answers_are_none() -> None:
    assert find([end(0, 1.0), end(1, 1.0)], [end(10, 3.0)]) == ()
    assert find([end(0, 1.0)], [end(10, 3.0), end(11, 3.0)]) == ()


def test_a_stranger_is_not_linked() -> None:
    assert find([end(0, 1.0, who=0)], [end(10, 3.0, who=1)]) == ()


@pytest.mark.parametrize(
    "later",
    [
        end(10, 0.5),
        end(10, 1.0),
        end(10, 1.0 + RULES.hold_s + 0.1),
        end(10, 1.2, x=1900.0),
        end(10, 2.0, height=900.0),
        end(10, 3.0, samples=2),
        end(10, 3.0, camera="yard", samples=2),
    ],
    ids=["earlier", "at once", "too late", "too far", "too tall", "too short", "too short elsewhere"],
)
def test_what_cannot_be_is_not_linked(later: End) -> None:
    assert pairs(find([end(0, 1.0)], [end(10, 3.0)])) == [(0, 10)]
    assert find([end(0, 1.0)], [later]) == ()


def test_the_ground_plane_decides_where_there_is_one() -> None:
    here, near, far = (0.0, 0.0), (4.0, 0.0), (40.0, 0.0)
    assert pairs(find([end(0, 1.0, ground=here)], [end(10, 3.0, x=1900.0, ground=near)])) == [(0, 10)]
    assert find([end(0, 1.0, ground=here)], [end(10, 3.0, ground=far)]) == ()


def walk(n: int, gap_s: float, start: str = "door", goal: str = "yard") -> Link:
    return Link(TrackletId(start, "r", n), TrackletId(goal, "r", 50 + n), EPOCH, gap_s, 0.1, 0.99)


def test_transit_times_are_learned_and_then_asked_for() -> None:
    learned: dict[tuple[str, str], Transit] = {}
    for i in range(8):
        learned = learn_transit(learned, walk(i, 5.0 + 0.1 * i))
    assert learned["door", "yard"].count == 8
    usual, hasty = end(90, 6.5, camera="yard"), end(90, 1.5, camera="yard")
    assert pairs(find([end(0, 1.0)], [usual], learned)) == [(0, 90)]
    assert find([end(0, 1.0)], [hasty], learned) == ()
    assert pairs(find([end(0, 1.0)], [hasty])) == [(0, 90)]
    assert way_evidence(end(0, 1.0), usual, RULES, learned) > way_evidence(end(0, 1.0), usual, RULES, {}) == 0


def test_one_camera_teaches_no_transit_and_learning_changes_no_argument() -> None:
    before: dict[tuple[str, str], Transit] = {}
    assert learn_transit(before, walk(0, 1.0, goal="door")) == {}
    learn_transit(before, walk(0, 1.0))
    assert before == {}


def test_a_transit_agrees_with_numpy() -> None:
    seconds = [2.0, 3.0, 5.0, 4.0]
    transit = Transit()
    for one in seconds:
        transit = transit.learn(one)
    logs = np.log(seconds)
    assert transit.mean == pytest.approx(logs.mean())
    assert transit.deviation(9.0, 0.0) == pytest.approx((np.log(9.0) - logs.mean()) / logs.std(ddof=1))


def test_who_may_yet_be_seen_again_competes_but_is_not_linked() -> None:
    lost = end(1, 1.5)
    assert pairs(find([end(0, 1.0)], [end(10, 3.0)])) == [(0, 10)]
    now_ns, unsettled = EPOCH + 30 * SECOND, {lost.tracklet}
    both = [end(0, 1.0, lean=0.2), lost]
    assert find_links(both, [end(10, 3.0)], now_ns, evidence, RULES, unsettled=unsettled) == ()


def test_a_short_way_counts_for_a_pair_and_a_long_wait_says_nothing() -> None:
    here, near, far = end(0, 1.0), end(10, 1.5), end(10, 1.5, x=280.0)
    assert way_evidence(here, near, RULES, {}) > 1.0 > way_evidence(here, far, RULES, {})
    assert abs(way_evidence(here, end(10, 14.0), RULES, {})) < 0.1


def test_a_link_is_retracted_when_the_gaits_turn_out_to_differ() -> None:
    (link,) = find([end(0, 1.0)], [end(10, 3.0)])
    assert review_link(link, end(0, 1.0), end(10, 3.0, lean=0.3), EPOCH, evidence, RULES) is None
    retraction = review_link(link, end(0, 1.0), end(10, 3.0, who=5), EPOCH, evidence, RULES)
    assert retraction is not None
    assert retraction.link == link
    assert retraction.reason == "the gaits differ"


def test_a_link_is_retracted_when_both_were_seen_at_once() -> None:
    (link,) = find([end(0, 1.0)], [end(10, 3.0)])
    retraction = review_link(link, end(0, 4.0), end(10, 3.0), EPOCH, evidence, RULES)
    assert retraction is not None
    assert retraction.reason == "both were seen at once"


def test_vectors_of_other_models_or_nan_link_nobody() -> None:
    short = msgspec.structs.replace(end(10, 3.0), vector=Array.of(np.ones(3, np.float32)))
    nan = msgspec.structs.replace(end(10, 3.0), vector=Array.of(np.full(8, np.nan, np.float32)))
    assert find([end(0, 1.0)], [short]) == ()
    assert find([end(0, 1.0)], [nan]) == ()
    assert find([], []) == ()


def test_the_order_of_arrival_changes_nothing() -> None:
    ended = [end(i, 1.0, who=i) for i in range(5)]
    begun = [end(10 + i, 3.0, who=i) for i in range(5)]
    assert find(ended[::-1], begun[::-1]) == find(ended, begun)


@given(
    st.lists(st.tuples(st.integers(0, 6), st.floats(0, 5), st.floats(0, 2000)), max_size=6),
    st.lists(st.tuples(st.integers(0, 6), st.floats(4, 18), st.floats(0, 2000)), max_size=6),
)
def test_links_use_everybody_once_and_go_forward_in_time(
    ended: list[tuple[int, float, float]], begun: list[tuple[int, float, float]]
) -> None:
    left = [end(i, at, who=who, x=x) for i, (who, at, x) in enumerate(ended)]
    right = [end(100 + i, at, who=who, x=x) for i, (who, at, x) in enumerate(begun)]
    links = find(left, right)
    assert len({link.earlier for link in links}) == len({link.later for link in links}) == len(links)
    assert all(0.0 < link.gap_s <= RULES.hold_s for link in links)
    assert all(RULES.min_confidence <= link.confidence <= 1.0 for link in links)
