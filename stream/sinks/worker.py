"""One sink at work: follow the log, deliver, wait where it cannot be, and count what comes of it.

A receiver that is away is tried again after half a second, then after twice as long each time, up to a
minute, with some chance in it so that many do not come back at once. Meanwhile events wait in the log.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Iterator
from typing import Final

from stream.figures import Figure
from stream.sinks.base import NotNowError, RefusedError, Sink
from stream.sinks.follow import Follower, Waiting

FIRST_PAUSE_S: Final = 0.5
LAST_PAUSE_S: Final = 60.0
LONGEST_PAUSE_S: Final = 600.0
"""However much patience a receiver asks for."""
_LOOK_S: Final = 0.02
_IDLE_S: Final = 1.0
_log = logging.getLogger("gaitway.stream")


class Worker:
    """Runs one sink on a thread of its own, until it is told to finish or to end."""

    def __init__(
        self, name: str, sink: Sink, follower: Follower, *, first_pause_s: float = FIRST_PAUSE_S
    ) -> None:
        """``first_pause_s``: before the first of several tries."""
        self.name, self.error = name, ""
        self._sink, self._follower = sink, follower
        self._first_pause_s = self._pause_s = first_pause_s
        self._delivered = self._refused = self._retries = 0
        self._away = ""  # why the receiver is, while it is
        self._finish_by_s: float | None = None
        self._end = threading.Event()
        self.thread = threading.Thread(target=self._run, name=name, daemon=True)

    def finish(self, within_s: float) -> None:
        """The log is whole: deliver what waits, for so long at most, then end."""
        if self._finish_by_s is None:
            self._finish_by_s = time.monotonic() + within_s

    def end(self) -> None:
        """End now; what waits is delivered by whoever goes on with this cursor."""
        self._end.set()

    def figures(self) -> Iterator[Figure]:
        """How it stands; from any thread."""
        labels = {"sink": self.name}
        yield Figure("sink_up", float(not self._away), labels)
        yield Figure("sink_waiting", self._follower.waiting, labels)
        yield Figure("sink_delivered", self._delivered, labels)
        yield Figure("sink_retries", self._retries, labels)
        for cause, count in (("behind", self._follower.let_go), ("refused", self._refused)):
            yield Figure("sink_dropped", count, {**labels, "cause": cause})

    def _run(self) -> None:
        try:
            self._work()
        except Exception as error:  # noqa: BLE001 -- a defect here must not end the other sinks unnoticed
            self.error = f"{type(error).__name__}: {error}"
        finally:
            self._follower.close()
            self._sink.close()

    def _work(self) -> None:
        looked_s = 0.0
        batch: list[Waiting] = []
        while not self._end.is_set():
            finishing = self._finish_by_s  # asked before the look: what was logged before it is seen
            self._follower.look()
            batch = batch or self._follower.next(self._sink.batch)
            if finishing is not None and (not batch or time.monotonic() > finishing):
                break
            if batch:
                batch = self._try(batch)
            elif time.monotonic() - looked_s > _IDLE_S:
                looked_s = time.monotonic()
                self._keep_up()
            else:
                self._end.wait(_LOOK_S)
        if self._follower.waiting:
            _log.warning("sink %s: %d events were not delivered", self.name, self._follower.waiting)

    def _try(self, batch: list[Waiting]) -> list[Waiting]:
        """Deliver; what is to be tried again, after a pause, or nothing."""
        self._follower.trying(batch)
        try:
            self._sink.deliver(batch)
        except NotNowError as error:
            self._retries += 1
            self._wait(error)
            return [again(waiting) for waiting in batch]
        except RefusedError as error:
            self._refused += len(batch)
            ids = ", ".join(waiting.id[:12] for waiting in batch[:3])
            _log.warning("sink %s: refused for good (%s): events %s", self.name, error, ids)
        else:
            self._delivered += len(batch)
        self._back()
        self._follower.settled(batch)
        return []

    def _keep_up(self) -> None:
        try:
            self._sink.idle()
        except NotNowError as error:
            self._wait(error)
        else:
            self._back()

    def _wait(self, error: NotNowError) -> None:
        if str(error) != self._away:
            self._away = str(error)
            _log.warning("sink %s: %s; trying again", self.name, error)
        pause_s = max(min(error.after_s, LONGEST_PAUSE_S), self._pause_s * random.uniform(0.8, 1.2))  # noqa: S311
        self._pause_s = min(2 * self._pause_s, LAST_PAUSE_S)
        until_s = time.monotonic() + pause_s
        while (left_s := self._left_s(until_s)) > 0 and not self._end.wait(min(left_s, _LOOK_S * 5)):
            self._follower.look()  # so that what may wait stays bounded, and known

    def _left_s(self, until_s: float) -> float:
        """Until then, or until there is no more time to finish."""
        until_s = until_s if self._finish_by_s is None else min(until_s, self._finish_by_s)
        return until_s - time.monotonic()

    def _back(self) -> None:
        if self._away:
            _log.warning("sink %s: goes on", self.name)
        self._away, self._pause_s = "", self._first_pause_s


def again(waiting: Waiting) -> Waiting:
    """The same event, to be sent once more."""
    return Waiting(waiting.id, waiting.camera, waiting.line, waiting.end, replayed=True)
