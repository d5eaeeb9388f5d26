"""A stage's messages in a file: what came out, byte for byte, to look at, compare or feed in again.

Eight bytes of magic and version, then per message its length (4 bytes, little endian) and the bytes that
travelled. A file cut short by a crash is read up to its last whole message, and the log says so.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

from stream.errors import MessageError, ResourceError
from stream.messages import MAX_MESSAGE_BYTES, Message, decode, encode

MAGIC: Final = b"GAITTRC1"
_LENGTH: Final = 4
_log = logging.getLogger("gaitway.stream")


class TraceWriter:
    """Appends messages; each is one write, so that a crash tears the last one at most."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise self._failed(error) from error
        self._write(MAGIC)

    def append(self, message: Message) -> None:
        """Add one message; raises ResourceError where the disk is full."""
        data = encode(message)
        self._write(len(data).to_bytes(_LENGTH, "little") + data)

    def close(self) -> None:
        """Close the file."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _write(self, data: bytes) -> None:
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
        except OSError as error:
            raise self._failed(error) from error

    def _failed(self, error: OSError) -> ResourceError:
        return ResourceError(
            f"the trace cannot be written ({error.strerror})",
            where=str(self._path),
            fix="Free the disk, or run without a trace",
        )


def read_trace(path: Path) -> Iterator[Message]:
    """The messages of a trace, in order; raises MessageError where it is none or is damaged."""
    try:
        file = path.open("rb")
    except OSError as error:
        raise ResourceError(f"the trace cannot be read ({error.strerror})", where=str(path)) from error
    with file:
        if file.read(len(MAGIC)) != MAGIC:
            raise MessageError("this is no trace", where=str(path), wanted=f"a file that begins {MAGIC!r}")
        while (data := _next(file, path)) is not None:
            yield decode(data)


def _next(file: BinaryIO, path: Path) -> bytes | None:
    at = file.tell()
    head = file.read(_LENGTH)
    if not head:
        return None
    size = int.from_bytes(head, "little")
    if len(head) == _LENGTH and size > MAX_MESSAGE_BYTES:
        raise MessageError(
            f"a message of {size} bytes at byte {at}", where=str(path), wanted=f"at most {MAX_MESSAGE_BYTES}"
        )
    data = file.read(size)
    if len(head) < _LENGTH or len(data) < size:
        _log.warning("%s: cut short in the message at byte %d; read up to there", path, at)
        return None
    return data
