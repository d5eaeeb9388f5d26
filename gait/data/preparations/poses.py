"""Key points as data sets come with them: CASIA-B's CSV, OUMVLP-Pose's JSON, Gait3D's and GREW's text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from gait.data.errors import DataError
from gait.data.opengait import SEQUENCE, named_sequence
from gait.data.preparations.trees import NAMINGS
from gait.data.records import Entry, Partition
from gait.data.source import (
    KEYPOINT_LAYOUTS,
    Found,
    Listing,
    Loaded,
    Options,
    gathered,
    listing,
    make_walk,
    require_folder,
    split_at,
)
from gait.skeleton import COCO17, Layout
from stream.errors import FOREIGN

Points = NDArray[np.float32]

# .../001-nm-01-090/000001.jpg, then 17 times x, y, confidence
_COLUMNS: Final = 1 + COCO17.size * 3


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
        return kept_of(frames, COCO17, str(found.files[0]), f"no frame of {found.entry} holds 51 numbers")

    def partition(self, people: frozenset[str]) -> Partition:
        """001 to 074 train."""
        return split_at(people, lambda person: int(person) <= 74)


def kept_of(frames: Sequence[Points | None], layout: Layout, where: str, nothing: str) -> Loaded:
    """The frames with somebody in them; raises DataError, saying ``nothing``, where there are none."""
    kept = [joints for joints in frames if joints is not None]
    if not kept:
        raise DataError(nothing, where=where)
    return Loaded(make_walk(joints_2d=np.stack(kept), layout=layout), len(frames) - len(kept))


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
        folders = sorted({path.parent for path in require_folder(self.root).rglob("*.json")})
        return gathered(folders, self._told, self.root, "00001/090_00/*.json")

    def _told(self, folder: Path) -> Found | str:
        told = _OUMVLP.search(folder.relative_to(self.root).as_posix())
        if told is None:
            return "its name is not 00001/090_00 or 00001/00/090"
        person, view, run = (told[k] or told[k + "2"] for k in ("person", "view", "run"))
        return Found(Entry(person, run, view, 0), tuple(sorted(folder.glob("*.json"))))

    def load(self, found: Found) -> Loaded:
        """The surest person of every frame; frames without anybody are lost."""
        layout = KEYPOINT_LAYOUTS[self.options.keypoints]
        frames = [_surest(path, layout.size) for path in found.files]
        return kept_of(frames, layout, str(found.files[0].parent), f"nobody is in any of {len(frames)} files")

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
    except (OSError, *FOREIGN) as error:
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
class PoseText:
    """Gait3D's and GREW's key points: a text file a frame, 51 numbers behind the two of its picture.

    They lie as the silhouettes do (2D_Poses/0000/camid0_videoid2/seq0, train/00001/SEQ) and have the same
    names, so the two can be paired.
    """

    root: Path
    kind: str
    parallel: bool = True

    def find(self) -> Listing:
        """Every folder with such files in it."""
        folders = sorted({path.parent for path in require_folder(self.root).rglob(_TEXTS[self.kind])})
        return gathered(folders, self._told, self.root, self.shown)

    @property
    def shown(self) -> str:
        """What is looked for, as an example."""
        return NAMINGS[self.kind].shown.replace("*.png", _TEXTS[self.kind])

    def _told(self, folder: Path) -> Found | str:
        entry = NAMINGS[self.kind].entry(folder.relative_to(self.root).as_posix())
        files = tuple(sorted(folder.glob(_TEXTS[self.kind]), key=_in_order))
        return f"its name is none of {self.kind}: {self.shown}" if entry is None else Found(entry, files)

    def load(self, found: Found) -> Loaded:
        """The frames in order of number; empty files are lost frames."""
        frames = [_text_joints(path) for path in found.files]
        where = str(found.files[0].parent)
        return kept_of(frames, COCO17, where, f"nobody is in any of {len(frames)} files")

    def partition(self, people: frozenset[str]) -> Partition:
        """The published split."""
        return split_at(people, NAMINGS[self.kind].trains)


_TEXTS: Final = {"gait3d": "*.txt", "grew": "*_2d_pose.txt"}


def _in_order(path: Path) -> tuple[list[int], str]:
    """human_crop_f9.txt before human_crop_f10.txt."""
    return [int(number) for number in re.findall(r"\d+", path.stem)], path.name


def _text_joints(path: Path) -> Points | None:
    """(17, 3) of a file of 51 numbers, or 53 of which the first two are its picture's; None for none."""
    try:
        cells = path.read_text(encoding="utf-8").replace(",", " ").split()
        numbers = np.array(cells, np.float32)
    except (OSError, ValueError) as error:
        raise DataError(f"cannot be read ({error})", where=str(path), wanted="numbers") from error
    if not numbers.size:
        return None
    if numbers.size not in (51, 53):
        raise DataError(f"{numbers.size} numbers", where=str(path), wanted="51, or 53 with its picture's two")
    return numbers[-51:].reshape(COCO17.size, 3)
