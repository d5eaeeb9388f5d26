"""Rendered recordings of walkers in ordinary clothes, and our perception of them in this process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from engines.measures import person_of
from engines.perceive import Perception
from engines.watch import CameraWatch
from gait.body import body_of
from gait.data.errors import DataError
from gait.data.images import pictures_in
from gait.data.source import make_walk
from gait.inputs import Walk
from gait.training.clothing.looked import pictures_of, write_picture
from gait.training.clothing.trial import TRAINED_FROM
from gait.walkers.person import sample_person
from gait.walkers.population import STREET
from gait.walkers.scene import Scene, Walker
from gait.walkers.seeds import stream
from gait.walkers.truth import Rendered
from gait.walkers.views import sample_view
from stream.messages import Array, FrameRef, Mask, People, Person, Quality

CLIPS: Final = 3
FRAMES: Final = 30
SIZE: Final = (426, 240)
VIEWS: Final = (90.0, 45.0, 270.0)
FEWEST: Final = 12


def write_recordings(folder: Path, people: int, progress: Callable[[int, int], None] | None = None) -> Path:
    """``folder/PERSON/clipN/000000.png``: each in ordinary clothes, from three directions."""
    total = people * CLIPS
    for number in range(total):
        seed, clip = TRAINED_FROM + number // CLIPS, number % CLIPS
        out = folder / str(seed) / f"clip{clip}"
        out.mkdir(parents=True, exist_ok=True)
        if len(pictures_in(out)) < FRAMES:
            scene = scene_of(seed, clip)
            for frame in range(FRAMES):
                write_picture(out / f"{frame:06d}.png", scene.frame(frame).image)
        if progress is not None:
            progress(number + 1, total)
    return folder


def scene_of(seed: int, clip: int) -> Scene:
    """One person passing, in ordinary clothes."""
    rng = stream(seed, "recording", clip)
    view = sample_view(seed, 40 + clip, VIEWS[clip] + float(rng.uniform(-20, 20)), SIZE)
    person = sample_person(seed, outfit=clip, population=STREET)
    path = view.path(0.066 * FRAMES + 0.4)
    walker = Walker(person, path, phase=float(rng.random()), visit=clip)
    return Scene(seed, view.camera, (walker,), FRAMES / 25)


class Seer:
    """Perception without a pipeline round it: a recording's people, and the one person's walk."""

    def __init__(self) -> None:
        self.perception = Perception.load()

    def look(self, path: Path) -> tuple[People, ...]:
        """Frame by frame."""
        nets = self.perception
        watch = CameraWatch(nets.detector, nets.poses, nets.config)
        found = []
        for picture in pictures_of(path):
            height, width = picture.image.shape[:2]
            sightings = watch.see(picture.image, picture.number)
            people = tuple(person_of(one, sightings, width, height) for one in sightings)
            found.append(People(_frame(picture.number, width, height), people))
        return tuple(found)

    def perceive(self, path: Path) -> Walk:
        """The frames in which one person alone is seen; raises DataError where they are few."""
        return walk_of(self.look(path), str(path))


def walk_of(seen: Sequence[People], where: str) -> Walk:
    """Raises DataError where one person alone is hardly seen."""
    bodies = [body_of(one.people[0]) for one in seen if len(one.people) == 1]
    whole = [body for body in bodies if body is not None]
    if len(whole) < FEWEST:
        raise DataError(f"one person alone is seen in {len(whole)} frames", where=where)
    space = [body.joints_3d.numpy() for body in whole if body.joints_3d is not None]
    return make_walk(
        np.stack([body.silhouette.numpy() for body in whole]),
        np.stack([body.joints_2d.numpy() for body in whole]),
        np.stack(space) if len(space) == len(whole) else None,
    )


def true_people(rendered: Rendered) -> People:
    """What perception would say if it were never wrong."""
    height, width = rendered.image.shape[:2]
    people = []
    for one in rendered.truth:
        points = np.concatenate([one.joints_2d, np.ones((16, 1))], axis=1).astype(np.float32)
        mask = Mask.of(one.crop.on(height, width), (1.0, 0.0, 0.0, 0.0, 1.0, 0.0))
        quality = Quality(one.box[3] - one.box[1])
        people.append(Person(one.box, 1.0, "gaitway16", Array.of(points), quality, mask=mask))
    return People(_frame(rendered.number, width, height), tuple(people))


def _frame(number: int, width: int, height: int) -> FrameRef:
    return FrameRef("clip", "bench", number, number * 40_000_000, number * 40_000_000, width, height)
