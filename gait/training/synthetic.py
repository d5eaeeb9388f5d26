"""Walkers to train on and to test with, made without colours: rendered masks and joints, as if perceived.

Every sequence is a function of its person's seed and its own number. A person keeps body and gait; clothes,
what they carry, camera, path, pace and what perception made of them change from sequence to sequence.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from gait.data.records import Entry, Partition
from gait.data.source import Found, Listing, Loaded
from gait.inputs import Walk
from gait.silhouette import align, transform_points
from gait.skeleton import BLAZEPOSE33, GAITWAY16, convert
from gait.training.synthetic_noise import (
    FITTED_FAR,
    PerceptionNoise,
    fitted,
    lost_limbs,
    perceived_joints,
    perceived_masks,
    perceived_world,
)
from gait.walkers.conditions import Conditions, sample_conditions
from gait.walkers.person import Person, sample_person
from gait.walkers.population import STREET
from gait.walkers.rapid import MARGIN_PX, MASK_PX, Sight, pass_by
from gait.walkers.seeds import stream
from gait.walkers.views import View, sample_view
from stream.messages import Array, Sample, TrackletId

BODY_PX: Final = MASK_PX - 2 * MARGIN_PX
PAD: Final = ((8, 8), (8, 8))
"""Room round a mask, rows and columns, for what errors add."""
SIDE_DEG: Final = 40.0
FRONT_DEG: Final = 30.0
BAG_UNSEEN, BACKPACK_UNSEEN = 0.6, 0.2
"""How often what is carried is taken for scenery where pictures are poor; by eye, on contact sheets."""


class WalkerSet(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who and how many: ``people`` from seed ``first`` on, ``sequences`` of ``frames`` of each.

    ``side_share`` of the sequences are seen within 40 degrees of side-on, ``front_share`` within 30 of the
    front or the back, the rest from anywhere. Of a person's sequences two in a row share their clothes, of
    ``outfits`` sets; what is worn over them and carried is drawn for each. ``outline`` and ``joints`` scale
    the fitted errors: real pictures are harder than rendered ones. ``limbs`` is the share of hands and feet
    that real pictures lose, rendered ones hardly any. ``far_share`` of the sequences err as before any
    camera, near or far, sharp or not; the rest as before near and sharp ones.
    """

    people: int = 2000
    first: int = 10_000_000
    sequences: int = 8
    frames: int = 26
    outfits: int = 3
    side_share: float = 0.4
    outline: tuple[float, float] = (1.0, 4.0)
    joints: tuple[float, float] = (0.7, 1.5)
    limbs: float = 0.02
    far_share: float = 0.0
    front_share: float = 0.0


TRAINED_ON: Final = WalkerSet()
TESTED_WITH: Final = WalkerSet(
    people=100, first=90_000_000, frames=50, outline=(1.0, 1.0), joints=(1.0, 1.0), limbs=0.0
)


@dataclass(frozen=True)
class TrainingWalkers:
    """A ``Preparation``: everybody is trained on."""

    chosen: WalkerSet = TRAINED_ON
    parallel: bool = True

    def find(self) -> Listing:
        """Sequences 0 to ``sequences`` of everybody."""
        people = range(self.chosen.first, self.chosen.first + self.chosen.people)
        return Listing(
            tuple(_found(p, "any", "any", k) for p in people for k in range(self.chosen.sequences))
        )

    def load(self, found: Found) -> Loaded:
        """The walk."""
        seed, number = int(found.entry.person), int(found.entry.name)
        rng, chosen = stream(seed, "sequence", number), self.chosen
        side = float(rng.choice([90.0, 270.0])) + float(rng.uniform(-SIDE_DEG, SIDE_DEG))
        chance = rng.random()
        towards: float | None = side if chance < chosen.side_share else None
        if towards is None and chance < chosen.side_share + chosen.front_share:
            towards = float(rng.choice([0.0, 180.0])) + float(rng.uniform(-FRONT_DEG, FRONT_DEG))
        view = sample_view(seed, number, towards)
        worn = sample_conditions(seed, number)
        far = chosen.far_share > 0 and rng.random() < chosen.far_share
        if far:
            worn = overlooked(worn, rng)
        person = sample_person(seed, outfit=number // 2 % chosen.outfits, population=STREET).under(worn)
        return Loaded(walk_of(person, view, number, chosen, rng, far=far))

    def partition(self, people: frozenset[str]) -> Partition:
        """All to train on."""
        return Partition(train=tuple(sorted(people)))


VIEWS: Final = (0, 45, 90, 135, 180, 225, 270, 315)
CONDITIONS: Final = {"nm-01": "normal", "nm-05": "normal", "bg-01": "bag", "cl-01": "coat"}


@dataclass(frozen=True)
class TestWalkers:
    """A ``Preparation`` in CASIA-B's terms: each person normal twice, with a bag, with a coat, in 8 views."""

    chosen: WalkerSet = TESTED_WITH
    parallel: bool = True
    __test__ = False  # pytest would take it for a test

    def find(self) -> Listing:
        """All conditions in all views."""
        people = range(self.chosen.first, self.chosen.first + self.chosen.people)
        return Listing(
            tuple(
                _found(p, c, f"{v:03d}", k) for p in people for k, c in enumerate(CONDITIONS) for v in VIEWS
            )
        )

    def load(self, found: Found) -> Loaded:
        """The walk."""
        entry = found.entry
        seed, number = int(entry.person), int(entry.name)
        rng = stream(seed, "test", number, entry.view)
        worn = CONDITIONS[entry.condition]
        outfit = 1 if worn == "coat" else 0
        person = sample_person(seed, outfit=outfit, population=STREET)
        view = sample_view(seed, number * 1000 + int(entry.view), float(entry.view))
        wearing = person.under(sample_conditions(seed, number, (worn,)))
        return Loaded(walk_of(wearing, view, number, self.chosen, rng))

    def partition(self, people: frozenset[str]) -> Partition:
        """All to test."""
        return Partition(test=tuple(sorted(people)))


def _found(person: int, condition: str, view: str, number: int) -> Found:
    return Found(Entry(str(person), condition, view, 0, str(number)), (Path(str(person)),))


def overlooked(worn: Conditions, rng: np.random.Generator) -> Conditions:
    """What is carried as poor pictures show it: many a bag is none of the body's, its weight stays."""
    if rng.random() < BAG_UNSEEN:
        worn = msgspec.structs.replace(worn, right_bag="none", left_bag="none")
    if rng.random() < BACKPACK_UNSEEN:
        worn = msgspec.structs.replace(worn, backpack=0.0)
    return worn


def walk_of(
    person: Person,
    view: View,
    visit: int,
    chosen: WalkerSet,
    rng: np.random.Generator,
    *,
    far: bool = False,
) -> Walk:
    """One pass of ``person`` as perception would hand it on, before a good camera or a ``far`` one."""
    outline, joints = (
        float(np.exp(rng.uniform(*np.log(between)))) for between in (chosen.outline, chosen.joints)
    )
    # The far cameras' errors are fitted to poor pictures: nothing has to make them larger.
    noise = fitted(FITTED_FAR) if far else scaled(fitted(), outline, joints, chosen.limbs)
    return as_perceived(pass_by(person, view, chosen.frames, visit, float(rng.random())), noise, rng)


def as_perceived(sight: Sight, noise: PerceptionNoise, rng: np.random.Generator) -> Walk:
    """Masks and joints with errors, aligned as the pipeline aligns them."""
    points = np.ones((len(sight.masks), BLAZEPOSE33.size, 3), np.float32)
    places = sight.to_image
    points[..., :2] = (sight.joints_2d - places[:, None, 1:]) / places[:, None, :1] - 0.5
    points[..., :2] += (PAD[1][0], PAD[0][0])
    joints = convert(points, BLAZEPOSE33, GAITWAY16).points
    hips = sight.joints_3d[:, BLAZEPOSE33.indices("left_hip", "right_hip")].mean(axis=1, keepdims=True)
    metres = (sight.joints_3d - hips).astype(np.float32)
    world = convert(metres, BLAZEPOSE33, GAITWAY16, confidence=False).points
    masks = np.pad(sight.masks, ((0, 0), *PAD))
    masks = perceived_masks(lost_limbs(masks, joints, noise, rng), BODY_PX, noise, rng)
    joints, order = perceived_joints(joints, BODY_PX, world[..., 2].astype(np.float64), noise, rng)
    return _aligned(masks, joints, perceived_world(world, order, noise, rng))


def _aligned(masks: NDArray[np.uint8], joints: NDArray[np.float32], world: NDArray[np.float32]) -> Walk:
    images, placed, kept = [], [], []
    for t, mask in enumerate(masks):
        found = align(_largest(mask))
        if found is None:
            continue
        images.append(found.image)
        placed.append(transform_points(joints[t], found.transform))
        kept.append(t)
    return Walk(np.stack(images), np.stack(placed).astype(np.float32), world[kept], GAITWAY16)


def _largest(mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Without the small bits that the pipeline's own masks have cleaned away."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=4)
    if count <= 2:
        return mask
    areas = stats[1:, cv2.CC_STAT_AREA]
    keep = np.flatnonzero(areas >= 0.03 * areas.max()) + 1
    return np.where(np.isin(labels, keep), mask, 0).astype(np.uint8)


def scaled(noise: PerceptionNoise, outline: float, joints: float, limbs: float) -> PerceptionNoise:
    """Errors of the outline and of joints so many times as large, ``limbs`` lost at least; means stay."""
    return msgspec.structs.replace(
        noise,
        bias_spread=outline * noise.bias_spread,
        outline_walk=outline * noise.outline_walk,
        outline_frame=outline * noise.outline_frame,
        joint_walk=tuple(joints * value for value in noise.joint_walk),
        joint_frame=tuple(joints * value for value in noise.joint_frame),
        world_walk=joints * noise.world_walk,
        world_frame=joints * noise.world_frame,
        limb_lost=max(limbs, noise.limb_lost),
    )


def as_samples(walk: Walk) -> list[Sample]:
    """The walk as the track stage would hand it on."""
    key = TrackletId("walker", "0", 0)
    space = walk.joints_3d
    return [
        Sample(
            key,
            t * 40_000_000,
            Array.of(walk.silhouettes[t]),
            Array.of(walk.joints_2d[t]),
            None if space is None else Array.of(space[t]),
            True,
            1.0,
        )
        for t in range(len(walk.silhouettes))
    ]
