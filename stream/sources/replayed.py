"""A recording made by ``run --record``: played back as it was, or in place of a camera.

``replay`` sends perception what it was sent then, frame for frame and end for end. ``recording:DIR`` or
``recording:DIR#CAMERA`` is a source like any file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import av
import numpy as np

from stream.bus import Sender
from stream.errors import SourceError
from stream.feed import Writer
from stream.ledger import Count, Drop, StageLedger
from stream.messages import EndOfStream, FrameRef
from stream.recorder import ORDER, Recorded, RecordedEnd, RecordedFrame, read_order
from stream.sources.base import Image, Picture, SourceOptions
from stream.stop import Stop

PREFIX: Final = "recording:"


def camera_of(line: Recorded) -> str:
    """Which camera a line of the order is about."""
    return line.end.camera if isinstance(line, RecordedEnd) else line.frame.camera


def play(folder: Path, lines: list[Recorded]) -> Iterator[tuple[FrameRef, Image] | EndOfStream]:
    """One camera's frames and ends, in order; raises SourceError where pixels are missing or damaged."""
    film: _Film | None = None
    try:
        for line in lines:
            if isinstance(line, RecordedEnd):
                yield line.end
                continue
            if film is None or film.name != line.file:
                if film is not None:
                    film.close()
                film = _Film(folder, line.file)
            yield line.frame, film.picture(line)
    finally:
        if film is not None:
            film.close()


class _Film:
    """One file of a recording, read forwards."""

    def __init__(self, folder: Path, name: str) -> None:
        self.name, self._path = name, folder / name
        if Path(name).name != name:  # a recording may come from elsewhere: it must not lead out of its folder
            raise SourceError(f"a recording cannot name the file {name[:80]!r}", where=str(folder))
        try:
            self._container = av.open(str(self._path), options={"protocol_whitelist": "file"})
        except av.FFmpegError as error:
            raise SourceError(f"a part of the recording is missing ({error.strerror})", where=name) from error
        self._frames = self._container.decode(video=0)
        self._next = 0

    def picture(self, line: RecordedFrame) -> Image:
        """The pixels of a line's frame."""
        try:
            while self._next < line.at:
                next(self._frames)
                self._next += 1
            frame = next(self._frames)
        except (StopIteration, av.FFmpegError) as error:
            raise SourceError(
                f"the recording is cut short before picture {line.at}", where=str(self._path)
            ) from error
        self._next += 1
        if (frame.width, frame.height) != (line.frame.width, line.frame.height):
            raise SourceError("pictures of another size than recorded", where=str(self._path))
        return np.asarray(frame.reformat(format="bgr24").to_ndarray(), dtype=np.uint8)

    def close(self) -> None:
        self._container.close()


def replay(
    folder: Path, camera: str, writer: Writer, outlet: Sender, ledger: StageLedger, stop: Stop
) -> None:
    """Send one camera's frames and ends as they were then; raises SourceError after ending the stream."""
    lines = [line for line in read_order(folder) if camera_of(line) == camera]
    last = EndOfStream(camera, "", 0, 0, "stopped")
    try:
        for item in play(folder, lines):
            if stop.draining():
                break
            if isinstance(item, EndOfStream):
                last = item
                outlet.send(item, stop.now)
                continue
            frame, image = item
            ledger.count(camera, Count.CAPTURED)
            last = EndOfStream(camera, frame.run, last.frames + 1, frame.captured_ns, "stopped")
            token = writer.write(frame, image, timeout_s=None, stopped=stop.now)
            if token is not None and outlet.send(token, stop.now):
                ledger.count(camera, Count.SENT)
            else:
                ledger.count(camera, Drop.STOPPED)
        else:
            if lines and isinstance(lines[-1], RecordedEnd) and lines[-1].end.last:
                return
        outlet.send(last, stop.now)
    except SourceError as error:
        outlet.send(EndOfStream(camera, last.run, last.frames, last.captured_ns, error.what), stop.now)
        raise
    finally:
        writer.drain(30.0, stop.now)


class RecordedSource:
    """One camera of a recording as a source; its times are those of the recording."""

    live = False
    fps: float | None = None
    problem: SourceError | None = None
    notes: tuple[str, ...] = ()

    def __init__(self, specification: str, camera: str, options: SourceOptions) -> None:
        del options
        place, _, wanted = specification.removeprefix(PREFIX).partition("#")
        self.camera, self._folder = camera, Path(place).expanduser()
        lines = read_order(self._folder)
        there = sorted({camera_of(line) for line in lines})
        if not wanted and len(there) == 1:
            wanted = there[0]
        if wanted not in there:
            raise SourceError(
                "which camera of the recording?",
                where=specification,
                wanted=", ".join(f"#{name}" for name in there),
            )
        self._lines: list[Recorded] = [line for line in lines if camera_of(line) == wanted]
        frames = [line.frame for line in self._lines if isinstance(line, RecordedFrame)]
        self.expected_frames = len(frames)
        self.width = frames[0].width if frames else None
        self.height = frames[0].height if frames else None
        self.run = hashlib.sha256((self._folder / ORDER).read_bytes()).hexdigest()[:16]

    def frames(self) -> Iterator[Picture]:
        """Every frame, in order."""
        number = 0
        try:
            for item in play(self._folder, self._lines):
                if not isinstance(item, EndOfStream):
                    frame, image = item
                    yield Picture(number, frame.captured_ns, frame.source_ns, image)
                    number += 1
        except SourceError as error:
            self.problem = error

    def close(self) -> None:
        """Nothing is held between two frames."""
