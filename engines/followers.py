"""Rules about people who are followed: where one is expected, whether an answer is theirs, who is who.

Pure values and functions; the nets are run by ``engines.watch``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.pose import INPUT, Pose
from engines.regions import Region, apply, crop, inverse
from engines.silhouettes import (
    MIN_PIXELS,
    SURE,
    Bits,
    Silhouette,
    boxes_meet,
    flesh,
    mask_iou,
    of_the_body,
    onto,
    paint_out,
    silhouette,
    trimmed,
)
from engines.steady import SteadyRegion
from stream.messages import Affine, Box

CORE: Final = np.array([0, 11, 12, 13, 14, 23, 24, 25, 26, 27, 28])
"""Nose, shoulders, elbows, hips, knees, ankles: the joints that tell two people apart."""
SAME_JOINTS: Final = 0.05
"""Mean distance of the core joints, over the region's side, below which two answers are one person. Answers
to the same person from two regions differ by about 0.01; two walkers abreast by a stride's or a shoulder's
width, 0.1 and more, but for the instant in which one covers the other."""
SAME_MASK: Final = 0.75
"""Mask overlap above which two answers are one person, whatever the joints say."""
MAX_JUMP: Final = 0.3
"""How far the region's centre may move between two looks, over its side."""
MAX_GROWTH: Final = 1.2
"""How much the region may grow or shrink between two looks at a settled person: nobody nears a camera by a
tenth in a 25th of a second, but an answer that slips to the person in front grows at once."""
YOUNG_GROWTH: Final = 1.5
"""The same for a young or lost one, of whom the last look may have seen a part."""
NEAR: Final = 0.02
"""A joint this near the silhouette, over the region's side, lies on it."""
CLOTHES: Final = 0.05
"""How far hair and clothes reach beyond the flesh, over the region's side, where somebody else is near."""
FEET: Final = np.array([27, 28, 29, 30, 31, 32])
"""Ankles, heels and toes: of two people the one whose feet are lower in the picture is nearer."""
BODY_WIDTH: Final = 0.4
BODY_HEIGHT: Final = 0.8
"""The part of a region in which the body stands: region's side over its share."""
STEADY: Final = 0.15
"""Weight of the newest step in the running mean of the velocity."""
SETTLED_FRAMES: Final = 5
"""A follower with fewer frames is young: it yields to an older one and is soon dropped when lost."""
MIN_BODY: Final = 0.02
"""Area of a silhouette over that of its region: 0.1 to 0.15 for somebody seen whole; less is a scrap
of somebody else."""
DOUBT: Final = 0.08
"""Feet this much lower, over the region's side, put a new person in front of a known one."""
LEVEL: Final = 0.25
"""Share of the vertical velocity that counts ahead: people walk on level ground, and while somebody vanishes
behind another, the region's centre drifts up or down with what is left of them."""
YOUNG_PATIENCE: Final = 8
"""Frames for which a young lost follower is kept."""
COASTING_FRAMES: Final = 25
"""A lost person is expected further along for so many frames, then where that led."""


@dataclass(frozen=True)
class Seen:
    """One person in one frame: the answer of the landmark net and the cleaned silhouette.

    ``agreement``: the share of the sure core joints in view that lie on the silhouette.
    """

    pose: Pose
    silhouette: Silhouette
    agreement: float

    @cached_property
    def flesh(self) -> Bits:
        """Where on the silhouette's grid the body must be by its joints."""
        return flesh(self.pose, self.silhouette)

    @cached_property
    def core(self) -> Silhouette:
        """The silhouette on and around the body: where people overlap, masks spread over neighbours."""
        bits = trimmed(self.silhouette, self.flesh, CLOTHES * self.pose.region.side)
        return replace(self.silhouette, bits=bits)

    def painted_out(self, pixels: NDArray[np.uint8], crop_to_image: Affine) -> NDArray[np.uint8]:
        """A crop without this person, for who is behind: only what is surely theirs is painted over."""
        high, wide = pixels.shape[:2]
        corners = apply(crop_to_image, np.array([[0, 0], [wide, 0], [0, high], [wide, high]]))
        (left, top), (right, bottom) = corners.min(axis=0).tolist(), corners.max(axis=0).tolist()
        if not boxes_meet(self.silhouette.box, (left, top, right, bottom)):
            return pixels
        return paint_out(pixels, self.silhouette, self.silhouette.bits & self.flesh, crop_to_image)


@dataclass(frozen=True)
class Follower:
    """What is remembered of one person: where they will be, how they move (pixels per frame), for how long.

    ``feet`` is how low they stood in the image; ``missed`` counts the frames since they were last seen.
    """

    number: int
    region: Region
    feet: float
    velocity: tuple[float, float] = (0.0, 0.0)
    frames: int = 1
    missed: int = 0
    steady: SteadyRegion | None = None

    @property
    def settled(self) -> bool:
        """Whether it has been seen often enough to be trusted."""
        return self.frames >= SETTLED_FRAMES

    def expected(self, steps: int = 1) -> Region:
        """Where the person should be ``steps`` frames from the last one."""
        ahead = min(self.missed + steps, COASTING_FRAMES) if self.missed else steps - 1
        return self.region.moved(self.velocity[0] * ahead, self.velocity[1] * ahead * LEVEL)

    def saw(self, pose: Pose, steps: int) -> Follower:
        """The follower after an accepted answer, ``steps`` frames after the last look."""
        span = max(self.missed + steps, 1)
        step_x = (pose.following.x - self.region.x) / span
        step_y = (pose.following.y - self.region.y) / span
        share = max(STEADY, 1.0 / self.frames)
        velocity = (
            self.velocity[0] + share * (step_x - self.velocity[0]),
            self.velocity[1] + share * (step_y - self.velocity[1]),
        )
        steady = SteadyRegion.at(pose.following)
        if not self.missed and steps:
            steady = (self.steady or SteadyRegion.at(self.region)).step(pose.following, steps)
        return replace(
            self,
            region=steady.region,
            steady=steady,
            feet=feet_of(pose),
            velocity=velocity,
            frames=self.frames + 1,
            missed=0,
        )

    def lost(self, steps: int) -> Follower:
        """The follower after a look in vain."""
        return replace(self, missed=self.missed + steps)

    def due(self) -> bool:
        """Whether a lost person is looked for again now: at once, then every other frame."""
        return self.missed < 6 or self.missed % 2 == 0


def feet_of(pose: Pose) -> float:
    """How low the feet are in the image; the net places them outside it too."""
    return float(pose.keypoints[FEET, 1].max())


def plausible(follower: Follower, expected: Region, pose: Pose) -> bool:
    """Whether an answer can be the person expected in ``expected``: no leap, no sudden growth."""
    most = MAX_GROWTH if follower.settled and not follower.missed else YOUNG_GROWTH
    shift = np.hypot(pose.following.x - expected.x, pose.following.y - expected.y) / expected.side
    growth = pose.following.side / expected.side
    return bool(shift <= MAX_JUMP and 1.0 / most <= growth <= most)


def body_box(region: Region) -> Box:
    """The upright part of a region in which the body stands."""
    half_width, half_height = region.side * BODY_WIDTH / 2, region.side * BODY_HEIGHT / 2
    return (region.x - half_width, region.y - half_height, region.x + half_width, region.y + half_height)


def seen_in(frame: NDArray[np.uint8], pose: Pose, front: Sequence[Seen] = ()) -> Seen | None:
    """The pose with its silhouette, past those in ``front``; None where there is next to none."""
    height, width = frame.shape[:2]
    shape = silhouette(pose, width, height)
    if shape is None:
        return None
    seen = Seen(pose, shape, agreement(pose, shape, front, width, height))
    return seen if substantial(seen) else None


def substantial(seen: Seen) -> bool:
    """Whether enough is left of a person to be reported."""
    return seen.silhouette.area >= MIN_BODY * seen.pose.region.side**2


def agreement(pose: Pose, shape: Silhouette, front: Sequence[Seen], width: int, height: int) -> float:
    """The share of the sure core joints in view, not behind ``front``, that lie on or by the silhouette.

    0 where no such joint is left.
    """
    x, y, confidence = pose.keypoints[CORE].T
    counted = (confidence >= SURE) & (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
    if not counted.any():
        return 0.0
    joints = np.stack([x[counted], y[counted]], axis=1)
    agreeing = near_mask(shape, joints, NEAR * pose.region.side)
    hidden = np.zeros(len(joints), dtype=np.bool_)
    for other in front:
        hidden |= near_mask(other.silhouette, joints, 0.0)
    judged = agreeing | ~hidden
    return float(agreeing[judged].mean()) if judged.any() else 0.0


def near_mask(silhouette: Silhouette, points: NDArray[np.float32], reach: float) -> NDArray[np.bool_]:
    """For each point (N, 2) in image pixels, whether a set pixel lies in the square ``reach`` around it."""
    step, _, left, _, _, top = silhouette.to_image
    spread = max(round(reach / step), 0)
    bits = np.pad(silhouette.bits.view(np.uint8), spread)
    if spread:
        square = np.ones((2 * spread + 1, 2 * spread + 1), np.uint8)
        bits = np.asarray(cv2.dilate(bits, square), dtype=np.uint8)
    rows, columns = bits.shape
    x = np.rint((points[:, 0] - left) / step).astype(int) + spread
    y = np.rint((points[:, 1] - top) / step).astype(int) + spread
    inside = (x >= 0) & (x < columns) & (y >= 0) & (y < rows)
    found = np.zeros(len(points), dtype=np.bool_)
    found[inside] = bits[y[inside], x[inside]] > 0
    return found


def crop_past(frame: NDArray[np.uint8], region: Region, front: Sequence[Seen]) -> NDArray[np.uint8]:
    """The crop of a region for the landmark net, with those in front of its person painted out."""
    pixels = crop(frame, region, INPUT)
    area = body_box(region)
    for seen in front:
        if boxes_meet(seen.silhouette.box, area):
            pixels = seen.painted_out(pixels, region.to_image(INPUT))
    return pixels


def same_person(one: Seen, other: Seen) -> bool:
    """Whether two answers are of one body."""
    side = max(one.pose.following.side, other.pose.following.side)
    apart = float(np.hypot(*(one.pose.keypoints[CORE, :2] - other.pose.keypoints[CORE, :2]).mean(axis=0)))
    if apart > 0.5 * side:
        return False
    gaps = np.linalg.norm(one.pose.keypoints[CORE, :2] - other.pose.keypoints[CORE, :2], axis=1)
    if float(gaps.mean()) < SAME_JOINTS * side:
        return True
    return mask_iou(one.core, other.core) > SAME_MASK


def without(own: Seen, other: Seen, doubt: float = 0.0) -> Bits:
    """The silhouette of ``own`` without what is rather the ``other``'s.

    The other is nearer when their feet are lower in the image, or higher by less than ``doubt`` pixels.

    Of pixels that both masks claim, those on one body alone are that one's, those on both the nearer one's,
    and those on neither go by the surer mask.
    """
    theirs = onto(other.silhouette, other.silhouette.bits, own.silhouette)
    their_flesh = onto(other.silhouette, other.flesh, own.silhouette)
    their_logits = onto(other.silhouette, other.silhouette.logits, own.silhouette)
    if theirs is None or their_flesh is None or their_logits is None:
        return own.silhouette.bits
    nearer = feet_of(other.pose) > feet_of(own.pose) - doubt
    on_both = own.flesh & their_flesh
    on_neither = ~own.flesh & ~their_flesh
    lost = (their_flesh & ~own.flesh) | (on_both if nearer else False)
    lost |= on_neither & (their_logits > own.silhouette.logits)
    return np.asarray(own.silhouette.bits & ~(theirs & lost), dtype=np.bool_)


def apart(everyone: Sequence[Seen], lost: Sequence[Region]) -> list[Seen]:
    """Everyone with the pixels that are theirs alone, also beside who is ``lost`` and may be behind."""
    hidden = [body_box(region) for region in lost]
    return [_own(own, [other for other in everyone if other is not own], hidden) for own in everyone]


def _own(own: Seen, others: Sequence[Seen], hidden: Sequence[Box]) -> Seen:
    """One person's own pixels; who would keep next to none keeps the mask as it is."""
    near = [other for other in others if boxes_meet(own.silhouette.box, other.silhouette.box)]
    if not near and not any(boxes_meet(own.silhouette.box, box) for box in hidden):
        return own
    bits = own.core.bits
    for other in near:
        bits = bits & without(own, other)
    joints = apply(inverse(own.silhouette.to_image), own.pose.keypoints[:, :2])
    bits = of_the_body(bits, joints, own.pose.keypoints[:, 2])
    if np.count_nonzero(bits) < MIN_PIXELS:
        return own
    return replace(own, silhouette=replace(own.silhouette, bits=bits))


def own_share(seen: Seen, known: Sequence[Seen]) -> float:
    """The share of a new silhouette that stays when those known have theirs; in doubt they are nearer."""
    bits = seen.core.bits
    for other in known:
        bits = bits & without(seen, other, DOUBT * seen.pose.region.side)
    return float(int(np.count_nonzero(bits)) / max(int(np.count_nonzero(seen.core.bits)), 1))


def claim(follower: Follower, seen: Seen, steps: int) -> float:
    """How badly an answer fits a follower; the lower one keeps a person on whom two followers met."""
    expected = follower.expected(steps).moved(*follower.velocity)
    shift = np.hypot(seen.pose.following.x - expected.x, seen.pose.following.y - expected.y)
    growth = abs(np.log(seen.pose.following.side / expected.side))
    youth = 0.0 if follower.settled else 0.2
    return float(shift / expected.side + growth + youth + 0.05 * min(follower.missed, 10))
