"""Writing a prepared data set: killed at any moment and started again, it ends with the same files.

A sequence counts once its line is in the journal; what lies behind the last one in a shard is cut off at the
next start. Sequences must come in the same order each time, which ``gait.data.prepare`` sees to.
"""

from __future__ import annotations

import fcntl
import os
import zlib
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from gait.data.errors import DataError
from gait.data.records import (
    INDEX,
    JOURNAL,
    Block,
    Body,
    Encoding,
    Entry,
    Header,
    Key,
    Partition,
    Record,
    check_header,
    decode_index,
    encode_index,
    layout_reference,
    shard_name,
)
from gait.inputs import Walk
from stream.errors import FOREIGN

# Files of this size copy and map well everywhere, and a big data set needs few of them.
SHARD_BYTES: Final = 1 << 30
_ALIGNMENT: Final = 64
MAX_FRAMES: Final = 1 << 20


class DataSetWriter:
    """Adds sequences to a folder; ``settings`` say how they are prepared, the same on a restart."""

    def __init__(self, folder: str | Path, settings: str = "", shard_bytes: int = SHARD_BYTES) -> None:
        self.folder = Path(folder)
        self._header = Header(settings=settings)
        self._shard_bytes = shard_bytes
        self._journal = self._open_journal()
        try:
            self._records = self._resume()
            self._shard, self._end = self._trim()
        except BaseException:
            self._journal.close()
            raise
        self._file: BinaryIO | None = None

    def __enter__(self) -> DataSetWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __contains__(self, entry: Entry) -> bool:
        return entry.key in self._records

    @property
    def keys(self) -> frozenset[Key]:
        """What is already written."""
        return frozenset(self._records)

    def add(self, entry: Entry, walk: Walk) -> None:
        """Write one sequence, unless it is there already; raises DataError where the walk is not whole."""
        if entry in self:
            return
        check_walk(entry, walk)
        if self._end >= self._shard_bytes:
            self._next_shard()
        crc32, blocks = 0, []
        for values in (walk.silhouettes, walk.joints_2d, walk.joints_3d):
            block = None
            if values is not None and values.size:
                block, crc32 = self._write(values, crc32)
            blocks.append(block)
        self._opened().flush()
        record = Record(entry, crc32, layout_reference(walk.layout), *blocks)
        self._journal.write(msgspec.json.encode(record) + b"\n")
        self._journal.flush()
        self._records[entry.key] = record

    def finish(self, partition: Partition | None = None) -> None:
        """Write the index; the data set can be opened from here on."""
        if not self._records:
            raise DataError("no sequence was written", where=str(self.folder), wanted="at least one")
        split = partition or Partition()
        split.check(frozenset(key[0] for key in self._records), str(self.folder))
        if self._file is not None:
            os.fsync(self._file.fileno())
        records = tuple(self._records[key] for key in sorted(self._records))
        write_atomically(self.folder / INDEX, encode_index(self._header, Body(records, split)))
        (self.folder / JOURNAL).unlink()
        self.close()

    def close(self) -> None:
        """Let go of the files; an unfinished data set can be taken up again."""
        if self._file is not None:
            self._file.close()
            self._file = None
        self._journal.close()

    def _open_journal(self) -> BinaryIO:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            journal = (self.folder / JOURNAL).open("a+b")
        except OSError as error:
            raise DataError(f"cannot be written ({error.strerror})", where=str(self.folder)) from error
        try:
            fcntl.flock(journal, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            journal.close()
            raise DataError("another process is preparing data here", where=str(self.folder)) from error
        return journal

    def _resume(self) -> dict[Key, Record]:
        records: dict[Key, Record] = {}
        index = self.folder / INDEX
        if index.exists():
            header, body = decode_index(index.read_bytes(), index)
            self._check_settings(header, index)
            records.update((record.entry.key, record) for record in body.records)
        records.update((record.entry.key, record) for record in self._read_journal())
        return records

    def _read_journal(self) -> list[Record]:
        """The whole lines of the journal, which is cut behind them; a new one gets its header."""
        path = self.folder / JOURNAL
        self._journal.seek(0)
        content = self._journal.read()
        whole = content.rpartition(b"\n")[0]
        lines = whole.split(b"\n") if whole else []
        self._journal.truncate(len(whole) + 1 if whole else 0)
        if not lines:
            self._journal.write(msgspec.json.encode(self._header) + b"\n")
            self._journal.flush()
            return []
        try:
            header = msgspec.json.decode(lines[0], type=Header)
            records = [msgspec.json.decode(line, type=Record) for line in lines[1:]]
        except FOREIGN as error:
            raise DataError(
                f"not a journal of ours ({error})", where=str(path), fix="Prepare into an empty folder"
            ) from error
        check_header(header, path)
        self._check_settings(header, path)
        return records

    def _check_settings(self, header: Header, path: Path) -> None:
        if header.settings != self._header.settings:
            raise DataError(
                f"holds data prepared otherwise ({header.settings or 'by hand'})",
                where=str(path.parent),
                wanted=self._header.settings or "data prepared by hand",
                fix="Prepare into an empty folder",
            )

    def _trim(self) -> tuple[int, int]:
        """Cut what no record claims; the shard to go on with and its length."""
        ends: dict[int, int] = {0: 0}
        for record in self._records.values():
            for block in record.blocks:
                ends[block.shard] = max(ends.get(block.shard, 0), block.end)
        last = max(ends)
        for number, end in ends.items():
            path = self.folder / shard_name(number)
            size = path.stat().st_size if path.exists() else 0
            if size < end:
                raise DataError(
                    f"is cut short: {size} bytes",
                    where=str(path),
                    wanted=f"{end} bytes",
                    fix="Prepare into an empty folder",
                )
            if size > end:
                os.truncate(path, end)
        while (beyond := self.folder / shard_name(last + 1)).exists():
            beyond.unlink()
            last += 1
        return max(ends), ends[max(ends)]

    def _opened(self) -> BinaryIO:
        if self._file is None:
            self._file = (self.folder / shard_name(self._shard)).open("ab")
        return self._file

    def _next_shard(self) -> None:
        file = self._opened()
        os.fsync(file.fileno())
        file.close()
        self._file, self._shard, self._end = None, self._shard + 1, 0

    def _write(self, values: NDArray[Any], crc32: int) -> tuple[Block, int]:
        encoding, content = _encode(values)
        gap = -self._end % _ALIGNMENT
        self._opened().write(bytes(gap) + content)
        block = Block(self._shard, self._end + gap, encoding, values.shape)
        self._end = block.end
        return block, zlib.crc32(content, crc32)


def check_walk(entry: Entry, walk: Walk) -> None:
    """Raises DataError where a walk is empty, its parts differ in length, or a joint is not a number."""
    parts = {
        "silhouettes": walk.silhouettes if walk.silhouettes.size else None,
        "joints_2d": walk.joints_2d if walk.joints_2d.size else None,
        "joints_3d": walk.joints_3d,
    }
    lengths = {name: len(values) for name, values in parts.items() if values is not None}
    where = str(entry)
    if not lengths or not 0 < entry.frames <= MAX_FRAMES:
        raise DataError("the sequence is empty", where=where, wanted=f"1 to {MAX_FRAMES} frames")
    if set(lengths.values()) != {entry.frames}:
        told = ", ".join(f"{count} {name}" for name, count in lengths.items())
        raise DataError(f"parts of unequal length: {told}", where=where, wanted=f"{entry.frames} frames each")
    if walk.silhouettes.size and (walk.silhouettes.ndim != 3 or walk.silhouettes.dtype != np.uint8):
        raise DataError(
            f"silhouettes of shape {walk.silhouettes.shape} and type {walk.silhouettes.dtype}",
            where=where,
            wanted="(T, H, W) uint8",
        )
    for name in ("joints_2d", "joints_3d"):
        _check_joints(name, parts[name], walk.layout.size, where)


def _check_joints(name: str, values: NDArray[Any] | None, joints: int, where: str) -> None:
    if values is None:
        return
    if values.ndim != 3 or values.shape[1:] != (joints, 3):
        raise DataError(f"{name} of shape {values.shape}", where=where, wanted=f"(T, {joints}, 3)")
    bad = ~np.isfinite(values).all(axis=(1, 2))
    if bad.any():
        raise DataError(
            f"{name} hold NaN or infinity in {int(bad.sum())} of {len(bad)} frames, first in frame "
            f"{int(np.flatnonzero(bad)[0])}",
            where=where,
            wanted="finite numbers",
        )


def write_atomically(path: Path, content: bytes) -> None:
    """All of the file or none of it, whatever happens meanwhile."""
    part = path.with_name(path.name + ".part")
    with part.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def _encode(values: NDArray[Any]) -> tuple[Encoding, bytes]:
    if values.dtype != np.uint8:
        return "f4", np.ascontiguousarray(values, dtype="<f4").tobytes()
    if ((values == 0) | (values == 255)).all():
        return "bits", np.packbits(values.reshape(len(values), -1) > 0, axis=1).tobytes()
    return "u1", np.ascontiguousarray(values).tobytes()
