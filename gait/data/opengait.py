"""Data trees of other gait programs: OpenGait's, and SilSkeletonGait's pair of trees.

OpenGait: ``root/id/type/view/*.pkl``, one modality a file, in file-name order, all of the same length.
SilSkeletonGait: ``root/sil/SEQ/NAME.pkl`` (T, H, W) beside ``root/skeleton/SEQ/NAME.pkl``
``{"result": (T, 16, 3)}``. A partition.json in the root is taken for the split.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from gait.data.errors import DataError
from gait.data.partition import read_partition
from gait.data.records import Entry, Partition
from gait.data.restricted import load_pickle
from gait.data.source import (
    Dropped,
    Found,
    Listing,
    Loaded,
    Options,
    gathered,
    listing,
    make_walk,
    require_folder,
)
from gait.fusion_input import RESULT, result_of
from gait.skeleton import COCO17, COCO18, GAITWAY16, Layout
from stream.errors import MessageError

PARTITION: Final = "partition.json"
SILHOUETTES, SKELETON = "sil", "skeleton"
# 001-nm-01-090, as CASIA-B names a sequence.
SEQUENCE: Final = re.compile(r"(?P<person>\d{3})-(?P<condition>(?:nm|bg|cl)-\d{2})-(?P<view>\d{3})")
_LAYOUTS: Final = {layout.size: layout for layout in (COCO17, COCO18, GAITWAY16)}


@dataclass(frozen=True)
class OpenGaitTree:
    """``root/id/type/view/*.pkl``; heat maps and colours are passed over: our nets draw their own maps."""

    root: Path
    options: Options = field(default_factory=Options)
    parallel: bool = True

    def find(self) -> Listing:
        """Every view folder with pickles in it."""
        views = sorted(require_folder(self.root).glob("*/*/*/"))
        return gathered(views, self._told, self.root, "id/type/view/*.pkl")

    def _told(self, view: Path) -> Found | str:
        files = tuple(sorted(view.glob("*.pkl")))
        person, condition, name = view.relative_to(self.root).parts
        return Found(Entry(person, condition, name, 0), files) if files else "the folder has no .pkl files"

    def load(self, found: Found) -> Loaded:
        """The modalities in use; raises DataError where they differ in length or are unknown."""
        return read_modalities(_in_use(found.files, self.options))

    def partition(self, people: frozenset[str]) -> Partition:
        """partition.json of the root, where there is one."""
        return _partition_in(self.root, people)


@dataclass(frozen=True)
class SilSkeletonTree:
    """``root/{sil,skeleton}/SEQ/NAME.pkl``; SEQ is 001-nm-01-090 or else the person, NAME the sequence."""

    root: Path
    options: Options = field(default_factory=Options)
    parallel: bool = True

    def find(self) -> Listing:
        """Every pair; a pickle without its partner is dropped."""
        require_folder(self.root)
        sides = [self._names(side) for side in (SILHOUETTES, SKELETON)]
        found = [self._found(name) for name in sorted(sides[0] & sides[1])]
        dropped = [
            Dropped(str(self.root / here / name), f"it has no partner under {there}/")
            for here, there, names in (
                (SILHOUETTES, SKELETON, sides[0] - sides[1]),
                (SKELETON, SILHOUETTES, sides[1] - sides[0]),
            )
            for name in sorted(names)
        ]
        return listing(found, dropped, self.root, "sil/SEQ/NAME.pkl and skeleton/SEQ/NAME.pkl")

    def load(self, found: Found) -> Loaded:
        """Silhouettes and 3D joints; raises DataError where they differ in length."""
        return read_modalities(_in_use(found.files, self.options))

    def partition(self, people: frozenset[str]) -> Partition:
        """partition.json of the root, where there is one."""
        return _partition_in(self.root, people)

    def _names(self, side: str) -> set[str]:
        folder = self.root / side
        return {path.relative_to(folder).as_posix() for path in folder.glob("*/*.pkl")}

    def _found(self, name: str) -> Found:
        sequence, file = name.split("/")
        stem = file.removesuffix(".pkl")
        entry = named_sequence(sequence) or Entry(sequence, "", "", 0)
        if stem != sequence:
            entry = msgspec.structs.replace(entry, name=stem)
        return Found(entry, (self.root / SILHOUETTES / name, self.root / SKELETON / name))


def named_sequence(name: str) -> Entry | None:
    """The entry of a sequence named as CASIA-B does; None for another name."""
    told = SEQUENCE.fullmatch(name)
    return None if told is None else Entry(told["person"], told["condition"], told["view"], 0)


def read_modalities(files: Sequence[Path]) -> Loaded:
    """Pickles of one sequence as a walk; each array is known by its shape.

    (T, H, W) are silhouettes, (T, 16, 3) metres, (T, 17 or 18, 3) pixels and confidence; others are passed
    over. Raises DataError naming the file for unequal lengths, or where nothing is left.
    """
    parts: dict[str, NDArray[Any]] = {}
    layout: Layout = GAITWAY16
    lengths: dict[Path, int] = {}
    for path in files:
        values = _array_in(path)
        lengths[path] = len(values)
        if lengths[path] != lengths[files[0]]:
            raise DataError(
                f"has {lengths[path]} frames, but {files[0].name} has {lengths[files[0]]}",
                where=str(path),
                wanted="modalities of equal length",
            )
        kind, own = _kind_of(values, path)
        if kind in parts:
            raise DataError(f"is a second file of {kind}", where=str(path), fix="Choose with --data-in-use")
        if kind:
            parts[kind] = values
            layout = own or layout
    if not parts:
        raise DataError("holds no silhouettes and no skeleton", where=str(files[0].parent))
    silhouettes = parts.get("silhouettes")
    return Loaded(
        make_walk(
            None if silhouettes is None else as_silhouettes(silhouettes, files[0]),
            parts.get("joints_2d"),
            parts.get("joints_3d"),
            layout,
        )
    )


def _in_use(files: tuple[Path, ...], options: Options) -> tuple[Path, ...]:
    used = options.data_in_use
    if not used:
        return files
    if len(used) != len(files) or not any(used):
        raise DataError(
            f"{len(files)} modalities",
            where=str(files[0].parent),
            wanted=f"{len(used)}, as data_in_use has, one of them true",
        )
    return tuple(file for file, wanted in zip(files, used, strict=True) if wanted)


def as_silhouettes(values: NDArray[Any], path: Path) -> NDArray[np.uint8]:
    """(T, H, W) of any number type, 0 to 1 or 0 to 255, as uint8; raises DataError for anything else."""
    if not np.isfinite(values).all() or (values.size and (values.min() < 0 or values.max() > 255)):
        raise DataError("silhouettes hold NaN or values beyond 0 to 255", where=str(path))
    unit = values.dtype == np.bool_ or (values.size and values.max() <= 1)
    return np.asarray(np.rint(values * 255.0) if unit else np.rint(values)).astype(np.uint8)


def _array_in(path: Path) -> NDArray[Any]:
    value = load_pickle(path)
    if isinstance(value, Mapping):
        try:
            return result_of(value)
        except MessageError as error:
            raise DataError(error.what, where=str(path), wanted=f'{{"{RESULT}": (T, 16, 3)}}') from error
    if isinstance(value, list) and value and all(isinstance(item, np.ndarray) for item in value):
        if len({item.shape for item in value}) != 1:
            raise DataError("its frames differ in shape", where=str(path))
        value = np.stack(value)
    if not isinstance(value, np.ndarray) or value.ndim < 1 or not len(value):
        raise DataError("holds no frames", where=str(path), wanted="an array (T, ...)")
    return value


def _kind_of(values: NDArray[Any], path: Path) -> tuple[str, Layout | None]:
    """Sixteen joints are metres unless the file is called 2D: both layouts of ours have three numbers."""
    if values.ndim != 3:
        return "", None
    if values.shape[2] != 3:
        return "silhouettes", None
    layout = _LAYOUTS.get(values.shape[1])
    if layout is None:
        return "", None
    return ("joints_3d" if layout is GAITWAY16 and "2d" not in path.stem else "joints_2d"), layout


def _partition_in(root: Path, people: frozenset[str]) -> Partition:
    path = root / PARTITION
    return read_partition(path, people) if path.exists() else Partition()
