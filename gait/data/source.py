"""What every preparation offers: the sequences of a data set on disk, and each of them as a walk."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from gait.data.errors import DataError
from gait.data.records import Entry, Partition
from gait.inputs import Walk
from gait.skeleton import COCO17, COCO18, GAITWAY16, Layout

Keypoints = Literal["openpose18", "alphapose17"]
KEYPOINT_LAYOUTS: dict[Keypoints, Layout] = {"openpose18": COCO18, "alphapose17": COCO17}

# Our own perception over a video file or a folder of pictures: the one person's walk in it. It raises
# DataError where nobody, or more than one person, walks there. The verb that prepares hands it in.
Perceive = Callable[[Path], Walk]


@dataclass(frozen=True)
class Found:
    """A sequence on disk; its ``entry`` does not know the frames yet. ``files`` are what it is read from."""

    entry: Entry
    files: tuple[Path, ...]


@dataclass(frozen=True)
class Loaded:
    """A sequence that was read; ``lost`` frames of it held nothing to keep."""

    walk: Walk
    lost: int = 0


@dataclass(frozen=True)
class Dropped:
    """Something left out: where it was and why."""

    where: str
    reason: str


@dataclass(frozen=True)
class Listing:
    """All sequences of a data set, and what lies between them that is none."""

    found: tuple[Found, ...]
    dropped: tuple[Dropped, ...] = ()


@dataclass(frozen=True)
class Options:
    """What may be said about a data set beyond where it is.

    ``keypoints`` of OUMVLP-Pose; ``joints`` the layout of bare skeleton arrays; ``data_in_use`` which
    modalities of an OpenGait tree are read, in file-name order (empty: all that are understood); ``poses``
    a prepared data set whose joints go beside these silhouettes.
    """

    keypoints: Keypoints = "openpose18"
    joints: Layout = GAITWAY16
    data_in_use: tuple[bool, ...] = ()
    poses: Path | None = None
    perceive: Perceive | None = field(default=None, compare=False)


class Preparation(Protocol):
    """One kind of data set at one place. A frozen value: other processes get a copy."""

    @property
    def parallel(self) -> bool:
        """Whether several processes may load at once."""
        ...

    def find(self) -> Listing:
        """What is there, in an order of its own that is always the same; raises DataError for nothing."""
        ...

    def load(self, found: Found) -> Loaded:
        """One sequence; raises DataError, naming the file, for one that cannot be used."""
        ...

    def partition(self, people: frozenset[str]) -> Partition:
        """The data set's own split of the people it has."""
        ...


def make_walk(
    silhouettes: NDArray[np.uint8] | None = None,
    joints_2d: NDArray[Any] | None = None,
    joints_3d: NDArray[Any] | None = None,
    layout: Layout = GAITWAY16,
) -> Walk:
    """A walk of what there is; what is not there is empty, as ``DataSet.read`` gives it."""
    frames = next((len(part) for part in (silhouettes, joints_2d, joints_3d) if part is not None), 0)
    return Walk(
        np.zeros((frames, 0, 0), np.uint8) if silhouettes is None else silhouettes,
        np.zeros((frames, layout.size, 0), np.float32) if joints_2d is None else joints_2d.astype(np.float32),
        None if joints_3d is None else joints_3d.astype(np.float32),
        layout,
    )


def require_folder(root: Path) -> Path:
    """The folder itself; raises DataError where it is none."""
    if not root.is_dir():
        raise DataError("is not a folder", where=str(root), wanted="the data set's folder")
    return root


def listing(found: list[Found], dropped: list[Dropped], root: Path, wanted: str) -> Listing:
    """In order of key; raises DataError where nothing was found, and for a sequence found twice."""
    if not found:
        first = f"; {dropped[0].where}: {dropped[0].reason}" if dropped else ""
        raise DataError(f"holds no sequence{first}", where=str(root), wanted=wanted)
    ordered = sorted(found, key=lambda item: item.entry.key)
    for one, other in itertools.pairwise(ordered):
        if one.entry.key == other.entry.key:
            raise DataError(
                f"the sequence {one.entry} is there twice, also as {other.files[0]}",
                where=str(one.files[0]),
                wanted="one sequence of a name",
            )
    return Listing(tuple(ordered), tuple(dropped))


def gathered(
    places: Iterable[Path], told: Callable[[Path], Found | str | None], root: Path, wanted: str
) -> Listing:
    """Each place as the sequence that is there, or dropped for the reason told; None is passed over."""
    found: list[Found] = []
    dropped: list[Dropped] = []
    for place in places:
        what = told(place)
        if isinstance(what, Found):
            found.append(what)
        elif what is not None:
            dropped.append(Dropped(str(place), what))
    return listing(found, dropped, root, wanted)


def walks_by_person(root: Path, is_walk: Callable[[Path], bool], what: str, wanted: str) -> Listing:
    """``root/PERSON/NAME``: every file (or folder) that is a walk; folders without ``what`` are dropped."""
    found: list[Found] = []
    dropped: list[Dropped] = []
    for folder in sorted(path for path in require_folder(root).iterdir() if path.is_dir()):
        walks = [path for path in sorted(folder.iterdir()) if is_walk(path)]
        found.extend(Found(Entry(folder.name, "walk", "", 0, path.stem), (path,)) for path in walks)
        if not walks:
            dropped.append(Dropped(str(folder), f"the folder has no {what}"))
    return listing(found, dropped, root, wanted)


def split_at(people: frozenset[str], is_training: Callable[[str], bool]) -> Partition:
    """Training people as told, all others for the test."""
    return Partition(
        tuple(sorted(p for p in people if is_training(p))),
        tuple(sorted(p for p in people if not is_training(p))),
    )
