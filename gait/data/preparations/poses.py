"""Skeletons as files: GaitGraph's CSV of CASIA-B, OUMVLP-Pose's JSON, and bare arrays."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from gait.data.errors import DataError
from gait.data.opengait import SEQUENCE, named_sequence
from gait.data.records import Entry, Partition
from gait.data.restricted import load_pickle
from gait.data.source import (
    KEYPOINT_LAYOUTS,
    Dropped,
    Found,
    Listing,
    Loaded,
    Options,
    listing,
    make_walk,
    require_folder,
    split_at,
)
from gait.skeleton import COCO17

Points = NDArray[np.float32]

# .../001-nm-01-090/000001.jpg, then 17 times x, y, confidence
_COLUMNS: Final = 1 + COCO17.size * 3
_ARRAYS: Final = (".npy", ".pkl")


@dataclass(frozen=True)
class CasiaBPose:
    """GaitGraph's CSV files of CASIA-B: a picture's path, then 17 joints (x, y, confidence) of COCO."""

    root: Path
    parallel: bool = False  # a file holds many sequences and is read once

    def find(self) -> Listing:
        """Every sequence of one file, or of all CSV files of a folder."""
        files = [self.root] if self.root.is_file() else sorted(require_folder(self.root).glob("*.csv"))
        names = [(name, path) for path in files for name in sorted(read_pose_csv(path))]
        found = [Found(entry, (path,)) for name, path in names if (entry := named_sequence(name)) is not None]
        return listing(found, [], self.root, "a CSV of .../001-nm-01-090/000001.jpg and 51 numbers")

    def load(self, found: Found) -> Loaded:
        """The frames in order of number; those without 51 numbers are lost."""
        rows = read_pose_csv(found.files[0])["-".join(found.entry.key[:3])]
        frames = [_joints(cells) for _, cells in sorted(rows)]
        kept = [joints for joints in frames if joints is not None]
        if not kept:
            raise DataError(f"no frame of {found.entry} holds 51 numbers", where=str(found.files[0]))
        return Loaded(make_walk(joints_2d=np.stack(kept), layout=COCO17), len(frames) - len(kept))

    def partition(self, people: frozenset[str]) -> Partition:
        """001 to 074 train."""
        return split_at(people, lambda person: int(person) <= 74)


@lru_cache(maxsize=2)
def read_pose_csv(path: Path) -> dict[str, list[tuple[int, tuple[str, ...]]]]:
    """By sequence name, (frame number, cells) of every row; raises DataError naming file and row."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot be read ({error})", where=str(path)) from error
    sequences: dict[str, list[tuple[int, tuple[str, ...]]]] = {}
    for number, line in enumerate(lines[1:], 2):
        name, *cells = line.split(",")
        parts = name.strip().split("/")
        frame = re.match(r"\d+", parts[-1])
        if len(parts) < 2 or frame is None or SEQUENCE.fullmatch(parts[-2]) is None:
            raise DataError(
                f"row {number} begins with {name[:60]!r}",
                where=str(path),
                wanted=".../001-nm-01-090/000001.jpg",
            )
        sequences.setdefault(parts[-2], []).append((int(frame[0]), tuple(cells)))
    return sequences


def _joints(cells: tuple[str, ...]) -> Points | None:
    if len(cells) != _COLUMNS - 1:
        return None
    try:
        return np.array(cells, np.float32).reshape(COCO17.size, 3)
    except ValueError:
        return None


@dataclass(frozen=True)
class OumvlpPose:
    """OUMVLP-Pose: ``[.../]00001/090_00/*.json``, a file a frame, OpenPose's 18 joints or AlphaPose's 17."""

    root: Path
    options: Options = field(default_factory=Options)
    parallel: bool = True

    def find(self) -> Listing:
        """Every person's folder VIEW_RUN (or RUN/VIEW, as rearranged)."""
        found: list[Found] = []
        dropped: list[Dropped] = []
        for folder in sorted({path.parent for path in require_folder(self.root).rglob("*.json")}):
            told = _OUMVLP.search(folder.relative_to(self.root).as_posix())
            if told is None:
                dropped.append(Dropped(str(folder), "its name is not 00001/090_00 or 00001/00/090"))
                continue
            person, view, run = (told[k] or told[k + "2"] for k in ("person", "view", "run"))
            found.append(Found(Entry(person, run, view, 0), tuple(sorted(folder.glob("*.json")))))
        return listing(found, dropped, self.root, "00001/090_00/*.json")

    def load(self, found: Found) -> Loaded:
        """The surest person of every frame; frames without anybody are lost."""
        layout = KEYPOINT_LAYOUTS[self.options.keypoints]
        frames = [_surest(path, layout.size) for path in found.files]
        kept = [joints for joints in frames if joints is not None]
        if not kept:
            raise DataError(f"nobody is in any of its {len(frames)} files", where=str(found.files[0].parent))
        return Loaded(make_walk(joints_2d=np.stack(kept), layout=layout), len(frames) - len(kept))

    def partition(self, people: frozenset[str]) -> Partition:
        """Odd ids train."""
        return split_at(people, lambda person: int(person) % 2 == 1)


_OUMVLP: Final = re.compile(
    r"(?:^|/)(?:(?P<person>\d{5})/(?P<view>\d{3})_(?P<run>\d{2})"
    r"|(?P<person2>\d{5})/(?P<run2>\d{2})/(?P<view2>\d{3}))$"
)


class _Person(msgspec.Struct):
    pose_keypoints_2d: list[float]


class _Frame(msgspec.Struct):
    people: list[_Person]


def _surest(path: Path, joints: int) -> Points | None:
    """(K, 3) of the person with the highest mean confidence; None where nobody is."""
    try:
        frame = msgspec.json.decode(path.read_bytes(), type=_Frame)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DataError(f"not a frame of key points ({error})", where=str(path)) from error
    people = [np.array(person.pose_keypoints_2d, np.float32) for person in frame.people]
    for person in people:
        if person.size != joints * 3:
            raise DataError(
                f"{person.size / 3:g} key points",
                where=str(path),
                wanted=f"{joints}, as --keypoints says",
                fix="Say --keypoints openpose18 or alphapose17",
            )
    best = max(people, key=lambda person: float(person[2::3].mean()), default=None)
    return None if best is None or not best.any() else best.reshape(joints, 3)


@dataclass(frozen=True)
class SkeletonArrays:
    """``root/PERSON/NAME.npy`` or .pkl: (frames, joints, 3) metres of the layout that ``--joints`` names."""

    root: Path
    options: Options = field(default_factory=Options)
    parallel: bool = True

    def find(self) -> Listing:
        """Every array file one folder down, the folder being the person."""
        found: list[Found] = []
        dropped: list[Dropped] = []
        for folder in sorted(path for path in require_folder(self.root).iterdir() if path.is_dir()):
            files = [path for path in sorted(folder.iterdir()) if path.suffix in _ARRAYS]
            found.extend(Found(Entry(folder.name, "walk", "", 0, path.stem), (path,)) for path in files)
            if not files:
                dropped.append(Dropped(str(folder), "the folder has no .npy or .pkl files"))
        return listing(found, dropped, self.root, "PERSON/NAME.npy")

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
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"cannot be read ({error})", where=str(path)) from error
