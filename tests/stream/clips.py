"""Small test clips, made on the fly: each frame says its number, so that loss and order show."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.stream import VideoStream

from stream.sources.base import Image

BITS = 8


def numbered(number: int, width: int = 64, height: int = 48) -> Image:
    """A grey picture whose top half holds ``number`` as eight black or white bars."""
    image = np.full((height, width, 3), 110, dtype=np.uint8)
    for bit in range(BITS):
        value = 235 if number >> bit & 1 else 16
        image[: height // 2, width * bit // BITS : width * (bit + 1) // BITS] = value
    return image


def number_of(image: Image) -> int:
    """The number that ``numbered`` wrote, read back after any codec."""
    height, width, _ = image.shape
    centres = [width * (2 * bit + 1) // (2 * BITS) for bit in range(BITS)]
    return sum(int(image[height // 4, x].mean() > 126) << bit for bit, x in enumerate(centres))


def make_clip(
    path: Path,
    frames: int = 10,
    *,
    width: int = 64,
    height: int = 48,
    codec: str = "libx264",
    stamps: list[int] | None = None,
    rate: int = 25,
    rotation: int | None = None,
    hflip: bool = False,
    aspect: Fraction | None = None,
    options: dict[str, str] | None = None,
) -> Path:
    """Write ``frames`` numbered pictures; ``stamps`` are their presentation times in 1/1000 s."""
    with av.open(str(path), "w", options=options or {}) as container:
        stream = container.add_stream(codec, rate=rate)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height = width, height
        even = width % 2 == 0 and height % 2 == 0
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p" if even else "yuv444p"
        if stamps is not None:
            stream.codec_context.time_base = Fraction(1, 1000)
        if aspect is not None:
            stream.codec_context.sample_aspect_ratio = aspect
        if rotation is not None or hflip:
            stream.set_display_rotation(rotation or 0, hflip=hflip)
        container.start_encoding()  # writes the header even where no frame follows
        for number in range(frames):
            frame = av.VideoFrame.from_ndarray(numbered(number % 256, width, height), format="bgr24")
            frame.pts = number if stamps is None else stamps[number]
            frame.time_base = Fraction(1, rate) if stamps is None else Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def make_sound(path: Path) -> Path:
    """Half a second of silence and no picture."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=16000)
        for start in range(0, 8000, 1000):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1000), np.float32), format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 16000, start
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path
