"""The annotated video: boxes, silhouettes, skeletons and names drawn over the frames they belong to.

Drawn afterwards from what the stages sent each other (their traces) and the event log, so that the picture
shows what the pipeline knew at that moment and the running pipeline pays nothing for it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Final, Protocol

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from commands.colours import AMBER, GREY, Colour, colours_of
from gait.skeleton import layout_named
from stream.errors import ResourceError
from stream.messages import Event, Identity, People, Person, Track, Tracked

Image = NDArray[np.uint8]

TIME_BASE: Final = Fraction(1, 90_000)


@dataclass(frozen=True)
class Label:
    """What is written over a person, and in which colour."""

    text: str
    colour: Colour
    note: str = ""


class Labels(Protocol):
    """Knows what to write over whom."""

    def label(self, tracklet: str, at_ns: int) -> Label:
        """The label at ``at_ns``."""
        ...


class Continued:
    """Which earlier tracklet each one continues, as it stood at any instant."""

    def __init__(self) -> None:
        self._said: dict[str, list[tuple[int, str | None]]] = defaultdict(list)

    @classmethod
    def of(cls, events: Iterable[Event]) -> Continued:
        """What the links and retractions among the events say."""
        found = cls()
        for event in events:
            if event.tracklet and event.link:
                earlier = event.link.earlier if event.kind == "link" else None
                found.say(event.tracklet, event.captured_ns, earlier)
        return found

    def say(self, tracklet: str, at_ns: int, earlier: str | None) -> None:
        """From ``at_ns`` on it continues ``earlier``, or nobody."""
        self._said[tracklet].append((at_ns, earlier))

    def earlier(self, tracklet: str, at_ns: int) -> str | None:
        """The tracklet that it was known to continue at ``at_ns``."""
        found = None
        for since_ns, earlier in self._said.get(tracklet, ()):
            if since_ns <= at_ns:
                found = earlier
        return found

    def first(self, tracklet: str, at_ns: int) -> str:
        """The tracklet that the chain begins with."""
        while (earlier := self.earlier(tracklet, at_ns)) is not None:
            tracklet = earlier
        return tracklet


class Names:
    """The answer for each tracklet as it stood at any instant, from the events."""

    def __init__(self, events: Sequence[Event]) -> None:
        self._colours = colours_of(events)
        self._continued = Continued.of(events)
        self._answers: dict[str, list[tuple[int, Identity]]] = defaultdict(list)
        for event in events:
            if event.tracklet and event.identity:
                self._answers[event.tracklet].append((event.captured_ns, event.identity))

    def label(self, tracklet: str, at_ns: int) -> Label:
        """The answer at ``at_ns``, with the number of the tracklet that this one continues."""
        answer = self._answer(tracklet, at_ns)
        earlier = self._continued.earlier(tracklet, at_ns)
        return replace(answer, note=f"was {number_of(earlier)}") if earlier else answer

    def _answer(self, tracklet: str, at_ns: int) -> Label:
        answer = None
        for captured_ns, identity in self._answers.get(tracklet, ()):
            if captured_ns <= at_ns:
                answer = identity
        if answer is None or answer.answer == "insufficient_evidence":
            return Label("...", GREY)
        if answer.answer == "unknown":
            return Label("unknown", AMBER)
        name = answer.name or answer.person or "?"
        share = f" {answer.probability:.0%}" if answer.probability is not None else ""
        return Label(name + share, self._colours.get(name, GREY))


def number_of(tracklet: str) -> str:
    """A tracklet's own number: ids are camera/run/number."""
    return tracklet.rpartition("/")[2]


def draw(image: Image, people: People, tracked: Tracked, names: Labels) -> Image:
    """A copy of ``image`` with everyone who is tracked in it."""
    canvas = image.copy()
    shown = [
        (track, people.people[track.person])
        for track in tracked.tracks
        if track.person is not None and track.person < len(people.people)
    ]
    labels = [names.label(str(track.tracklet), tracked.frame.captured_ns) for track, _ in shown]
    for (_, person), label in zip(shown, labels, strict=True):
        _tint(canvas, person, label.colour)
    for (track, person), label in zip(shown, labels, strict=True):
        _bones(canvas, person, label.colour)
        _plate(canvas, track, label)
    return canvas


def _tint(canvas: Image, person: Person, colour: Colour) -> None:
    if person.mask is None:
        return
    height, width = canvas.shape[:2]
    to_image = np.asarray(person.mask.to_image, dtype=np.float64).reshape(2, 3)
    crop = person.mask.numpy().astype(np.uint8) * 255
    corners = np.array(
        [[0, 0, 1], [crop.shape[1], 0, 1], [0, crop.shape[0], 1], [crop.shape[1], crop.shape[0], 1]]
    )
    placed = corners @ to_image.T
    left, top = np.floor(np.clip(placed.min(axis=0), 0, [width, height])).astype(int)
    right, bottom = np.ceil(np.clip(placed.max(axis=0), 0, [width, height])).astype(int)
    if right <= left or bottom <= top:
        return
    local = to_image.copy()
    local[:, 2] -= (left, top)
    mask = cv2.warpAffine(crop, local, (int(right - left), int(bottom - top)), flags=cv2.INTER_LINEAR) > 127
    region = canvas[top:bottom, left:right]
    region[mask] = (0.6 * region[mask] + 0.4 * np.array(colour)).astype(np.uint8)
    outline, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    cv2.drawContours(region, outline, -1, colour, 1, cv2.LINE_AA)


def _bones(canvas: Image, person: Person, colour: Colour) -> None:
    points = person.keypoints.numpy()
    bright = tuple(min(255, c + 60) for c in colour)
    for start, end in layout_named(person.layout).edges:
        if min(points[start, 2], points[end, 2]) > 0.5:
            cv2.line(canvas, _pixel(points[start]), _pixel(points[end]), bright, 2, cv2.LINE_AA)


def _pixel(point: NDArray[np.float32]) -> tuple[int, int]:
    x, y = np.clip(np.nan_to_num(point[:2]), -1e4, 1e4)
    return round(float(x)), round(float(y))


def _plate(canvas: Image, track: Track, label: Label) -> None:
    left, top, right, bottom = (round(v) for v in track.box)
    cv2.rectangle(canvas, (left, top), (right, bottom), label.colour, 2, cv2.LINE_AA)
    scale = max(0.5, canvas.shape[0] / 1000)
    text = f"{label.text} ({label.note})" if label.note else label.text
    (width, height), base = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)
    y = max(top, height + base + 4)
    cv2.rectangle(canvas, (left, y - height - base - 4), (left + width + 8, y), label.colour, cv2.FILLED)
    cv2.putText(
        canvas,
        text,
        (left + 4, y - base),
        cv2.FONT_HERSHEY_SIMPLEX,
        scale,
        (20, 20, 20),
        1,
        cv2.LINE_AA,
    )


def write_video(path: Path, frames: Iterator[tuple[float, Image]]) -> int:
    """Write (seconds, image) pairs as H.264 that browsers play; the number of frames written."""
    count = 0
    try:
        with av.open(str(path), "w") as container:
            stream = None
            for seconds, image in frames:
                even = image[: image.shape[0] & ~1, : image.shape[1] & ~1]
                if stream is None:
                    stream = container.add_stream(
                        "libx264", rate=25, options={"crf": "26", "preset": "veryfast"}
                    )
                    stream.height, stream.width = even.shape[:2]
                    stream.pix_fmt = "yuv420p"
                    stream.time_base = stream.codec_context.time_base = TIME_BASE
                frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(even), format="bgr24")
                frame.time_base, frame.pts = TIME_BASE, round(seconds / TIME_BASE)
                container.mux(stream.encode(frame))
                count += 1
            if stream is not None:
                container.mux(stream.encode(None))
    except (OSError, av.error.FFmpegError) as error:
        raise ResourceError(
            f"the annotated video cannot be written ({error})",
            where=str(path),
            fix="Free some disk space or name another folder with --out",
        ) from error
    return count


def by_frame(
    people: Iterable[People], tracked: Iterable[Tracked], camera: str
) -> tuple[Mapping[int, People], Mapping[int, Tracked]]:
    """One camera's traces, by frame number."""
    return (
        {message.frame.number: message for message in people if message.frame.camera == camera},
        {message.frame.number: message for message in tracked if message.frame.camera == camera},
    )


def contact_sheet(images: Sequence[Image], columns: int, width: int) -> Image:
    """Pictures in rows, each ``width`` wide; missing places stay dark."""
    small = [
        cv2.resize(i, (width, round(i.shape[0] * width / i.shape[1])), interpolation=cv2.INTER_AREA)
        for i in images
    ]
    height = max(i.shape[0] for i in small)
    rows = -(-len(small) // columns)
    sheet = np.full((rows * height, columns * width, 3), 24, np.uint8)
    for index, picture in enumerate(small):
        top, left = index // columns * height, index % columns * width
        sheet[top : top + picture.shape[0], left : left + width] = picture
    return sheet
