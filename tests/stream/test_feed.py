"""The source stage: nothing recorded is lost, live drops have a cause, the end of the stream comes last."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stream.errors import ResourceError, SourceError
from stream.feed import FeedOptions, Pace, feed
from stream.frames import FrameReader, FrameWriter
from stream.ledger import Count, Drop, Ledger, StageLedger
from stream.messages import EndOfStream, FrameRef, FrameToken, Message
from stream.sources import Picture, open_source
from stream.sources.base import Image
from stream.stop import Level, Stop, never
from tests.stream.clips import make_clip, number_of, numbered

STEP_NS = 40_000_000


class FakeSource:
    """A camera of numbered pictures; calls ``between`` after each."""

    camera, run, fps = "door", "r1", 25.0
    width, height = 64, 48
    notes: tuple[str, ...] = ()

    def __init__(self, frames: int, *, live: bool, between: Callable[[int], None] = lambda _: None) -> None:
        self.expected_frames, self.live, self._between = frames, live, between
        self.problem: SourceError | None = None

    def frames(self) -> Iterator[Picture]:
        for number in range(self.expected_frames):
            yield Picture(number, number * STEP_NS, number * STEP_NS, numbered(number))
            self._between(number)

    def close(self) -> None:
        pass


class Outbox:
    """Keeps what was sent; ``room`` says how many tokens it takes before it is full."""

    def __init__(self, room: int = 1000, take: Callable[[FrameToken], None] = lambda _: None) -> None:
        self.sent: list[Message] = []
        self._room, self._take = room, take

    def send(self, message: Message, stopped: Callable[[], bool] = never) -> bool:
        if isinstance(message, FrameToken):
            if self._room <= 0:
                return False
            self._room -= 1
            self._take(message)
        self.sent.append(message)
        return True

    def close(self) -> None:
        pass

    @property
    def numbers(self) -> list[int]:
        return [message.frame.number for message in self.sent if isinstance(message, FrameToken)]


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[FrameWriter]:
    made = FrameWriter("door", slots=2, folder=tmp_path)
    yield made
    made.close()


@pytest.fixture
def books(tmp_path: Path) -> Iterator[StageLedger]:
    ledger = Ledger.create(tmp_path / "ledger", ["source"], ["door"])
    yield ledger.stage("source")
    ledger.close()


QUICK = FeedOptions(drain_s=0.01)


def test_a_recording_passes_through_a_ring_smaller_than_itself_without_loss(
    tmp_path: Path, writer: FrameWriter, books: StageLedger
) -> None:
    reader = FrameReader(folder=tmp_path)
    seen: list[int] = []

    def look(token: FrameToken) -> None:
        with reader.lease(token) as image:
            seen.append(number_of(image))

    source = open_source(str(make_clip(tmp_path / "a.mp4", 25)), "door")
    outbox = Outbox(take=look)
    end = feed(source, writer, outbox, books, Stop(), QUICK)
    source.close()
    reader.close()
    assert seen == outbox.numbers == list(range(25))
    assert outbox.sent[-1] == end
    assert (end.frames, end.reason, end.run) == (25, "finished", source.run)
    assert books.value("door", Count.CAPTURED) == books.value("door", Count.SENT) == 25


def test_a_live_camera_drops_what_finds_no_slot_and_counts_it(
    writer: FrameWriter, books: StageLedger
) -> None:
    outbox = Outbox()  # nobody reads: two slots, then full
    end = feed(FakeSource(5, live=True), writer, outbox, books, Stop(), QUICK)
    assert outbox.numbers == [0, 1]
    assert end.frames == books.value("door", Count.CAPTURED) == 5
    assert books.value("door", Drop.RING_FULL) == 3


def test_a_live_camera_drops_what_finds_no_room_in_the_queue(writer: FrameWriter, books: StageLedger) -> None:
    feed(FakeSource(5, live=True), writer, Outbox(room=1), books, Stop(), QUICK)
    assert books.value("door", Drop.QUEUE_FULL) == 4
    assert books.value("door", Count.SENT) == 1


def test_a_slot_whose_token_found_no_room_is_free_again(writer: FrameWriter, books: StageLedger) -> None:
    feed(FakeSource(9, live=True), writer, Outbox(room=0), books, Stop(), QUICK)
    assert writer.outstanding() == []
    assert books.value("door", Drop.RING_FULL) == 0


def test_asked_to_drain_it_captures_no_more_and_ends(writer: FrameWriter, books: StageLedger) -> None:
    stop = Stop()
    source = FakeSource(100, live=True, between=lambda number: stop.ask() if number == 1 else None)
    outbox = Outbox()
    end = feed(source, writer, outbox, books, stop, QUICK)
    assert outbox.numbers == [0, 1]
    assert (end.frames, end.reason) == (2, "stopped")
    assert isinstance(outbox.sent[-1], EndOfStream)


def test_a_recording_waiting_for_room_ends_at_once_when_told_to(
    writer: FrameWriter, books: StageLedger
) -> None:
    stop = Stop()
    source = FakeSource(100, live=False, between=lambda number: stop.ask(Level.NOW) if number == 1 else None)
    end = feed(source, writer, Outbox(), books, stop, QUICK)
    assert end.reason == "stopped"
    assert books.value("door", Count.CAPTURED) == 2


def test_the_end_says_why_a_source_failed(writer: FrameWriter, books: StageLedger) -> None:
    source = FakeSource(1, live=False)
    source.problem = SourceError("the recording is cut short", where="/secret/place.mp4")
    assert feed(source, writer, Outbox(), books, Stop(), QUICK).reason == "the recording is cut short"


def test_without_shared_memory_the_stream_still_ends(books: StageLedger) -> None:
    class Full:
        def write(
            self,
            frame: FrameRef,
            image: Image,
            *,
            timeout_s: float | None = None,
            stopped: Callable[[], bool] = never,
        ) -> FrameToken | None:
            raise ResourceError("no memory for frames")

        def withdraw(self, token: FrameToken) -> None:
            pass

        def drain(self, timeout_s: float, stopped: Callable[[], bool] = never) -> bool:
            return True

    outbox = Outbox()
    with pytest.raises(ResourceError, match="no memory for frames"):
        feed(FakeSource(3, live=False), Full(), outbox, books, Stop(), QUICK)
    assert [type(message) for message in outbox.sent] == [EndOfStream]


def test_the_pace_is_that_of_the_capture_times() -> None:
    now = [0]

    def clock() -> int:
        now[0] += 1_000_000  # every look takes a millisecond
        return now[0]

    pace = Pace(clock)
    for captured_ns in (7_000_000_000, 7_010_000_000, 7_011_000_000):
        pace.wait(captured_ns, never)
    assert 11_000_000 <= now[0] <= 16_000_000


def test_the_pace_gives_way_to_a_stop() -> None:
    pace = Pace(lambda: 0)  # a clock that stands: would wait for ever
    pace.wait(0, never)
    pace.wait(10**18, lambda: True)
