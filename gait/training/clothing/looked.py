"""The first stage of every method on pictures: who is where in them. Crops, masks and joints, as files.

    look/TRACK/track.json        which frames are kept, where each crop lies, joints; written last
    look/TRACK/000000.png        the crop;  000000.mask.png: its silhouette, 0 and 255

Perception is handed in. A frame in which nobody or more than one person is seen is left out and told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from gait.data.errors import DataError
from gait.data.images import PICTURES
from gait.data.records import Entry
from gait.data.source import Found
from gait.data.writer import write_atomically
from gait.skeleton import GAITWAY16, convert, layout_named
from gait.training.clothing.figure import Floats, Masks, whole_joints
from stream.errors import SourceError
from stream.messages import People, Person
from stream.sources.base import Image, Picture, SourceOptions
from stream.sources.registry import open_source

# Our own perception over a recording, frame by frame. The verb hands it in.
Look = Callable[[Path], tuple[People, ...]]

TRACK: Final = "track.json"
MARGIN: Final = 0.2
"""Of the body's height, on every side of it: room for a coat and for a bag."""
FEWEST: Final = 15
"""About half a gait cycle at 25 Hz."""
MOST_LEFT_OUT: Final = 0.5
SMALLEST_PX: Final = 40


class Crop(msgspec.Struct, frozen=True):
    """A frame that is kept: its number, where its crop lies in it, ``joints`` (16, 3) in its pixels."""

    number: int
    left: int
    top: int
    width: int
    height: int
    joints: tuple[tuple[float, float, float], ...]


class LeftOut(msgspec.Struct, frozen=True):
    """A frame that is not."""

    number: int
    reason: str


class TrackFile(msgspec.Struct, frozen=True):
    """What ``track.json`` says."""

    of: str
    crops: tuple[Crop, ...]
    left_out: tuple[LeftOut, ...] = ()

    def joints(self) -> Floats:
        """(T, 16, 2) in each crop's own pixels, none missing; raises DataError for a limb never seen."""
        known = np.array([crop.joints for crop in self.crops], np.float32)
        corners = np.array([(crop.left, crop.top) for crop in self.crops], np.float32)[:, None]
        known[..., :2] += corners
        return whole_joints(known) - corners


@dataclass(frozen=True)
class Looked:
    """A track's folder, opened."""

    folder: Path
    file: TrackFile

    @classmethod
    def open(cls, folder: Path) -> Looked:
        """Raises DataError where it is not there or damaged."""
        path = folder / TRACK
        try:
            return cls(folder, msgspec.json.decode(path.read_bytes(), type=TrackFile))
        except (OSError, msgspec.DecodeError) as error:
            raise DataError(f"no track ({error})", where=str(path), fix="Run the look stage again") from error

    def image(self, crop: Crop) -> Image:
        """The crop's pixels, BGR."""
        return read_picture(self.folder / f"{crop.number:06d}.png", cv2.IMREAD_COLOR)

    def mask(self, crop: Crop) -> Masks:
        """The crop's silhouette; raises DataError where it has another size than the crop."""
        path = self.folder / f"{crop.number:06d}.mask.png"
        mask = read_picture(path, cv2.IMREAD_GRAYSCALE)
        if mask.shape != (crop.height, crop.width):
            raise DataError(
                f"a mask of {mask.shape[1]}x{mask.shape[0]}",
                where=str(path),
                wanted=f"{crop.width}x{crop.height}, as its crop",
            )
        return mask


def slug(entry: Entry) -> str:
    """A track's name as a file's."""
    return "~".join(part.replace("/", "-") for part in entry.key if part)


def recording_of(found: Found) -> Path:
    """What perception looks at: a video, or a folder of pictures."""
    first = found.files[0]
    return first.parent if first.suffix.lower() in PICTURES and first.is_file() else first


def look_at(found: Found, look: Look, folder: Path) -> Looked:
    """Fill ``folder`` with the crops of a recording; one that is there already is opened.

    Raises DataError where too few frames show exactly one person.
    """
    if (folder / TRACK).exists():
        return Looked.open(folder)
    where = recording_of(found)
    seen = {people.frame.number: people.people for people in look(where)}
    folder.mkdir(parents=True, exist_ok=True)
    crops: list[Crop] = []
    left_out: list[LeftOut] = []
    for picture in pictures_of(where):
        people = seen.get(picture.number, ())
        reason = _why_not(people, picture.image)
        if reason:
            left_out.append(LeftOut(picture.number, reason))
        else:
            crops.append(_kept(picture, people[0], folder))
    total = len(crops) + len(left_out)
    if len(crops) < max(FEWEST, MOST_LEFT_OUT * total):
        first = left_out[0].reason if left_out else "it is short"
        raise DataError(
            f"{len(crops)} of {total} frames show one person alone (frame "
            f"{left_out[0].number if left_out else 0}: {first})",
            where=str(where),
            wanted=f"at least {max(FEWEST, round(MOST_LEFT_OUT * total))}",
        )
    track = TrackFile(str(found.entry), tuple(crops), tuple(left_out))
    write_atomically(folder / TRACK, msgspec.json.encode(track))
    return Looked(folder, track)


def pictures_of(where: Path) -> Iterator[Picture]:
    """Every picture of a recording, numbered as perception numbers them."""
    try:
        source = open_source(str(where), "clip", SourceOptions())
    except SourceError as error:
        raise DataError(error.what, where=str(where)) from error
    try:
        yield from source.frames()
    finally:
        source.close()


def read_picture(path: Path, how: int) -> NDArray[np.uint8]:
    """A picture's pixels; raises DataError where it is none."""
    try:
        content = np.frombuffer(path.read_bytes(), np.uint8)
    except OSError as error:
        raise DataError(f"cannot be read ({error.strerror})", where=str(path)) from error
    image = cv2.imdecode(content, how) if content.size else None
    if image is None:
        raise DataError("is not a picture, or damaged", where=str(path))
    return np.asarray(image, np.uint8)


def write_picture(path: Path, image: NDArray[Any], quality: int = 95) -> None:
    """PNG or JPEG by the name's end; all of it or none."""
    wanted = (
        [cv2.IMWRITE_JPEG_QUALITY, quality] if path.suffix == ".jpg" else [cv2.IMWRITE_PNG_COMPRESSION, 3]
    )
    write_atomically(path, cv2.imencode(path.suffix, image, wanted)[1].tobytes())


def _why_not(people: tuple[Person, ...], image: Image) -> str:
    if not people:
        return "nobody is seen"
    if len(people) > 1:
        return f"{len(people)} people are seen"
    person = people[0]
    if person.mask is None:
        return "the person has no silhouette"
    left, top, right, bottom = person.box
    height, width = image.shape[:2]
    if min(bottom, height) - max(top, 0) < SMALLEST_PX or min(right, width) <= max(left, 0):
        return f"the person is smaller than {SMALLEST_PX} pixels"
    return ""


def _kept(picture: Picture, person: Person, folder: Path) -> Crop:
    """Write a frame's crop and mask."""
    high, wide = picture.image.shape[:2]
    left, top, right, bottom = person.box
    room = MARGIN * (bottom - top)
    x, y = max(0, round(left - room)), max(0, round(top - room))
    width, height = min(wide, round(right + room)) - x, min(high, round(bottom + room)) - y
    assert person.mask is not None
    matrix = np.array(person.mask.to_image, np.float64).reshape(2, 3)
    matrix[:, 2] -= (x, y)
    small = person.mask.numpy().astype(np.uint8) * 255
    mask = cv2.warpAffine(small, matrix, (width, height), flags=cv2.INTER_LINEAR)
    joints = convert(person.keypoints.numpy(), layout_named(person.layout), GAITWAY16).points
    joints[..., :2] -= (x, y)
    name = folder / f"{picture.number:06d}"
    write_picture(name.with_suffix(".png"), picture.image[y : y + height, x : x + width])
    write_picture(name.with_suffix(".mask.png"), np.where(mask > 127, 255, 0).astype(np.uint8))
    told = tuple(tuple(round(float(value), 3) for value in joint) for joint in joints)
    return Crop(picture.number, x, y, width, height, told)  # type: ignore[arg-type]
