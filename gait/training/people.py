"""Who is trained on, who is held out to validate, and who is never touched."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Protocol

from gait.data.store import DataError, Entry, Frames, Partition
from gait.inputs import Walk
from gait.training.config import DataSection


class Source(Protocol):
    """What training needs of a data set; ``gait.data.store.DataSet`` is one."""

    @property
    def entries(self) -> tuple[Entry, ...]:
        """Every sequence."""

    @property
    def partition(self) -> Partition:
        """The split of the people."""

    def read(self, entry: Entry, indices: Frames = None) -> Walk:
        """Those frames of a sequence."""


@dataclass(frozen=True)
class Split:
    """``people`` in the order of their labels; sequences to train on and to validate on."""

    people: tuple[str, ...]
    train: tuple[Entry, ...]
    validation: tuple[Entry, ...]

    @property
    def validation_people(self) -> tuple[str, ...]:
        """Who is held out, sorted."""
        return tuple(sorted({entry.person for entry in self.validation}))

    def digest(self) -> str:
        """Names this very choice of sequences: a run is only resumed on the same."""
        lines = [f"{kind} {e} {e.frames}" for kind, part in self._parts() for e in part]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    def _parts(self) -> tuple[tuple[str, tuple[Entry, ...]], ...]:
        return (("train", self.train), ("validation", self.validation))


def split(source: Source, section: DataSection, *, validating: bool) -> Split:
    """Training people are the partition's, or all who are not in its test; raises DataError for too few.

    Where validation is wanted and the partition names nobody for it, some of the training people are held
    out: those whose names' hashes come first, the same in every run.
    """
    long_enough = [entry for entry in source.entries if entry.frames >= section.shortest]
    known = {entry.person for entry in long_enough}
    partition = source.partition
    kept_apart = {*partition.test, *partition.validation}
    train = (set(partition.train) or known - kept_apart) & known - kept_apart
    held_out = set(partition.validation) & known if validating else set()
    if validating and not held_out:
        count = round(section.validation_share * len(train))
        held_out = set(sorted(train, key=_lot)[:count])
        train -= held_out
    _require(len(train), "to train on", section.root)
    if validating:
        _require(len(held_out), "to validate on", section.root)
    people = tuple(sorted(train))
    return Split(
        people,
        tuple(entry for entry in long_enough if entry.person in train),
        tuple(entry for entry in long_enough if entry.person in held_out),
    )


def _lot(person: str) -> str:
    return hashlib.sha256(person.encode()).hexdigest()


def _require(people: int, what: str, where: str) -> None:
    if people < 2:
        raise DataError(
            f"{people} people {what} remain",
            where=where,
            wanted="two at least",
            fix="Look at the partition, data.shortest and data.validation_share",
        )
