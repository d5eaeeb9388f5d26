"""Several videos as one recording: what a camera wrote into a folder, file after file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from stream.errors import SourceError
from stream.sources.base import NS_PER_S, Picture, SourceOptions
from stream.sources.container import content_hash
from stream.sources.file import FileSource


class PlaylistSource:
    """Plays files one after another as one run; each begins one picture after the end of the one before.

    A file that cannot be opened, or is cut short, ends the recording as its ``problem``: what is missing is
    not silently left out.
    """

    live = False

    def __init__(self, paths: list[Path], camera: str, options: SourceOptions) -> None:
        self.camera = camera
        self._paths, self._options = paths, options
        self._playing = FileSource(paths[0], camera, options)
        self.width, self.height, self.fps = self._playing.width, self._playing.height, self._playing.fps
        first = self._playing.expected_frames
        self.expected_frames = first if len(paths) == 1 else None
        self.problem: SourceError | None = None
        self._notes: list[str] = []
        try:
            self.run = content_hash(paths)
        except SourceError:
            self.close()
            raise

    def frames(self) -> Iterator[Picture]:
        """Every picture of every file, numbered through."""
        number = 0
        begin_ns = self._options.epoch_ns
        for position, path in enumerate(self._paths):
            try:
                if position:
                    self._playing = FileSource(path, self.camera, self._options)
            except SourceError as error:
                self.problem = error
                return
            step_ns = round(NS_PER_S / (self._playing.fps or 25.0))
            shift_ns = begin_ns - self._options.epoch_ns
            for picture in self._playing.frames():
                shifted = replace(picture, number=number, captured_ns=picture.captured_ns + shift_ns)
                yield shifted
                number += 1
                begin_ns = shifted.captured_ns + step_ns
            self._notes += [f"{path.name}: {note}" for note in self._playing.notes]
            self.problem = self._playing.problem
            self._playing.close()
            if self.problem:
                return

    @property
    def notes(self) -> tuple[str, ...]:
        """What was repaired or skipped, by file."""
        return tuple(self._notes)

    def close(self) -> None:
        """Close the file being played."""
        self._playing.close()
