"""The event log: one canonical JSON line per event, written before anybody is told.

The same events are the same bytes on every machine: fields in the order of ``Event``, details by name,
numbers rounded to the digits below, no spaces. A line once written stays; a crash may leave the last line
torn, which the next opening cuts off and says so; a full disk leaves the log ending in its last whole line.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import math
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

import msgspec

from stream.errors import FOREIGN, MessageError, ResourceError
from stream.messages import Continuation, Event, Evidence, Identity

SCHEMA_VERSION: Final = 1
MAX_LINE_BYTES: Final = 1024 * 1024
SHARE_DIGITS: Final = 4
"""Probabilities, margins and qualities: finer than any calibration, coarser than any CPU's rounding."""
PIXEL_DIGITS: Final = 1
SECOND_DIGITS: Final = 3
DETAIL_DIGITS: Final = 6
ID_DIGITS: Final = 32

Seen = Callable[[Event, int, int], None]
"""(event, where its line begins, its length without the line end)"""

_encoder = msgspec.json.Encoder(order=None)
_decoder = msgspec.json.Decoder(Event)


def canonical(event: Event) -> Event:
    """``event`` with every number rounded and details by name; raises MessageError for NaN or infinity."""
    return msgspec.structs.replace(
        event,
        identity=_identity(event.identity),
        evidence=_evidence(event.evidence),
        link=_link(event.link),
        details={
            name: _rounded(value, DETAIL_DIGITS, name) if isinstance(value, float) else value
            for name, value in sorted(event.details.items())
        },
    )


def encode_event(event: Event) -> bytes:
    """The event's line in the log, without the line end; also what subscribers get."""
    line = _encoder.encode(canonical(event))
    if len(line) > MAX_LINE_BYTES:
        raise MessageError(
            f"event of {len(line)} bytes", where=event.camera, wanted=f"at most {MAX_LINE_BYTES}"
        )
    return line


def decode_event(line: bytes | memoryview) -> Event:
    """The event of one line; raises MessageError for anything else, other schema versions included."""
    try:
        event = _decoder.decode(line)
    except FOREIGN as error:
        raise MessageError(f"not an event ({error})", wanted="a line of schema/event-1.json") from error
    if event.version != SCHEMA_VERSION:
        raise MessageError(
            f"event of schema version {event.version}",
            wanted=f"version {SCHEMA_VERSION}",
            fix="Read it with the Gaitway release that wrote it",
        )
    return event


def event_id(event: Event) -> str:
    """A hash of what the event says, blind to its place in the log: sent twice, it is the same event."""
    content = msgspec.structs.replace(canonical(event), id="", sequence=0)
    return hashlib.blake2b(_encoder.encode(content), digest_size=ID_DIGITS // 2).hexdigest()


def sealed(event: Event, sequence: int) -> Event:
    """``event`` in its final form: canonical, numbered, and named by its content unless it has a name."""
    final = canonical(msgspec.structs.replace(event, sequence=sequence))
    return final if final.id else msgspec.structs.replace(final, id=event_id(final))


def _rounded(value: float, digits: int, name: str) -> float:
    if not math.isfinite(value):
        raise MessageError(f"{name} of an event is {value}", wanted="a finite number")
    return round(float(value), digits) + 0.0  # + 0.0: no -0.0 in a log


def _identity(identity: Identity | None) -> Identity | None:
    if identity is None:
        return None
    probability, margin = identity.probability, identity.margin
    return msgspec.structs.replace(
        identity,
        probability=None if probability is None else _rounded(probability, SHARE_DIGITS, "probability"),
        margin=None if margin is None else _rounded(margin, SHARE_DIGITS, "margin"),
    )


def _evidence(evidence: Evidence | None) -> Evidence | None:
    if evidence is None:
        return None
    left, top, right, bottom = evidence.box or (0.0, 0.0, 0.0, 0.0)
    box = tuple(_rounded(side, PIXEL_DIGITS, "box") for side in (left, top, right, bottom))
    return msgspec.structs.replace(
        evidence,
        quality=_rounded(evidence.quality, SHARE_DIGITS, "quality"),
        box=box if evidence.box is not None else None,
    )


def _link(link: Continuation | None) -> Continuation | None:
    if link is None:
        return None
    return msgspec.structs.replace(
        link,
        gap_s=_rounded(link.gap_s, SECOND_DIGITS, "gap_s"),
        distance=None if link.distance is None else _rounded(link.distance, SHARE_DIGITS, "distance"),
        confidence=_rounded(link.confidence, SHARE_DIGITS, "confidence"),
    )


class EventLog:
    """The log file, open for writing by this process alone.

    ``fresh`` empties an existing log; otherwise its events are read, a torn last line is cut off (``note``
    says so) and ``last_sequence`` knows where each camera's count stands. ``sync`` forces every write to the
    disk itself before it counts as written; without, a crash of the machine may cost the last seconds, a
    crash of the process costs nothing. ``seen`` is told of every event that was there, and where it lies.
    """

    def __init__(self, path: Path, *, fresh: bool, sync: bool = False, seen: Seen | None = None) -> None:
        self.path, self._sync, self._seen = path, sync, seen
        self.note = ""
        self.last_sequence: dict[str, int] = {}
        self._file = _open_alone(path)
        try:
            regular = stat.S_ISREG(os.fstat(self._file).st_mode)  # /dev/null will do as a log
            if fresh and regular:
                os.ftruncate(self._file, 0)
            self._end = self._recover() if regular else 0
        except BaseException:
            os.close(self._file)
            raise

    def _recover(self) -> int:
        end = 0
        for line, at in _lines(self.path):
            if not line.endswith(b"\n"):
                os.ftruncate(self._file, at)
                self.note = f"{self.path}: cut off a last line of {len(line)} bytes that a crash left torn"
                break
            event = _checked(line, self.path, at)
            self.last_sequence[event.camera] = max(event.sequence, self.last_sequence.get(event.camera, 0))
            if self._seen is not None:
                self._seen(event, at, len(line) - 1)
            end = at + len(line)
        return end

    def append(self, lines: Iterable[bytes]) -> int:
        """Write whole lines (without their ends), all or none, and return where they begin.

        Raises ResourceError if the disk refuses.
        """
        data = b"".join(line + b"\n" for line in lines)
        begin = self._end
        try:
            written = 0
            while written < len(data):
                written += os.pwrite(self._file, data[written:], self._end + written)
            if self._sync and data:
                os.fdatasync(self._file)
        except OSError as error:
            with contextlib.suppress(OSError):  # devices cannot be cut
                os.ftruncate(self._file, self._end)
            raise _refused(self.path, error) from error
        self._end += len(data)
        return begin

    def close(self) -> None:
        """Force to the disk and let go; may be called twice."""
        if self._file < 0:
            return
        file, self._file = self._file, -1
        try:
            os.fsync(file)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # /dev/null and pipes have no disk
                raise _refused(self.path, error) from error
        finally:
            os.close(file)


def read_events(path: Path) -> Iterator[Event]:
    """The events of a log, a torn last line left out; raises MessageError for a damaged one."""
    for line, at in _lines(path):
        if line.endswith(b"\n"):
            yield _checked(line, path, at)


def _lines(path: Path) -> Iterator[tuple[bytes, int]]:
    """Every line with its end, and where it begins."""
    try:
        with path.open("rb") as file:
            at = 0
            while line := file.readline(MAX_LINE_BYTES + 1):
                if len(line) > MAX_LINE_BYTES:
                    raise MessageError(
                        f"a line of more than {MAX_LINE_BYTES} bytes", where=f"{path}, byte {at}"
                    )
                yield line, at
                at += len(line)
    except OSError as error:
        raise ResourceError(f"no event log ({error.strerror})", where=str(path)) from error


def _refused(path: Path, error: OSError) -> ResourceError:
    return ResourceError(
        f"the event log cannot be written ({error.strerror})",
        where=str(path),
        fix="Free the disk; what was written before is whole",
    )


def _checked(line: bytes, path: Path, at: int) -> Event:
    try:
        return decode_event(line)
    except MessageError as error:
        raise MessageError(
            f"damaged at byte {at}: {error.what}",
            where=str(path),
            wanted=error.wanted,
            fix="Move the file away, or name another log",
        ) from error


def _open_alone(path: Path) -> int:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    except OSError as error:
        raise ResourceError(
            f"the event log cannot be opened ({error.strerror})",
            where=str(path),
            fix="Name another file (--log)",
        ) from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(file)
        raise ResourceError(
            "another pipeline writes this event log", where=str(path), fix="Stop it, or name another file"
        ) from error
    return file
