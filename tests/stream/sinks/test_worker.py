"""A sink at work: tries again with patience, lets go of what is refused, finishes in time, counts it all."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from stream.sinks.base import NotNowError, RefusedError
from stream.sinks.follow import Waiting
from stream.sinks.worker import Worker
from tests.stream.sinks.logs import Log, await_true, follower


class Receiver:
    """A sink that does as the script says, then takes everything."""

    batch = 2

    def __init__(self, *script: Exception) -> None:
        self.script = deque(script)
        self.got: list[tuple[str, bool]] = []
        self.tries: list[float] = []
        self.idled = 0
        self.closed = False

    def deliver(self, events: Sequence[Waiting]) -> None:
        self.tries.append(time.monotonic())
        if self.script:
            raise self.script.popleft()
        self.got += [(waiting.id, waiting.replayed) for waiting in events]

    def idle(self) -> None:
        self.idled += 1

    def close(self) -> None:
        self.closed = True


Start = Callable[..., Worker]


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    made = Log(tmp_path / "events.jsonl")
    yield made
    made.close()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    workers: list[Worker] = []

    def start(receiver: Receiver, behind: int = 1000) -> Worker:
        workers.append(Worker("test", receiver, follower(tmp_path, behind=behind), first_pause_s=0.01))
        workers[-1].thread.start()
        return workers[-1]

    yield start
    for worker in workers:
        worker.end()
        worker.thread.join(60)
        assert worker.error == ""
    assert not [thread for thread in threading.enumerate() if thread.name == "test"]


def figures(worker: Worker) -> dict[str, float]:
    return {figure.name + figure.labels.get("cause", ""): figure.value for figure in worker.figures()}


def test_what_the_receiver_could_not_take_is_sent_again_and_said_to_be(log: Log, start: Start) -> None:
    receiver = Receiver(NotNowError("away"), NotNowError("away"))
    log.add(2)
    worker = start(receiver)
    await_true(lambda: figures(worker)["sink_delivered"] == 2)
    assert receiver.got == [(log.ids[0], True), (log.ids[1], True)]
    assert (figures(worker)["sink_retries"], figures(worker)["sink_up"]) == (2, 1)


def test_each_pause_is_longer_than_the_one_before(log: Log, start: Start) -> None:
    receiver = Receiver(*[NotNowError("away")] * 5)
    start(receiver)
    log.add(1)
    await_true(lambda: len(receiver.got) == 1)
    pauses = [b - a for a, b in zip(receiver.tries, receiver.tries[1:], strict=False)]
    assert all(pause >= 0.8 * 0.01 * 2**n for n, pause in enumerate(pauses))


def test_a_receiver_that_asks_for_patience_gets_it(log: Log, start: Start) -> None:
    receiver = Receiver(NotNowError("busy", after_s=0.5))
    start(receiver)
    log.add(1)
    await_true(lambda: len(receiver.got) == 1)
    assert receiver.tries[1] - receiver.tries[0] >= 0.5


def test_what_is_refused_for_good_is_let_go_counted_and_the_rest_goes_on(log: Log, start: Start) -> None:
    receiver = Receiver(RefusedError("too large"))
    receiver.batch = 1
    worker = start(receiver)
    log.add(3)
    await_true(lambda: figures(worker)["sink_delivered"] == 2)
    assert [name for name, _ in receiver.got] == log.ids[1:]
    assert figures(worker)["sink_droppedrefused"] == 1


def test_while_the_receiver_is_away_only_so_many_wait(log: Log, start: Start) -> None:
    receiver = Receiver(*[NotNowError("away")] * 4)
    worker = start(receiver, behind=10)
    log.add(1)
    await_true(lambda: figures(worker)["sink_up"] == 0)
    log.add(50)
    await_true(lambda: figures(worker)["sink_delivered"] >= 10)
    got = [name for name, _ in receiver.got]
    assert got[-10:] == log.ids[-10:]
    assert len(got) + figures(worker)["sink_droppedbehind"] >= 51


def test_told_to_finish_it_delivers_what_waits_then_ends(log: Log, start: Start) -> None:
    receiver = Receiver(NotNowError("away"))
    log.add(7)
    worker = start(receiver)
    worker.finish(30.0)
    worker.thread.join(60)
    assert [name for name, _ in receiver.got] == log.ids
    assert receiver.closed


def test_told_to_finish_in_vain_it_ends_in_time_and_the_next_goes_on(log: Log, start: Start) -> None:
    log.add(3)
    worker = start(Receiver(*[NotNowError("away")] * 1000))
    await_true(lambda: figures(worker)["sink_retries"] >= 1)
    worker.finish(0.2)
    worker.thread.join(60)
    assert not worker.thread.is_alive()
    receiver = Receiver()
    start(receiver)
    await_true(lambda: len(receiver.got) == 3)
    assert receiver.got == [(log.ids[0], True), (log.ids[1], True), (log.ids[2], False)]


def test_while_nothing_comes_the_receiver_is_kept_up(start: Start) -> None:
    receiver = Receiver()
    start(receiver)
    await_true(lambda: receiver.idled >= 1)
    assert receiver.got == []


def test_a_defect_in_a_sink_ends_it_and_is_told(log: Log, tmp_path: Path) -> None:
    worker = Worker("test", Receiver(ZeroDivisionError("oh")), follower(tmp_path))
    log.add(1)
    worker.thread.start()
    worker.thread.join(60)
    assert worker.error == "ZeroDivisionError: oh"
