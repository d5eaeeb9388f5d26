"""Partition files: OpenGait's JSON of TRAIN_SET and TEST_SET, read and written."""

from __future__ import annotations

from pathlib import Path

import msgspec

from gait.data.errors import DataError
from gait.data.records import Partition
from gait.data.writer import write_atomically
from stream.errors import FOREIGN


class _File(msgspec.Struct, frozen=True):
    train: tuple[str, ...] = msgspec.field(name="TRAIN_SET")
    test: tuple[str, ...] = msgspec.field(name="TEST_SET")
    validation: tuple[str, ...] = msgspec.field(name="VALIDATION_SET", default=())


def read_partition(path: str | Path, people: frozenset[str]) -> Partition:
    """The split a file tells; raises DataError, naming the file, for people that are not in ``people``."""
    path = Path(path)
    wanted = "a JSON object with TRAIN_SET and TEST_SET, lists of names"
    try:
        told = msgspec.json.decode(path.read_bytes(), type=_File)
    except OSError as error:
        raise DataError(f"cannot be read ({error.strerror})", where=str(path), wanted=wanted) from error
    except FOREIGN as error:
        raise DataError(f"not a partition ({error})", where=str(path), wanted=wanted) from error
    partition = Partition(told.train, told.test, told.validation)
    partition.check(people, str(path))
    return partition


def write_partition(path: Path, partition: Partition) -> None:
    """As OpenGait reads it; VALIDATION_SET only where there is one."""
    told: dict[str, tuple[str, ...]] = {"TRAIN_SET": partition.train, "TEST_SET": partition.test}
    if partition.validation:
        told["VALIDATION_SET"] = partition.validation
    write_atomically(path, msgspec.json.format(msgspec.json.encode(told), indent=2) + b"\n")


def among(partition: Partition, people: frozenset[str]) -> Partition:
    """The split without those of whom nothing was kept."""
    parts = (partition.train, partition.test, partition.validation)
    return Partition(*(tuple(person for person in part if person in people) for part in parts))
