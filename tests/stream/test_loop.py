"""The one loop: every frame counted, ends passed on, questions answered, errors in one line."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from stream.bus import Socket
from stream.control import ControlServer, ask
from stream.errors import MessageError, SourceError, StageDiedError
from stream.figures import Figure, Figures, Watch
from stream.frames import StaleFrameError
from stream.ledger import UNATTRIBUTED, Count, Drop, Ledger, StageLedger
from stream.loop import Ports, StageLoop, one_line_errors
from stream.messages import (
    ControlReply,
    ControlRequest,
    EndOfStream,
    Event,
    FrameMessage,
    FrameToken,
    Identified,
    Message,
    People,
)
from stream.stage import PassiveStage
from stream.stop import Level, Stop, never
from stream.trace import TraceWriter, read_trace
from tests.stream.leaks import no_leaks
from tests.stream.pipelines import reference

__all__ = ["no_leaks"]


class Script:
    """A receiver that plays a list; an exception in it is raised."""

    def __init__(self, *messages: Message | Exception) -> None:
        self.left = deque(messages)
        self.closed = False

    def receive(self, timeout_s: float) -> Message | None:
        message = self.left.popleft() if self.left else None
        if isinstance(message, Exception):
            raise message
        return message

    def sockets(self) -> list[Socket]:
        return []

    def close(self) -> None:
        self.closed = True


class Sent:
    """A sender that keeps what it was sent, or refuses it."""

    def __init__(self, *, full: bool = False) -> None:
        self.messages: list[Message] = []
        self.full, self.closed, self.tended = full, False, 0

    def send(self, message: Message, stopped: Callable[[], bool] = never) -> bool:
        if not self.full:
            self.messages.append(message)
        return not self.full

    def tend(self) -> None:
        self.tended += 1

    def close(self) -> None:
        self.closed = True


class Doing(PassiveStage):
    """A stage that does what the test says with each token, by default the one thing it should."""

    def __init__(self, act: Callable[[FrameToken], Iterable[FrameMessage]] | None = None) -> None:
        self.act = act or (lambda token: [People(token.frame, ())])
        self.kept: list[FrameMessage] = []
        self.closed = False

    def handle(self, message: FrameMessage) -> Iterable[FrameMessage]:
        assert isinstance(message, FrameToken)
        return self.act(message)

    def finish(self, end: EndOfStream) -> Iterable[FrameMessage]:
        return self.kept

    def control(self, request: ControlRequest) -> ControlReply:
        return ControlReply(ok=True, result={"asked": request.verb})

    def close(self) -> None:
        self.closed = True


def token(number: int, camera: str = "door") -> FrameToken:
    return FrameToken(reference(number, camera), "r", 0, 1)


def end(camera: str = "door", frames: int = 0) -> EndOfStream:
    return EndOfStream(camera, "run", frames, 0)


@pytest.fixture
def rows(tmp_path: Path):
    ledger = Ledger.create(tmp_path / "ledger", ["perceive"], ["door", "yard"])
    yield ledger.stage("perceive")
    ledger.close()


def loop(stage: Doing, ports: Ports, rows: StageLedger, stop: Stop | None = None, **how) -> StageLoop:
    how.setdefault("cameras", ["door"])
    return StageLoop("perceive", stage, ports, ledger=rows, stop=stop or Stop(), **how)


def test_each_frame_is_handled_sent_on_and_counted_and_all_is_closed(rows: StageLedger) -> None:
    inlet, outlet, stage = Script(token(0), token(1), end()), Sent(), Doing()
    loop(stage, Ports(inlet, outlet), rows).run()
    assert outlet.messages == [People(reference(0), ()), People(reference(1), ()), end()]
    assert [rows.value("door", what) for what in (Count.RECEIVED, Count.HANDLED, Count.SENT)] == [2, 2, 2]
    assert (stage.closed, inlet.closed, outlet.closed) == (True, True, True)


def test_what_a_stage_kept_goes_out_before_the_end(rows: StageLedger) -> None:
    outlet, stage = Sent(), Doing(lambda _: [])
    stage.kept = [People(reference(0), ())]
    loop(stage, Ports(Script(token(0), end()), outlet), rows).run()
    assert outlet.messages == [People(reference(0), ()), end()]


def test_the_loop_ends_when_every_camera_has_ended(rows: StageLedger) -> None:
    inlet, outlet = Script(end("yard"), token(0), end("door"), token(1)), Sent()
    loop(Doing(), Ports(inlet, outlet), rows, cameras=["door", "yard"]).run()
    assert list(inlet.left) == [token(1)]
    assert outlet.messages == [end("yard"), People(reference(0), ()), end("door")]


def test_a_token_that_is_sent_again_after_a_restart_is_not_looked_at_twice(rows: StageLedger) -> None:
    """Its slot is another's by then: looking would end the stage."""
    seen: list[int] = []

    def look(asked: FrameToken) -> Iterable[FrameMessage]:
        if asked.frame.number in seen:
            raise StaleFrameError("gone")
        seen.append(asked.frame.number)
        return [People(asked.frame, ())]

    loop(
        Doing(look), Ports(Script(token(0), token(1), token(0), token(1), token(2), end()), Sent()), rows
    ).run()
    assert seen == [0, 1, 2]
    assert rows.value("door", Drop.STALE) == 0


def test_a_stale_frame_is_dropped_with_its_cause_and_the_next_goes_on(rows: StageLedger) -> None:
    def stale_once(asked: FrameToken) -> Iterable[FrameMessage]:
        if asked.frame.number == 0:
            raise StaleFrameError("gone")
        yield People(asked.frame, ())

    outlet = Sent()
    loop(Doing(stale_once), Ports(Script(token(0), token(1), end()), outlet), rows).run()
    assert rows.value("door", Drop.STALE) == 1
    assert outlet.messages == [People(reference(1), ()), end()]


def test_a_full_live_hop_is_a_counted_drop(rows: StageLedger) -> None:
    loop(Doing(), Ports(Script(token(0), end()), Sent(full=True)), rows).run()
    assert (rows.value("door", Drop.QUEUE_FULL), rows.value("door", Count.SENT)) == (1, 0)


@pytest.mark.parametrize(
    "garbage", [MessageError("bytes that are no message"), ControlRequest("x"), ControlReply(ok=True)]
)
def test_garbage_is_counted_and_the_loop_goes_on(rows: StageLedger, garbage: Message | Exception) -> None:
    outlet = Sent()
    loop(Doing(), Ports(Script(garbage, token(0), end()), outlet), rows).run()
    assert rows.value(UNATTRIBUTED, Count.ERRORS) == 1
    assert outlet.messages == [People(reference(0), ()), end()]


def test_asked_to_drain_it_goes_on_to_the_end_of_the_stream(rows: StageLedger) -> None:
    stop, outlet = Stop(), Sent()
    stop.ask(Level.DRAIN)
    loop(Doing(), Ports(Script(token(0), token(1), end()), outlet), rows, stop).run()
    assert len(outlet.messages) == 3


def test_a_drain_without_an_end_is_bounded_and_says_so(rows: StageLedger) -> None:
    stop = Stop()
    stop.ask(Level.DRAIN)
    with pytest.raises(StageDiedError, match=r"perceive was asked to drain.*wanted the end of door"):
        loop(Doing(), Ports(Script(token(0)), Sent()), rows, stop, drain_s=0.05).run()


def test_a_waiting_loop_tends_its_outlet(rows: StageLedger) -> None:
    stop, outlet = Stop(), Sent()
    stop.ask(Level.DRAIN)
    with pytest.raises(StageDiedError):
        loop(Doing(), Ports(Script(), outlet), rows, stop, drain_s=0.1).run()
    assert outlet.tended > 0


def test_asked_to_flush_it_handles_what_is_there_and_ends(rows: StageLedger) -> None:
    stop, outlet = Stop(), Sent()
    stop.ask(Level.FLUSH)
    loop(Doing(), Ports(Script(token(0), token(1)), outlet), rows, stop).run()
    assert len(outlet.messages) == 2


def test_asked_to_end_now_it_ends_after_the_message_in_hand(rows: StageLedger) -> None:
    stop = Stop()

    def then_stop(asked: FrameToken) -> Iterable[FrameMessage]:
        stop.ask(Level.NOW)
        return [People(asked.frame, ())]

    inlet, stage = Script(token(0), token(1)), Doing(then_stop)
    loop(stage, Ports(inlet, Sent()), rows, stop).run()
    assert list(inlet.left) == [token(1)]
    assert stage.closed


@pytest.mark.usefixtures("no_leaks")
def test_questions_are_answered_while_waiting_for_frames(rows: StageLedger, tmp_path: Path) -> None:
    where, stop, ready = f"ipc://{tmp_path}/c.sock", Stop(), threading.Event()

    def work() -> None:
        control = ControlServer(where)
        ready.set()
        loop(Doing(), Ports(Script(), control=control), rows, stop).run()

    thread = threading.Thread(target=work)
    thread.start()
    assert ready.wait(5)
    assert ask(where, ControlRequest("who")).result == {"asked": "who"}
    stop.ask(Level.NOW)
    thread.join()


def test_the_trace_holds_what_came_out(rows: StageLedger, tmp_path: Path) -> None:
    outlet, trace = Sent(), TraceWriter(tmp_path / "trace")
    loop(Doing(), Ports(Script(token(0), end()), outlet, trace=trace), rows).run()
    assert list(read_trace(tmp_path / "trace")) == outlet.messages


def test_an_error_of_ours_passes_as_it_is_and_everything_is_closed(rows: StageLedger) -> None:
    def broken(_: FrameToken) -> Iterable[FrameMessage]:
        raise SourceError("the camera is on fire", fix="Leave the room")

    inlet, stage = Script(token(0)), Doing(broken)
    with pytest.raises(SourceError, match="on fire"), one_line_errors("perceive"):
        loop(stage, Ports(inlet, Sent()), rows).run()
    assert (stage.closed, inlet.closed) == (True, True)


def test_a_defect_becomes_one_line_and_a_traceback_in_a_file(tmp_path: Path) -> None:
    with pytest.raises(StageDiedError) as caught, one_line_errors("perceive", tmp_path):
        raise KeyError("nobody\nexpected this")
    assert str(caught.value).count("\n") == 0
    assert "stage perceive failed (KeyError" in str(caught.value)
    log = (tmp_path / "perceive.traceback.log").read_text()
    assert "Traceback" in log
    assert "test_loop.py" in log


def test_a_defect_on_a_full_disk_is_still_one_line(tmp_path: Path) -> None:
    with pytest.raises(StageDiedError, match="ZeroDivisionError"), one_line_errors("x", tmp_path / "none"):
        raise ZeroDivisionError


def test_a_watched_loop_measures_each_frame_and_says_how_its_queue_stands(rows: StageLedger) -> None:
    class Counting(Doing):
        def figures(self) -> list[Figure]:
            return [Figure("people_followed", 2)]

    told: list[Figures] = []
    outlet = Sent()
    outlet.under_way = 3
    ports = Ports(Script(token(0), token(1), end()), outlet, watch=Watch(rows.meters, told.append))
    loop(Counting(), ports, rows).run()
    assert told == [(Figure("queue", 3), Figure("people_followed", 2))]
    assert rows.meters.read("door").takes.count == 2


def test_the_last_stage_of_a_watched_loop_counts_its_events(rows: StageLedger) -> None:
    event = Event("", "start", "door", "run", 1, 0)
    stage = Doing(lambda token: [Identified(token.frame, (event,))])
    stage.kept = [Identified(reference(0), (event, event))]
    loop(stage, Ports(Script(token(0), end()), watch=Watch(rows.meters)), rows).run()
    assert rows.meters.read("door").kinds["start"] == 3
