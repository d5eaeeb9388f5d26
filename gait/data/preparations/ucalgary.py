"""UCalgary Kinect v2 recordings: one CSV or TXT a walk, 18 joints x, y, z in metres in its first 54 columns.

The camera's y points up; ours down. Positions stay where the camera saw them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gait.data.errors import DataError
from gait.data.records import Entry, Partition
from gait.data.source import Found, Listing, Loaded, gathered, make_walk, require_folder
from gait.maps import orthographic
from gait.skeleton import KINECT18

# subject1_Seq_3_Gen_F_GeometricPositions_AR.csv
NAME: Final = re.compile(
    r"subject(?P<person>\d+)_Seq_(?P<run>\d+)_.*_(?P<condition>[A-Z]+)\.(?:csv|txt)", re.I
)
COLUMNS: Final = KINECT18.size * 3


@dataclass(frozen=True)
class UCalgary:
    """``subN/subjectN_Seq_R_..._COND.csv``: condition N, AR or AL, the run as the view."""

    root: Path
    parallel: bool = True

    def find(self) -> Listing:
        """Every walk, by the file's name."""
        paths = sorted(require_folder(self.root).rglob("*"))
        return gathered(paths, _told, self.root, "subN/subjectN_Seq_R_..._COND.csv")

    def load(self, found: Found) -> Loaded:
        """(T, 18, 3) metres, y down; in 2D as a camera far off would see them."""
        joints = read_table(found.files[0], COLUMNS).reshape(-1, KINECT18.size, 3)
        joints[..., 1] *= -1
        points = orthographic(joints, KINECT18)
        return Loaded(make_walk(joints_2d=points, joints_3d=joints, layout=KINECT18))

    def partition(self, people: frozenset[str]) -> Partition:
        """The publication splits runs, not people: everybody is tested, and nobody of them trained on."""
        return Partition(test=tuple(sorted(people)))


def _told(path: Path) -> Found | str | None:
    told = NAME.fullmatch(path.name)
    if told:
        person, run = int(told["person"]), int(told["run"])
        return Found(Entry(f"{person:03}", told["condition"].upper(), f"{run:02}", 0), (path,))
    named = path.suffix.lower() in (".csv", ".txt")
    return "its name is not subjectN_Seq_R_..._COND.csv" if named else None


def read_table(path: Path, columns: int) -> NDArray[np.float64]:
    """The first ``columns`` numbers of every row below the header; commas or blanks between them.

    Raises DataError naming the file and the row of anything else.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot be read ({error})", where=str(path)) from error
    rows = []
    for number, line in enumerate(lines, 1):
        cells = line.replace(",", " ").split()
        if not cells or (number == 1 and not _is_number(cells[0])):
            continue
        numbers = [float(cell) for cell in cells[:columns] if _is_number(cell)]
        if len(numbers) < columns:
            raise DataError(
                f"row {number} has {len(numbers)} numbers at its start",
                where=str(path),
                wanted=f"at least {columns}",
            )
        rows.append(numbers)
    if not rows:
        raise DataError("holds no row of numbers", where=str(path))
    return np.array(rows)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
