"""What is painted over: the clothes as the parse has them, and what the new ones need beyond."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from gait.data.errors import DataError
from gait.inputs import Walk
from gait.skeleton import GAITWAY16
from gait.training.clothing.chain.chain import Chain
from gait.training.clothing.chain.human_parsing import LIP
from gait.training.clothing.figure import Floats, Masks
from gait.training.clothing.looked import Crop, Looked, read_picture
from gait.training.clothing.outfits import Outfit
from gait.training.clothing.outline import Track, dressed
from stream.sources.base import Image

CLOTHES: Final = tuple(LIP.index(name) for name in (
    "upper clothes", "dress", "coat", "socks", "trousers", "jumpsuit", "scarf", "skirt", "glove",
))  # fmt: skip
ARMS: Final = (LIP.index("left arm"), LIP.index("right arm"))
LEGS: Final = (LIP.index("left leg"), LIP.index("right leg"))
VOTERS: Final = 2
"""Frames to either side that have a say in what is clothing: one frame's mistake is outvoted."""
ROWS: Final = 192
"""Masks are voted on and grown at this height."""
EDGE: Final = 0.01
"""Of the picture's height: the mask reaches so far beyond the clothes, for the seam to lie off them."""


@dataclass(frozen=True)
class Frame:
    """How a crop lies on the picture that is inpainted: fitted in and centred, the border carried on."""

    scale: float
    left: int
    top: int
    size: tuple[int, int]

    @classmethod
    def of(cls, crop: Crop, height: int, width: int) -> Frame:
        """The largest that fits."""
        scale = min(height / crop.height, width / crop.width)
        size = (max(1, round(crop.width * scale)), max(1, round(crop.height * scale)))
        return cls(scale, (width - size[0]) // 2, (height - size[1]) // 2, size)

    def put(self, image: NDArray[np.uint8], height: int, width: int, how: int) -> NDArray[np.uint8]:
        """A crop's picture on the whole one."""
        small = cv2.resize(image, self.size, interpolation=how)
        below, right = height - self.top - self.size[1], width - self.left - self.size[0]
        border = cv2.BORDER_REPLICATE if image.ndim == 3 else cv2.BORDER_CONSTANT
        return np.asarray(cv2.copyMakeBorder(small, self.top, below, self.left, right, border), np.uint8)

    def cut(self, whole: NDArray[np.uint8], crop: Crop) -> NDArray[np.uint8]:
        """The crop's part of the whole picture, in the crop's own size."""
        part = whole[self.top : self.top + self.size[1], self.left : self.left + self.size[0]]
        return np.asarray(cv2.resize(part, (crop.width, crop.height), interpolation=cv2.INTER_AREA), np.uint8)


class TrackMasks:
    """A track's parse, voted on over time; each outfit's masks are grown from it."""

    def __init__(self, chain: Chain, track: Looked) -> None:
        self.height, self.width = chain.settings.height, chain.settings.width
        self.track = track
        self.small = (ROWS, max(1, round(ROWS * self.width / self.height)))
        self.frames = [Frame.of(crop, self.height, self.width) for crop in track.file.crops]
        self._labels = [self._read(chain, number) for number in range(len(track.file.crops))]
        self._dressed: Track | None = None

    def of(self, outfit: Outfit) -> list[Masks]:
        """(height, width) 0 and 255, one a frame."""
        classes = [
            *CLOTHES,
            *(ARMS if outfit.sleeves else ()),
            *(LEGS if outfit.hanging or outfit.trousers else ()),
        ]
        own = np.stack([np.isin(labels, classes) for labels in self._labels])
        voted = _voted(own)
        if not voted.any():
            raise DataError("the parse shows no clothes in it", where=str(self.track.folder))
        grown = np.asarray(voted | self._beyond(outfit))
        return [self._large(mask) for mask in grown]

    def _beyond(self, outfit: Outfit) -> NDArray[np.bool_]:
        """(T, ROWS, ...) what the outfit's shapes cover outside the old outline."""
        if outfit == Outfit():
            return np.zeros((len(self._labels), *self.small), np.bool_)
        if self._dressed is None:
            walk = Walk(self._bodies(), self._joints(), None, GAITWAY16)
            self._dressed = Track.of(walk, aligned=False)
        worn = dressed(self._dressed, outfit).silhouettes
        return np.asarray((worn > 0) & (self._dressed.walk.silhouettes == 0))

    def _bodies(self) -> Masks:
        crops = self.track.file.crops
        return np.stack([self._shrunk(self.track.mask(crop), number) for number, crop in enumerate(crops)])

    def _joints(self) -> NDArray[np.float32]:
        points: Floats = self.track.file.joints()
        scale = np.array([frame.scale for frame in self.frames])[:, None, None]
        corner = np.array([(frame.left, frame.top) for frame in self.frames])[:, None]
        placed = (points * scale + corner) * self.small[0] / self.height
        return np.concatenate([placed, np.ones((*placed.shape[:2], 1))], axis=2).astype(np.float32)

    def _read(self, chain: Chain, number: int) -> NDArray[np.uint8]:
        crop = self.track.file.crops[number]
        path = chain.place("parse", self.track.folder.name, f"{crop.number:06d}.png")
        labels = read_picture(path, cv2.IMREAD_GRAYSCALE)
        if labels.shape != (crop.height, crop.width):
            raise DataError(
                f"a parse of {labels.shape[1]}x{labels.shape[0]}",
                where=str(path),
                wanted=f"{crop.width}x{crop.height}, as its crop",
            )
        return self._shrunk(labels, number)

    def _shrunk(self, image: NDArray[np.uint8], number: int) -> NDArray[np.uint8]:
        whole = self.frames[number].put(image, self.height, self.width, cv2.INTER_NEAREST)
        size = (self.small[1], self.small[0])
        return np.asarray(cv2.resize(whole, size, interpolation=cv2.INTER_NEAREST), np.uint8)

    def _large(self, mask: NDArray[np.bool_]) -> Masks:
        soft = cv2.resize(mask.astype(np.float32), (self.width, self.height), interpolation=cv2.INTER_LINEAR)
        side = 2 * round(EDGE * self.height) + 1
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
        hard: Masks = np.where(soft > 0.5, 255, 0).astype(np.uint8)
        return np.asarray(cv2.dilate(hard, kernel), np.uint8)


def composited(old: Image, new: Image, mask: Masks) -> Image:
    """``new`` where the mask is, softly at its border; all else stays to the bit."""
    soft = cv2.GaussianBlur(mask, (0, 0), max(0.8, 0.004 * mask.shape[0])).astype(np.float32)[..., None] / 255
    share = np.where(mask[..., None] > 0, soft, 0)
    return np.asarray(np.rint(old * (1 - share) + new * share), np.uint8)


def _voted(own: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Where most of a frame and its neighbours agree; the frame itself counts twice."""
    votes = own.astype(np.int16)
    total = np.full(len(own), 2)
    sums = 2 * votes
    for shift in range(1, VOTERS + 1):
        sums[shift:] += votes[:-shift]
        sums[:-shift] += votes[shift:]
        total[shift:] += 1
        total[:-shift] += 1
    return np.asarray(2 * sums > total[:, None, None])
