"""Frames in shared memory: one copy in, none out.

One ring per camera, one writer (the source) and a fixed number of reader columns (perceive is column 0). A
slot belongs to its readers from the moment its token is made until every column has released it; only then is
it written again. So a recorded source waits and loses nothing, and a live one is told to drop. Generations
only grow: a token whose generation is not its slot's any more is stale, and so is one whose reader was
declared dead.
``stream/ringfile.py`` knows the bytes.
"""

from __future__ import annotations

import mmap
import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Final, Protocol, TypeVar

import numpy as np

from stream.errors import MessageError, ResourceError
from stream.messages import FrameRef, FrameToken
from stream.ringfile import (
    Image,
    Layout,
    RingFile,
    StaleFrameError,
    new_ring_file,
    rings_of,
    shared_memory_folder,
    sweep,
)
from stream.stop import never

__all__ = [
    "FrameReader",
    "FrameRing",
    "FrameWriter",
    "Frames",
    "HeldFrames",
    "Image",
    "StaleFrameError",
    "reclaim",
    "remove_rings",
    "shared_memory_folder",
    "sweep",
]

_FIRST_LOOK_S: Final = 0.00005
_LAST_LOOK_S: Final = 0.001  # a waiting writer looks once a millisecond: about 1 % of a core
_KEPT_RINGS: Final = 64
Found = TypeVar("Found")


class Frames(Protocol):
    """Where a stage gets pixels from: ``FrameReader`` in the pipeline, ``HeldFrames`` in a test."""

    def lease(self, token: FrameToken) -> AbstractContextManager[Image]:
        """Hold the frame's pixels, BGR uint8 (height, width, 3), read-only; raises StaleFrameError."""
        ...


class FrameRing:
    """The writer's side of a ring."""

    def __init__(self, path: Path, descriptor: int, layout: Layout) -> None:
        self.path = path
        self._lock = descriptor  # stays open: its lock says that the writer lives
        self._file = RingFile(path.name, descriptor, layout, writable=True)
        self._file.write_header()
        self._tokens: list[FrameToken | None] = [None] * layout.slots
        self._generation = 0
        self._next = 0

    @classmethod
    def create(
        cls,
        camera: str,
        *,
        slots: int,
        slot_bytes: int,
        readers: int = 1,
        pipeline: str = "",
        folder: Path | None = None,
    ) -> FrameRing:
        """Make the ring's file; raises ResourceError where the memory is not there."""
        layout = Layout(slots, -(-slot_bytes // mmap.PAGESIZE) * mmap.PAGESIZE, readers)
        path, descriptor = new_ring_file(shared_memory_folder(folder), pipeline, camera, layout)
        return cls(path, descriptor, layout)

    @property
    def name(self) -> str:
        """The name that tokens carry."""
        return self._file.name

    @property
    def slot_bytes(self) -> int:
        """The largest frame that fits, in bytes."""
        return self._file.layout.slot_bytes

    def write(
        self,
        frame: FrameRef,
        image: Image,
        *,
        timeout_s: float | None = None,
        stopped: Callable[[], bool] = never,
    ) -> FrameToken | None:
        """Copy the pixels, (height, width, 3) uint8 BGR, into a free slot and return its token.

        Waits for a free slot for ever (None, recorded sources) or at most ``timeout_s`` (0, live ones). None
        when no slot came free in that time or ``stopped()`` became true: the caller counts the drop.
        """
        if image.shape != (frame.height, frame.width, 3) or image.dtype != np.uint8:
            raise MessageError(
                f"pixels of shape {image.shape} and type {image.dtype}",
                where=frame.camera,
                wanted=f"({frame.height}, {frame.width}, 3) of uint8",
            )
        if image.nbytes > self.slot_bytes:
            raise ResourceError(
                f"a frame of {frame.width}x{frame.height}",
                where=frame.camera,
                wanted=f"at most {self.slot_bytes} bytes, the ring's slot size",
                fix="Open a ring with bigger slots, as FrameWriter does",
            )
        slot = _wait_for(self._free_slot, timeout_s, stopped)
        if slot is None:
            return None
        layout = self._file.layout
        self._next, self._generation = (slot + 1) % layout.slots, self._generation + 1
        self._file.words[layout.generation(slot)] = self._generation  # first: old tokens are stale from here
        np.copyto(self._file.image(slot, frame), image)
        token = FrameToken(frame, self.name, slot, self._generation)
        self._tokens[slot] = token
        return token

    def withdraw(self, token: FrameToken) -> None:
        """Free the slot of a token that no reader was given."""
        layout = self._file.layout
        for column in range(layout.columns):
            self._file.words[layout.released(token.slot, column)] = token.generation

    def outstanding(self) -> list[FrameToken]:
        """The tokens not yet released, oldest first: what to send again to a reader that was restarted."""
        held = (token for token in self._tokens if token is not None and not self._file.free(token.slot))
        return sorted(held, key=lambda token: token.generation)

    def reclaim(self, pid: int) -> int:
        """Release what the dead reader ``pid`` held or was still to read; how many frames that were."""
        return self._file.reclaim(pid)

    def drain(self, timeout_s: float, stopped: Callable[[], bool] = never) -> bool:
        """Wait until every frame was released; False where the time ended first."""
        return _wait_for(lambda: None if self.outstanding() else True, timeout_s, stopped) is True

    def close(self) -> None:
        """Remove the file; readers keep what they have mapped. ``drain`` first where nothing may be lost."""
        if self._lock >= 0:
            self.path.unlink(missing_ok=True)
            self._file.close()
            os.close(self._lock)
            self._lock = -1

    def _free_slot(self) -> int | None:
        slots = self._file.layout.slots
        for step in range(slots):
            slot = (self._next + step) % slots
            if self._file.free(slot):
                return slot
        return None


class FrameWriter:
    """A camera's frames into shared memory; a frame too big for the ring opens a bigger one."""

    def __init__(
        self,
        camera: str,
        *,
        slots: int = 8,
        readers: int = 1,
        pipeline: str = "",
        folder: Path | None = None,
    ) -> None:
        self._camera, self._slots, self._readers = camera, slots, readers
        self._pipeline, self._folder = pipeline, folder
        self._rings: list[FrameRing] = []  # the last is written to, the others wait for their readers

    def write(
        self,
        frame: FrameRef,
        image: Image,
        *,
        timeout_s: float | None = None,
        stopped: Callable[[], bool] = never,
    ) -> FrameToken | None:
        """As ``FrameRing.write``."""
        if not self._rings or image.nbytes > self._rings[-1].slot_bytes:
            self._rings.append(self._open(image.nbytes))
        if len(self._rings) > 1:
            self._close_drained()
        return self._rings[-1].write(frame, image, timeout_s=timeout_s, stopped=stopped)

    def withdraw(self, token: FrameToken) -> None:
        """Free the slot of a token that no reader was given."""
        for ring in self._rings:
            if ring.name == token.ring:
                ring.withdraw(token)

    def outstanding(self) -> list[FrameToken]:
        """The tokens not yet released, oldest first."""
        return [token for ring in self._rings for token in ring.outstanding()]

    def drain(self, timeout_s: float, stopped: Callable[[], bool] = never) -> bool:
        """Wait until every frame was released; False where the time ended first."""
        return _wait_for(lambda: None if self.outstanding() else True, timeout_s, stopped) is True

    def close(self) -> None:
        """Remove the rings; ``drain`` first where nothing may be lost."""
        for ring in self._rings:
            ring.close()
        self._rings.clear()

    def _open(self, slot_bytes: int) -> FrameRing:
        return FrameRing.create(
            self._camera,
            slots=self._slots,
            slot_bytes=slot_bytes,
            readers=self._readers,
            pipeline=self._pipeline,
            folder=self._folder,
        )

    def _close_drained(self) -> None:
        for ring in self._rings[:-1]:
            if not ring.outstanding():
                ring.close()
                self._rings.remove(ring)


class FrameReader:
    """One reader's side of all rings; opens them as their tokens come. For one thread."""

    def __init__(self, *, column: int = 0, folder: Path | None = None) -> None:
        self._column = column
        self._folder = shared_memory_folder(folder)
        self._rings: dict[str, RingFile] = {}

    @contextmanager
    def lease(self, token: FrameToken) -> Iterator[Image]:
        """Hold the frame's pixels, BGR uint8 (height, width, 3), read-only, without a copy.

        Raises StaleFrameError where they are gone, or went while they were held (a lease taken away after
        this process was given up for dead); then nothing that was computed from them may be used.
        """
        ring = self._ring(token.ring)
        leased = ring.layout.leased(token.slot, self._column) if token.slot < ring.layout.slots else None
        if leased is None or not ring.current(token, self._column):
            raise _stale(token)
        image = ring.image(token.slot, token.frame)
        ring.words[leased] = token.generation
        try:
            yield image
            if not ring.current(token, self._column):
                raise _stale(token)
        finally:
            self._release(ring, token)

    def skip(self, token: FrameToken) -> None:
        """Release a frame without looking at it."""
        self._release(self._ring(token.ring), token)

    def close(self) -> None:
        """Unmap all rings."""
        for ring in self._rings.values():
            ring.close()
        self._rings.clear()

    def _release(self, ring: RingFile, token: FrameToken) -> None:
        if ring.current(token, self._column):
            ring.words[ring.layout.leased(token.slot, self._column)] = 0
            ring.words[ring.layout.released(token.slot, self._column)] = token.generation

    def _ring(self, name: str) -> RingFile:
        ring = self._rings.get(name)
        if ring is None:
            self._forget_removed()
            ring = RingFile.open(self._folder, name)
            ring.register_reader(self._column)
            self._rings[name] = ring
        return ring

    def _forget_removed(self) -> None:
        removed = [name for name in self._rings if not (self._folder / name).exists()]
        for name in [*removed, *list(self._rings)[:-_KEPT_RINGS]]:
            ring = self._rings.pop(name, None)
            if ring is not None:
                ring.close()


class HeldFrames:
    """Frames kept in memory by the test that made them."""

    def __init__(self) -> None:
        self._images: list[Image] = []

    def hold(self, frame: FrameRef, image: Image) -> FrameToken:
        """Keep the pixels and return the token that leases them."""
        self._images.append(image)
        return FrameToken(frame, "held", len(self._images) - 1, 1)

    @contextmanager
    def lease(self, token: FrameToken) -> Iterator[Image]:
        """The pixels, read-only; raises StaleFrameError for a token that is not from ``hold``."""
        if token.ring != "held" or token.slot >= len(self._images):
            raise _stale(token)
        image = self._images[token.slot].view()
        image.flags.writeable = False
        yield image


def reclaim(pipeline: str, pid: int, folder: Path | None = None) -> int:
    """Release what the dead process ``pid`` held in any ring of the pipeline; how many frames that were."""
    folder, count = shared_memory_folder(folder), 0
    for path in rings_of(pipeline, folder):
        ring = RingFile.open(folder, path.name)
        count += ring.reclaim(pid)
        ring.close()
    return count


def remove_rings(pipeline: str, folder: Path | None = None) -> list[str]:
    """Remove what is left of the pipeline's rings at its end; their names."""
    left = rings_of(pipeline, shared_memory_folder(folder))
    for path in left:
        path.unlink(missing_ok=True)
    return [path.name for path in left]


def _stale(token: FrameToken) -> StaleFrameError:
    return StaleFrameError(
        f"frame {token.frame.number} is no longer in slot {token.slot} of its ring",
        where=token.frame.camera,
    )


def _wait_for(
    look: Callable[[], Found | None], timeout_s: float | None, stopped: Callable[[], bool]
) -> Found | None:
    found = look()
    deadline = None if timeout_s is None else time.monotonic() + timeout_s
    pause_s = _FIRST_LOOK_S
    while found is None and not stopped() and (deadline is None or time.monotonic() < deadline):
        time.sleep(pause_s)
        pause_s = min(2 * pause_s, _LAST_LOOK_S)
        found = look()
    return found
