"""Contact sheets of what was made from pictures: a track's crops above the same crops of its variants."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import cv2
import numpy as np

from gait.data.prepare import Progress
from gait.training.clothing.looked import Looked, read_picture, write_picture
from gait.training.clothing.rederived import FRAMES, WORK
from stream.sources.base import Image

SHEETS: Final = "sheets"
MOST_SHEETS: Final = 50
SHOWN: Final = 8
CELL: Final = (96, 160)
"""Width and height."""


def write_picture_sheets(folder: Path, progress: Progress | None = None) -> int:
    """A picture for each of the first tracks; how many."""
    tracks = sorted(path for path in (folder / WORK / "look").glob("*") if path.is_dir())[:MOST_SHEETS]
    (folder / SHEETS).mkdir(parents=True, exist_ok=True)
    count = 0
    for number, path in enumerate(tracks, 1):
        if (path / "track.json").exists():
            write_picture(folder / SHEETS / f"{path.name}.jpg", _sheet(folder, Looked.open(path)))
            count += 1
        if progress is not None:
            progress(number, len(tracks))
    return count


def _sheet(folder: Path, track: Looked) -> Image:
    crops = track.file.crops
    shown = [crops[place] for place in np.linspace(0, len(crops) - 1, SHOWN).round().astype(int)]
    rows = [[track.image(crop) for crop in shown]]
    for variant in sorted((folder / FRAMES).glob(f"{track.folder.name}+*")):
        row = []
        for crop in shown:
            path = variant / f"{crop.number:06d}.jpg"
            whole = read_picture(path, cv2.IMREAD_COLOR) if path.exists() else None
            inside = np.s_[crop.top : crop.top + crop.height, crop.left : crop.left + crop.width]
            row.append(np.zeros((2, 2, 3), np.uint8) if whole is None else whole[inside])
        rows.append(row)
    cells = [[cv2.resize(image, CELL, interpolation=cv2.INTER_AREA) for image in row] for row in rows]
    return np.asarray(np.concatenate([np.concatenate(row, axis=1) for row in cells]), np.uint8)
