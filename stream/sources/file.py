"""A recorded video file as a source: every picture, in order, on the file's own clock."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from stream.errors import SourceError
from stream.sources.base import NS_PER_S, Picture, SourceOptions
from stream.sources.clock import RecordedClock
from stream.sources.container import content_hash
from stream.sources.picture import BgrConverter, stamp_of
from stream.sources.recording import Recording


class FileSource:
    """Every picture of one video file; never drops.

    Opening decodes the first picture, so that size and readability are known at once, and raises SourceError
    for whatever leaves nothing to read. A file cut short hands out what is there, then sets ``problem``.
    """

    live = False

    def __init__(self, path: Path, camera: str, options: SourceOptions) -> None:
        self.camera = camera
        self._recording = Recording(path, options.decode_threads)
        self.fps = self._recording.fps
        self.expected_frames = self._recording.expected_frames
        self.problem: SourceError | None = None
        step_ns = round(NS_PER_S / self.fps) if self.fps else None
        self._clock = RecordedClock(options.epoch_ns, step_ns)
        self._converter = BgrConverter(str(path), self._recording.stream.sample_aspect_ratio)
        self._pictures = self._decode()
        try:
            self._first = self._peek()
            self.run = content_hash([path])
        except SourceError:
            self.close()
            raise
        self.height: int | None = self._first.image.shape[0]
        self.width: int | None = self._first.image.shape[1]

    def _peek(self) -> Picture:
        for first in self._pictures:
            return first
        problem = self._recording.problem()
        assert problem is not None, "a recording without a picture has a problem"
        raise problem

    def _decode(self) -> Iterator[Picture]:
        for number, frame in enumerate(self._recording.frames()):
            stamp_ns = stamp_of(frame)
            captured_ns = self._clock.capture(stamp_ns)
            source_ns = captured_ns if stamp_ns is None else stamp_ns
            yield Picture(number, captured_ns, source_ns, self._converter.image(frame))

    def frames(self) -> Iterator[Picture]:
        """Every picture, in order; call once. A picture too large ends the recording as its ``problem``."""
        yield self._first
        try:
            yield from self._pictures
        except SourceError as error:
            self.problem = error
            return
        self.problem = self._recording.problem()

    @property
    def notes(self) -> tuple[str, ...]:
        """What was repaired or skipped, one line each."""
        return self._recording.notes + self._clock.notes

    def close(self) -> None:
        """Close the file."""
        self._recording.close()
