"""What is true of a rendered frame, and of a clip: typed, written as JSON beside the clip."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from gait.walkers.person import Person
from stream.errors import FOREIGN, MessageError, SourceError
from stream.messages import IDENTITY, Box, Mask

TRUTH_VERSION = 1
TRUTH_SUFFIX = ".truth.json"
MOT_SUFFIX = ".gt.txt"
Point2 = tuple[float, float]
Point3 = tuple[float, float, float]
Happening = Literal["comes", "goes", "right heel", "left heel"]
SEEN = 0.3
"""The visible share of a person from which on they are there."""


@dataclass(frozen=True)
class Crop:
    """``mask`` bool (h, w) lies with its top left pixel at ``left``, ``top``, wholly in the frame."""

    mask: NDArray[np.bool_]
    left: int
    top: int

    def on(self, height: int, width: int) -> NDArray[np.bool_]:
        """The mask as a full frame."""
        full = np.zeros((height, width), np.bool_)
        rows, columns = self.mask.shape
        full[self.top : self.top + rows, self.left : self.left + columns] = self.mask
        return full


@dataclass(frozen=True)
class TruthPerson:
    """One person in one frame.

    ``box`` encloses the whole person, hidden and outside parts too; ``visible_box`` what can be seen, None
    where nothing is. ``visible`` is the share of the whole silhouette that can be seen. ``joints_2d``
    (16, 2) pixels; ``joints_3d`` (16, 3) metres in the camera frame, x right, y down, z ahead. Order of
    joints: 0 pelvis; 1-3 right hip, knee, ankle; 4-6 left; 7 spine; 8 neck; 9 head; 10-12 left shoulder,
    elbow, wrist; 13-15 right.
    """

    identity: str
    box: Box
    visible_box: Box | None
    crop: Crop
    visible: float
    depth_m: float
    joints_2d: NDArray[np.float64]
    joints_3d: NDArray[np.float64]


@dataclass(frozen=True)
class Rendered:
    """A frame: ``image`` BGR uint8 (h, w, 3) and everyone who is in view, near to far."""

    number: int
    time_s: float
    image: NDArray[np.uint8]
    truth: tuple[TruthPerson, ...]


class PersonRecord(msgspec.Struct, frozen=True):
    """``TruthPerson`` as it is stored; ``mask`` is the visible crop, None where nothing can be seen."""

    identity: str
    box: Box
    visible_box: Box | None
    visible: float
    depth_m: float
    joints_2d: tuple[Point2, ...]
    joints_3d: tuple[Point3, ...]
    mask: Mask | None

    @classmethod
    def of(cls, person: TruthPerson) -> PersonRecord:
        """Round to what a pixel and a millimetre can tell."""
        crop = person.crop
        shift = (*IDENTITY[:2], float(crop.left), *IDENTITY[3:5], float(crop.top))
        return cls(
            identity=person.identity,
            box=_rounded(person.box),
            visible_box=_rounded(person.visible_box) if person.visible_box else None,
            visible=round(person.visible, 4),
            depth_m=round(person.depth_m, 3),
            joints_2d=tuple((round(x, 2), round(y, 2)) for x, y in person.joints_2d.tolist()),
            joints_3d=tuple((round(x, 4), round(y, 4), round(z, 4)) for x, y, z in person.joints_3d.tolist()),
            mask=Mask.of(crop.mask, shift) if crop.mask.size else None,
        )

    def crop(self) -> Crop:
        """The visible mask."""
        if self.mask is None:
            return Crop(np.zeros((0, 0), np.bool_), 0, 0)
        return Crop(self.mask.numpy(), round(self.mask.to_image[2]), round(self.mask.to_image[5]))


class FrameRecord(msgspec.Struct, frozen=True):
    """One frame of a clip; ``time_s`` is its presentation time."""

    number: int
    time_s: float
    people: tuple[PersonRecord, ...]


class EventRecord(msgspec.Struct, frozen=True):
    """Something that happens to one person: they come or go (a third of them seen), a heel strikes."""

    time_s: float
    identity: str
    what: Happening


class ClipTruth(msgspec.Struct, frozen=True):
    """What is true of a clip, frame by frame; ``events`` in order of time; ``people`` as they were drawn."""

    width: int
    height: int
    fps: float
    seed: int
    identities: tuple[str, ...]
    frames: tuple[FrameRecord, ...]
    version: int = TRUTH_VERSION
    events: tuple[EventRecord, ...] = ()
    people: tuple[Person, ...] = ()

    def stays(self, name: str) -> Iterator[tuple[EventRecord, EventRecord]]:
        """The pairs of somebody's coming and going."""
        mine = [event for event in self.events if event.identity == name]
        kinds: tuple[Happening, Happening] = ("comes", "goes")
        came, went = ([event for event in mine if event.what == kind] for kind in kinds)
        return zip(came, went, strict=True)

    def presence(self, at_least: float = SEEN) -> Iterator[tuple[str, float, float]]:
        """For everyone: name, first and last time at which that share of the person could be seen."""
        for name in self.identities:
            times = [
                f.time_s
                for f in self.frames
                for p in f.people
                if p.identity == name and p.visible >= at_least
            ]
            if times:
                yield name, times[0], times[-1]

    def mot(self) -> str:
        """MOTChallenge ground truth from 1: frame, id, left, top, width, height, 1, 1, visibility."""
        ids = {name: number for number, name in enumerate(self.identities, start=1)}
        return "".join(
            f"{frame.number + 1},{ids[p.identity]},{p.box[0]:.2f},{p.box[1]:.2f},"
            f"{p.box[2] - p.box[0]:.2f},{p.box[3] - p.box[1]:.2f},1,1,{p.visible:.4f}\n"
            for frame in self.frames
            for p in frame.people
        )


def mot_path(clip: Path) -> Path:
    """``clip.mp4`` -> ``clip.gt.txt``."""
    return clip.with_suffix(MOT_SUFFIX)


def truth_path(clip: Path) -> Path:
    """``clip.mp4`` -> ``clip.truth.json``."""
    return clip.with_suffix(TRUTH_SUFFIX)


def read_truth(path: Path) -> ClipTruth:
    """The truth beside a clip (or the truth file itself); raises SourceError or MessageError."""
    file = path if path.name.endswith(TRUTH_SUFFIX) else truth_path(path)
    try:
        data = file.read_bytes()
    except OSError as error:
        raise SourceError(
            f"no truth to read ({error.strerror})", where=str(file), wanted="a clip written with its truth"
        ) from error
    try:
        truth = msgspec.json.decode(data, type=ClipTruth)
    except FOREIGN as error:
        raise MessageError(f"not a truth file ({error})", where=str(file)) from error
    if truth.version != TRUTH_VERSION:
        raise MessageError(
            f"truth of version {truth.version}", where=str(file), wanted=f"version {TRUTH_VERSION}"
        )
    return truth


def _rounded(box: Box) -> Box:
    return (round(box[0], 2), round(box[1], 2), round(box[2], 2), round(box[3], 2))
