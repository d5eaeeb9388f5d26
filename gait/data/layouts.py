"""Our form written as other programs expect theirs: OpenGait's tree of pickles, and GREW's tree of pictures.

Every sequence appears at once, under its final name; one that is there already is left alone, so a stopped
export is simply started again.
"""

from __future__ import annotations

import hashlib
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from gait.data.errors import DataError
from gait.data.opengait import PARTITION
from gait.data.partition import write_partition
from gait.data.records import Entry
from gait.data.store import DataSet
from gait.data.writer import write_atomically
from gait.fusion_input import RESULT
from gait.inputs import Walk
from gait.reference_maps import reference_maps

LayoutName = Literal["ours", "opengait", "grew"]
Progress = Callable[[int, int], None]

# The protocol every reader can load since Python 3.4.
_PROTOCOL: Final = 4
_MAP_SIZE: Final = 64
# CASIA-B's own gallery; elsewhere a test person's sequences take turns.
_GALLERY: Final = frozenset({"nm-01", "nm-02", "nm-03", "nm-04"})
_PROBE: Final = frozenset({"nm-05", "nm-06", "bg-01", "bg-02", "cl-01", "cl-02"})


def export_opengait(
    data: DataSet, root: Path, *, maps: bool = False, progress: Progress | None = None
) -> None:
    """``root/id/type/view/*.pkl`` and partition.json; with ``maps`` SkeletonGait's heat maps come first.

    A map and its silhouette lie in one folder, frame by frame, as a net of both wants them.
    """
    for number, entry in enumerate(data.entries, 1):
        folder = root / entry.person / (entry.condition or "walk") / _view(entry)
        if not folder.exists():
            _appear(folder, _pickles(data.read(entry), maps, str(folder)))
        if progress is not None:
            progress(number, len(data))
    write_partition(root / PARTITION, data.partition)


def export_grew(data: DataSet, root: Path, *, progress: Progress | None = None) -> None:
    """``train/ID/SEQ``, ``test/gallery/ID/SEQ`` and ``test/probe/SEQ`` of PNG, with lists of the latter two.

    Ids are numbers, sequences hashes of what they are; people.txt tells who is who. Raises DataError where
    there are no silhouettes, or nobody is in the test.
    """
    if not data.holds("silhouettes"):
        raise DataError("not every sequence has silhouettes", where=str(data.folder), wanted="silhouettes")
    if not data.partition.test:
        raise DataError(
            "the data set has no test people",
            where=str(data.folder),
            fix="Give a --partition with a TEST_SET",
        )
    numbers = _numbered(data.partition.train) | _numbered(data.partition.test)
    places = {entry.key: place for entry, place in _grew_places(data, numbers)}
    for number, entry in enumerate(data.entries, 1):
        place = places.get(entry.key)
        if place is not None and not (root / place).exists():
            _appear(root / place, _pngs(data.read(entry).silhouettes))
        if progress is not None:
            progress(number, len(data))
    _write_lists(data, root, numbers, places)


def _view(entry: Entry) -> str:
    return "-".join(part for part in (entry.view, entry.name) if part) or "000"


def _appear(folder: Path, files: dict[str, bytes]) -> None:
    part = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    for name, content in files.items():
        (part / name).write_bytes(content)
    part.rename(folder)


def _pickles(walk: Walk, maps: bool, where: str) -> dict[str, bytes]:
    """Modalities numbered in the order that ``data_in_use`` counts them."""
    parts: list[tuple[str, Any]] = []
    has_points = bool(walk.joints_2d.size)
    if maps:
        if not has_points:
            raise DataError("heat maps need 2D joints", where=where)
        drawn = reference_maps(walk.joints_2d, walk.layout, _MAP_SIZE)
        parts.append(("heatmap", np.rint(drawn * 255).astype(np.uint8)))
    if walk.silhouettes.size:
        parts.append(("sil", walk.silhouettes))
    if has_points and not maps:
        parts.append(("joints_2d", walk.joints_2d))
    if walk.joints_3d is not None:
        parts.append(("joints_3d", {RESULT: walk.joints_3d} if walk.layout.size == 16 else walk.joints_3d))
    return {f"{n}_{name}.pkl": pickle.dumps(part, _PROTOCOL) for n, (name, part) in enumerate(parts)}


def _pngs(silhouettes: NDArray[np.uint8]) -> dict[str, bytes]:
    return {
        f"{number:05}.png": cv2.imencode(".png", image)[1].tobytes()
        for number, image in enumerate(silhouettes, 1)
    }


def _numbered(people: tuple[str, ...]) -> dict[str, str]:
    return {person: f"{number:05}" for number, person in enumerate(sorted(people), 1)}


def _grew_places(data: DataSet, numbers: dict[str, str]) -> list[tuple[Entry, str]]:
    train, test = frozenset(data.partition.train), frozenset(data.partition.test)
    places: list[tuple[Entry, str]] = []
    seen: dict[str, int] = {}
    for entry in data.entries:
        sequence = hashlib.sha256("\0".join(entry.key).encode()).hexdigest()[:8]
        if entry.person in train:
            places.append((entry, f"train/{numbers[entry.person]}/{sequence}"))
        elif entry.person in test:
            turn = seen[entry.person] = seen.get(entry.person, -1) + 1
            if _is_probe(entry, turn):
                places.append((entry, f"test/probe/{sequence}"))
            else:
                places.append((entry, f"test/gallery/{numbers[entry.person]}/{sequence}"))
    return places


def _is_probe(entry: Entry, turn: int) -> bool:
    if entry.role in ("probe", "gallery"):
        return entry.role == "probe"
    if entry.condition in _GALLERY | _PROBE:
        return entry.condition in _PROBE
    return turn % 2 == 1


def _write_lists(
    data: DataSet, root: Path, numbers: dict[str, str], places: dict[tuple[str, str, str, str], str]
) -> None:
    for part in ("gallery", "probe"):
        lines = [
            f"{place.rpartition('/')[2]}\t{numbers[entry.person]}\n"
            for entry in data.entries
            if (place := places.get(entry.key, "")).startswith(f"test/{part}/")
        ]
        write_atomically(root / f"{part}.txt", "".join(lines).encode())
    parts = {"train": data.partition.train, "test": data.partition.test}
    who = [f"{part}\t{numbers[name]}\t{name}\n" for part, names in parts.items() for name in sorted(names)]
    write_atomically(root / "people.txt", "".join(who).encode())
