"""KTH walking: from clips to passes, and which pass of one scene finds its walker in another.

KTH actions (Schüldt, Laptev, Caputo 2004): 25 people, 160x120 grey, 25 frames a second; scenes d1 outdoors,
d2 outdoors with zoom and slanted paths, d3 other clothes, d4 indoors. In every walking clip the person
crosses the picture four times, to and fro. The passes are found by the pipeline's own tracks; one that is not
found, or that is too short to be embedded, is a pass without an answer and counts as a miss.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gait.data.errors import DataError
from gait.data.source import make_walk
from gait.evaluation.distances import Metric, distances
from gait.inputs import Walk
from stream.messages import Sample, Tracked, TrackletId

RATE_HZ: Final = 25.0
ENLARGED: Final = 2
"""Frames are shown to perception this many times larger: 160x120 is less than it is made for."""
PASSES: Final = 4
"""How often the data set's authors have everybody cross the picture, in every walking clip."""
SCENES: Final = ("d1", "d2", "d3", "d4")
LEAST_SAMPLES: Final = 13
"""Half a second: less shows no step."""
APART_S: Final = 0.8
"""Sightings further apart are two passes: who leaves the picture needs longer to turn and come back."""
_NAME: Final = re.compile(r"person(\d+)_walking_(d[1-4])_uncomp\.avi")


@dataclass(frozen=True)
class Clip:
    """One file of the data set."""

    path: Path
    person: str
    scene: str


@dataclass(frozen=True)
class Pass:
    """One crossing of the picture: frames ``first`` to ``last`` of its clip, and what was seen of it."""

    person: str
    scene: str
    number: int
    first: int
    last: int
    walk: Walk | None

    def __str__(self) -> str:
        seen = f"frames {self.first}-{self.last}" if self.walk is not None else "not found"
        return f"person{self.person} {self.scene} pass {self.number}: {seen}"


def clips_in(folder: Path) -> list[Clip]:
    """The walking clips of a folder by name; raises DataError where there is none."""
    found = [
        Clip(path, match[1], match[2])
        for path in sorted(folder.iterdir() if folder.is_dir() else ())
        if (match := _NAME.fullmatch(path.name))
    ]
    if not found:
        raise DataError(
            "no walking clip of KTH actions here", where=str(folder), wanted="person11_walking_d1_uncomp.avi"
        )
    return found


def passes_of(clip: Clip, tracked: Iterable[Tracked], rate_hz: float = RATE_HZ) -> list[Pass]:
    """The four passes of a clip in time, the ones that were not found last, without a walk."""
    spells = [spell for spell in _spells(tracked) if len(spell) >= LEAST_SAMPLES]
    longest = sorted(sorted(spells, key=len, reverse=True)[:PASSES], key=_start_ns)
    found = [
        Pass(
            clip.person,
            clip.scene,
            number,
            round(_start_ns(spell) * 1e-9 * rate_hz),
            round(_end_ns(spell) * 1e-9 * rate_hz),
            _walk(spell),
        )
        for number, spell in enumerate(longest, start=1)
    ]
    missing = range(len(found) + 1, PASSES + 1)
    return found + [Pass(clip.person, clip.scene, number, 0, 0, None) for number in missing]


def _spells(tracked: Iterable[Tracked]) -> list[list[Sample]]:
    """The valid samples of every tracklet; those of tracklets that follow each other closely, joined.

    Of tracklets that overlap in time only the longest is kept: one person walks in these clips.
    """
    everything = [s for message in tracked for s in message.samples if s.valid]
    everything.sort(key=lambda sample: (str(sample.tracklet), sample.captured_ns))
    tracks = [list(own) for _, own in groupby(everything, key=_tracklet)]
    kept: list[list[Sample]] = []
    for track in sorted(tracks, key=len, reverse=True):
        if all(_end_ns(track) < _start_ns(one) or _end_ns(one) < _start_ns(track) for one in kept):
            kept.append(track)
    joined: list[list[Sample]] = []
    for track in sorted(kept, key=_start_ns):
        if joined and (_start_ns(track) - _end_ns(joined[-1])) * 1e-9 < APART_S:
            joined[-1] = joined[-1] + track
        else:
            joined.append(track)
    return joined


def _tracklet(sample: Sample) -> TrackletId:
    return sample.tracklet


def _start_ns(samples: Sequence[Sample]) -> int:
    return samples[0].captured_ns


def _end_ns(samples: Sequence[Sample]) -> int:
    return samples[-1].captured_ns


def _walk(samples: Sequence[Sample]) -> Walk:
    space = [sample.joints_3d.numpy() for sample in samples if sample.joints_3d is not None]
    return make_walk(
        np.stack([sample.silhouette.numpy() for sample in samples]),
        np.stack([sample.joints_2d.numpy() for sample in samples]),
        np.stack(space) if len(space) == len(samples) else None,
    )


def between(features: Sequence[NDArray[np.floating] | None], metric: Metric) -> NDArray[np.float32]:
    """(N, N) distances between passes' features (strips, numbers); NaN where a pass has none."""
    found = [k for k, one in enumerate(features) if one is not None]
    apart = np.full((len(features), len(features)), np.nan, np.float32)
    if found:
        stacked = np.stack([np.asarray(features[k], np.float32) for k in found])
        apart[np.ix_(found, found)] = distances(stacked, stacked, metric)
    return apart


@dataclass(frozen=True)
class Comparison:
    """Passes of one scene, searched for among passes of another (or the first two of their own)."""

    name: str
    probes: tuple[int, ...]
    gallery: tuple[int, ...]


def comparisons(passes: Sequence[Pass]) -> list[Comparison]:
    """Each scene's passes 1-2 against its later ones, then d1 against the others; indices into ``passes``."""

    def of(scene: str, numbers: Iterable[int]) -> tuple[int, ...]:
        wanted = set(numbers)
        return tuple(k for k, one in enumerate(passes) if one.scene == scene and one.number in wanted)

    every = range(1, PASSES + 1)
    same = [Comparison(scene, of(scene, every[2:]), of(scene, every[:2])) for scene in SCENES]
    across = [Comparison(f"d1->{scene}", of(scene, every), of("d1", every)) for scene in SCENES[1:]]
    return [one for one in same + across if one.probes and one.gallery]


@dataclass(frozen=True)
class Found:
    """``hits`` of ``probes`` passes found their own walker nearest; ``unanswered`` misses had no walk."""

    name: str
    hits: int
    probes: int
    unanswered: int

    @property
    def share(self) -> float:
        """Rank-1."""
        return self.hits / self.probes


def rank_1(comparison: Comparison, passes: Sequence[Pass], apart: NDArray[np.floating]) -> Found:
    """Nearest neighbour over all passes of the gallery; ``apart`` holds distances between all passes."""
    gallery = np.array(comparison.gallery)
    hits = unanswered = 0
    for probe in comparison.probes:
        row = apart[probe, gallery]
        if passes[probe].walk is None or not np.isfinite(row).any():
            unanswered += 1
            continue
        nearest = passes[gallery[int(np.nanargmin(row))]]
        hits += nearest.person == passes[probe].person
    return Found(comparison.name, hits, len(comparison.probes), unanswered)
