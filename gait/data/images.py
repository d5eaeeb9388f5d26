"""Silhouette pictures into aligned silhouettes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from gait.data.errors import DataError
from gait.data.source import Loaded, make_walk
from gait.silhouette import HEIGHT, align

PICTURES: Final = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".pgm"})
# A person of fewer pixels than this is noise of the segmentation.
MIN_PIXELS: Final = 40
WIDTH: Final = 64
"""Prepared silhouettes are square; a net that wants 44 columns cuts them from the middle."""


def pictures_in(folder: Path) -> tuple[Path, ...]:
    """The pictures of a folder, in order of name."""
    return tuple(sorted(p for p in folder.iterdir() if p.suffix.lower() in PICTURES and p.is_file()))


def load_silhouettes(paths: Sequence[Path], width: int = WIDTH) -> Loaded:
    """A walk of the pictures with somebody in them; raises DataError where none has, or one is damaged."""
    return aligned_walk((_mask(path) for path in paths), str(paths[0].parent), width)


def aligned_walk(masks: Iterable[NDArray[np.uint8]], where: str, width: int = WIDTH) -> Loaded:
    """Masks of any size, 0 and above 127, aligned; those with hardly anybody are counted as lost."""
    images, lost = [], 0
    for mask in masks:
        body = (mask > 127).astype(np.uint8)
        aligned = align(body, HEIGHT, width) if np.count_nonzero(body) >= MIN_PIXELS else None
        if aligned is None:
            lost += 1
        else:
            images.append(aligned.image)
    if not images:
        raise DataError(f"nobody is in any of its {lost} pictures", where=where)
    return Loaded(make_walk(np.stack(images)), lost)


def _mask(path: Path) -> NDArray[np.uint8]:
    try:
        content = np.frombuffer(path.read_bytes(), np.uint8)
    except OSError as error:
        raise DataError(f"cannot be read ({error.strerror})", where=str(path)) from error
    image = cv2.imdecode(content, cv2.IMREAD_GRAYSCALE) if content.size else None
    if image is None:
        raise DataError("is not a picture, or damaged", where=str(path))
    return np.asarray(image, np.uint8)
