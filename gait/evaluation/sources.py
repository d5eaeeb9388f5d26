"""Data as ``evaluate`` takes it: a prepared data set, or a small published set read as it lies on disk."""

from __future__ import annotations

from pathlib import Path

from gait.data.errors import DataError
from gait.data.preparations.ucalgary import UCalgary
from gait.data.preparations.usf import UsfHumanId
from gait.data.records import INDEX
from gait.data.source import Found, Preparation
from gait.data.store import DataSet, Entry, Partition
from gait.evaluation.trials import Walks
from gait.inputs import Walk


class Unprepared:
    """A published set, each sequence read from its own files when asked for."""

    def __init__(self, preparation: Preparation) -> None:
        self._preparation = preparation
        self._found: dict[Entry, Found] = {found.entry: found for found in preparation.find().found}
        self._partition = preparation.partition(frozenset(entry.person for entry in self._found))

    @property
    def entries(self) -> tuple[Entry, ...]:
        """All sequences; their length is not known before they are read."""
        return tuple(self._found)

    @property
    def partition(self) -> Partition:
        """The set's own split."""
        return self._partition

    def read(self, entry: Entry) -> Walk:
        """One sequence; raises DataError naming the file for one that is damaged."""
        return self._preparation.load(self._found[entry]).walk


def open_walks(folder: str | Path) -> Walks:
    """Whatever form the folder has; raises DataError for one that has none."""
    path = Path(folder)
    if not path.is_dir():
        raise DataError("is not a folder", where=str(path), wanted="a folder with a data set")
    if not (path / INDEX).exists():
        if (path / "Gal.mat").is_file():
            return Unprepared(UsfHumanId(path))
        if any(path.glob("sub*/*_Seq_*.*")):
            return Unprepared(UCalgary(path))
    return DataSet.open(path)
