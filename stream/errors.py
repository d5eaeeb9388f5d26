"""What can go wrong, as the person who meets it should read it.

    GaitwayError            one clear line: what, where, what was wanted, what to do
    +-- ConfigError         pipeline.yaml or a flag is wrong
    +-- SourceError         a file, folder or camera cannot be read (or ended early)
    +-- ResourceError       the machine lacks something: a port, shared memory, disk, a library
    +-- WeightsError        a net's file is missing, foreign or damaged
    +-- MessageError        bytes from a socket or a file are not a message of ours
    +-- GalleryError        the gallery refuses: locked, of another model, damaged
    +-- StageDiedError         a stage ended before its work did

``run_pipeline.py`` prints ``str(error)`` and exits with ``error.exit_status``; a stack trace reaching the
user is a defect.
"""

from __future__ import annotations

import zipfile
import zlib
from typing import Final

import msgspec

FOREIGN: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What msgspec raises for bytes that are not what was asked for: it checks the text in them late."""
FOREIGN_ARRAYS: Final = (
    *(
        ValueError,
        KeyError,
        EOFError,
        TypeError,
        AttributeError,  # a member of an .npz that is no array comes as bytes
        RuntimeError,  # sealed
        OverflowError,
        MemoryError,
    ),
    *(NotImplementedError, zipfile.BadZipFile, zlib.error),
)
"""What numpy raises, beside OSError, for .npy and .npz files that are damaged or none."""


class GaitwayError(Exception):
    """An error the user can act on; ``what`` happened, ``where``, and the ``fix``."""

    exit_status = 1

    def __init__(self, what: str, *, where: str = "", wanted: str = "", fix: str = "") -> None:
        super().__init__(what, where, wanted, fix)
        self.what, self.where, self.wanted, self.fix = what, where, wanted, fix

    def __str__(self) -> str:
        line = f"{self.where}: {self.what}" if self.where else self.what
        if self.wanted:
            line += f"; wanted {self.wanted}"
        if self.fix:
            line += f". {self.fix}"
        return " ".join(line.split())


class ConfigError(GaitwayError):
    """The configuration or the command line is wrong."""

    exit_status = 2


class SourceError(GaitwayError):
    """A source of frames cannot be read."""

    exit_status = 3


class ResourceError(GaitwayError):
    """The machine lacks something we need."""

    exit_status = 4


class WeightsError(GaitwayError):
    """A net's file is missing, foreign or damaged."""

    exit_status = 5


class MessageError(GaitwayError):
    """Bytes that should be a message are not one."""

    exit_status = 6


class GalleryError(GaitwayError):
    """The gallery refuses the request."""

    exit_status = 7


class StageDiedError(GaitwayError):
    """A stage ended before its work did."""

    exit_status = 8
