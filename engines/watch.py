"""One camera's people from frame to frame: follow those known, add those found, keep them apart.

What it does depends on the frames and their numbers alone, so a recording gives the same people every time,
and cameras may be interleaved in any order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from engines.config import PerceiveConfig
from engines.detector import Detector
from engines.followers import (
    YOUNG_PATIENCE,
    Follower,
    Seen,
    apart,
    body_box,
    claim,
    crop_past,
    feet_of,
    plausible,
    same_person,
    seen_in,
    substantial,
)
from engines.pose import Pose, PoseNet
from engines.regions import Region
from engines.seek import Frame, Seeker, in_view
from engines.silhouettes import boxes_meet


@dataclass(frozen=True)
class Sighting:
    """A person with the number of their follower."""

    follower: int
    seen: Seen


class CameraWatch:
    """The followers of one camera."""

    def __init__(self, detector: Detector, poses: PoseNet, config: PerceiveConfig) -> None:
        self._poses, self._config = poses, config
        self._seeker = Seeker(detector, poses, config)
        self._followers: list[Follower] = []
        self._next_number = 0
        self._last_frame: int | None = None

    def see(self, frame: Frame, number: int, *, search: bool = True) -> list[Sighting]:
        """The people in frame ``number`` (H, W, 3) BGR; numbers must grow. ``search``: for new ones too."""
        steps = 1 if self._last_frame is None else max(number - self._last_frame, 1)
        self._last_frame = number
        found = self._follow(frame, steps)
        lost = [follower.expected(0) for follower in self._followers if follower.missed]
        new = self._seeker.seek(frame, [sighting.seen for sighting in found], lost) if search else []
        found += [Sighting(self._adopt(seen), seen) for seen in new]
        found.sort(key=lambda sighting: sighting.follower)
        own = apart([sighting.seen for sighting in found], lost)
        return [replace(one, seen=seen) for one, seen in zip(found, own, strict=True) if substantial(seen)]

    def _follow(self, frame: Frame, steps: int) -> list[Sighting]:
        """Look at everyone where they are expected, the nearer first, and keep those who are still there."""
        answers = self._look(frame, steps)
        self._settle_claims(frame, answers, steps)
        kept = []
        for follower in self._followers:
            seen = answers.get(follower.number)
            after = follower.lost(steps) if seen is None else follower.saw(seen.pose, steps)
            if after.missed == 0 or self._worth_keeping(after, frame):
                kept.append(after)
        self._followers = kept
        return [Sighting(number, seen) for number, seen in answers.items()]

    def _look(self, frame: Frame, steps: int) -> dict[int, Seen]:
        """Answers by follower; whoever may be hidden comes after those in front, who are painted out."""
        due = [follower for follower in self._followers if not follower.missed]
        lost = [follower for follower in self._followers if follower.missed and follower.due()]
        due += lost[: max(self._config.max_people - len(due), 0)]
        due.sort(key=lambda follower: (-follower.feet, follower.number))
        regions = {follower.number: follower.expected(steps) for follower in due}
        boxes = {number: body_box(region) for number, region in regions.items()}
        free: list[Follower] = []
        behind: list[Follower] = []
        for place, follower in enumerate(due):
            nearer = [boxes[other.number] for other in due[:place]]
            hidden = any(boxes_meet(boxes[follower.number], box) for box in nearer)
            (behind if hidden else free).append(follower)
        poses = self._poses.look(frame, [regions[follower.number] for follower in free])
        answers: dict[int, Seen] = {}
        for follower, pose in zip(free, poses, strict=True):
            self._note(answers, frame, follower, pose)
        for follower in behind:
            region = regions[follower.number]
            front = [seen for seen in answers.values() if feet_of(seen.pose) > follower.feet]
            self._note(answers, frame, follower, self._past(frame, region, front), front)
        return answers

    def _note(
        self,
        answers: dict[int, Seen],
        frame: Frame,
        follower: Follower,
        pose: Pose,
        front: Sequence[Seen] = (),
    ) -> None:
        seen = self._accept(frame, follower, pose, front)
        if seen is not None:
            answers[follower.number] = seen

    def _past(self, frame: Frame, region: Region, front: Sequence[Seen]) -> Pose:
        """The pose in ``region`` with the people in front of it painted out."""
        return self._poses.look_at([crop_past(frame, region, front)], [region])[0]

    def _accept(self, frame: Frame, follower: Follower, pose: Pose, front: Sequence[Seen]) -> Seen | None:
        """The answer, if it is a person, and this one; a lost person must be as sure as a new one."""
        least = self._config.presence_new if follower.missed else self._config.presence_followed
        if not pose.sound or pose.presence < least or not plausible(follower, pose.region, pose):
            return None
        seen = seen_in(frame, pose, front)
        if seen is None or (follower.missed and seen.agreement < self._config.agreement_new):
            return None
        return seen

    def _settle_claims(self, frame: Frame, answers: dict[int, Seen], steps: int) -> None:
        """Where two followers met on one person, the better claim keeps it; the other looks past them."""
        by_number = {follower.number: follower for follower in self._followers}
        ranked = sorted(answers, key=lambda n: (claim(by_number[n], answers[n], steps), n))
        kept: list[int] = []
        for number in ranked:
            follower = by_number[number]
            rivals = [answers[n] for n in kept if same_person(answers[n], answers[number])]
            if rivals:
                other = None
                if follower.settled:
                    pose = self._past(frame, follower.expected(steps), rivals)
                    doubted = replace(follower, missed=max(follower.missed, 1))
                    other = self._accept(frame, doubted, pose, rivals)
                if other is None or any(same_person(answers[n], other) for n in kept):
                    del answers[number]
                    continue
                answers[number] = other
            kept.append(number)

    def _worth_keeping(self, follower: Follower, frame: Frame) -> bool:
        patience = self._config.lost_frames if follower.settled else YOUNG_PATIENCE
        return follower.missed <= patience and in_view(follower.expected(0), frame)

    def _adopt(self, seen: Seen) -> int:
        """The number of the lost follower whose person this is, or a new one."""
        for place, follower in enumerate(self._followers):
            if follower.missed and plausible(follower, follower.expected(0), seen.pose):
                self._followers[place] = follower.saw(seen.pose, 0)
                return follower.number
        number = self._next_number
        self._next_number += 1
        self._followers.append(Follower(number, seen.pose.following, feet_of(seen.pose)))
        return number
