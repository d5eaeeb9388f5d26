"""From a decoder's frame to the BGR pixels that the pipeline sees: upright, square pixels, one copy."""

from __future__ import annotations

from fractions import Fraction
from typing import Final, cast

import av
import cv2
import numpy as np
from av.sidedata.sidedata import SideDataContainer
from av.sidedata.sidedata import Type as SideData
from av.video.reformatter import VideoReformatter

from stream.errors import SourceError
from stream.sources.base import MAX_PIXELS, Image
from stream.sources.clock import to_ns

_ANAMORPHIC: Final = 0.01
"""Pixels within 1 % of square are taken as square (some cameras state 1081:1080)."""


class BgrConverter:
    """Converts one stream's frames; keeps its scaler, which costs a fifth of a conversion to set up.

    Rotation and mirroring by metadata are applied (to the nearest right angle), and pixels that are not
    square are stretched, never shrunk: gait is read from proportions.
    """

    def __init__(self, where: str, pixel_aspect: Fraction | None = None) -> None:
        self._where = where
        square = not pixel_aspect or abs(pixel_aspect - 1) <= _ANAMORPHIC
        self._pixel_aspect = Fraction(1) if square or pixel_aspect is None else pixel_aspect
        self._scaler = VideoReformatter()

    def image(self, frame: av.VideoFrame) -> Image:
        """The frame's pixels; raises SourceError for one beyond 8K or of no known kind."""
        width = round(frame.width * max(self._pixel_aspect, Fraction(1)))
        height = round(frame.height / min(self._pixel_aspect, Fraction(1)))
        if not 0 < width * height <= MAX_PIXELS:
            raise SourceError(
                f"pictures of {width}x{height}",
                where=self._where,
                wanted=f"at most {MAX_PIXELS} pixels (7680x4320)",
                fix="Convert it to a smaller size first",
            )
        # One thread: a 720p conversion takes 0.3 ms, waking others costs more than it saves.
        try:
            bgr = self._scaler.reformat(frame, width=width, height=height, format="bgr24", threads=1)
        except (av.FFmpegError, ValueError) as error:
            raise SourceError(
                f"pictures of the kind {frame.format.name} cannot be converted ({error})", where=self._where
            ) from error
        return _upright(np.asarray(bgr.to_ndarray(), dtype=np.uint8), frame)


def stamp_of(frame: av.VideoFrame) -> int | None:
    """The frame's presentation time in nanoseconds of the stream's own clock, or None where it has none."""
    if frame.pts is None or frame.time_base is None:
        return None
    return to_ns(frame.pts, frame.time_base)


def _upright(image: Image, frame: av.VideoFrame) -> Image:
    """Apply the display matrix: (x, y) is shown at (a x + c y, b x + d y)."""
    try:  # PyAV's stub calls this a TypedDict of other keys
        matrix = bytes(cast(SideDataContainer, frame.side_data)[SideData.DISPLAYMATRIX])
    except KeyError:
        return image
    a, b, _, c, d = (int(value) for value in np.frombuffer(matrix, dtype="<i4")[:5])
    if abs(a) + abs(d) < abs(b) + abs(c):
        image = np.asarray(cv2.transpose(image), dtype=np.uint8)
        mirror, turn = c < 0, b < 0
    else:
        mirror, turn = a < 0, d < 0
    if mirror or turn:
        code = -1 if mirror and turn else 1 if mirror else 0
        image = np.asarray(cv2.flip(image, code), dtype=np.uint8)
    return image
