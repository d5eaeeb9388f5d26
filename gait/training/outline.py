"""Silhouettes made a little wrong: thicker or thinner in a band, frayed along the edge."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Images = NDArray[np.uint8]

# A band at least this share of the body high: less is not a garment.
THINNEST_BAND = 0.15
THICKEST_BAND = 0.5
# The least part of a soft change.
SOFTEST = 0.3
# How often the feet are hidden, or faint; else there is a shadow, at least this dark (of grey silhouettes).
HIDDEN = 0.4
FAINT = 0.2
SHADE = 0.3


def change_band(images: Images, most_px: int, rng: np.random.Generator, *, soft: bool = False) -> Images:
    """(T, H, W) with one band of rows grown or shrunk by 1 to ``most_px`` pixels to either side.

    ``soft``: by a part of the change alone, the same for all frames.
    """
    height = images.shape[1]
    rows = max(1, round(rng.uniform(THINNEST_BAND, THICKEST_BAND) * height))
    top = int(rng.integers(0, max(height - rows, 0) + 1))
    side = 2 * int(rng.integers(1, most_px + 1)) + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    change = cv2.dilate if rng.random() < 0.5 else cv2.erode
    changed = images.copy()
    part = rng.uniform(SOFTEST, 1) if soft else 1.0
    for image, whole in zip(changed, images, strict=True):
        # The whole picture is changed and the band cut from it, so that its ends see their neighbours.
        if whole.size:
            other = part * change(whole, kernel) + (1 - part) * whole
            image[top : top + rows] = np.rint(other)[top : top + rows]
    return changed


def change_ground(images: Images, rows: int, rng: np.random.Generator) -> tuple[Images, bool]:
    """(T, H, W), the lowest ``rows`` hidden, made faint or joined by a shadow; whether they are hidden."""
    changed = images.copy()
    width = images.shape[2]
    kind = rng.random()
    if not images.size:
        return changed, kind < HIDDEN
    foot = changed[:, -rows:]
    if kind < HIDDEN:
        foot[:] = 0
    elif kind < HIDDEN + FAINT:
        foot[:] = np.rint(foot * rng.uniform(0, 1)).astype(np.uint8)
    else:
        # A shadow lies flat: half as high as grass hides, anywhere from a foot to the picture's width.
        centre, wide = rng.integers(0, width), rng.integers(max(1, width // 8), width + 1)
        across = slice(max(0, centre - wide // 2), centre + wide // 2 + 1)
        shadow = np.uint8(rng.uniform(SHADE, 1) * 255)
        low = changed[:, -max(1, rows // 2) :, across]
        np.maximum(low, shadow, out=low)
    return changed, kind < HIDDEN


def fray(images: Images, share: float, rng: np.random.Generator) -> Images:
    """(T, H, W) with ``share`` of the pixels next to the outline turned over, in blots, not single dots."""
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    changed = images.copy()
    for image, whole in zip(changed, images, strict=True):
        if not whole.size:
            continue
        edge = cv2.dilate(whole, cross) != cv2.erode(whole, cross)
        # Noise a pixel or two wide: smoothed, then cut so that the share wanted is above.
        noise = cv2.GaussianBlur(rng.standard_normal(whole.shape), (3, 3), 0)
        along = noise[edge]
        if along.size:
            turned = edge & (noise > np.quantile(along, 1 - share))
            image[turned] = 255 - image[turned]
    return changed
