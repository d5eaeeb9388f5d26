"""Every frame accounted for: captured = processed + dropped (by cause) + lost.

A small mapped file per pipeline, one row per stage and camera. A row has one writer, the stage's thread, and
counts survive kill -9 because they lie in the file's pages, not in the process. The last stage's ``handled``
is what was processed; what is neither processed nor dropped is in flight while the pipeline runs, and lost
after. Behind a row's counts lies what the stage measured of the camera (``stream/meters.py``).
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import IntEnum
from pathlib import Path
from typing import Final

import msgspec

from stream.errors import FOREIGN, GaitwayError, MessageError, ResourceError
from stream.meters import WORDS, StageMeters

MAGIC: Final = b"GAITLEDG"
VERSION: Final = 1
_HEAD: Final = len(MAGIC) + 8
_ALIGN: Final = 64
_WORD: Final = 8
SPARE: Final = 16
"""Cameras that can be attached to a running pipeline; their rows are there from the start."""
_NAME_BYTES: Final = 40
UNATTRIBUTED: Final = ""
"""The camera of what cannot be attributed to one: bytes that are no message."""


class Count(IntEnum):
    """What a stage counts for a camera."""

    CAPTURED = 0
    RECEIVED = 1
    HANDLED = 2
    SENT = 3
    ERRORS = 4


class Drop(IntEnum):
    """Why a frame went no further."""

    RING_FULL = 5
    """A live camera's frame found no free slot."""
    QUEUE_FULL = 6
    """A live camera's message found the next hop full."""
    LATE = 7
    """Older than the camera's latency budget."""
    STALE = 8
    """Its pixels were gone when a stage came for them."""
    UNDECODABLE = 9
    """The source could not decode it."""
    UNUSABLE = 10
    """The stage refused the frame's content."""
    STOPPED = 11
    """The pipeline was told to end at once."""
    DIED = 12
    """On its way in a process that was killed."""
    SHED = 13
    """Let go under overload, for cameras of higher priority."""


COLUMNS: Final = 16
_ROW: Final = -(-(COLUMNS + WORDS) // 8) * 8  # words; whole cache lines, so that two writers share none


class CameraBalance(msgspec.Struct, frozen=True):
    """One camera's frames. ``hops`` holds, per stage, (received, handled, sent)."""

    camera: str
    captured: int
    processed: int
    dropped: dict[str, int]
    lost: int
    in_flight: int
    errors: int
    hops: dict[str, tuple[int, int, int]]

    @property
    def ok(self) -> bool:
        """True when every frame was processed or dropped for a named cause."""
        return self.lost == 0

    def __str__(self) -> str:
        drops = ", ".join(f"{count} {cause}" for cause, count in self.dropped.items())
        line = f"{self.camera}: {self.captured} captured = {self.processed} processed"
        line += f" + {sum(self.dropped.values())} dropped" + (f" ({drops})" if drops else "")
        line += f" + {self.lost} lost" + (f" + {self.in_flight} in flight" if self.in_flight else "")
        return line + (f"; {self.errors} errors" if self.errors else "")


class LedgerReport(msgspec.Struct, frozen=True):
    """The books of all cameras; ``str()`` is one line per camera."""

    cameras: tuple[CameraBalance, ...]
    foreign: int = 0
    """Messages that were none of ours and so belong to no camera."""

    @property
    def ok(self) -> bool:
        """True when the books of every camera add up and nothing was lost."""
        return all(camera.ok for camera in self.cameras)

    def __str__(self) -> str:
        lines = [str(camera) for camera in self.cameras]
        return "\n".join([*lines, f"{self.foreign} messages refused"] if self.foreign else lines)


class FramesLostError(GaitwayError):
    """A pipeline ended and its ledger does not add up."""

    exit_status = 9

    def __init__(self, report: LedgerReport) -> None:
        wrong = "; ".join(str(camera) for camera in report.cameras if not camera.ok)
        super().__init__(f"frames are unaccounted for: {wrong}", fix="Look into the logs of the stages")


class StageLedger:
    """One stage's rows; for one thread. ``look`` finds them, those of cameras attached meanwhile too."""

    def __init__(self, words: memoryview, look: Callable[[], dict[str, int]]) -> None:
        self._words, self._look, self._rows = words, look, look()

    def count(self, camera: str, what: Count | Drop, n: int = 1) -> None:
        """Add ``n``; a camera the ledger does not know is counted as unattributed."""
        row = self._row(camera)
        self._words[row * _ROW + what] += n

    def value(self, camera: str, what: Count | Drop) -> int:
        """What this stage counted so far."""
        return int(self._words[self._rows[camera] * _ROW + what])

    @property
    def meters(self) -> StageMeters:
        """What the stage measures, beside what it counts."""
        return StageMeters(self._words, lambda camera: self._row(camera) * _ROW + COLUMNS)

    def _row(self, camera: str) -> int:
        if camera not in self._rows:
            self._rows = self._look()
        return self._rows.get(camera, self._rows[UNATTRIBUTED])

    def counts(self) -> dict[str, tuple[int, ...]]:
        """Every count, by camera, for a checkpoint."""
        return {
            camera: tuple(self._words[row * _ROW : row * _ROW + COLUMNS])
            for camera, row in self._rows.items()
        }

    def begin(self, camera: str, frames: int) -> None:
        """A source reads on from its recording's frame number ``frames``: so many were captured and sent."""
        self.restore_row(camera, (frames, 0, 0, frames))

    def restore_row(self, camera: str, counts: Sequence[int]) -> None:
        """Set one camera's counts; those not given are 0."""
        row = self._rows[camera]
        for column in range(COLUMNS):
            self._words[row * _ROW + column] = counts[column] if column < len(counts) else 0

    def restore(self, counts: Mapping[str, Sequence[int]]) -> None:
        """Go back to counts that a checkpoint kept: what came after is counted again."""
        for camera in self._rows:
            self.restore_row(camera, counts.get(camera, ()))


class Ledger:
    """The mapped file; the supervisor makes it, every stage opens it."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._map = mmap.mmap(descriptor, 0, flags=mmap.MAP_SHARED)
        self._head = int.from_bytes(self._map[len(MAGIC) : _HEAD], "little")
        names = self._names()
        self.stages = names["stages"]
        words = len(self._map) - _table_at(self._head)
        self._rows_each, rest = divmod(words, max(1, len(self.stages)) * _ROW * _WORD)
        if rest or words <= 0 or self._rows_each < len(names["cameras"]):
            raise ValueError(f"{len(self._map)} bytes")
        if UNATTRIBUTED not in names["cameras"]:
            raise ValueError("no row for what belongs to no camera")
        self._words = memoryview(self._map)[_table_at(self._head) :].cast("q")

    def _names(self) -> dict[str, tuple[str, ...]]:
        head = self._map[_HEAD : _HEAD + self._head]
        return msgspec.json.decode(head, type=dict[str, tuple[str, ...]])

    @property
    def cameras(self) -> tuple[str, ...]:
        """The cameras' names, in the order of their rows."""
        return self._names()["cameras"]

    def attach(self, camera: str) -> None:
        """Give another camera its rows; ResourceError where none are left. For the supervisor alone."""
        names = self._names()
        if camera in names["cameras"]:
            return
        cameras = (*names["cameras"], camera)
        head = msgspec.json.encode({"stages": self.stages, "cameras": cameras})
        if len(cameras) > self._rows_each or len(head) > self._head:
            raise ResourceError(
                f"no room for camera {camera}",
                wanted=f"at most {SPARE} cameras attached to a running pipeline",
                fix="Add it to pipeline.yaml and start anew",
            )
        self._map[_HEAD : _HEAD + self._head] = head.ljust(self._head)

    @classmethod
    def create(cls, path: Path, stages: Iterable[str], cameras: Iterable[str]) -> Ledger:
        """Make the file for ``stages``, in the order of the flow, and ``cameras``; an old one is replaced."""
        names = {"stages": tuple(stages), "cameras": (*dict.fromkeys(cameras), UNATTRIBUTED)}
        head = msgspec.json.encode(names)
        head = head.ljust(len(head) + SPARE * _NAME_BYTES)
        rows = len(names["stages"]) * (len(names["cameras"]) + SPARE)
        content = MAGIC + len(head).to_bytes(8, "little") + head
        content = content.ljust(_table_at(len(head)), b"\0") + bytes(rows * _ROW * _WORD)
        fresh = path.with_name(path.name + ".new")
        try:
            fresh.write_bytes(content)
            fresh.replace(path)
        except OSError as error:
            raise ResourceError(
                f"the ledger cannot be written ({error.strerror})", where=str(path), fix="Free the disk"
            ) from error
        return cls.open(path)

    @classmethod
    def open(cls, path: Path) -> Ledger:
        """Map a ledger; raises ResourceError where there is none, MessageError where it is damaged."""
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except OSError as error:
            raise ResourceError(
                f"no ledger ({error.strerror})", where=str(path), fix="Start the pipeline first"
            ) from error
        try:
            if os.fstat(descriptor).st_size <= _HEAD or os.pread(descriptor, len(MAGIC), 0) != MAGIC:
                raise MessageError("this is no ledger", where=str(path))
            return cls(path, descriptor)
        except (*FOREIGN, KeyError, ValueError) as error:
            raise MessageError(f"damaged ledger ({error})", where=str(path)) from error
        finally:
            os.close(descriptor)

    def stage(self, name: str) -> StageLedger:
        """The rows of one stage, to count in."""
        if name not in self.stages:
            raise ResourceError(f"the ledger has no stage {name!r}", wanted=", ".join(self.stages))
        first = self.stages.index(name) * self._rows_each
        return StageLedger(
            self._words, lambda: {camera: first + at for at, camera in enumerate(self.cameras)}
        )

    def balance(self, *, running: bool = False) -> LedgerReport:
        """The books of every camera; while ``running``, what is on its way is in flight and not lost."""
        cameras = [camera for camera in self.cameras if camera != UNATTRIBUTED]
        foreign = sum(self.stage(name).value(UNATTRIBUTED, Count.ERRORS) for name in self.stages)
        return LedgerReport(tuple(self._camera(camera, running=running) for camera in cameras), foreign)

    def close(self) -> None:
        """Unmap; the file stays for whoever wants to read it."""
        self._words.release()
        self._map.close()

    def _camera(self, camera: str, *, running: bool) -> CameraBalance:
        rows = [self.stage(name) for name in self.stages]
        captured = rows[0].value(camera, Count.CAPTURED)
        processed = rows[-1].value(camera, Count.HANDLED)
        totals = {cause.name.lower(): sum(row.value(camera, cause) for row in rows) for cause in Drop}
        dropped = {cause: count for cause, count in totals.items() if count}
        missing = captured - processed - sum(dropped.values())
        hops = {
            name: (
                row.value(camera, Count.RECEIVED),
                row.value(camera, Count.HANDLED),
                row.value(camera, Count.SENT),
            )
            for name, row in zip(self.stages, rows, strict=True)
        }
        return CameraBalance(
            camera=camera,
            captured=captured,
            processed=processed,
            dropped=dropped,
            lost=0 if running else missing,
            in_flight=missing if running else 0,
            errors=sum(row.value(camera, Count.ERRORS) for row in rows),
            hops=hops,
        )


def _table_at(head: int) -> int:
    return -(-(_HEAD + head) // _ALIGN) * _ALIGN
