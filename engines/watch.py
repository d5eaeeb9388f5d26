"""One camera's people from frame to frame: follow those known, look for new ones, keep them apart.

What it does depends on the frames and their numbers alone, so a recording gives the same people every time,
and cameras may be interleaved in any order.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engines.config import PerceiveConfig
from engines.detector import Detection, Detector, suppress
from engines.followers import Follower, Seen, agreement, claim, plausible, same_person
from engines.pose import INPUT, Pose, PoseNet
from engines.regions import Region, crop
from engines.search import ChangeWatch, Plan, tile_around
from engines.silhouettes import exclusive, paint_out, silhouette

Frame = NDArray[np.uint8]

MAX_LEAN: Final = math.radians(75)
"""Who walks stands; what leans more is a false answer or somebody lying, whose gait cannot be seen."""
LARGEST_SHARE: Final = 0.75
"""Radius of a body over the side of the tile; whoever is larger is cut by it and seen in a larger tile."""
SECOND_LOOK: Final = 0.04
"""A new person is looked at again when the net's own region differs by more than this share of the side."""


@dataclass(frozen=True)
class Sighting:
    """A person with the number of their follower."""

    follower: int
    seen: Seen


class CameraWatch:
    """The followers of one camera and the state of its search."""

    def __init__(self, detector: Detector, poses: PoseNet, config: PerceiveConfig) -> None:
        self._detector, self._poses, self._config = detector, poses, config
        self._followers: list[Follower] = []
        self._changes = ChangeWatch()
        self._plan: Plan | None = None
        self._round = 0
        self._next_number = 0
        self._last_frame: int | None = None

    def see(self, frame: Frame, number: int) -> list[Sighting]:
        """The people in frame ``number`` (H, W, 3) BGR; numbers must grow."""
        steps = 1 if self._last_frame is None else max(number - self._last_frame, 1)
        found = self._follow(frame, steps)
        found += self._search(frame, [sighting.seen for sighting in found], opening=self._last_frame is None)
        self._last_frame = number
        return _apart(found)

    # Following

    def _follow(self, frame: Frame, steps: int) -> list[Sighting]:
        looked = [follower for follower in self._followers if not follower.missed or follower.due()]
        regions = [follower.expected(steps) for follower in looked]
        poses = self._poses.look(frame, regions)
        answers: dict[int, Seen] = {}
        for follower, region, pose in zip(looked, regions, poses, strict=True):
            seen = self._accept(frame, follower, region, pose)
            if seen is not None:
                answers[follower.number] = seen
        self._settle_claims(frame, answers, steps)
        kept = []
        for follower in self._followers:
            seen = answers.get(follower.number)
            after = follower.lost(steps) if seen is None else follower.saw(seen.pose, steps)
            if self._worth_keeping(after, frame):
                kept.append(after)
        self._followers = kept
        numbers = {follower.number for follower in kept}
        return [Sighting(number, seen) for number, seen in answers.items() if number in numbers]

    def _accept(self, frame: Frame, follower: Follower, region: Region, pose: Pose) -> Seen | None:
        least = self._config.presence_new if follower.missed else self._config.presence_followed
        if not pose.sound or pose.presence < least or not plausible(region, pose):
            return None
        seen = _seen(frame, pose)
        if seen is None or (follower.missed and agreement(seen) < self._config.agreement_new):
            return None
        return seen

    def _settle_claims(self, frame: Frame, answers: dict[int, Seen], steps: int) -> None:
        """Where two followers met on one person, the better claim keeps it; the other looks past them."""
        by_number = {follower.number: follower for follower in self._followers}
        ranked = sorted(answers, key=lambda n: (claim(by_number[n], answers[n], steps), n))
        kept: list[int] = []
        for number in ranked:
            rivals = [n for n in kept if same_person(answers[n], answers[number])]
            if rivals:
                other = self._look_past(frame, by_number[number], [answers[n] for n in rivals], steps)
                if other is None or any(same_person(answers[n], other) for n in kept):
                    del answers[number]
                    continue
                answers[number] = other
            kept.append(number)

    def _look_past(self, frame: Frame, follower: Follower, nearer: Sequence[Seen], steps: int) -> Seen | None:
        """Look for a settled follower's person with those in front painted out."""
        if not follower.settled:
            return None
        region = follower.expected(steps).moved(*follower.velocity)
        pixels = crop(frame, region, INPUT)
        for seen in nearer:
            pixels = paint_out(pixels, seen.silhouette, region.to_image(INPUT))
        pose = self._poses.look_at([pixels], [region])[0]
        return self._accept(frame, replace(follower, missed=max(follower.missed, 1)), region, pose)

    def _worth_keeping(self, follower: Follower, frame: Frame) -> bool:
        if follower.missed == 0:
            return True
        height, width = frame.shape[:2]
        expected = follower.expected()
        inside = 0 <= expected.x < width and 0 <= expected.y < height
        return inside and follower.settled and follower.missed <= self._config.lost_frames

    # Searching

    def _search(self, frame: Frame, known: list[Seen], *, opening: bool) -> list[Sighting]:
        height, width = frame.shape[:2]
        if self._plan is None:
            self._plan = Plan.of(width, height, self._config.search.smallest_px)
        changed = self._changes.places(frame, [seen.silhouette.box for seen in known])
        room = self._config.max_people - len(known)
        if room <= 0:
            return []
        tiles = self._tiles(self._plan, [tile_around(p, self._plan, width, height) for p in changed], opening)
        allowed = room if opening else min(room, self._config.search.candidates_per_frame)
        found: list[Sighting] = []
        for candidate in self._candidates(frame, tiles, known)[: 2 * allowed]:
            seen = self._check(frame, candidate)
            if seen is None or any(same_person(seen, other) for other in known):
                continue
            known = [*known, seen]
            found.append(Sighting(self._adopt(seen), seen))
            if len(found) == allowed:
                break
        return found

    def _tiles(self, plan: Plan, changed: Sequence[Region], opening: bool) -> list[Region]:
        """Every other tile goes where something moved, the rest continue the round."""
        search = self._config.search
        if opening:
            return plan.round(0, search.opening_tiles)
        tiles: list[Region] = []
        for turn in range(search.tiles_per_frame):
            self._round += 1
            place = self._round // 2 + turn
            if changed and self._round % 2:
                tiles.append(changed[place % min(len(changed), 3)])
            else:
                tiles += plan.round(place, 1)
        return tiles

    def _candidates(self, frame: Frame, tiles: Sequence[Region], known: Sequence[Seen]) -> list[Detection]:
        height, width = frame.shape[:2]
        hidden = [seen.silhouette for seen in known]
        found = []
        for tile, detections in zip(tiles, self._detector.detect_each(frame, tiles, hidden), strict=True):
            for detection in detections:
                region = detection.region
                inside = 0 <= region.x < width and 0 <= region.y < height
                fits = detection.radius <= LARGEST_SHARE * tile.side and abs(region.angle) <= MAX_LEAN
                if inside and fits and region.side > 1.0:
                    found.append(detection)
        return suppress(found)

    def _check(self, frame: Frame, candidate: Detection) -> Seen | None:
        """The landmark net's word on a proposal, from the region that the net itself asks for."""
        pose = self._poses.look(frame, [candidate.region])[0]
        if not pose.sound or pose.presence < self._config.presence_followed:
            return None
        off = np.hypot(pose.following.x - pose.region.x, pose.following.y - pose.region.y)
        if max(off, abs(pose.following.side - pose.region.side)) > SECOND_LOOK * pose.region.side:
            pose = self._poses.look(frame, [pose.following])[0]
        if not pose.sound or pose.presence < self._config.presence_new or abs(pose.region.angle) > MAX_LEAN:
            return None
        seen = _seen(frame, pose)
        if seen is None or agreement(seen) < self._config.agreement_new:
            return None
        return seen

    def _adopt(self, seen: Seen) -> int:
        """The number of the lost follower whose person this is, or a new one."""
        for place, follower in enumerate(self._followers):
            if follower.missed and plausible(follower.expected(0), seen.pose):
                self._followers[place] = follower.saw(seen.pose, 0)
                return follower.number
        number = self._next_number
        self._next_number += 1
        self._followers.append(Follower(number, seen.pose.following))
        return number


def _seen(frame: Frame, pose: Pose) -> Seen | None:
    height, width = frame.shape[:2]
    shape = silhouette(pose, width, height)
    return None if shape is None else Seen(pose, shape)


def _apart(found: Sequence[Sighting]) -> list[Sighting]:
    """Everyone with the pixels that are theirs alone, in the order of their numbers."""
    apart = []
    for sighting in found:
        own = sighting.seen.silhouette
        for other in found:
            if other is not sighting:
                rest = exclusive(own, other.seen.silhouette)
                own = own if rest is None else rest
        apart.append(replace(sighting, seen=replace(sighting.seen, silhouette=own)))
    return sorted(apart, key=lambda sighting: sighting.follower)
