"""The demo's judge: right only where the pipeline was right."""

from commands.judging import iou, judge, judge_links, owners
from stream.messages import Continuation, Event, EventKind, FrameRef, Identity, Track, Tracked, TrackletId

LEFT, RIGHT = (0.0, 0.0, 10.0, 20.0), (50.0, 0.0, 60.0, 20.0)


def tracked(number: int, *tracks: tuple[int, tuple[float, float, float, float]]) -> Tracked:
    frame = FrameRef("c", "r", number, number * 40_000_000, number * 40_000_000, 100, 100)
    return Tracked(frame, tuple(Track(TrackletId("c", "r", n), box, i) for i, (n, box) in enumerate(tracks)))


def answer(n: int, at: int, name: str | None) -> Event:
    identity = Identity("person", person=name, name=name, probability=0.9) if name else Identity("unknown")
    return Event("x", "new", "c", "r", 1, at * 40_000_000, tracklet=f"c/r/{n}", identity=identity)


MESSAGES = [tracked(i, (0, LEFT), (1, RIGHT)) for i in range(10)]
TRUTH = {i: {"Ada": LEFT, "Stranger": RIGHT} for i in range(10)}


def test_iou_of_known_boxes() -> None:
    assert iou(LEFT, LEFT) == 1.0
    assert iou(LEFT, RIGHT) == 0.0
    assert abs(iou((0, 0, 2, 2), (1, 0, 3, 2)) - 1 / 3) < 1e-12


def test_a_tracklet_belongs_to_whom_it_covers_most() -> None:
    swapped = [*MESSAGES, tracked(10, (0, RIGHT))]
    assert owners(swapped, {**TRUTH, 10: {"Stranger": RIGHT}}) == {"c/r/0": "Ada", "c/r/1": "Stranger"}


def test_the_right_name_is_right_and_dated() -> None:
    ada, stranger = judge(MESSAGES, [answer(0, 5, "Ada"), answer(1, 5, None)], TRUTH, ["Ada"])
    assert ada.right
    assert ada.named_s == 0.2
    assert stranger.right
    assert stranger.text == "unknown"


def test_a_name_taken_back_still_counts_against_a_stranger() -> None:
    events = [answer(1, 3, "Ada"), answer(1, 5, None)]
    assert not judge(MESSAGES, events, TRUTH, ["Ada"])[1].right


def test_another_name_on_the_way_is_wrong_even_if_the_last_is_right() -> None:
    events = [answer(0, 3, "Ben"), answer(0, 5, "Ada")]
    assert not judge(MESSAGES, events, TRUTH, ["Ada"])[0].right


def test_no_answer_at_all_is_wrong_for_the_enrolled() -> None:
    verdict = judge(MESSAGES, [], TRUTH, ["Ada"])[0]
    assert not verdict.right
    assert verdict.text == "never answered"


def statement(later: int, earlier: int, at: int, kind: EventKind = "link") -> Event:
    said = Continuation(f"c/r/{earlier}", 1.5, 0.1, 0.9, "the gaits differ" if kind == "retract" else None)
    return Event("x", kind, "c", "r", 1, at * 40_000_000, tracklet=f"c/r/{later}", link=said)


def test_a_link_is_right_where_both_tracklets_are_one_person_and_unknown_where_nobody_is() -> None:
    messages = [*MESSAGES, *(tracked(i, (2, LEFT), (3, (20.0, 0.0, 30.0, 20.0))) for i in range(10, 20))]
    truth = TRUTH | {i: {"Ada": LEFT} for i in range(10, 20)}
    events = [statement(2, 0, 12), statement(2, 1, 13), statement(3, 0, 14)]
    links = judge_links(messages, events, truth)
    assert [link.right for link in links] == [True, False, None]
    assert [link.wrong for link in links] == [False, True, False]


def test_a_wrong_link_that_was_taken_back_does_not_stand() -> None:
    (link,) = judge_links(MESSAGES, [statement(1, 0, 5), statement(1, 0, 8, "retract")], TRUTH)
    assert (link.right, link.wrong, link.taken_back_s) == (False, False, 0.32)
