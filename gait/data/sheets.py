"""Pictures to look at prepared data by: mean silhouettes (GEI) and contact sheets, one a person."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from gait.data.records import Entry
from gait.data.store import DataSet
from gait.data.writer import write_atomically
from gait.inputs import Walk
from gait.maps import MapConfig, orthographic
from gait.skeleton import Layout

Image = NDArray[np.uint8]

CELL: Final = 64
FRAMES: Final = 8
MAX_ROWS: Final = 16
_MARGIN: Final = 4
_LABEL: Final = 150


def gei(silhouettes: NDArray[np.uint8]) -> Image:
    """The mean silhouette of a walk (T, H, W), the classic picture of a gait."""
    mean: Image = np.rint(silhouettes.mean(axis=0)).astype(np.uint8)
    return mean


def contact_sheet(data: DataSet, entries: tuple[Entry, ...]) -> Image:
    """A row a sequence: its name, the mean over all frames, and frames evenly over its length."""
    return np.concatenate([_row(data, entry) for entry in entries])


def write_sheets(
    data: DataSet, folder: Path, *, people: int = 50, progress: Callable[[int, int], None] | None = None
) -> int:
    """PERSON.png for the first ``people``; how many were written."""
    names = data.people[:people]
    folder.mkdir(parents=True, exist_ok=True)
    for number, person in enumerate(names, 1):
        image = contact_sheet(data, data.of((person,))[:MAX_ROWS])
        write_atomically(folder / f"{person}.png", cv2.imencode(".png", image)[1].tobytes())
        if progress is not None:
            progress(number, len(names))
    return len(names)


def _row(data: DataSet, entry: Entry) -> Image:
    chosen = np.linspace(0, entry.frames - 1, FRAMES).round().astype(np.int64)
    whole = _images(data.read(entry))
    cells = [_label(entry), _cell(gei(whole)), *(_cell(whole[index]) for index in chosen)]
    return np.concatenate(cells, axis=1)


def _images(walk: Walk) -> NDArray[np.uint8]:
    """(T, H, W): the silhouettes, or the skeleton drawn as sticks where there are none."""
    if walk.silhouettes.size:
        return walk.silhouettes
    if walk.joints_3d is not None:
        points = orthographic(walk.joints_3d, walk.layout, MapConfig(height=CELL, width=CELL))[..., :2]
    else:
        points = _fitted(walk.joints_2d)
    return np.stack([_sticks(frame, walk.layout) for frame in points])


def _fitted(joints: NDArray[np.float32]) -> NDArray[np.float32]:
    """2D joints of any pixels, scaled to fill a cell over the whole walk."""
    known = np.zeros(joints.shape[:2], np.bool_)
    known |= joints[..., 2] > 0
    if not known.any():
        return np.full((*joints.shape[:2], 2), np.nan, np.float32)
    low, high = joints[known][:, :2].min(axis=0), joints[known][:, :2].max(axis=0)
    scale = (CELL - 2 * _MARGIN) / max(float((high - low).max()), 1e-6)
    placed = (joints[..., :2] - (low + high) / 2) * scale + CELL / 2
    return np.where(known[..., None], placed, np.nan).astype(np.float32)


def _sticks(points: NDArray[np.float32], layout: Layout) -> Image:
    image = np.zeros((CELL, CELL), np.uint8)
    inside = np.abs(np.nan_to_num(points, nan=np.inf)) < 10 * CELL
    near = np.atleast_1d(inside.all(axis=1))
    for a, b in layout.edges:
        if near[a] and near[b]:
            start, end = (tuple(np.rint(points[k]).astype(int).tolist()) for k in (a, b))
            cv2.line(image, start, end, 255, 1, cv2.LINE_AA)
    return image


def _cell(image: Image) -> Image:
    """Scaled to a cell's height and centred in it, on a grey ground."""
    height, width = image.shape
    scale = min((CELL - _MARGIN) / height, (CELL - _MARGIN) / width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    cell = np.full((CELL, CELL), 48, np.uint8)
    top, left = (CELL - size[1]) // 2, (CELL - size[0]) // 2
    cell[top : top + size[1], left : left + size[0]] = small
    return cell


def _label(entry: Entry) -> Image:
    cell = np.full((CELL, _LABEL), 48, np.uint8)
    lines = [part for part in entry.key if part] + [f"{entry.frames} frames"]
    for number, line in enumerate(lines[:4]):
        place = (_MARGIN, 14 * (number + 1))
        cv2.putText(cell, line[:22], place, cv2.FONT_HERSHEY_SIMPLEX, 0.35, 255, 1, cv2.LINE_AA)
    return cell
