"""What happens in a clip and when: people come and go as pictures show, heels strike as the gait has it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from gait.walkers.scene import Scene, Walker
from gait.walkers.truth import SEEN, ClipTruth, EventRecord, Happening

AWAY_S = 0.5
"""Who is out of sight for less, behind somebody else, has not gone."""


def happenings(scene: Scene, truth: ClipTruth) -> tuple[EventRecord, ...]:
    """All events of a clip in order; heels strike only while their owner is there."""
    found: list[EventRecord] = []
    for name in truth.identities:
        stays = list(_stays(truth, name))
        found += [EventRecord(first, name, "comes") for first, _ in stays]
        found += [EventRecord(last, name, "goes") for _, last in stays]
        for walker in scene.walkers:
            if walker.person.name == name:
                found += [
                    EventRecord(round(time_s, 4), name, what)
                    for time_s, what in heel_strikes(walker)
                    if any(first <= time_s <= last for first, last in stays)
                ]
    return tuple(sorted(found, key=lambda event: (event.time_s, event.identity, event.what)))


def heel_strikes(walker: Walker) -> Iterator[tuple[float, Happening]]:
    """When each heel is set down while the path is walked, in the scene's time."""
    timing, gait = walker.walk.timing, walker.walk.person.gait
    first, last = (float(timing.at(t).phase) for t in (0.0, timing.seconds))
    sides: tuple[tuple[Happening, float], ...] = (("right heel", 0.0), ("left heel", 0.5 + gait.asymmetry))
    for what, late in sides:
        phases = np.arange(np.ceil(first - late), np.floor(last - late) + 1) + late
        yield from ((walker.enter_s + t, what) for t in timing.time_at_phase(phases).tolist())


def _stays(truth: ClipTruth, name: str) -> Iterator[tuple[float, float]]:
    """From when to when somebody is there."""
    seen = [f.time_s for f in truth.frames for p in f.people if p.identity == name and p.visible >= SEEN]
    if not seen:
        return
    begin = seen[0]
    for before, after in pairwise(seen):
        if after - before > AWAY_S:
            yield begin, before
            begin = after
    yield begin, seen[-1]
