"""What a stage needs to go on where its predecessor was killed, so that no event is lost or told twice.

A *checkpoint* is one file, replaced as a whole: what the stage remembers, how far it took its inlet, what its
outlet sent that the next stage's checkpoint does not cover yet, and its row of the ledger, all as of one
instant between two messages. Only when the file is there does the sender before hear that it need not keep
those messages any more (``Inlet.cover``). Started again, a stage loads its file, is sent what came after, and
computes it again: the same input gives the same output under the same numbers, so whoever comes next drops
what they had. That holds along the whole chain, for any stage at any moment, several at once too:

- perceive's input is pixels, which nobody keeps. Over recordings, its sources are started again with it and
  read on from the frame after its checkpoint. Over live cameras those frames are gone: it goes on with what
  it remembers, the next stages are told nothing new about the frames between, and the ledger says ``died``.
- publish's output is the event log. It counts the events of each camera; those that a restored checkpoint
  makes it see again are in the log already, and are passed over (``stream/once.py``). So the log and the
  checkpoint need no common transaction: the log is written first and is never behind a checkpoint.

A kill of processes loses nothing that was written. A crash of the machine may, unless ``sync`` is set, which
forces each checkpoint to the disk before it counts.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Final, Protocol

import msgspec

from stream import snapshot
from stream.bus import Sent
from stream.errors import FOREIGN, MessageError, ResourceError
from stream.messages import Event

VERSION: Final = 1
_SUFFIX: Final = ".checkpoint"


class Checkpoint(msgspec.Struct, frozen=True):
    """One stage between two messages. ``frames``: per camera, run and number of the last frame handled.

    ``positions``: the last message taken from each sender. ``sender``, ``covered``, ``kept``: the outlet.
    ``counts``: the stage's rows of the ledger by camera. ``memory``: what ``stream/snapshot.py`` made of it.
    """

    memory: bytes
    open: tuple[str, ...]
    frames: dict[str, tuple[str, int]]
    positions: dict[str, int] = {}
    sender: str = ""
    covered: int = 0
    kept: tuple[bytes, ...] = ()
    counts: dict[str, tuple[int, ...]] = {}
    version: int = VERSION

    def positions_by_name(self) -> dict[bytes, int]:
        """For ``Inlet``."""
        return {bytes.fromhex(name): last for name, last in self.positions.items()}

    def still_open(self, cameras: Collection[str]) -> tuple[str, ...]:
        """The cameras that had not ended, and those that were attached since."""
        attached = set(cameras) - self.frames.keys() - set(self.open) if not self.counts else set()
        return (*self.open, *sorted(attached))

    def sent(self) -> Sent:
        """For ``Outlet``."""
        return Sent(bytes.fromhex(self.sender), self.covered, self.kept)


class Memory(Protocol):
    """What a stage remembers between messages."""

    def save(self) -> bytes:
        """As bytes."""
        ...

    def load(self, data: bytes) -> None:
        """Remember what ``save`` said."""
        ...


class Remembered:
    """The memory of a stage: some of its attributes, and what in them stays where it is (``held``)."""

    def __init__(
        self, stage: object, attributes: tuple[str, ...], held: Mapping[str, object] | None = None
    ) -> None:
        self._stage, self._attributes, self._held = stage, attributes, dict(held or {})

    def save(self) -> bytes:
        """The attributes as bytes; what two of them share stays shared."""
        values: dict[str, Any] = {name: getattr(self._stage, name) for name in self._attributes}
        return snapshot.save(values, self._held)

    def load(self, data: bytes) -> None:
        """Set the attributes; raises MessageError where the bytes are of another release."""
        values = snapshot.load(data, self._held)
        if not isinstance(values, dict) or set(values) != set(self._attributes):
            raise MessageError("a checkpoint of another release", fix="Start without --resume")
        for name, value in values.items():
            setattr(self._stage, name, value)


class Keeper:
    """Writes one stage's checkpoints: every ``every_s`` while messages come, or every ``every`` messages.

    ``exact``: what came after the checkpoint will come again, so the outlet's and the ledger's state belong
    to it. Not so for perception over live cameras.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        memory: Memory,
        *,
        every_s: float,
        every: int = 256,
        sync: bool = False,
        exact: bool = True,
    ) -> None:
        self._path, self.memory, self._sync = folder / f"{name}{_SUFFIX}", memory, sync
        self.exact = exact
        self._every_s, self._every = every_s, every
        self._since, self._saved_s = 0, time.monotonic()
        self.restored = read_checkpoint(folder, name)
        if self.restored is not None:
            memory.load(self.restored.memory)

    def due(self, handled: bool) -> bool:
        """Whether it is time for a checkpoint, after a turn in which a message was ``handled``, or none."""
        self._since += handled
        if self._since == 0:
            return False
        return self._since >= self._every or time.monotonic() - self._saved_s >= self._every_s

    def save(self, checkpoint: Checkpoint) -> None:
        """Replace the file; raises ResourceError where the disk is full."""
        fresh = self._path.with_suffix(".new")
        try:
            with open(
                os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb"
            ) as file:
                file.write(msgspec.msgpack.encode(checkpoint))
                if self._sync:
                    file.flush()
                    os.fsync(file.fileno())
            fresh.replace(self._path)
        except OSError as error:
            raise ResourceError(
                f"the checkpoint cannot be written ({error.strerror})",
                where=str(self._path),
                fix="Free the disk",
            ) from error
        self._since, self._saved_s = 0, time.monotonic()


def read_checkpoint(folder: Path, name: str) -> Checkpoint | None:
    """The newest checkpoint of a stage, or None where there is none; MessageError where it is damaged."""
    path = folder / f"{name}{_SUFFIX}"
    try:
        found = msgspec.msgpack.decode(path.read_bytes(), type=Checkpoint)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ResourceError(f"the checkpoint cannot be read ({error.strerror})", where=str(path)) from error
    except FOREIGN as error:
        raise MessageError(f"damaged checkpoint ({error})", where=str(path)) from error
    try:
        found.positions_by_name(), found.sent()
    except ValueError as error:
        raise MessageError(f"damaged checkpoint ({error})", where=str(path)) from error
    if found.version != VERSION:
        raise MessageError(f"checkpoint of version {found.version}", where=str(path), wanted=str(VERSION))
    return found


def fresh_folder(folder: Path, *, keep: bool) -> None:
    """Make the folder of the checkpoints, this user's alone; emptied unless they are to be gone on from."""
    if not keep:
        forget(folder)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ResourceError(
            f"the folder for checkpoints cannot be made ({error.strerror})", where=str(folder)
        ) from error


def forget(folder: Path) -> None:
    """Remove the checkpoints: the run is over, and they hold silhouettes and templates."""
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(folder)


class Counting:
    """The memory of the last stage: how many events of each camera it has seen."""

    def __init__(self, logged: Mapping[str, int]) -> None:
        self.logged = dict(logged)
        self.seen = dict(logged)

    def is_new(self, event: Event) -> bool:
        """Count the event; False where the log holds it since before this process was started."""
        self.seen[event.camera] = self.seen.get(event.camera, 0) + 1
        return self.seen[event.camera] > self.logged.get(event.camera, 0)

    def save(self) -> bytes:
        """As bytes."""
        return msgspec.json.encode(self.seen)

    def load(self, data: bytes) -> None:
        """Go on counting from where the checkpoint was."""
        self.seen = msgspec.json.decode(data, type=dict[str, int])
