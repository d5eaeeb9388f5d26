"""The publish stage: logged before it is sent, numbered without gaps, never held up by a subscriber."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
import zmq
from hypothesis import given
from hypothesis import strategies as st

from stream.errors import MessageError, ResourceError
from stream.events import encode_event, read_events
from stream.messages import EndOfStream, FrameRef, People
from stream.publish import Publisher, PublishStage
from stream.repair import Answers, History
from tests.stream.publishing import ANYWHERE, event, identified, publishing


def listen(endpoint: str, prefix: bytes = b"gaitway/1/", hwm: int = 1000) -> zmq.Socket[bytes]:
    socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.SUB)
    socket.linger, socket.rcvtimeo, socket.rcvhwm = 0, 5000, hwm
    socket.connect(endpoint)
    socket.subscribe(prefix)
    return socket


def ask(endpoint: str, body: bytes | dict[str, Any]) -> tuple[dict[str, Any], list[int]]:
    """The header of the repair channel's answer, and the numbers of the events that came with it."""
    made: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.REQ)
    with made as socket:
        socket.linger, socket.rcvtimeo = 0, 5000
        socket.connect(endpoint)
        socket.send(body if isinstance(body, bytes) else json.dumps(body).encode())
        head, *lines = socket.recv_multipart()
        return json.loads(head), [json.loads(line)["sequence"] for line in lines]


def test_a_message_is_topic_envelope_and_the_line_of_the_log(tmp_path: Path) -> None:
    with publishing(tmp_path / "log") as made, listen(made.endpoint) as socket:
        made.wait()
        made.publish(1, 2)
        messages = [socket.recv_multipart() for _ in range(2)]
    lines = (tmp_path / "log").read_bytes().splitlines()
    assert [topic for topic, _, _ in messages] == [b"gaitway/1/door/"] * 2
    assert [line for _, _, line in messages] == lines
    envelope = json.loads(messages[1][1])
    assert envelope.keys() == {"camera", "sequence", "session", "sent_ns", "fresh", "replayed"}
    assert (envelope["camera"], envelope["sequence"], envelope["replayed"]) == ("door", 2, False)


def test_every_camera_is_counted_from_one_without_gaps(tmp_path: Path) -> None:
    with publishing(tmp_path / "log") as made:
        for n in range(6):
            made.publish(n, camera=("door", "gate")[n % 2])
        list(made.stage.handle(identified(event(7), event(8))))
    counts: dict[str, list[int]] = {"door": [], "gate": []}
    for one in read_events(tmp_path / "log"):
        counts[one.camera].append(one.sequence)
    assert counts == {"door": [1, 2, 3, 4, 5], "gate": [1, 2, 3]}


def test_the_same_events_give_the_same_log_twice(tmp_path: Path) -> None:
    for name in ("one", "two"):
        with publishing(tmp_path / name) as made:
            made.publish(*range(5))
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_one_message_per_frame_comes_out_even_without_events(tmp_path: Path) -> None:
    with publishing(tmp_path / "log") as made:
        assert list(made.stage.handle(identified())) == [identified()]
        (out,) = made.stage.handle(identified(event(1)))
        assert list(made.stage.finish(EndOfStream("door", "r", 1, 0))) == []
    assert [one.sequence for one in getattr(out, "events", ())] == [1]


def test_what_cannot_be_logged_is_not_sent(tmp_path: Path) -> None:
    publisher = Publisher(ANYWHERE)
    stage = PublishStage(Path("/dev/full"), publisher)
    with listen(publisher.endpoint) as socket:
        assert publisher.wait_for_subscribers(1)
        with pytest.raises(ResourceError, match="No space left"):
            list(stage.handle(identified(event(1))))
        assert socket.poll(100) == 0
    stage.close()


def test_another_stages_message_is_refused(tmp_path: Path) -> None:
    with publishing(tmp_path / "log") as made, pytest.raises(MessageError, match="wanted Identified"):
        list(made.stage.handle(People(FrameRef("door", "r", 0, 0, 0, 64, 48), ())))


def test_a_continued_log_continues_the_count(tmp_path: Path) -> None:
    for fresh in (True, False):
        with publishing(tmp_path / "log", fresh=fresh) as made:
            made.publish(1, 2)
    assert [one.sequence for one in read_events(tmp_path / "log")] == [1, 2, 3, 4]


def test_a_subscriber_that_sleeps_holds_nobody_up_and_can_ask_for_what_it_missed(tmp_path: Path) -> None:
    count = 15_000  # beyond what both ends and the kernel buffer
    with publishing(tmp_path / "log", hwm=100) as made, listen(made.endpoint, hwm=10) as sleeper:
        made.wait()
        frames = identified(*[event(n) for n in range(100)])
        begin_s = time.monotonic()
        for _ in range(count // 100):
            list(made.stage.handle(frames))
        assert time.monotonic() - begin_s < 20
        sleeper.rcvtimeo = 500
        got = []
        while sleeper.poll(500):
            got.append(json.loads(sleeper.recv_multipart()[1])["sequence"])
        assert len(got) < count
        missed = next(n for n, sequence in enumerate([*got, count + 1], start=1) if n != sequence)
        assert ask(made.repair, {"want": "range", "camera": "door", "first": missed, "last": missed})[1] == [
            missed
        ]
    assert sum(1 for _ in read_events(tmp_path / "log")) == count


def test_timings_are_kept_beside_the_log_and_not_in_it(tmp_path: Path) -> None:
    with publishing(tmp_path / "log", timings=tmp_path / "timings") as made:
        made.publish(1)
    (timing,) = [json.loads(line) for line in (tmp_path / "timings").read_text().splitlines()]
    assert timing["sequence"] == 1
    assert timing["sent_ns"] > 10**18
    assert "sent_ns" not in (tmp_path / "log").read_text()


def test_timings_without_room_cost_nothing_but_the_timings(tmp_path: Path) -> None:
    with publishing(tmp_path / "log", timings=Path("/dev/full"), fresh=False) as made:
        made.publish(1, 2)
    assert len(list(read_events(tmp_path / "log"))) == 2


def test_a_port_in_use_is_one_clear_error(tmp_path: Path) -> None:
    with publishing(tmp_path / "log") as made:
        with pytest.raises(ResourceError, match="in use"):
            Publisher(made.endpoint)
        with pytest.raises(ResourceError, match="in use"):
            PublishStage(tmp_path / "other", Publisher(ANYWHERE), repair=made.repair)


def test_a_stage_that_cannot_be_made_frees_what_it_was_given(tmp_path: Path) -> None:
    with publishing(tmp_path / "log") as made:
        for log, repair in ((made.log, ANYWHERE), (tmp_path / "other", made.repair)):
            publisher = Publisher(ANYWHERE)
            with pytest.raises(ResourceError):
                PublishStage(log, publisher, repair=repair)
            with pytest.raises(zmq.ZMQError, match="non-socket"):
                publisher.wait_for_subscribers()  # it is closed


def test_the_state_says_how_far_every_camera_is(tmp_path: Path) -> None:
    with publishing(tmp_path / "log") as made:
        made.publish(1, 2, 3)
        made.publish(1, camera="gate")
        head, numbers = ask(made.repair, {"want": "state"})
    assert head["sequences"] == {"door": 3, "gate": 1}
    assert head["session"] == made.publisher.session
    assert numbers == []


@pytest.mark.parametrize(
    ("first", "last", "got"),
    [(2, 4, [2, 3, 4]), (4, None, [4, 5]), (4, 99, [4, 5]), (6, 9, []), (3, 2, []), (1, 1, [1])],
)
def test_a_range_is_what_there_is_of_it(tmp_path: Path, first: int, last: int | None, got: list[int]) -> None:
    with publishing(tmp_path / "log") as made:
        made.publish(*range(5))
        assert ask(made.repair, {"want": "range", "camera": "door", "first": first, "last": last})[1] == got
        assert ask(made.repair, {"want": "range", "camera": "moon", "first": first, "last": last})[1] == []


def test_a_long_range_comes_in_pieces(tmp_path: Path) -> None:
    with publishing(tmp_path / "log") as made:
        list(made.stage.handle(identified(*[event(n) for n in range(1500)])))
        head, numbers = ask(made.repair, {"want": "range", "camera": "door", "first": 1})
        assert (head["more"], numbers) == (True, list(range(1, 1001)))
        head, numbers = ask(made.repair, {"want": "range", "camera": "door", "first": 1001})
        assert (head["more"], numbers) == (False, list(range(1001, 1501)))


def test_events_from_before_a_restart_can_be_asked_for(tmp_path: Path) -> None:
    for fresh in (True, False):
        with publishing(tmp_path / "log", fresh=fresh) as made:
            made.publish(1, 2)
            last = ask(made.repair, {"want": "range", "camera": "door"})[1]
    assert last == [1, 2, 3, 4]


def test_a_snapshot_is_the_newest_of_everyone_still_there(tmp_path: Path) -> None:
    with publishing(tmp_path / "log") as made:
        for kind, tracklet in [
            ("start", None),
            ("new", "a"),
            ("new", "b"),
            ("update", "a"),
            ("end", "b"),
            ("new", "c"),
            ("load", None),
            ("load", None),
        ]:
            list(made.stage.handle(identified(event(0, kind=kind, tracklet=tracklet))))
        assert ask(made.repair, {"want": "snapshot"})[1] == [1, 4, 6, 8]
        list(made.stage.handle(identified(event(0, kind="stop", tracklet=None))))
        assert ask(made.repair, {"want": "snapshot", "camera": "door"})[1] == [9]


@pytest.mark.parametrize(
    "body",
    [b"", b"hello", b"{}", b'{"want":"all"}', b'{"want":"range"}', b'{"want":"state","x":1}', b"[" * 4000],
)
def test_a_request_that_is_none_gets_an_answer_that_says_so(tmp_path: Path, body: bytes) -> None:
    with publishing(tmp_path / "log") as made:
        head, numbers = ask(made.repair, body)
        assert not head["ok"]
        assert head["error"]
        assert numbers == []
        assert ask(made.repair, {"want": "state"})[0]["ok"]


@given(
    st.binary(max_size=300)
    | st.builds(
        lambda n, m: b'{"want":"range","camera":"","first":%d,"last":%d}' % (n, m),
        st.integers(),
        st.integers(),
    )
)
def test_no_bytes_stop_the_repair_channel(body: bytes) -> None:
    answers = Answers(History(), Path("/dev/null"), "session", fresh=True)
    try:
        assert isinstance(json.loads(answers.answer(body)[0])["ok"], bool)
    finally:
        answers.close()


def test_history_is_bounded() -> None:
    history = History(kept=3)
    for n in range(1, 10):
        one = msgspec.structs.replace(event(n), sequence=n)
        history.add(one, n * 100, len(encode_event(one)))
    assert [place.sequence for place in history.between("door", 1, None)] == [7, 8, 9]
