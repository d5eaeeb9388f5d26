"""What the index of a prepared data set says: its sequences, its split, and where the bytes of each lie."""

from __future__ import annotations

import math
import zlib
from pathlib import Path
from typing import Final, Literal

import msgspec

from gait.data.errors import DataError
from gait.skeleton_layouts import BUILT_IN, Layout
from stream.errors import FOREIGN

FORMAT: Final = "gaitway-dataset"
VERSION: Final = 1
INDEX: Final = "index.json"
JOURNAL: Final = "journal.jsonl"

Role = Literal["", "train", "gallery", "probe"]
Encoding = Literal["bits", "u1", "f4"]
Key = tuple[str, str, str, str]


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """One sequence of one person.

    ``condition`` is what OpenGait calls type (nm-01, U0_D0), ``view`` the camera or angle, ``name`` tells
    sequences apart that share the three; ``role`` where the data set itself lists its probes and gallery;
    ``lost`` counts the frames that its preparation left out.
    """

    person: str
    condition: str
    view: str
    frames: int
    name: str = ""
    role: Role = ""
    lost: int = 0

    @property
    def key(self) -> Key:
        """What identifies the sequence in its data set."""
        return (self.person, self.condition, self.view, self.name)

    def __str__(self) -> str:
        return "/".join(part for part in self.key if part)


class Partition(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The split of the people. ``validation`` is taken from the training ids, never from the test ids."""

    train: tuple[str, ...] = ()
    test: tuple[str, ...] = ()
    validation: tuple[str, ...] = ()

    def check(self, people: frozenset[str], where: str) -> None:
        """Raises DataError for people the data set lacks, and for one named in two parts."""
        missing = [name for name in (*self.train, *self.test, *self.validation) if name not in people]
        if missing:
            raise DataError(
                f"the partition names {len(missing)} people that are not there: {_some(missing)}",
                where=where,
                wanted="people of the data set",
                fix="Take them out of the partition, or add their sequences",
            )
        parts = (set(self.train), set(self.test), set(self.validation))
        twice = (parts[0] & parts[1]) | (parts[0] & parts[2]) | (parts[1] & parts[2])
        if twice:
            raise DataError(
                f"the partition has {_some(sorted(twice))} in two of its parts",
                where=where,
                wanted="each person once, so that no test person is trained on",
            )


class Block(msgspec.Struct, frozen=True, array_like=True):
    """T frames of one part: ``shape`` (T, ...) at ``offset`` of a shard; "bits" holds 0 and 255 alone."""

    shard: int
    offset: int
    encoding: Encoding
    shape: tuple[int, ...]

    @property
    def frame_bytes(self) -> int:
        """How many bytes one frame takes."""
        values = math.prod(self.shape[1:])
        return -(-values // 8) if self.encoding == "bits" else values * (4 if self.encoding == "f4" else 1)

    @property
    def end(self) -> int:
        """Where it ends in its shard."""
        return self.offset + self.shape[0] * self.frame_bytes


class Record(msgspec.Struct, frozen=True, array_like=True):
    """A sequence and its blocks; ``layout`` by name where built in; ``crc32`` of all its bytes."""

    entry: Entry
    crc32: int
    layout: str | Layout
    silhouettes: Block | None = None
    joints_2d: Block | None = None
    joints_3d: Block | None = None

    @property
    def blocks(self) -> tuple[Block, ...]:
        """The parts there are, in the order they are written."""
        return tuple(b for b in (self.silhouettes, self.joints_2d, self.joints_3d) if b is not None)


class Header(msgspec.Struct, frozen=True):
    """The first thing in an index and a journal; ``settings`` say how the data were prepared."""

    format: str = FORMAT
    version: int = VERSION
    settings: str = ""


class Body(msgspec.Struct, frozen=True):
    """All of a finished data set but its bytes."""

    records: tuple[Record, ...]
    partition: Partition = Partition()


class _Index(msgspec.Struct, frozen=True):
    header: Header
    crc32: int
    body: msgspec.Raw


def layout_of(record: Record) -> Layout:
    """The skeleton layout of a sequence; raises KeyError for a name unknown here."""
    return record.layout if isinstance(record.layout, Layout) else BUILT_IN[record.layout]


def layout_reference(layout: Layout) -> str | Layout:
    """The layout's name where that says it all, else the whole layout."""
    return layout.name if BUILT_IN.get(layout.name) == layout else layout


def shard_name(number: int) -> str:
    """The file of a shard."""
    return f"shard-{number:05d}.bin"


def encode_index(header: Header, body: Body) -> bytes:
    """The bytes of index.json; equal contents give equal bytes."""
    raw = msgspec.json.encode(body)
    return msgspec.json.encode(_Index(header, zlib.crc32(raw), msgspec.Raw(raw))) + b"\n"


def decode_index(content: bytes, path: Path) -> tuple[Header, Body]:
    """What an index says; raises DataError, naming the file, for anything else."""
    try:
        index = msgspec.json.decode(content, type=_Index)
    except FOREIGN as error:
        raise _damaged(path, f"not an index of ours ({error})") from error
    check_header(index.header, path)
    if zlib.crc32(bytes(index.body)) != index.crc32:
        raise _damaged(path, "the index was changed or cut after it was written")
    try:
        body = msgspec.json.decode(index.body, type=Body)
        for record in body.records:
            layout_of(record)
    except (*FOREIGN, KeyError) as error:
        raise _damaged(path, f"the index holds something else than sequences ({error})") from error
    return index.header, body


def check_header(header: Header, path: Path) -> None:
    """Raises DataError for another program's file and for a newer version's."""
    if header.format != FORMAT:
        raise _damaged(path, f"a file of format {header.format!r}")
    if header.version != VERSION:
        raise DataError(
            f"written in version {header.version} of the format",
            where=str(path),
            wanted=f"version {VERSION}",
            fix="Prepare the data again with this program",
        )


def _damaged(path: Path, what: str) -> DataError:
    return DataError(
        what, where=str(path), wanted="a data set made by `run_pipeline.py prepare`", fix="Prepare it again"
    )


def _some(names: list[str], show: int = 5) -> str:
    more = f" and {len(names) - show} more" if len(names) > show else ""
    return ", ".join(names[:show]) + more
