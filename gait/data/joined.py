"""Several prepared data sets trained on as one."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path

from gait.data.errors import DataError
from gait.data.records import Entry, Key, Partition
from gait.data.store import DataSet, Frames
from gait.inputs import Walk


@dataclass(frozen=True)
class Joined:
    """Data sets side by side; a person of the same name in two of them is one person."""

    parts: tuple[DataSet, ...]

    @cached_property
    def entries(self) -> tuple[Entry, ...]:
        """Every sequence, part after part; raises DataError for one that two parts have."""
        if len(self._homes) != sum(len(part) for part in self.parts):
            twice = next(k for k, home in self._last.items() if self._homes[k] is not home)
            raise DataError(
                f"two of these data sets have a sequence {'/'.join(twice)}",
                where=" and ".join(str(part.folder) for part in self.parts),
                wanted="sequences of different names",
            )
        return tuple(chain.from_iterable(part.entries for part in self.parts))

    @cached_property
    def partition(self) -> Partition:
        """All parts' splits; a part without one is trained on."""
        known = [part.partition for part in self.parts]
        train = {
            who
            for part, split in zip(self.parts, known, strict=True)
            for who in (split.train or set(part.people) - {*split.test, *split.validation})
        }
        test = {who for split in known for who in split.test}
        validation = {who for split in known for who in split.validation}
        joined = Partition(tuple(sorted(train)), tuple(sorted(test)), tuple(sorted(validation)))
        everybody = frozenset(chain.from_iterable(part.people for part in self.parts))
        joined.check(everybody, " and ".join(str(part.folder) for part in self.parts))
        return joined

    def read(self, entry: Entry, indices: Frames = None) -> Walk:
        """From the part that has it."""
        return self._homes[entry.key].read(entry, indices)

    @cached_property
    def _homes(self) -> dict[Key, DataSet]:
        return {entry.key: part for part in reversed(self.parts) for entry in part.entries}

    @cached_property
    def _last(self) -> dict[Key, DataSet]:
        return {entry.key: part for part in self.parts for entry in part.entries}


def opened(root: str | Path, also: tuple[str, ...] = ()) -> DataSet | Joined:
    """The data set at ``root``, and those of ``also`` with it; raises DataError as ``DataSet.open``."""
    first = DataSet.open(root)
    return Joined((first, *map(DataSet.open, also))) if also else first
