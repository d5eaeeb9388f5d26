"""Events as JSON lines in a file that is rotated by size: for a collector to follow, or to keep.

A full disk is waited out; the file ends in a whole line whatever happens. A removal from the gallery blots
names out here as in the event log.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path

import msgspec

from stream.errors import ResourceError
from stream.sinks.base import NotNowError, delivery
from stream.sinks.config import JsonlConfig
from stream.sinks.follow import Waiting


class JsonlSink:
    """Writes lines; ``{"event": {...}, "replayed": false}`` each."""

    batch = 256

    def __init__(self, config: JsonlConfig, path: Path) -> None:
        """Open ``path``, where a torn last line is cut off; raises ResourceError where it cannot be."""
        self._config, self._path = config, path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file, self._size = self._open()
        except OSError as error:
            raise ResourceError(f"cannot be written ({error.strerror})", where=str(path)) from error

    def deliver(self, events: Sequence[Waiting]) -> None:
        """Append them, all or none."""
        data = b"".join(msgspec.json.encode(delivery(event)) + b"\n" for event in events)
        try:
            if self._size and self._size + len(data) > self._config.max_bytes:
                self._rotate()
            written = 0
            while written < len(data):
                written += os.pwrite(self._file, data[written:], self._size + written)
        except OSError as error:
            with contextlib.suppress(OSError):
                os.ftruncate(self._file, self._size)
            raise NotNowError(f"{self._path} cannot be written ({error.strerror})") from error
        self._size += len(data)

    def idle(self) -> None:
        """Nothing is kept up."""

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def _open(self) -> tuple[int, int]:
        file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        size = os.fstat(file).st_size
        tail = os.pread(file, 1 << 20, max(0, size - (1 << 20)))
        whole = size - len(tail) + tail.rfind(b"\n") + 1
        os.ftruncate(file, whole)
        return file, whole

    def _rotate(self) -> None:
        """NAME.1.jsonl becomes NAME.2.jsonl and so on, the file becomes NAME.1.jsonl, the last one goes."""
        for number in range(self._config.keep, 0, -1):
            older = self._numbered(number)
            if older.exists():
                if number == self._config.keep:
                    older.unlink()
                else:
                    older.replace(self._numbered(number + 1))
        self._path.replace(self._numbered(1))
        os.close(self._file)
        self._file, self._size = self._open()

    def _numbered(self, number: int) -> Path:
        return self._path.with_suffix(f".{number}{self._path.suffix}")
