"""When events were sent: a side file, so that the event log holds nothing that differs between two runs."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import msgspec

from stream.errors import ResourceError
from stream.messages import Event

_log = logging.getLogger("gaitway.stream")


class Timing(msgspec.Struct, frozen=True):
    """One line of the side file."""

    id: str
    camera: str
    sequence: int
    captured_ns: int
    sent_ns: int


class EventTimings:
    """Appends one JSON line per event; stops, with one warning, when the file can no longer be written."""

    def __init__(self, path: Path, *, fresh: bool) -> None:
        self._path = path
        mode = os.O_TRUNC if fresh else os.O_APPEND
        try:
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | mode, 0o640)
        except OSError as error:
            raise ResourceError(
                f"the timings cannot be written ({error.strerror})", where=str(path), fix="Name another file"
            ) from error

    def add(self, event: Event, sent_ns: int) -> None:
        """Note that ``event`` was sent at ``sent_ns``."""
        if self._file < 0:
            return
        line = Timing(event.id, event.camera, event.sequence, event.captured_ns, sent_ns)
        try:
            os.write(self._file, msgspec.json.encode(line) + b"\n")
        except OSError as error:
            _log.warning("%s: no more timings are kept (%s)", self._path, error.strerror)
            self.close()

    def close(self) -> None:
        """Close the file; may be called twice."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
