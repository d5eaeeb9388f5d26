"""MOTChallenge text files: frame, id, left, top, width, height, score, class, visibility.

Frames count from 1 (Dendorfer et al., "MOTChallenge", IJCV 2021, table 2). Ground truth is class 1 (a person)
with score 1; evaluators silently score 0 where a truth file's eighth column is anything else.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from stream.errors import GaitwayError
from stream.messages import Array, Box, FrameRef, People, Person, Quality
from trackers.config import NS_PER_S

PEDESTRIAN = 1
BOXES_ONLY = "boxes"
"""The keypoint layout of people of whom only boxes are known."""
NO_KEYPOINTS = Array.of(np.zeros((0, 3), np.float32))


class MotRow(msgspec.Struct, frozen=True, order=True):
    """One box in one frame; ``person`` is -1 for a detection without identity."""

    frame: int
    person: int
    box: Box
    score: float = 1.0
    kind: int = PEDESTRIAN
    visibility: float = 1.0

    def line(self) -> str:
        """The row as text, pixels to a hundredth."""
        left, top, right, bottom = self.box
        return (
            f"{self.frame},{self.person},{left:.2f},{top:.2f},{right - left:.2f},{bottom - top:.2f},"
            f"{self.score:.4f},{self.kind},{self.visibility:.3f}"
        )


@dataclass(frozen=True)
class Recording:
    """What a MOTChallenge file leaves out: the sequence's name, rate, picture size, and when it began."""

    name: str
    fps: float
    width: int
    height: int
    epoch_ns: int = 0


def people_of(rows: Iterable[MotRow], recording: Recording) -> Iterator[People]:
    """The detections of ``rows`` as perception would say them, frame by frame, empty frames included."""
    by_frame: dict[int, list[Person]] = {}
    for row in rows:
        person = Person(
            row.box, min(row.score, 1.0), BOXES_ONLY, NO_KEYPOINTS, Quality(row.box[3] - row.box[1])
        )
        by_frame.setdefault(row.frame, []).append(person)
    for frame in range(1, max(by_frame, default=0) + 1):
        source_ns = round((frame - 1) / recording.fps * NS_PER_S)
        size = (recording.width, recording.height)
        ref = FrameRef(recording.name, "mot", frame - 1, recording.epoch_ns + source_ns, source_ns, *size)
        yield People(ref, tuple(by_frame.get(frame, ())))


def write_mot(path: Path, rows: Iterable[MotRow]) -> None:
    """Write ``rows`` in the order they come."""
    path.write_text("".join(f"{row.line()}\n" for row in rows), encoding="ascii")


def read_mot(path: Path) -> tuple[MotRow, ...]:
    """The rows of a truth, result or detection file, in its order; raises GaitwayError for a bad line.

    Missing columns after the sixth take their defaults, as do the class and visibility of detections (-1).
    Ten columns are the form of 2015, whose last three are a place in the world: all its boxes are people.
    """
    try:
        lines = path.read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise GaitwayError(
            f"cannot be read ({error})", where=str(path), wanted="a MOTChallenge text file"
        ) from error
    return tuple(_read_row(line, f"{path}:{n}") for n, line in enumerate(lines, 1) if line.strip())


def _read_row(line: str, where: str) -> MotRow:
    wanted = "frame,id,left,top,width,height[,score[,class[,visibility]]] with frames from 1"
    try:
        values = [float(field) for field in line.split(",")]
    except ValueError as error:
        raise GaitwayError(f"not a row of numbers: {line[:60]!r}", where=where, wanted=wanted) from error
    if len(values) < 6 or not all(map(math.isfinite, values[:6])) or values[0] < 1:
        raise GaitwayError(f"not a row of a box: {line[:60]!r}", where=where, wanted=wanted)
    frame, person, left, top, width, height, *rest = values
    score = rest[0] if rest else 1.0
    if len(rest) == 4:
        del rest[1:]
    kind = int(rest[1]) if len(rest) > 1 and 0 < rest[1] < math.inf else PEDESTRIAN
    visibility = rest[2] if len(rest) > 2 and rest[2] >= 0 else 1.0
    box = (left, top, left + width, top + height)
    return MotRow(int(frame), int(person), box, score, kind, visibility)
