"""A folder as a source: its images one after another, or its videos one after another."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from stream.errors import SourceError
from stream.sources.base import MAX_PIXELS, NS_PER_S, Image, Picture, Source, SourceOptions
from stream.sources.container import content_hash
from stream.sources.playlist import PlaylistSource

IMAGES: Final = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"})
VIDEOS: Final = frozenset(
    {".avi", ".flv", ".m4v", ".mjpeg", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".ts", ".webm", ".wmv"}
)
_NUMBER: Final = re.compile(r"(\d+)")


def open_folder(folder: Path, camera: str, options: SourceOptions) -> Source:
    """The folder's images in natural order (2 before 10) as one film, else its videos in that order.

    Hidden files and files of other kinds are passed over; a folder of both is refused, for nobody can tell
    what was meant. Raises SourceError.
    """
    try:
        names = sorted((path for path in folder.iterdir() if path.name[0] != "."), key=_natural)
    except OSError as error:
        raise SourceError(
            f"the folder cannot be read ({error.strerror})", where=str(folder), fix="Check its permissions"
        ) from error
    images = [path for path in names if path.suffix.lower() in IMAGES]
    videos = [path for path in names if path.suffix.lower() in VIDEOS]
    if images and videos:
        raise SourceError(
            f"the folder holds {len(images)} images and {len(videos)} videos",
            where=str(folder),
            wanted="one kind",
            fix="Move one kind elsewhere",
        )
    if images:
        return ImageFolderSource(images, camera, options)
    if videos:
        return PlaylistSource(videos, camera, options)
    raise SourceError(
        "the folder holds neither images nor videos",
        where=str(folder),
        wanted=f"files that end {', '.join(sorted(IMAGES | VIDEOS))}",
        fix="Name another folder, or a file",
    )


def _natural(path: Path) -> list[tuple[bool, int, str]]:
    return [
        (part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in _NUMBER.split(path.name)
    ]


class ImageFolderSource:
    """Images as one film of ``image_fps`` pictures a second; an unreadable one ends it as its ``problem``."""

    live = False

    def __init__(self, paths: list[Path], camera: str, options: SourceOptions) -> None:
        self.camera = camera
        self._paths, self._epoch_ns = paths, options.epoch_ns
        self.fps: float | None = options.image_fps
        self.expected_frames: int | None = len(paths)
        self.problem: SourceError | None = None
        self.notes: tuple[str, ...] = ()
        self._first = _read_image(paths[0])
        self.height: int | None = self._first.shape[0]
        self.width: int | None = self._first.shape[1]
        self.run = content_hash(paths)

    def frames(self) -> Iterator[Picture]:
        """Every image, in order."""
        assert self.fps is not None
        for number, path in enumerate(self._paths):
            captured_ns = self._epoch_ns + round(number * NS_PER_S / self.fps)
            try:
                image = _read_image(path) if number else self._first
            except SourceError as error:
                self.problem = error
                return
            yield Picture(number, captured_ns, captured_ns, image)

    def close(self) -> None:
        """Nothing is held between two images."""


def _read_image(path: Path) -> Image:
    """One image's pixels, upright by its EXIF data, grey and transparent ones as BGR."""
    try:
        image = cv2.imdecode(np.frombuffer(path.read_bytes(), dtype=np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:  # bytes that the decoder itself gives up on
        image = None
    except OSError as error:
        raise SourceError(f"the image cannot be read ({error.strerror})", where=str(path)) from error
    if image is None:
        raise SourceError("not an image", where=str(path), wanted="an image file", fix="Replace or remove it")
    if image.shape[0] * image.shape[1] > MAX_PIXELS:
        raise SourceError(
            f"an image of {image.shape[1]}x{image.shape[0]}", where=str(path), wanted="8K at most"
        )
    return np.asarray(image, dtype=np.uint8)
