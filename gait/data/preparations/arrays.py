"""Bare skeleton arrays: a folder a person, a file a walk."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from gait.data.errors import DataError
from gait.data.records import Partition
from gait.data.restricted import load_pickle
from gait.data.source import Found, Listing, Loaded, Options, make_walk, walks_by_person
from stream.errors import FOREIGN_ARRAYS

_ARRAYS: Final = (".npy", ".pkl")


@dataclass(frozen=True)
class SkeletonArrays:
    """``root/PERSON/NAME.npy`` or .pkl: (frames, joints, 3) metres of the layout that ``--joints`` names."""

    root: Path
    options: Options = field(default_factory=Options)
    parallel: bool = True

    def find(self) -> Listing:
        """Every array file one folder down, the folder being the person."""
        return walks_by_person(
            self.root, lambda path: path.suffix in _ARRAYS, ".npy or .pkl files", "PERSON/NAME.npy"
        )

    def load(self, found: Found) -> Loaded:
        """The array, as 3D joints."""
        path, layout = found.files[0], self.options.joints
        values = load_pickle(path) if path.suffix == ".pkl" else _load_npy(path)
        wanted = f"(frames, {layout.size}, 3) of {layout.name}"
        if not isinstance(values, np.ndarray) or values.dtype.kind not in "fiu":
            raise DataError("holds no array of numbers", where=str(path), wanted=wanted)
        if values.ndim == 2 and values.shape[1] == layout.size * 3:
            values = values.reshape(-1, layout.size, 3)
        if values.ndim != 3 or values.shape[1:] != (layout.size, 3) or not len(values):
            fix = "Say the layout with --joints"
            raise DataError(f"an array {values.shape}", where=str(path), wanted=wanted, fix=fix)
        return Loaded(make_walk(joints_3d=values, layout=layout))

    def partition(self, people: frozenset[str]) -> Partition:
        """None of its own."""
        del people
        return Partition()


def _load_npy(path: Path) -> Any:
    try:
        return np.load(path, allow_pickle=False)
    except (OSError, *FOREIGN_ARRAYS) as error:
        raise DataError(f"cannot be read ({error})", where=str(path)) from error
