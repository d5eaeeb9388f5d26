"""The track stage: people in, tracklets and samples out."""

from collections.abc import Iterable

import pytest

from stream.errors import GaitwayError, MessageError
from stream.messages import ControlRequest, FrameMessage, FrameRef, FrameToken, Tracked, decode, encode
from tests.trackers.makers import EPOCH, SECOND, body, end, people, person, walker
from trackers.stage import TrackStage


def only(messages: Iterable[FrameMessage]) -> Tracked:
    (message,) = messages
    assert isinstance(message, Tracked)
    return message


def run(stage: TrackStage, seconds: float, fps: float = 25.0, **walk: float) -> list[Tracked]:
    frames = int(seconds * fps)
    answers = [
        only(stage.handle(people(round(i * SECOND / fps), walker(i / fps, **walk), number=i)))
        for i in range(frames)
    ]
    return [*answers, only(stage.finish(end()))]


def test_a_walker_is_one_tracklet_sampled_on_the_grid() -> None:
    answers = run(TrackStage(lambda _: body()), 3.0)
    tracklets = {track.tracklet for answer in answers for track in answer.tracks}
    samples = [sample for answer in answers for sample in answer.samples]
    assert len(tracklets) == 1
    assert [(s.captured_ns - EPOCH) % 40_000_000 for s in samples] == [0] * len(samples)
    assert len(samples) > 60
    assert all(sample.valid and not sample.interpolated for sample in samples)


def test_the_end_of_the_stream_cuts_and_ends_every_tracklet() -> None:
    answers = run(TrackStage(lambda _: body()), 2.0)
    assert [cut.reason for cut in answers[-1].cuts] == ["end of stream"]
    assert [(e.reason, e.last_ns - EPOCH) for e in answers[-1].ended] == [("end of stream", 49 * 40_000_000)]


def test_every_frame_gets_exactly_one_answer_that_survives_the_wire() -> None:
    stage = TrackStage(lambda _: body())
    for number in range(30):
        frame = people(number * 40_000_000, walker(number / 25), number=number)
        answer = only(stage.handle(frame))
        assert answer.frame == frame.frame
        assert decode(encode(answer)) == answer


def test_a_person_without_silhouette_is_followed_but_not_sampled() -> None:
    answers = run(TrackStage(lambda _: None), 2.0)
    assert any(track.confirmed for answer in answers for track in answer.tracks)
    assert not [sample for answer in answers for sample in answer.samples]


def test_cameras_do_not_share_ids_or_clocks() -> None:
    stage = TrackStage(lambda _: body())
    late = only(stage.handle(people(5 * SECOND, person(), camera="a")))
    early = only(stage.handle(people(0, person(), camera="b")))
    assert [str(t.tracklet) for t in late.tracks + early.tracks] == ["a/r/0", "b/r/0"]


def test_a_repeated_time_stamp_is_one_clear_line() -> None:
    stage = TrackStage(lambda _: body())
    stage.handle(people(0, person()))
    with pytest.raises(GaitwayError, match="camera 'door': frame 1 repeats the time stamp"):
        stage.handle(people(0, person(), number=1))


def test_other_messages_are_refused() -> None:
    token = FrameToken(FrameRef("door", "r", 0, 0, 0, 4, 4), "ring", 0, 0)
    with pytest.raises(MessageError, match="FrameToken"):
        TrackStage(lambda _: body()).handle(token)


def test_status_counts_what_is_followed() -> None:
    stage = TrackStage(lambda _: body())
    stage.handle(people(0, person(), person((float("nan"), 0, 1, 1))))
    reply = stage.control(ControlRequest("status"))
    assert reply.result == {"door/r": {"tracks": 1, "born": 1, "ignored": 1}}
    assert not stage.control(ControlRequest("dance")).ok


def test_a_stream_that_had_no_frame_ends_quietly() -> None:
    assert list(TrackStage(lambda _: body()).finish(end())) == []
