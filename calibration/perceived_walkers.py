"""Walkers in colour, as our perception sees them: what a net meets in life, to mix with drawn masks.

::

    python -m calibration.shipped_net perceived data/perceived

Each is rendered before a camera of its own with that camera's faults, found, followed and outlined by the
running pipeline's perception. It costs some thirty times what drawn masks cost, so it is a part of the data.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from calibration.in_process import OneFrame
from engines.perceive import PerceiveStage, Perception
from gait.body import body_of
from gait.data.errors import DataError
from gait.data.records import Entry, Partition
from gait.data.source import Found, Listing, Loaded, make_walk
from gait.walkers.conditions import sample_conditions
from gait.walkers.person import sample_person
from gait.walkers.population import STREET
from gait.walkers.quality import sample_quality
from gait.walkers.scene import Scene, Walker
from gait.walkers.seeds import stream
from gait.walkers.variation import as_walked
from gait.walkers.views import sample_view
from stream.messages import Body, FrameRef, FrameToken, People

SIZE: Final = (480, 270)
"""People are 46 to 190 pixels tall in it: as far from the camera as a silhouette is still one."""
FPS: Final = 25.0
SIDE_DEG: Final = 40.0
LONGER: Final = 1.1
"""A path is this much longer than what is rendered of the walk."""
MARGIN_S: Final = 0.3
"""Rendered before and after, for perception has to find them first."""


class PerceivedSet(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``people`` from seed ``first`` on, ``sequences`` of about ``frames`` of each; see ``WalkerSet``."""

    people: int = 300
    first: int = 12_000_000
    sequences: int = 2
    frames: int = 24
    least: int = 12
    side_share: float = 0.5


PERCEIVED: Final = PerceivedSet()


@dataclass(frozen=True)
class PerceivedWalkers:
    """A ``Preparation``: everybody is trained on; who is not seen for long enough is left out."""

    chosen: PerceivedSet = PERCEIVED
    parallel: bool = True

    def find(self) -> Listing:
        """Sequences 0 to ``sequences`` of everybody."""
        people = range(self.chosen.first, self.chosen.first + self.chosen.people)
        return Listing(
            tuple(
                Found(Entry(str(p), "perceived", "any", 0, str(k)), (Path(str(p)),))
                for p in people
                for k in range(self.chosen.sequences)
            )
        )

    def load(self, found: Found) -> Loaded:
        """The walk as perceived; raises DataError where it was hardly seen."""
        scene = scene_of(int(found.entry.person), int(found.entry.name), self.chosen)
        bodies = list(_seen(scene))
        if len(bodies) < self.chosen.least:
            raise DataError(
                f"seen in {len(bodies)} of {scene.frame_count} frames",
                where=str(found.entry),
                wanted=f"{self.chosen.least} at least",
            )
        space = [body.joints_3d.numpy() for body in bodies if body.joints_3d is not None]
        walk = make_walk(
            np.stack([body.silhouette.numpy() for body in bodies]),
            np.stack([body.joints_2d.numpy() for body in bodies]),
            np.stack(space) if len(space) == len(bodies) else None,
        )
        return Loaded(walk, lost=scene.frame_count - len(bodies))

    def partition(self, people: frozenset[str]) -> Partition:
        """All to train on."""
        return Partition(train=tuple(sorted(people)))


def scene_of(seed: int, number: int, chosen: PerceivedSet) -> Scene:
    """Person ``seed`` on pass ``number``: any clothes, camera, place, light, and a way past it."""
    rng = stream(seed, "perceived", number)
    side = float(rng.choice([90.0, 270.0])) + float(rng.uniform(-SIDE_DEG, SIDE_DEG))
    view = sample_view(seed, number, side if rng.random() < chosen.side_share else None, SIZE)
    person = sample_person(seed, outfit=number // 2, population=STREET).under(sample_conditions(seed, number))
    seconds = chosen.frames / FPS + 2 * MARGIN_S
    path = view.path(LONGER * as_walked(person, number).gait.speed * person.conditions.pace * seconds)
    walker = Walker(person, path, phase=float(rng.random()), visit=number)
    place = int(rng.integers(2**31))
    return Scene(
        place, view.camera, (walker,), min(seconds, walker.leave_s), FPS, quality=sample_quality(place)
    )


def _seen(scene: Scene) -> Iterator[Body]:
    """The one walker, frame by frame, wherever the whole body is in view."""
    frames = OneFrame()
    stage = PerceiveStage(frames, _perception())
    for rendered in scene.frames():
        frames.pixels = rendered.image
        at_ns = round(rendered.time_s * 1e9)
        frame = FrameRef("walkers", str(scene.seed), rendered.number, at_ns, at_ns, *SIZE)
        (people,) = stage.handle(FrameToken(frame, "", 0, 0))
        assert isinstance(people, People), "a frame gives people"
        whole = [one for one in people.people if one.quality.truncation == 0]
        body = body_of(whole[0]) if len(whole) == 1 else None
        if body is not None:
            yield body


@cache
def _perception() -> Perception:
    """Once per process."""
    return Perception.load()
