"""Links between tracklets: found, refused, abstained from, retracted."""

import msgspec
import numpy as np
import pytest

from stream.messages import Array, Box, TrackletId
from tests.trackers.makers import EPOCH, SECOND
from trackers.config import StitchConfig
from trackers.stitch import End, Link, Transit, find_links, learn_transit, review_link, still_waiting

RULES = StitchConfig()
AXES = np.eye(8)


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
    return find_links(ended, begun, EPOCH + 30 * SECOND, RULES, transits)


def test_everyone_is_linked_to_their_own_continuation() -> None:
    ended = [end(i, 1.0, who=i, lean=0.1 * i) for i in range(4)]
    begun = [end(10 + i, 3.0, who=i) for i in (2, 0, 3, 1)]
    links = find(ended, begun)
    assert pairs(links) == [(0, 10), (1, 11), (2, 12), (3, 13)]
    assert all(link.confidence > 0.99 for link in links)


def test_the_pairing_is_global_not_greedy() -> None:
    """Person 0's best continuation is also person 1's only one; both are found all the same."""
    ended = [end(0, 1.0, who=0), end(1, 1.0, who=1)]
    begun = [end(10, 3.0, who=0), end(11, 3.0, who=1)]
    assert pairs(find(ended, begun)) == [(0, 10), (1, 11)]


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
    ],
    ids=["earlier", "at once", "too late", "too far", "too tall", "too short"],
)
def test_what_cannot_be_is_not_linked(later: End) -> None:
    assert pairs(find([end(0, 1.0)], [end(10, 3.0)])) == [(0, 10)]
    assert find([end(0, 1.0)], [later]) == ()


def test_the_ground_plane_decides_where_there_is_one() -> None:
    here, near, far = (0.0, 0.0), (4.0, 0.0), (40.0, 0.0)
    assert pairs(find([end(0, 1.0, ground=here)], [end(10, 3.0, x=1900.0, ground=near)])) == [(0, 10)]
    assert find([end(0, 1.0, ground=here)], [end(10, 3.0, ground=far)]) == ()


def test_transit_times_are_learned_and_then_asked_for() -> None:
    learned: dict[tuple[str, str], Transit] = {}
    for i in range(8):
        learned = learn_transit(learned, end(i, 1.0), end(50 + i, 6.0 + 0.1 * i, camera="yard"))
    assert learned["door", "yard"].count == 8
    usual, hasty = end(90, 6.5, camera="yard"), end(90, 1.5, camera="yard")
    assert pairs(find([end(0, 1.0)], [usual], learned)) == [(0, 90)]
    assert find([end(0, 1.0)], [hasty], learned) == ()
    assert pairs(find([end(0, 1.0)], [hasty])) == [(0, 90)]


def test_one_camera_teaches_no_transit_and_learning_changes_no_argument() -> None:
    before: dict[tuple[str, str], Transit] = {}
    assert learn_transit(before, end(0, 1.0), end(1, 2.0)) == {}
    learn_transit(before, end(0, 1.0), end(1, 2.0, camera="yard"))
    assert before == {}


def test_a_transit_agrees_with_numpy() -> None:
    seconds = [2.0, 3.0, 5.0, 4.0]
    transit = Transit()
    for one in seconds:
        transit = transit.learn(one)
    logs = np.log(seconds)
    assert transit.mean == pytest.approx(logs.mean())
    assert transit.deviation(9.0, 0.0) == pytest.approx((np.log(9.0) - logs.mean()) / logs.std(ddof=1))


def test_waiting_ends_after_the_hold() -> None:
    ended = [end(0, 0.0), end(1, 10.0)]
    now_ns = EPOCH + round((RULES.hold_s + 0.5) * SECOND)
    assert [one.tracklet.n for one in still_waiting(ended, now_ns, RULES)] == [1]


def test_a_link_is_retracted_when_the_gaits_turn_out_to_differ() -> None:
    (link,) = find([end(0, 1.0)], [end(10, 3.0)])
    assert review_link(link, end(0, 1.0), end(10, 3.0, lean=0.3), EPOCH, RULES) is None
    retraction = review_link(link, end(0, 1.0), end(10, 3.0, who=5), EPOCH, RULES)
    assert retraction is not None
    assert retraction.link == link
    assert retraction.reason == "the gaits differ"


def test_a_link_is_retracted_when_both_were_seen_at_once() -> None:
    (link,) = find([end(0, 1.0)], [end(10, 3.0)])
    retraction = review_link(link, end(0, 4.0), end(10, 3.0), EPOCH, RULES)
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
