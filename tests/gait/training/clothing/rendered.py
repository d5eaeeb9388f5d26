"""Rendered recordings with perception as it would be were it perfect: what is true of them."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from gait.data.errors import DataError
from gait.data.images import pictures_in
from gait.data.source import make_walk
from gait.inputs import Walk
from gait.silhouette import align, transform_points
from gait.skeleton import GAITWAY16
from gait.walkers.person import sample_person
from gait.walkers.population import STREET
from gait.walkers.scene import Scene, Walker
from gait.walkers.truth import TruthPerson
from gait.walkers.views import View, sample_view
from stream.messages import Array, FrameRef, Mask, People, Person, Quality

SIZE = (240, 180)


def view_of(seed: int, size: tuple[int, int] = SIZE) -> View:
    return sample_view(seed, 2, 90.0, size)


def scene_of(seed: int, frames: int, people: int = 1, size: tuple[int, int] = SIZE) -> Scene:
    """Somebody passing; a second one, if wanted, close behind."""
    view = view_of(seed, size)
    path = view.path(0.066 * frames + 0.4)
    walkers = tuple(
        Walker(sample_person(seed + 100 * number, population=STREET), path, phase=0.4 * number)
        for number in range(people)
    )
    return Scene(seed, view.camera, walkers, frames / 25)


class Rendering:
    """Folders of pictures under ``root/PERSON/NAME`` and the truth of each, by path."""

    def __init__(self, root: Path) -> None:
        self.root, self.truth = root, {}
        self.looked: list[Path] = []

    def add(self, person: str, name: str, scene: Scene, frames: int) -> Path:
        folder = self.root / person / name
        folder.mkdir(parents=True)
        people = []
        for rendered in (scene.frame(number) for number in range(frames)):
            cv2.imwrite(str(folder / f"{rendered.number:06d}.png"), rendered.image)
            people.append(_people(rendered.number, rendered.truth, rendered.image.shape))
        self.truth[folder] = people
        return folder

    def look(self, path: Path) -> tuple[People, ...]:
        self.looked.append(path)
        return tuple(self.truth[path])

    def perceive(self, path: Path) -> Walk:
        """Silhouettes and joints of the pictures there; of a made folder those it was made from."""
        known = self.truth[path] if path in self.truth else self.truth[self._original(path)]
        alone = [known[int(p.stem)] for p in pictures_in(path) if int(p.stem) < len(known)]
        return _walk([one for one in alone if len(one.people) == 1], str(path))

    def _original(self, path: Path) -> Path:
        person, _, name = path.name.split("+")[0].split("~")
        return self.root / person / name


def _people(number: int, truth: Sequence[TruthPerson], shape: tuple[int, ...]) -> People:
    height, width = shape[:2]
    frame = FrameRef("clip", "run", number, number * 40_000_000, number * 40_000_000, width, height)
    return People(frame, tuple(_person(one, height, width) for one in truth))


def _person(truth: TruthPerson, height: int, width: int) -> Person:
    points = np.concatenate([truth.joints_2d, np.ones((16, 1))], axis=1).astype(np.float32)
    mask = Mask.of(truth.crop.on(height, width), (1.0, 0.0, 0.0, 0.0, 1.0, 0.0))
    return Person(
        truth.box, 0.9, "gaitway16", Array.of(points), Quality(truth.box[3] - truth.box[1]), mask=mask
    )


def _walk(people: Sequence[People], where: str) -> Walk:
    if not people:
        raise DataError("nobody walks alone in it", where=where)
    images, joints = [], []
    for one in people:
        person = one.people[0]
        found = align(person.mask.numpy())
        images.append(found.image)
        joints.append(transform_points(person.keypoints.numpy(), found.transform))
    return make_walk(np.stack(images), np.stack(joints), layout=GAITWAY16)
