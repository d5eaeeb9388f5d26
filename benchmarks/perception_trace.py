"""Why perception missed somebody, or answered for nobody: one line of JSON for each, to read or to count.

Reasons of a miss: ``box``, an answer is theirs by pixels, but its box is not; ``merged``, most of their
pixels went to somebody else's mask; ``late``, nobody answered for them yet; ``lost``, somebody did before.
Reasons of a wrong answer: ``twice``, it lies on somebody who has an answer; ``scrap``, on part of somebody;
``ghost``, on nobody.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from benchmarks.perception_judge import Verdict, box_iou, sample
from gait.walkers.truth import TruthPerson
from stream.errors import ResourceError
from stream.messages import Box, People, Person

Reason = Literal["box", "merged", "late", "lost", "twice", "scrap", "ghost"]
MOST: Final = 0.5
"""Share of somebody's pixels from which on an answer speaks for them."""


class Fault(msgspec.Struct, frozen=True):
    """One miss (``identity`` and ``visible`` set) or one wrong answer (``follower`` set)."""

    clip: str
    frame: int
    reason: Reason
    identity: str = ""
    visible: float = 0.0
    height_px: float = 0.0
    box: tuple[int, int, int, int] = (0, 0, 0, 0)
    iou: float = 0.0
    follower: int | None = None
    over: str = ""


@dataclass
class Trace:
    """Collects faults frame by frame; ``write`` puts them in a file."""

    faults: list[Fault] = field(default_factory=list)
    _seen: set[tuple[str, str]] = field(default_factory=set)

    def add(self, clip: str, people: People, truth: Sequence[TruthPerson], verdict: Verdict) -> None:
        """Explain one judged frame of ``clip``."""
        at, matched = people.frame.number, dict(verdict.pairs)
        for answer in verdict.wrong:
            self.faults.append(_wrong(clip, at, people.people[answer], truth, verdict))
        for real in verdict.missed:
            one = truth[real]
            known = (clip, one.identity) in self._seen
            self.faults.append(_miss(clip, at, one, people.people, matched, truth, known))
        self._seen |= {(clip, truth[real].identity) for _, real in verdict.pairs}

    def counts(self) -> dict[str, int]:
        """Faults by reason."""
        return dict(sorted(Counter(fault.reason for fault in self.faults).items()))

    def write(self, path: Path) -> None:
        """One JSON object a line; raises ResourceError."""
        lines = b"".join(msgspec.json.encode(fault) + b"\n" for fault in self.faults)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(lines)
        except OSError as error:
            raise ResourceError(f"cannot write the trace ({error.strerror})", where=str(path)) from error


def _miss(
    clip: str,
    frame: int,
    one: TruthPerson,
    people: Sequence[Person],
    matched: dict[int, int],
    truth: Sequence[TruthPerson],
    known: bool,
) -> Fault:
    shares = [share(person, one) for person in people]
    best = int(np.argmax(shares)) if shares else -1
    reason: Reason = "lost" if known else "late"
    over, follower = "", None
    if shares and shares[best] >= MOST:
        other = matched.get(best)
        reason, follower = ("box" if other is None else "merged"), people[best].hint
        over = "" if other is None else truth[other].identity
    box = one.visible_box or one.box
    iou = max((box_iou(person.box, box) for person in people), default=0.0)
    return Fault(
        clip,
        frame,
        reason,
        one.identity,
        round(one.visible, 2),
        round(one.box[3] - one.box[1]),
        whole(box),
        round(iou, 2),
        follower,
        over,
    )


def _wrong(clip: str, frame: int, person: Person, truth: Sequence[TruthPerson], verdict: Verdict) -> Fault:
    ious = [box_iou(person.box, one.visible_box) if one.visible_box else 0.0 for one in truth]
    best = int(np.argmax(ious)) if ious else -1
    reason: Reason = "ghost"
    if ious and ious[best] > 0.0:
        has_answer = best in {real for _, real in verdict.pairs}
        reason = "twice" if has_answer and ious[best] >= MOST else "scrap"
    return Fault(
        clip,
        frame,
        reason,
        box=whole(person.box),
        iou=round(ious[best], 2) if ious else 0.0,
        follower=person.hint,
        over=truth[best].identity if ious and ious[best] > 0.0 else "",
        height_px=round(person.box[3] - person.box[1]),
    )


def share(person: Person, truth: TruthPerson) -> float:
    """The share of somebody's visible pixels that lie in an answer's mask."""
    mask: NDArray[np.bool_] = truth.crop.mask
    if person.mask is None or not mask.any():
        return 0.0
    answer = sample(person.mask.numpy(), person.mask.to_image, truth.crop.left, truth.crop.top, mask.shape)
    return float(np.count_nonzero(mask & answer) / np.count_nonzero(mask))


def whole(box: Box) -> tuple[int, int, int, int]:
    """A box in whole pixels."""
    return (round(box[0]), round(box[1]), round(box[2]), round(box[3]))
