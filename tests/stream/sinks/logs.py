"""An event log to feed sinks from, written as the publisher writes it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from stream.events import EventLog, encode_event, sealed
from stream.sinks.follow import Cursor, Follower
from stream.sinks.run import cursor_file
from tests.stream.publishing import event


class Log:
    """Appends numbered events of a camera."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._log = EventLog(path, fresh=False)
        self.ids: list[str] = []

    def add(self, count: int, camera: str = "door", kind: str = "update") -> None:
        for _ in range(count):
            made = sealed(event(len(self.ids), camera, kind), len(self.ids) + 1)
            self._log.append([encode_event(made)])
            self.ids.append(made.id)

    def close(self) -> None:
        self._log.close()


def follower(
    results: Path, name: str = "sink", behind: int = 1000, wanted: Callable = lambda head: True
) -> Follower:
    """A follower of ``results/events.jsonl`` on the cursor of this name, made where there is none."""
    cursor = cursor_file(results, name)
    if not cursor.exists():
        Cursor.make(cursor, 0)
    return Follower(results / "events.jsonl", Cursor(cursor), behind, wanted)


def await_true(check: Callable[[], bool], timeout_s: float = 60.0) -> None:
    deadline_s = time.monotonic() + timeout_s
    while not check():
        assert time.monotonic() < deadline_s, "it did not come about"
        time.sleep(0.01)
