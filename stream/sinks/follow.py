"""The event log as a sink's queue: read from where the sink was, never further behind than it may be.

The log is on the disk before anybody is told of an event, so nothing has to be kept for a receiver that is
away: where it stands is a *cursor*, two numbers in a file. ``delivered``: up to there the receiver has all.
``tried``: up to there it may have. Both are written before and after each try, so that after a kill what may
have arrived is sent again, and said to be.
"""

from __future__ import annotations

import contextlib
import os
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

import msgspec

from stream.errors import MessageError, ResourceError
from stream.events import MAX_LINE_BYTES
from stream.messages import EventKind

MAGIC: Final = b"GWSINK01"
_CHUNK: Final = 1 << 20


class Head(msgspec.Struct, frozen=True):
    """What a sink chooses by."""

    id: str
    kind: EventKind
    camera: str


class Cursor:
    """How far a sink is, in a file that outlives it."""

    def __init__(self, path: Path) -> None:
        """Open it; raises ResourceError where it cannot be, MessageError where it is damaged."""
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except OSError as error:
            raise ResourceError(f"no cursor ({error.strerror})", where=str(path)) from error
        data = os.pread(self._file, 64, 0)
        if len(data) != len(MAGIC) + 16 or not data.startswith(MAGIC):
            os.close(self._file)
            raise MessageError("damaged cursor", where=str(path), fix="Remove it: the sink begins anew")
        self.delivered, self.tried = (int.from_bytes(data[at : at + 8], "little") for at in (8, 16))

    @staticmethod
    def make(path: Path, at: int) -> None:
        """A new cursor that stands at byte ``at``; ResourceError where the disk refuses."""
        fresh = path.with_suffix(".new")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            fresh.write_bytes(MAGIC + 2 * at.to_bytes(8, "little"))
            fresh.replace(path)
        except OSError as error:
            raise ResourceError(f"a cursor cannot be written ({error.strerror})", where=str(path)) from error

    def try_to(self, end: int) -> None:
        """What lies before ``end`` is about to be sent."""
        self._set(self.delivered, max(end, self.tried))

    def deliver_to(self, end: int) -> None:
        """What lies before ``end`` has arrived, or is let go."""
        self._set(end, max(end, self.tried))

    def _set(self, delivered: int, tried: int) -> None:
        self.delivered, self.tried = delivered, tried
        with contextlib.suppress(OSError):  # a full disk: after a kill more is sent again
            os.pwrite(self._file, delivered.to_bytes(8, "little") + tried.to_bytes(8, "little"), len(MAGIC))

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)


@dataclass(frozen=True)
class Waiting:
    """An event that waits: its line, where it ends in the log, and whether it may have arrived before."""

    id: str
    camera: str
    line: bytes
    end: int
    replayed: bool


@dataclass(frozen=True)
class _Place:
    at: int
    size: int


class Follower:
    """Reads a log that grows; for one thread."""

    def __init__(self, log: Path, cursor: Cursor, behind: int, wanted: Callable[[Head], bool]) -> None:
        self._log, self._cursor, self._behind, self._wanted = log, cursor, behind, wanted
        self._file = -1
        self._scanned = cursor.delivered
        self._places: deque[_Place] = deque()
        self.let_go = 0
        self._head = msgspec.json.Decoder(Head)

    @property
    def waiting(self) -> int:
        """How many events wait."""
        return len(self._places)

    def look(self) -> None:
        """Take in what the log has grown by; beyond what may wait, let the oldest go."""
        if self._file < 0 and not self._open():
            return
        size = os.fstat(self._file).st_size
        if size < self._scanned:  # the disk was full, and the publisher took back what it could not finish
            self._scanned = size
            while self._places and self._places[-1].at >= size:
                self._places.pop()
        while self._scanned < size and self._scan():
            pass
        if not self._places and self._scanned > self._cursor.delivered:  # nothing here was wanted
            self._cursor.deliver_to(self._scanned)

    def next(self, most: int) -> list[Waiting]:
        """The oldest events that wait, at most ``most``, as the log has them now."""
        found = []
        for place in islice(self._places, most):
            line = os.pread(self._file, place.size, place.at)
            head, end = self._head.decode(line), place.at + place.size + 1
            found.append(Waiting(head.id, head.camera, line, end, end <= self._cursor.tried))
        return found

    def trying(self, batch: list[Waiting]) -> None:
        """These are about to be sent."""
        self._cursor.try_to(batch[-1].end)

    def settled(self, batch: list[Waiting]) -> None:
        """These need not be sent again."""
        end = batch[-1].end
        while self._places and self._places[0].at < end:
            self._places.popleft()
        self._cursor.deliver_to(max(end, self._cursor.delivered))

    def close(self) -> None:
        """Close the log and the cursor."""
        self._cursor.close()
        if self._file >= 0:
            os.close(self._file)

    def _open(self) -> bool:
        try:
            self._file = os.open(self._log, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:  # the publisher makes it in a moment
            return False
        except OSError as error:
            raise ResourceError(
                f"the event log cannot be read ({error.strerror})", where=str(self._log)
            ) from error
        return True

    def _scan(self) -> bool:
        """Note the whole lines of the next piece; False where there is none."""
        data = os.pread(self._file, _CHUNK, self._scanned)
        whole = data.rfind(b"\n") + 1
        if not whole:
            if len(data) > MAX_LINE_BYTES:
                raise MessageError("a line without an end", where=f"{self._log}, byte {self._scanned}")
            return False
        at = self._scanned
        for line in data[: whole - 1].split(b"\n"):
            if self._wanted(self._head.decode(line)):
                self._note(_Place(at, len(line)))
            at += len(line) + 1
        self._scanned = at
        return True

    def _note(self, place: _Place) -> None:
        self._places.append(place)
        if len(self._places) > self._behind:
            gone = self._places.popleft()
            self.let_go += 1
            self._cursor.deliver_to(gone.at + gone.size + 1)
