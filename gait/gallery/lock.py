"""One writer per gallery: an advisory lock beside the database that says how to reach its holder.

The kernel drops the lock when its holder dies, however it dies, so a stale lock file never blocks.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from pathlib import Path
from typing import Final

import msgspec

from stream.errors import FOREIGN, GalleryError

SUFFIX: Final = ".lock"
ATTEMPTS: Final = 5
ATTEMPT_S: Final = 0.01


class Holder(msgspec.Struct, frozen=True):
    """Who writes the gallery; ``endpoint`` is the control socket that takes requests for it, or empty."""

    pid: int
    endpoint: str = ""


class WriterLock:
    """The right to write one gallery, from construction to ``release``."""

    def __init__(self, gallery: Path, endpoint: str = "") -> None:
        self._file = os.open(_path(gallery), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if not _locked(self._file):
            os.close(self._file)
            raise held_error(gallery, holder_of(gallery))
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, msgspec.json.encode(Holder(os.getpid(), endpoint)), 0)

    def release(self) -> None:
        """Let the next writer in; called once."""
        os.ftruncate(self._file, 0)
        os.close(self._file)


def _locked(file: int) -> bool:
    """Whether the lock is ours now; somebody who only asks for the holder has it for an instant too."""
    for _ in range(ATTEMPTS):
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        time.sleep(ATTEMPT_S)
    return False


def holder_of(gallery: Path) -> Holder | None:
    """Who writes this gallery now; None where nobody does. One that just came may be unnamed."""
    try:
        file = os.open(_path(gallery), os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _decoded(os.pread(file, 4096, 0))
    else:
        return None
    finally:
        os.close(file)


def held_error(gallery: Path, holder: Holder | None) -> GalleryError:
    """The refusal that a second writer gets."""
    who = f"process {holder.pid}" if holder and holder.pid else "another process"
    fix = "Stop it, or name another gallery"
    if holder and holder.endpoint:
        fix = f"Send the request to its control socket {holder.endpoint}, or stop it"
    return GalleryError(f"{who} is writing it", where=f"gallery {gallery}", wanted="one writer", fix=fix)


def _decoded(data: bytes) -> Holder:
    try:
        return msgspec.json.decode(data, type=Holder)
    except FOREIGN:
        return Holder(0)


def _path(gallery: Path) -> Path:
    return gallery.with_name(gallery.name + SUFFIX)
