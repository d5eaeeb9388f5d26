"""Our own prepared form: walks in big memory-mapped shards under one small index. No pickle anywhere.

    folder/index.json        what there is, and the split; written last, at once
    folder/shard-00000.bin   blocks: silhouettes as bits (uint8 where they are grey), joints as float32
    folder/journal.jsonl     only while it is being written

``DataSetWriter`` is in ``gait.data.writer`` and is offered here too.
"""

from __future__ import annotations

import mmap
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from gait.data.errors import DataError
from gait.data.records import (
    INDEX,
    JOURNAL,
    Block,
    Body,
    Entry,
    Header,
    Key,
    Partition,
    Record,
    decode_index,
    layout_of,
    shard_name,
)
from gait.data.writer import DataSetWriter
from gait.inputs import Walk

__all__ = ["DataError", "DataSet", "DataSetWriter", "Entry", "Frames", "Part", "Partition"]

Frames = NDArray[Any] | slice | None
Part = Literal["silhouettes", "joints_2d", "joints_3d"]


class DataSet:
    """A finished data set, opened for reading; cheap to hand to other processes, which open it themselves."""

    def __init__(self, folder: Path, header: Header, body: Body) -> None:
        self.folder = folder
        self.settings = header.settings
        self.partition = body.partition
        self.entries: tuple[Entry, ...] = tuple(record.entry for record in body.records)
        self._records: dict[Key, Record] = {record.entry.key: record for record in body.records}
        self._shards: dict[int, NDArray[np.uint8]] = {}
        self._check_shards()

    @classmethod
    def open(cls, folder: str | Path) -> DataSet:
        """Raises DataError where there is none, or an unfinished, damaged, foreign or newer one."""
        folder = Path(folder)
        path = folder / INDEX
        try:
            content = path.read_bytes()
        except FileNotFoundError as error:
            unfinished = (folder / JOURNAL).exists()
            raise DataError(
                "the data set was not finished" if unfinished else "there is no data set here",
                where=str(folder),
                wanted=f"a folder with {INDEX}",
                fix="Run the same `run_pipeline.py prepare` again" if unfinished else "",
            ) from error
        except OSError as error:
            raise DataError(f"cannot be read ({error.strerror})", where=str(path)) from error
        return cls(folder, *decode_index(content, path))

    def __reduce__(self) -> tuple[Callable[[Path], DataSet], tuple[Path]]:
        return DataSet.open, (self.folder,)

    def __len__(self) -> int:
        return len(self.entries)

    @property
    def people(self) -> tuple[str, ...]:
        """Everybody in it, sorted."""
        return tuple(sorted({entry.person for entry in self.entries}))

    def holds(self, part: Part) -> bool:
        """Whether every sequence has this part."""
        return all(getattr(record, part) is not None for record in self._records.values())

    def of(self, people: tuple[str, ...]) -> tuple[Entry, ...]:
        """The sequences of these people, in the order of the index."""
        wanted = frozenset(people)
        return tuple(entry for entry in self.entries if entry.person in wanted)

    def entry(self, key: Key) -> Entry:
        """The sequence of a key; raises DataError where there is none."""
        if key not in self._records:
            raise DataError(f"no sequence {'/'.join(key)}", where=str(self.folder))
        return self._records[key].entry

    def read(self, entry: Entry, indices: Frames = None) -> Walk:
        """The walk, or those frames of it (any order, repeats allowed), in arrays of the caller's own.

        A part that the sequence lacks is empty: silhouettes (T, 0, 0), joints_2d (T, K, 0), joints_3d None.
        """
        record = self._record(entry)
        layout = layout_of(record)
        frames = slice(None) if indices is None else indices
        count = len(range(entry.frames)[frames]) if isinstance(frames, slice) else len(frames)
        silhouettes, points = record.silhouettes, record.joints_2d
        space = record.joints_3d
        return Walk(
            self._part(silhouettes, frames) if silhouettes else np.zeros((count, 0, 0), np.uint8),
            self._part(points, frames) if points else np.zeros((count, layout.size, 0), np.float32),
            self._part(space, frames) if space else None,
            layout,
        )

    def verify(self) -> None:
        """Read every byte; raises DataError naming the shard and the first sequence that is damaged."""
        for record in self._records.values():
            crc32 = 0
            for block in record.blocks:
                crc32 = zlib.crc32(self._shard(block.shard)[block.offset : block.end].data, crc32)
            if crc32 != record.crc32:
                raise DataError(
                    f"the bytes of {record.entry} were changed after they were written",
                    where=str(self.folder / shard_name(record.blocks[0].shard)),
                    fix="Prepare the data again",
                )

    def _record(self, entry: Entry) -> Record:
        return self._records[self.entry(entry.key).key]

    def _part(self, block: Block, frames: NDArray[Any] | slice) -> NDArray[Any]:
        rows = self._shard(block.shard)[block.offset : block.end].reshape(block.shape[0], block.frame_bytes)
        taken = np.array(rows[frames])
        shape = (len(taken), *block.shape[1:])
        if block.encoding == "f4":
            return taken.view("<f4").astype(np.float32, copy=False).reshape(shape)
        if block.encoding == "u1":
            return taken.reshape(shape)
        bits = np.unpackbits(taken, axis=1, count=int(np.prod(block.shape[1:])))
        # 0 and 1 as 0 and 255.
        return np.negative(bits, out=bits).reshape(shape)

    def _shard(self, number: int) -> NDArray[np.uint8]:
        shard = self._shards.get(number)
        if shard is None:
            path = self.folder / shard_name(number)
            try:
                with path.open("rb") as file:
                    content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            except (OSError, ValueError) as error:
                raise DataError(f"cannot be mapped ({error})", where=str(path)) from error
            shard = self._shards[number] = np.frombuffer(content, np.uint8)
        return shard

    def _check_shards(self) -> None:
        """Every block lies within its shard, and every sequence's parts are as long as it says."""
        ends: dict[int, int] = {}
        for record in self._records.values():
            for block in record.blocks:
                if block.shape[0] != record.entry.frames or min(*block.shape, block.offset) < 0:
                    raise DataError(
                        f"the index contradicts itself at {record.entry}", where=str(self.folder / INDEX)
                    )
                ends[block.shard] = max(ends.get(block.shard, 0), block.end)
        for number, end in ends.items():
            path = self.folder / shard_name(number)
            size = path.stat().st_size if path.is_file() else -1
            if size < end:
                what = "is missing" if size < 0 else f"is cut short: {size} bytes"
                raise DataError(
                    what, where=str(path), wanted=f"{end} bytes, as the index says", fix="Prepare it again"
                )
