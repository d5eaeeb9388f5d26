"""Walks as small pictures: which pairs a model found easiest, and where it went most wrong."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from gait.data.store import Entry
from gait.evaluation.distances import Metric
from gait.evaluation.run import Studied
from gait.evaluation.searching import nearest
from gait.evaluation.trials import Walks
from gait.inputs import Walk

FRAMES: Final = 8
SIDE: Final = 64
PAIRS: Final = 4


@dataclass(frozen=True)
class Shown:
    """One walk: what it is, how far from the probe (None for the probe itself), and a PNG in base64."""

    title: str
    distance: float | None
    png: str


@dataclass(frozen=True)
class Case:
    """A probe, the nearest walk of the gallery and the nearest of the same person (one, where they agree)."""

    probe: Shown
    nearest: Shown
    mate: Shown | None


def best_and_worst(walks: Walks, studied: Sequence[Studied], metric: Metric) -> tuple[list[Case], list[Case]]:
    """Right answers with the widest margin to a stranger, and wrong ones with the widest margin to the mate.

    At most one of a person in each list. Walks joined of pieces are shown by their pieces' own trial.
    """
    found = [
        (float(one.searches.other[i] - one.searches.mate[i]), number, i)
        for number, one in enumerate(studied)
        if not one.trial.joined
        for i in np.flatnonzero(one.searches.mated & np.isfinite(one.searches.other)).tolist()
    ]
    found.sort()
    worst = _distinct([item for item in found if item[0] < 0], studied)
    best = _distinct([item for item in reversed(found) if item[0] > 0], studied)
    return (
        [_case(walks, studied[number], index, metric) for _, number, index in best],
        [_case(walks, studied[number], index, metric) for _, number, index in worst],
    )


def strip(walk: Walk) -> NDArray[np.uint8]:
    """(SIDE, width): frames of the walk side by side, silhouettes or else the skeleton's bones."""
    count = max(len(walk.silhouettes), 0 if walk.joints_3d is None else len(walk.joints_3d))
    chosen = np.unique(np.linspace(0, max(0, count - 1), min(FRAMES, max(1, count))).round().astype(int))
    if walk.silhouettes.size:
        tiles = [_silhouette(walk.silhouettes[index]) for index in chosen]
    elif walk.joints_3d is not None and walk.joints_3d.size:
        tiles = _skeletons(walk.joints_3d[chosen, :, :2], walk)
    elif walk.joints_2d.size:
        tiles = _skeletons(walk.joints_2d[chosen, :, :2], walk)
    else:
        tiles = [np.zeros((SIDE, SIDE), np.uint8)]
    return np.hstack(tiles)


def png(picture: NDArray[np.uint8]) -> str:
    """A grey picture as PNG in base64."""
    _, content = cv2.imencode(".png", picture)
    return base64.b64encode(content.tobytes()).decode()


def _distinct(
    ordered: Sequence[tuple[float, int, int]], studied: Sequence[Studied]
) -> list[tuple[float, int, int]]:
    """The first of each person, until there are enough."""
    taken: dict[int, tuple[float, int, int]] = {}
    for item in ordered:
        taken.setdefault(int(studied[item[1]].searches.people[item[2]]), item)
        if len(taken) == PAIRS:
            break
    return list(taken.values())


def _case(walks: Walks, one: Studied, place: int, metric: Metric) -> Case:
    probe = int(one.trial.probes[place])
    order, distance = nearest(one.embedded, one.trial, probe, metric)
    mate = int(np.flatnonzero(one.embedded.people[order] == one.embedded.people[probe])[0])
    entries = one.embedded.entries
    return Case(
        _shown(walks, entries[probe], None),
        _shown(walks, entries[order[0]], float(distance[0])),
        None if mate == 0 else _shown(walks, entries[order[mate]], float(distance[mate])),
    )


def _shown(walks: Walks, entry: Entry, distance: float | None) -> Shown:
    return Shown(str(entry), distance, png(strip(walks.read(entry))))


def _silhouette(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = frame.shape
    size = (max(1, round(SIDE * width / height)), SIDE)
    return np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_AREA), np.uint8)


def _skeletons(points: NDArray[Any], walk: Walk) -> list[NDArray[np.uint8]]:
    """Bones of (F, K, 2), all frames at one scale, each about its own middle."""
    known = np.isfinite(points).all(axis=-1)
    if not known.any():
        return [np.zeros((SIDE, SIDE), np.uint8)]
    middle = np.array(
        [np.median(f[k], axis=0) if k.any() else (0, 0) for f, k in zip(points, known, strict=True)]
    )
    centred = points - middle[:, None]
    # A few wild joints, as trackers make them at the picture's rim, must not shrink all the others.
    reach = float(np.quantile(np.abs(centred[known]), 0.98))
    scale = (SIDE / 2 - 2) / max(reach, 1e-6)
    tiles = []
    for frame, seen in zip(centred, known, strict=True):
        tile = np.zeros((SIDE, SIDE), np.uint8)
        for parent, child in walk.layout.edges:
            if seen[parent] and seen[child]:
                a, b = (np.rint(frame[j] * scale + SIDE / 2).astype(int).tolist() for j in (parent, child))
                cv2.line(tile, a, b, 255, 1, cv2.LINE_AA)
        tiles.append(tile)
    return tiles
