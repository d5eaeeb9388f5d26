"""What was seen of a recording by whom it was: boxes, tracklets and links, as files and as pictures."""

from __future__ import annotations

import configparser
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from commands.colours import PALETTE
from commands.overlay import Continued, Image, Label, draw, number_of
from stream.errors import ConfigError, ResourceError
from stream.messages import Link, People, Retraction, Tracked
from stream.sources import open_source
from trackers.mot import MotRow, Recording, write_mot

TRACKS: Final = "tracks.txt"
LINKED: Final = "linked.txt"
DETECTIONS: Final = "detections.txt"
SEQUENCE: Final = "seqinfo.ini"
NS: Final = 1e-9


@dataclass
class Followed:
    """One camera's run: boxes as a detector and as a tracker says them, and the links between tracklets."""

    detections: list[MotRow] = field(default_factory=list)
    tracks: list[MotRow] = field(default_factory=list)
    earlier: dict[int, int] = field(default_factory=dict)
    continued: Continued = field(default_factory=Continued)
    retracted: int = 0
    frames: int = 0

    def take(self, people: People, tracked: Tracked) -> None:
        """Add one frame; a track's box is its detection's, ids count from 1."""
        frame = people.frame.number + 1
        self.frames = max(self.frames, frame)
        self.detections += [MotRow(frame, -1, one.box, one.score) for one in people.people]
        for track in tracked.tracks:
            if track.confirmed and track.person is not None:
                box = people.people[track.person].box
                self.tracks.append(MotRow(frame, track.tracklet.n + 1, box))

    def note(self, statement: Link | Retraction) -> None:
        """Add what was said of two tracklets."""
        link = statement.link if isinstance(statement, Retraction) else statement
        later = link.later.n + 1
        if isinstance(statement, Retraction):
            self.retracted += 1
            self.earlier.pop(later, None)
            self.continued.say(str(link.later), statement.at_ns, None)
        else:
            self.earlier[later] = link.earlier.n + 1
            self.continued.say(str(link.later), link.at_ns, str(link.earlier))

    @property
    def ids(self) -> int:
        """How many tracklets there were."""
        return len({row.person for row in self.tracks})

    @property
    def chains(self) -> int:
        """How many there are when linked ones count as one."""
        return len({row.person for row in self.linked()})

    def linked(self) -> list[MotRow]:
        """The tracks, each under the id that its chain of links begins with."""
        return [MotRow(row.frame, self._first(row.person), row.box) for row in self.tracks]

    def _first(self, who: int) -> int:
        while who in self.earlier:
            who = self.earlier[who]
        return who

    def write(self, folder: Path, recording: Recording) -> None:
        """The MOTChallenge files; raises ResourceError where they cannot be written."""
        try:
            folder.mkdir(parents=True, exist_ok=True)
            write_mot(folder / DETECTIONS, self.detections)
            write_mot(folder / TRACKS, self.tracks)
            write_mot(folder / LINKED, self.linked())
            (folder / SEQUENCE).write_text(_sequence(recording, self.frames), encoding="utf-8")
        except OSError as error:
            raise ResourceError(
                f"the results cannot be written ({error.strerror})",
                where=str(folder),
                fix="Free some disk space or name another folder with --out",
            ) from error


class Numbers:
    """Labels for people without names: the number that a chain begins with, and the tracklet's own."""

    def __init__(self, continued: Continued) -> None:
        self._continued = continued

    def label(self, tracklet: str, at_ns: int) -> Label:
        """One number and colour for all of a chain."""
        first = int(number_of(self._continued.first(tracklet, at_ns)))
        own = int(number_of(tracklet))
        return Label(str(first + 1), PALETTE[first % len(PALETTE)], f"id {own + 1}" if own != first else "")


def drawn(
    source: str, camera: str, frames: Iterable[tuple[People, Tracked]], continued: Continued
) -> Iterator[tuple[float, Image]]:
    """(seconds, picture) for each frame: everyone with outline, skeleton and number."""
    labels, begin_ns = Numbers(continued), None
    opened = open_source(source, camera)
    try:
        pictures = opened.frames()
        for people, tracked in frames:
            picture = next((one for one in pictures if one.number >= people.frame.number), None)
            if picture is None or picture.number != people.frame.number:
                break
            begin_ns = picture.captured_ns if begin_ns is None else begin_ns
            yield (picture.captured_ns - begin_ns) * NS, draw(picture.image, people, tracked, labels)
    finally:
        opened.close()


def _sequence(recording: Recording, frames: int) -> str:
    return (
        f"[Sequence]\nname={recording.name}\nframeRate={recording.fps:g}\nseqLength={frames}\n"
        f"imWidth={recording.width}\nimHeight={recording.height}\n"
    )


def described(file: Path, fps: float | None, size: str | None) -> Recording:
    """The recording that a detection file belongs to: by what is given, or by its seqinfo.ini."""
    places = (file.parent / SEQUENCE, file.parent.parent / SEQUENCE)
    beside = next((place for place in places if place.is_file()), None)
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read(beside or (), encoding="utf-8")
        known = parser["Sequence"] if parser.has_section("Sequence") else {}
        wide, high = (size or f"{known['imWidth']}x{known['imHeight']}").split("x")
        rate = float(known["frameRate"]) if fps is None else fps
        name = known.get("name", file.stem)
        recording = Recording(name, rate, int(wide), int(high))
    except (KeyError, ValueError, UnicodeDecodeError, configparser.Error) as error:
        raise _unknown(file) from error
    if not (recording.fps > 0 and recording.width > 0 and recording.height > 0):
        raise _unknown(file)
    return recording


def _unknown(file: Path) -> ConfigError:
    return ConfigError(
        "a detection file says neither its frame rate nor its picture size",
        where=str(file),
        wanted=f"--fps N --size WxH, or {SEQUENCE} beside it",
    )
