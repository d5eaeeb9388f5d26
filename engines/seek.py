"""Looking for people nobody follows: which tiles of a frame, what the detector proposes there, and the proof.

Proposals are proved by the landmark net, so a wrong one costs time and no precision.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engines.config import PerceiveConfig
from engines.detector import Detector, suppress
from engines.followers import Seen, body_box, crop_past, feet_of, own_share, same_person, seen_in
from engines.pose import Pose, PoseNet
from engines.regions import Region
from engines.search import ChangeWatch, Plan, entering, tile_around
from engines.silhouettes import boxes_meet

Frame = NDArray[np.uint8]

MAX_LEAN: Final = math.radians(75)
"""Who walks stands; what leans more is a false answer or somebody lying, whose gait cannot be seen."""
LARGEST_SHARE: Final = 0.75
"""Radius of a body over the side of the tile; whoever is larger is cut by it and seen in a larger tile."""
SECOND_LOOK: Final = 0.04
"""A new person is looked at again when the net's own region differs by more than this share of the side."""
OWN_SHARE: Final = 0.5
"""The share of a new person's silhouette that must not belong to those known."""
AGAIN: Final = 0.08
"""A proposal this near a known region in place and size, over its side, is not worth a look."""
BEYOND: Final = 0.3
"""Share of its side by which the middle of a region may lie outside the image: a person half in view."""
AROUND: Final = 1.6
"""Side of the tile around a person, known or lost, over that of their region."""


class Seeker:
    """The state of one camera's search."""

    def __init__(self, detector: Detector, poses: PoseNet, config: PerceiveConfig) -> None:
        self._detector, self._poses, self._config = detector, poses, config
        self._changes = ChangeWatch()
        self._plan: Plan | None = None
        self._frames = 0
        self._next_tile = 0

    def seek(self, frame: Frame, known: Sequence[Seen], lost: Sequence[Region]) -> list[Seen]:
        """New people in a frame in which ``known`` were seen and ``lost`` are missing."""
        height, width = frame.shape[:2]
        if self._plan is None:
            self._plan = Plan.of(width, height, self._config.search.smallest_px)
        changed = self._changes.places(frame, [seen.silhouette.box for seen in known])
        room = self._config.max_people - len(known)
        opening = self._frames == 0
        self._frames += 1
        if room <= 0:
            return []
        entries = [region for box in changed if (region := entering(box, width, height)) is not None]
        reasons = [tile_around(box, self._plan) for box in changed]
        reasons += [region.moved(0.0, 0.0, AROUND) for region in lost]
        if opening:
            return self._open(frame, self._plan.round(0, self._config.search.opening_tiles))
        allowed = min(room, self._config.search.candidates_per_frame)
        proposals = self._propose(frame, self._tiles(self._plan, reasons, known), known)
        return self._prove(frame, (entries[:2] + proposals)[: 2 * allowed], known, allowed)

    def _open(self, frame: Frame, tiles: Sequence[Region]) -> list[Seen]:
        """Search the first frame whole, then again, past those found, the tiles in which they stand."""
        most = self._config.max_people
        found = self._prove(frame, self._propose(frame, tiles, ()), (), most)
        boxes = [seen.silhouette.box for seen in found]
        again = [tile for tile in tiles if any(boxes_meet(tile.box, box) for box in boxes)]
        if again and len(found) < most:
            found += self._prove(frame, self._propose(frame, again, found), found, most - len(found))
        return found

    def _tiles(self, plan: Plan, reasons: Sequence[Region], known: Sequence[Seen]) -> list[Region]:
        """The places with a reason in turn, as far as the budget goes, and one tile that has none.

        That one is by turns the next of the round and the surroundings of somebody known: people walk in
        pairs, and whoever comes out from behind another is no change outside the known boxes.
        """
        budget = self._config.search.tiles_per_frame
        if budget == 0:
            return []
        extra = min(len(reasons), budget - 1) if budget > 1 else int(bool(reasons) and self._frames % 2 == 0)
        tiles = [reasons[(self._frames + turn) % len(reasons)] for turn in range(extra)]
        if extra < budget and known and self._frames % 2:
            beside = known[self._frames // 2 % len(known)].pose.following
            tiles.append(beside.moved(0.0, 0.0, AROUND))
        elif extra < budget:
            tiles += plan.round(self._next_tile, 1)
            self._next_tile += 1
        return tiles

    def _propose(self, frame: Frame, tiles: Sequence[Region], known: Sequence[Seen]) -> list[Region]:
        """What the detector sees in ``tiles`` with those known painted out; parts of bodies are left out."""
        found = []
        for tile, detections in zip(tiles, self._detector.detect_each(frame, tiles, known), strict=True):
            for detection in detections:
                fits = detection.radius <= LARGEST_SHARE * tile.side and upright(detection.region)
                known_again = any(_again(detection.region, seen.pose.following) for seen in known)
                if fits and in_view(detection.region, frame) and not known_again:
                    found.append(detection)
        return [detection.region for detection in suppress(found)]

    def _prove(
        self, frame: Frame, proposals: Sequence[Region], known: Sequence[Seen], allowed: int
    ) -> list[Seen]:
        new: list[Seen] = []
        for proposal in proposals:
            others = [*known, *new]
            seen = self._check(frame, proposal, others)
            if seen is None or any(same_person(seen, other) for other in others):
                continue
            if own_share(seen, others) >= OWN_SHARE:
                new.append(seen)
                if len(new) == allowed:
                    break
        return new

    def _check(self, frame: Frame, proposal: Region, known: Sequence[Seen]) -> Seen | None:
        """The landmark net's word on a proposal, from the region that the net itself asks for."""
        bottom = body_box(proposal)[3]
        front = [seen for seen in known if feet_of(seen.pose) > bottom]
        pose = self._past(frame, proposal, front)
        if not pose.sound or pose.presence < self._config.presence_followed:
            return None
        if _moved(pose) > SECOND_LOOK:
            pose = self._past(frame, pose.following, front)
        if not pose.sound or pose.presence < self._config.presence_new or not upright(pose.following):
            return None
        seen = seen_in(frame, pose, front)
        return seen if seen is not None and seen.agreement >= self._config.agreement_new else None

    def _past(self, frame: Frame, region: Region, front: Sequence[Seen]) -> Pose:
        """The pose in a region past those known who stand nearer."""
        return self._poses.look_at([crop_past(frame, region, front)], [region])[0]


def upright(region: Region) -> bool:
    """Whether the body in the region stands rather than lies."""
    return region.side > 1.0 and abs(region.angle) <= MAX_LEAN


def in_view(region: Region, frame: Frame) -> bool:
    """Whether enough of the region lies in the image for its person to be seen."""
    height, width = frame.shape[:2]
    reach = BEYOND * region.side
    return bool(-reach <= region.x < width + reach and -reach <= region.y < height + reach)


def _again(proposed: Region, known: Region) -> bool:
    """Whether a proposal is a known person once more, of whom the paint left a rim."""
    shift = math.hypot(proposed.x - known.x, proposed.y - known.y)
    return max(shift, abs(proposed.side - known.side)) < AGAIN * known.side


def _moved(pose: Pose) -> float:
    """How far the net's own region lies from the one it was shown, over the side."""
    shift = math.hypot(pose.following.x - pose.region.x, pose.following.y - pose.region.y)
    return max(shift, abs(pose.following.side - pose.region.side)) / pose.region.side
