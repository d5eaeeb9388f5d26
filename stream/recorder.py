"""``run --record``: every frame that perception looked at, in its order, so that the run can be had again.

    recording.json   what was run: version, settings (credentials left out)
    order.jsonl      a line per frame, and per end of a camera's run, in the order perception took them
    NAME-N.mkv       the pixels of a camera, without loss (FFV1): a file per run and size of picture
    gallery.sqlite   who was known when it began

What was dropped before perception is not there, and so is dropped again: frame numbers show the gaps. The
folder is its user's alone: it holds faces.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import av
import msgspec
from av.container import OutputContainer
from av.video.stream import VideoStream

from stream.errors import FOREIGN, MessageError, ResourceError
from stream.figures import Figure
from stream.frames import Frames, Image
from stream.messages import ControlReply, ControlRequest, EndOfStream, FrameMessage, FrameRef, FrameToken
from stream.stage import Stage

ORDER: Final = "order.jsonl"
_TIME_BASE: Final = 1000
_CODER: Final = {"level": "3", "coder": "0", "context": "0", "g": "1", "slices": "4", "slicecrc": "1"}
"""Every picture for itself, the quickest of FFV1's coders, a checksum per slice."""


class RecordedFrame(msgspec.Struct, frozen=True, tag="frame"):
    """Picture number ``at`` of ``file`` is this frame."""

    frame: FrameRef
    file: str
    at: int


class RecordedEnd(msgspec.Struct, frozen=True, tag="end"):
    """A camera's run ended here."""

    end: EndOfStream


Recorded = RecordedFrame | RecordedEnd


class Recorder:
    """Writes a recording; for perception's thread."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._films: dict[str, _Film] = {}
        try:
            self._order = os.open(
                folder / ORDER, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600
            )
        except OSError as error:
            raise _failed(folder, error) from error

    def write(self, frame: FrameRef, image: Image) -> RecordedFrame:
        """Keep the pixels; the line that says where they are, to be given to ``note``."""
        film = self._films.get(frame.camera)
        if film is None or film.key != (frame.run, frame.width, frame.height):
            film = self._next_film(frame)
        return RecordedFrame(frame, film.path.name, film.add(image))

    def note(self, what: Recorded) -> None:
        """Add a line to the order."""
        try:
            os.write(self._order, msgspec.json.encode(what) + b"\n")
        except OSError as error:
            raise _failed(self._folder, error) from error

    def end(self, end: EndOfStream) -> None:
        """A camera's run is over."""
        film = self._films.pop(end.camera, None)
        if film is not None:
            film.close()
        self.note(RecordedEnd(end))

    def close(self) -> None:
        """Finish all files."""
        for film in self._films.values():
            film.close()
        self._films.clear()
        if self._order >= 0:
            os.close(self._order)
            self._order = -1

    def _next_film(self, frame: FrameRef) -> _Film:
        before = self._films.get(frame.camera)
        if before is not None:
            before.close()
        number = len(list(self._folder.glob(f"{frame.camera}-*.mkv")))
        path = self._folder / f"{frame.camera}-{number}.mkv"
        self._films[frame.camera] = _Film(path, frame)
        return self._films[frame.camera]


class _Film:
    """One file of one camera's pictures."""

    def __init__(self, path: Path, frame: FrameRef) -> None:
        self.path, self.key = path, (frame.run, frame.width, frame.height)
        self._count = 0
        try:
            path.touch(mode=0o600)
            self._container: OutputContainer = av.open(str(path), "w", options={"flush_packets": "1"})
            stream = self._container.add_stream("ffv1", rate=25, options=dict(_CODER))
            assert isinstance(stream, VideoStream), "FFV1 is a video codec"
            self._stream = stream
            stream.width, stream.height, stream.pix_fmt = frame.width, frame.height, "bgr0"
        except (OSError, av.FFmpegError) as error:
            raise _failed(path, error) from error

    def add(self, image: Image) -> int:
        """Append a picture; its number in this file."""
        picture = av.VideoFrame.from_ndarray(image, format="bgr24").reformat(format="bgr0")
        picture.pts = self._count
        try:
            self._container.mux(self._stream.encode(picture))
        except (OSError, av.FFmpegError) as error:
            raise _failed(self.path, error) from error
        self._count += 1
        return self._count - 1

    def close(self) -> None:
        """Finish the file."""
        self._container.mux(self._stream.encode())
        self._container.close()


class RecordedFrames:
    """The pixels a stage looks at, recorded as it does."""

    def __init__(self, frames: Frames, recorder: Recorder) -> None:
        self._frames, self._recorder = frames, recorder

    @contextmanager
    def lease(self, token: FrameToken) -> Iterator[Image]:
        """As ``frames`` lease; a frame that turns out stale is not in the order."""
        with self._frames.lease(token) as image:
            line = self._recorder.write(token.frame, image)
            yield image
        self._recorder.note(line)


class RecordedStage:
    """Perception, its cameras' ends recorded."""

    def __init__(self, stage: Stage, recorder: Recorder) -> None:
        self._stage, self._recorder = stage, recorder

    @property
    def inner(self) -> Stage:
        """The stage itself."""
        return self._stage

    def handle(self, message: FrameMessage) -> Iterable[FrameMessage]:
        """As the stage does."""
        return self._stage.handle(message)

    def finish(self, end: EndOfStream) -> Iterable[FrameMessage]:
        """Note the end."""
        self._recorder.end(end)
        return self._stage.finish(end)

    def control(self, request: ControlRequest) -> ControlReply:
        """As the stage does."""
        return self._stage.control(request)

    def figures(self) -> Iterable[Figure]:
        """As the stage does."""
        return self._stage.figures()

    def close(self) -> None:
        """Finish the recording too."""
        try:
            self._stage.close()
        finally:
            self._recorder.close()


def read_order(folder: Path) -> list[Recorded]:
    """The lines of a recording; a torn last one is left out. Raises ResourceError, MessageError."""
    path = folder / ORDER
    try:
        lines = path.read_bytes().splitlines(keepends=True)
    except OSError as error:
        raise ResourceError(
            f"no recording ({error.strerror})", where=str(folder), fix="Make one with run --record DIR"
        ) from error
    decoder = msgspec.json.Decoder(Recorded)
    try:
        return [decoder.decode(line) for line in lines if line.endswith(b"\n")]
    except FOREIGN as error:
        raise MessageError(f"damaged recording ({error})", where=str(path)) from error


def _failed(where: Path, error: OSError | av.FFmpegError) -> ResourceError:
    return ResourceError(
        f"the recording cannot be written ({error.strerror})", where=str(where), fix="Free the disk"
    )
