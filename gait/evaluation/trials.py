"""What a protocol asks for: trials, each some probes searched for in some gallery."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from gait.data.store import Entry, Partition
from gait.inputs import Walk

Indices = NDArray[np.int64]
Exclude = Literal["nothing", "own view", "own view and clothes"]


class Walks(Protocol):
    """Where walks come from: a prepared ``DataSet``, or a known set read as it is published."""

    @property
    def entries(self) -> tuple[Entry, ...]:
        """All sequences."""
        ...

    @property
    def partition(self) -> Partition:
        """The split of the people; empty where there is none."""
        ...

    def read(self, entry: Entry) -> Walk:
        """One sequence."""
        ...


@dataclass(frozen=True)
class Trial:
    """Probes and gallery as indices into the entries.

    ``group``: under which name it is reported; a group's figure is the mean over its trials. ``row`` and
    ``column``: its cell of the group's matrix (probe view, gallery view). ``exclude``: pairs of one person
    that do not count. ``joined``: a person's entries of one condition are pieces of one walk, and walks are
    compared, see ``gait.evaluation.searching``.
    """

    group: str
    probes: Indices
    gallery: Indices
    row: str = ""
    column: str = ""
    exclude: Exclude = "nothing"
    joined: bool = False


def indices(found: Sequence[int]) -> Indices:
    """Indices as an array, also of none."""
    return np.asarray(found, np.int64)
