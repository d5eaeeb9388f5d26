"""Perception on real clips: people per frame, and a contact sheet with overlays to look at."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.report import Figure
from engines.perceive import PerceiveStage, Perception
from stream.errors import ResourceError, SourceError
from stream.messages import EndOfStream, FrameRef, FrameToken, People, Person

Image = NDArray[np.uint8]

PER_CLIP: Final = 12
COLUMNS: Final = 4
TILE: Final = (480, 270)
SURE: Final = 0.5


class LastFrame:
    """Holds one picture at a time; the stage leases it as it would one in shared memory."""

    def __init__(self) -> None:
        self._image: Image | None = None

    def hold(self, image: Image, run_name: str, number: int, fps: float) -> FrameToken:
        """Keep this picture alone, and speak of it as a source would."""
        self._image = image
        height, width = image.shape[:2]
        at_ns = round(number / fps * 1e9)
        return FrameToken(FrameRef("bench", run_name, number, at_ns, at_ns, width, height), "last", 0, number)

    @contextmanager
    def lease(self, token: FrameToken) -> Iterator[Image]:
        """The picture, read-only."""
        if self._image is None or token.ring != "last":
            raise SourceError("no such picture", where=token.ring)
        view = self._image.view()
        view.flags.writeable = False
        yield view


def show_clips(perception: Perception, clips: Sequence[Path], sheet: Path, most: int) -> dict[str, Figure]:
    """Figures of each clip by its name; the sheet is written to ``sheet``."""
    found: dict[str, Figure] = {}
    tiles: list[Image] = []
    for clip in clips:
        counts, seconds, drawn = watch(perception, clip, most)
        found[f"{clip.stem}: frames"] = len(counts)
        found[f"{clip.stem}: people per frame"] = " ".join(map(str, counts))
        found[f"{clip.stem}: mean people"] = float(np.mean(counts))
        found[f"{clip.stem}: ms per frame"] = 1e3 * seconds / len(counts)
        tiles += drawn
    write_sheet(tiles, sheet)
    found["contact sheet"] = str(sheet)
    return found


def watch(perception: Perception, clip: Path, most: int) -> tuple[list[int], float, list[Image]]:
    """People per frame, the seconds that perception took, and drawn samples of one clip."""
    held = LastFrame()
    stage = PerceiveStage(held, perception)
    counts: list[int] = []
    drawn: list[Image] = []
    seconds = 0.0
    every = max(most // PER_CLIP, 1)
    for number, image in enumerate(pictures(clip, most)):
        token = held.hold(image, clip.stem, number, 25.0)
        started = time.perf_counter()
        (people,) = stage.handle(token)
        seconds += time.perf_counter() - started
        assert isinstance(people, People)
        counts.append(len(people.people))
        if number % every == 0 and len(drawn) < PER_CLIP:
            drawn.append(shrunk(drawing(image, people)))
    stage.finish(EndOfStream("bench", clip.stem, len(counts), 0))
    if not counts:
        raise SourceError("no pictures in this file", where=str(clip))
    return counts, seconds, drawn


def pictures(clip: Path, most: int) -> Iterator[Image]:
    """The first ``most`` pictures as BGR; raises SourceError where the file cannot be read."""
    try:
        with av.open(str(clip)) as container:
            for number, frame in enumerate(container.decode(video=0)):
                if number >= most:
                    return
                yield np.asarray(frame.to_ndarray(format="bgr24"), dtype=np.uint8)
    except (OSError, IndexError, av.FFmpegError) as error:
        raise SourceError(
            f"cannot read this clip ({error})", where=str(clip), wanted="a video file"
        ) from error


def drawing(image: Image, people: People) -> Image:
    """A copy with silhouettes tinted, boxes, joints and follower numbers."""
    canvas = image.copy()
    for person in people.people:
        draw_person(canvas, person)
    cv2.putText(canvas, str(people.frame.number), (8, 28), cv2.FONT_HERSHEY_SIMPLEX, 0.9, (0, 255, 255), 2)
    return canvas


def shrunk(image: Image) -> Image:
    """The picture in a tile of the sheet, in its own proportions."""
    scale = min(TILE[0] / image.shape[1], TILE[1] / image.shape[0])
    size = (max(round(image.shape[1] * scale), 1), max(round(image.shape[0] * scale), 1))
    tile = np.zeros((TILE[1], TILE[0], 3), np.uint8)
    tile[: size[1], : size[0]] = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return tile


def draw_person(canvas: Image, person: Person) -> None:
    """Tint, box and joints of one person, in a colour of their follower's number."""
    hue = (person.hint or 0) * 47 % 180
    colour = cv2.cvtColor(np.array([[[hue, 220, 255]]], np.uint8), cv2.COLOR_HSV2BGR)[0, 0].tolist()
    height, width = canvas.shape[:2]
    if person.mask is not None:
        affine = np.array(person.mask.to_image).reshape(2, 3)
        bits = person.mask.numpy().view(np.uint8)
        whole = cv2.warpAffine(bits, affine, (width, height), flags=cv2.INTER_NEAREST) > 0
        canvas[whole] = (0.5 * canvas[whole] + 0.5 * np.array(colour)).astype(np.uint8)
    left, top, right, bottom = (round(edge) for edge in person.box)
    cv2.rectangle(canvas, (left, top), (right, bottom), colour, 2)
    label = f"{person.hint} {person.score:.2f}"
    cv2.putText(canvas, label, (left, max(top - 5, 12)), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (255, 255, 255), 1)
    for x, y, sure in person.keypoints.numpy():
        if sure >= SURE:
            cv2.circle(canvas, (round(float(x)), round(float(y))), 2, (0, 0, 255), -1)


def write_sheet(tiles: Sequence[Image], path: Path) -> None:
    """All tiles in rows of one picture file."""
    blank = np.zeros((TILE[1], TILE[0], 3), np.uint8)
    padded = [*tiles, *[blank] * (-len(tiles) % COLUMNS)]
    rows = [np.hstack(padded[k : k + COLUMNS]) for k in range(0, len(padded), COLUMNS)]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        written = cv2.imwrite(str(path), np.vstack(rows))
    except (OSError, cv2.error) as error:
        raise ResourceError(f"cannot write the contact sheet ({error})", where=str(path)) from error
    if not written:
        raise ResourceError("cannot write the contact sheet", where=str(path))
