"""What a camera does to a picture besides noise: softness, smear, coarse pixels, light, grey, compression."""

from __future__ import annotations

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from gait.walkers.seeds import stream

Image = NDArray[np.uint8]
SMEAR_PX = 31
"""More smear than this is no picture."""


class Quality(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One camera's faults; the defaults have none.

    ``softness``: sigma of the lens's blur, pixels. ``smear``: pixels that the picture moves sideways while a
    frame is exposed, as of a camera that pans. ``coarse``: the sensor's pixels are this many times larger
    than the picture's. ``gain`` and ``gamma`` change the light, ``grey`` takes the colours away. ``jpeg``:
    quality 1-100 of each frame's own compression, 0 for none.
    """

    softness: float = 0.0
    smear: int = 0
    coarse: float = 1.0
    gain: float = 1.0
    gamma: float = 1.0
    grey: bool = False
    jpeg: int = 0

    def __post_init__(self) -> None:
        if not (0 <= self.softness <= 20 and 0 <= self.smear <= SMEAR_PX and 1 <= self.coarse <= 16):
            raise ValueError(f"{self}: softness takes 0 to 20, smear 0 to {SMEAR_PX}, coarse 1 to 16")
        if not (0.05 <= self.gain <= 4 and 0.2 <= self.gamma <= 5 and 0 <= self.jpeg <= 100):
            raise ValueError(f"{self}: gain takes 0.05 to 4, gamma 0.2 to 5, jpeg 0 to 100")


CLEAN = Quality()
CAMERAS = {
    "clean": CLEAN,
    "street": Quality(softness=0.8, coarse=1.5, jpeg=55),
    "dim": Quality(softness=0.9, gain=0.45, gamma=0.85, jpeg=60),
    "old": Quality(softness=0.8, coarse=4.0, grey=True, jpeg=70),
    "moving": Quality(softness=0.6, smear=7, jpeg=75),
}
"""By name, for the command line."""


def sample_quality(seed: int) -> Quality:
    """Any camera from good to poor, for training and for measuring."""
    rng = stream(seed, "quality")
    return Quality(
        softness=float(rng.uniform(0, 1.6)),
        smear=int(rng.integers(0, 9)) if rng.random() < 0.2 else 0,
        coarse=float(np.exp(rng.uniform(0, np.log(4)))) if rng.random() < 0.5 else 1.0,
        gain=float(np.exp(rng.normal(-0.1, 0.3)).clip(0.35, 1.6)),
        gamma=float(np.exp(rng.normal(0, 0.15)).clip(0.6, 1.6)),
        grey=bool(rng.random() < 0.15),
        jpeg=int(rng.integers(30, 96)) if rng.random() < 0.7 else 0,
    )


def expose(image: Image, quality: Quality) -> Image:
    """The scene's light as the lens and a coarse sensor take it, before noise: BGR uint8 (h, w, 3)."""
    if quality.gain != 1 or quality.gamma != 1:
        levels = 255 * np.clip(quality.gain * np.linspace(0, 1, 256) ** quality.gamma, 0, 1)
        image = np.asarray(cv2.LUT(image, np.round(levels).astype(np.uint8)), np.uint8)
    if quality.softness:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), quality.softness), np.uint8)
    if quality.smear > 1:
        image = np.asarray(cv2.blur(image, (quality.smear, 1)), np.uint8)
    return image


def deliver(image: Image, quality: Quality) -> Image:
    """The exposed and noisy picture as it comes out of the camera, of the same size."""
    height, width = image.shape[:2]
    if quality.coarse > 1:
        small = (max(1, round(width / quality.coarse)), max(1, round(height / quality.coarse)))
        reduced = cv2.resize(image, small, interpolation=cv2.INTER_AREA)
        image = np.asarray(cv2.resize(reduced, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)
    if quality.grey:
        image = np.asarray(
            cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR), np.uint8
        )
    if quality.jpeg:
        _, coded = cv2.imencode(".jpg", image, (cv2.IMWRITE_JPEG_QUALITY, quality.jpeg))
        image = np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8)
    return image
