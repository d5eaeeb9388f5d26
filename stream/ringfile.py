"""The file behind a frame ring: its layout, its words, how it is made, found and swept.

    header   64 words: magic, version, slots, slot bytes, columns, writer's pid, readers' pids
    table    per slot: generation, then per reader column: leased, released
    pixels   from the next page on: slots x slot bytes

Words are 8 bytes, aligned, and each has one writer, so no locks are needed; a token reaches its reader
through a socket, which orders the pixels before it. The file is locked by its writer while it lives, so that
what a killed pipeline left behind can be told and swept.
"""

from __future__ import annotations

import contextlib
import fcntl
import mmap
import os
import re
import secrets
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stream.errors import GaitwayError, MessageError, ResourceError
from stream.messages import FrameRef, FrameToken

Image = NDArray[np.uint8]

MAGIC: Final = int.from_bytes(b"GAITRING", "little")
VERSION: Final = 1
MAX_COLUMNS: Final = 8
MAX_SLOTS: Final = 1024
MAX_SLOT_BYTES: Final = 1 << 30
HEADER_WORDS: Final = 64
WORD: Final = 8
PREFIX: Final = "gaitway-"
SUFFIX: Final = ".frames"
_MAGIC, _VERSION, _SLOTS, _SLOT_BYTES, _COLUMNS, _WRITER, _READERS = 0, 1, 2, 3, 4, 5, 8
_RING_NAME: Final = re.compile(rf"{PREFIX}[A-Za-z0-9_-]{{1,160}}{re.escape(SUFFIX)}")
_POPULATE: Final[int] = getattr(mmap, "MAP_POPULATE", 0)  # Linux: no page faults on the first round


class StaleFrameError(GaitwayError):
    """The pixels that a token speaks of are gone; the frame is to be counted as dropped, cause ``stale``."""


@dataclass(frozen=True)
class Layout:
    """Where the words and pixels of a ring lie in its file."""

    slots: int
    slot_bytes: int
    columns: int

    def __post_init__(self) -> None:
        """Raise ResourceError where these numbers make no ring."""
        fits = 1 <= self.slots <= MAX_SLOTS and 1 <= self.columns <= MAX_COLUMNS
        if not fits or not 0 < self.slot_bytes <= MAX_SLOT_BYTES:
            raise ResourceError(
                f"a ring of {self.slots} slots of {self.slot_bytes} bytes for {self.columns} readers",
                wanted=f"1 to {MAX_SLOTS} slots, 1 to {MAX_COLUMNS} readers, frames of at most 1 GiB",
            )

    @property
    def pixels_at(self) -> int:
        """The offset of the first slot, on a page."""
        words = HEADER_WORDS + self.slots * (1 + 2 * self.columns)
        return -(-words * WORD // mmap.PAGESIZE) * mmap.PAGESIZE

    @property
    def file_bytes(self) -> int:
        """The size of the whole file."""
        return self.pixels_at + self.slots * self.slot_bytes

    def generation(self, slot: int) -> int:
        """The index of the slot's generation word."""
        return HEADER_WORDS + slot * (1 + 2 * self.columns)

    def leased(self, slot: int, column: int) -> int:
        """The index of the word where ``column`` notes the generation it holds."""
        return self.generation(slot) + 1 + 2 * column

    def released(self, slot: int, column: int) -> int:
        """The index of the word where ``column`` notes the last generation it is done with."""
        return self.generation(slot) + 2 + 2 * column


class RingFile:
    """The mapped file of a ring, as its writer, a reader and the supervisor see it."""

    def __init__(self, name: str, descriptor: int, layout: Layout, *, writable: bool) -> None:
        self.name, self.layout = name, layout
        self._table = mmap.mmap(descriptor, layout.pixels_at, flags=mmap.MAP_SHARED)
        self.words = memoryview(self._table).cast("Q")
        self._pixels = mmap.mmap(
            descriptor,
            layout.slots * layout.slot_bytes,
            flags=mmap.MAP_SHARED | _POPULATE,
            prot=mmap.PROT_READ | (mmap.PROT_WRITE if writable else 0),
            offset=layout.pixels_at,
        )

    @classmethod
    def open(cls, folder: Path, name: str) -> RingFile:
        """Map a ring to read its pixels; StaleFrameError where it is gone, MessageError where foreign."""
        if not _RING_NAME.fullmatch(name):  # the name came over a socket: it must not leave the folder
            raise MessageError(f"no frame ring can be called {name[:80]!r}", wanted=f"{PREFIX}...{SUFFIX}")
        try:
            descriptor = os.open(folder / name, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError as error:
            raise StaleFrameError(
                f"the frame ring cannot be opened ({error.strerror})", where=name
            ) from error
        try:
            return cls(name, descriptor, _read_layout(name, descriptor), writable=False)
        finally:
            os.close(descriptor)

    def write_header(self) -> None:
        """Say whose ring this is; the magic comes last, so that a half-made ring is never taken for one."""
        layout = self.layout
        header = (VERSION, layout.slots, layout.slot_bytes, layout.columns, os.getpid())
        for index, word in enumerate(header, start=_VERSION):
            self.words[index] = word
        self.words[_MAGIC] = MAGIC

    def register_reader(self, column: int) -> None:
        """Note this process as the reader of ``column``."""
        if not 0 <= column < self.layout.columns:
            raise ResourceError(
                f"frame ring {self.name} has no reader column {column}",
                wanted=f"one of {self.layout.columns}",
                fix="Start the source with more readers",
            )
        self.words[_READERS + column] = os.getpid()

    def image(self, slot: int, frame: FrameRef) -> Image:
        """The slot's pixels, not copied, writable for the writer; MessageError where they can't fit."""
        size = frame.height * frame.width * 3
        if size > self.layout.slot_bytes or slot >= self.layout.slots:
            raise MessageError(
                f"frame of {frame.width}x{frame.height} in slot {slot}",
                where=self.name,
                wanted=f"{self.layout.slots} slots of {self.layout.slot_bytes} bytes",
            )
        start = slot * self.layout.slot_bytes
        flat: Image = np.frombuffer(self._pixels, dtype=np.uint8, count=size, offset=start)
        return flat.reshape(frame.height, frame.width, 3)

    def current(self, token: FrameToken, column: int) -> bool:
        """True while the slot holds the token's frame and ``column`` has not released it."""
        words, layout = self.words, self.layout
        if token.slot >= layout.slots or words[layout.generation(token.slot)] != token.generation:
            return False
        return words[layout.released(token.slot, column)] < token.generation

    def free(self, slot: int) -> bool:
        """True once every column is done with the slot."""
        words, layout = self.words, self.layout
        generation = words[layout.generation(slot)]
        return all(words[layout.released(slot, column)] >= generation for column in range(layout.columns))

    def reclaim(self, pid: int) -> int:
        """Release what the dead reader ``pid`` held or was still to read; how many frames that were."""
        words, layout, count = self.words, self.layout, 0
        for column in range(layout.columns):
            if words[_READERS + column] != pid:
                continue
            for slot in range(layout.slots):
                generation, released = words[layout.generation(slot)], layout.released(slot, column)
                if words[released] < generation:
                    words[layout.leased(slot, column)] = 0
                    words[released] = generation
                    count += 1
        return count

    def close(self) -> None:
        """Unmap; pixels that somebody still looks at are unmapped when the last view goes."""
        self.words.release()
        self._table.close()
        with contextlib.suppress(BufferError):
            self._pixels.close()


def shared_memory_folder(configured: str | Path | None = None) -> Path:
    """The configured folder, else /dev/shm where there is one, else the temporary folder."""
    if configured:
        folder = Path(configured)
        if not folder.is_dir():
            raise ResourceError(
                f"there is no folder {folder} for frames",
                fix="Create it, or leave stream.shared_memory empty for /dev/shm",
            )
        return folder
    memory = Path("/dev/shm")  # noqa: S108  shared by design; names are unguessable and opened exclusively
    return memory if memory.is_dir() and os.access(memory, os.W_OK) else Path(tempfile.gettempdir())


def new_ring_file(folder: Path, pipeline: str, camera: str, layout: Layout) -> tuple[Path, int]:
    """Make a ring's file, its memory reserved and its lock held; the path and the open descriptor."""
    path = folder / f"{ring_prefix(pipeline)}{_slug(camera)}-{secrets.token_hex(6)}{SUFFIX}"
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise _no_memory(path.parent, layout.file_bytes, error) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        reserve(descriptor, layout.file_bytes)
    except OSError as error:
        path.unlink(missing_ok=True)
        os.close(descriptor)
        raise _no_memory(path.parent, layout.file_bytes, error) from error
    return path, descriptor


def reserve(descriptor: int, size: int) -> None:
    """Give the file ``size`` bytes that are really there: full memory is an error, not a SIGBUS."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, 0, size)
    else:
        os.ftruncate(descriptor, size)


def ring_prefix(pipeline: str) -> str:
    """How the names of all ring files of a pipeline begin."""
    return f"{PREFIX}{_slug(pipeline)}-"


def rings_of(pipeline: str, folder: Path) -> list[Path]:
    """The ring files of one pipeline."""
    return sorted(folder.glob(f"{ring_prefix(pipeline)}*{SUFFIX}"))


def sweep(folder: Path) -> list[str]:
    """Remove the rings whose writer is dead, of any pipeline of ours; their names."""
    swept = []
    for path in sorted(folder.glob(f"{PREFIX}*{SUFFIX}")):
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:  # another user's, or gone meanwhile
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(descriptor).st_size:  # an empty one is being made at this moment
                path.unlink(missing_ok=True)
                swept.append(path.name)
        except BlockingIOError:  # its writer lives
            continue
        finally:
            os.close(descriptor)
    return swept


def _slug(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_]", "_", name)[:60] or "_"


def _read_layout(name: str, descriptor: int) -> Layout:
    header = memoryview(os.pread(descriptor, HEADER_WORDS * WORD, 0))
    words = header.cast("Q") if len(header) == HEADER_WORDS * WORD else None
    if words is None or words[_MAGIC] != MAGIC or words[_VERSION] != VERSION:
        raise MessageError(f"{name} is no frame ring of version {VERSION}")
    layout = Layout(words[_SLOTS], words[_SLOT_BYTES], words[_COLUMNS])
    if os.fstat(descriptor).st_size < layout.file_bytes:
        raise MessageError(f"frame ring {name} is cut short", wanted=f"{layout.file_bytes} bytes")
    return layout


def _no_memory(folder: Path, size: int, error: OSError) -> ResourceError:
    state = os.statvfs(folder)
    free = state.f_bavail * state.f_frsize
    return ResourceError(
        f"no room for a ring of frames in {folder} ({error.strerror}; {free / 1e6:.0f} MB free)",
        wanted=f"{size / 1e6:.0f} MB",
        fix="Lower stream.ring_slots, give the container more (docker run --shm-size=1g),"
        " or point stream.shared_memory at another folder",
    )
