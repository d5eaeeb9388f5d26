"""Holds a run's answers against the truth of a rendered clip: who was really there, who was named right."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from stream.messages import Box, Continuation, Event, Identity, Tracked

MATCH_IOU: Final = 0.5
NS: Final = 1e-9
Boxes = Mapping[int, Mapping[str, Box]]
"""Frame number -> person -> box of what is visible of them."""


@dataclass(frozen=True)
class Verdict:
    """What the pipeline made of one person who was really there.

    ``answer`` is the last one given to the tracklet that showed them longest; ``named`` holds every name ever
    given to any of their tracklets, also those taken back.
    """

    person: str
    enrolled: bool
    first_s: float
    last_s: float
    answer: Identity | None
    named: tuple[str, ...]
    named_s: float | None
    tracklets: tuple[str, ...]

    @property
    def right(self) -> bool:
        """Enrolled: named as themselves in the end and never as another. Stranger: never named."""
        if not self.enrolled:
            return not self.named
        final = self.answer.name if self.answer and self.answer.answer == "person" else None
        return final == self.person and set(self.named) <= {self.person}

    @property
    def text(self) -> str:
        """The answer in words."""
        if self.answer is None:
            return "never answered"
        if self.answer.answer == "person":
            return self.answer.name or "?"
        return self.answer.answer.replace("_", " ")


@dataclass(frozen=True)
class LinkVerdict:
    """One link between two tracklets as it was told; ``right`` is None where the truth knows not both.

    ``taken_back_s`` is when it was retracted, if it was.
    """

    told_s: float
    later: str
    link: Continuation
    right: bool | None
    taken_back_s: float | None = None

    @property
    def wrong(self) -> bool:
        """It joins two people, and still stands."""
        return self.right is False and self.taken_back_s is None


def judge_links(tracked: Sequence[Tracked], events: Sequence[Event], truth: Boxes) -> tuple[LinkVerdict, ...]:
    """The links in the order they were told, each with its retraction."""
    owner = owners(tracked, truth)
    start_ns = tracked[0].frame.captured_ns if tracked else 0
    found: dict[tuple[str, str], LinkVerdict] = {}
    for event in events:
        if event.link is None or event.tracklet is None:
            continue
        pair, at_s = (event.link.earlier, event.tracklet), (event.captured_ns - start_ns) * NS
        if event.kind == "retract" and pair in found:
            found[pair] = replace(found[pair], taken_back_s=at_s)
        elif event.kind == "link":
            known = all(tracklet in owner for tracklet in pair)
            right = owner[pair[0]] == owner[pair[1]] if known else None
            found[pair] = LinkVerdict(at_s, event.tracklet, event.link, right)
    return tuple(found.values())


def owners(tracked: Iterable[Tracked], truth: Boxes) -> dict[str, str]:
    """Tracklet -> the person whose visible box it covers in most frames; tracklets on nobody are left out."""
    votes: dict[str, Counter[str]] = defaultdict(Counter)
    for message in tracked:
        people = truth.get(message.frame.number, {})
        for track in message.tracks:
            if track.person is None or not people:
                continue
            person = max(people, key=lambda name: iou(track.box, people[name]))
            if iou(track.box, people[person]) >= MATCH_IOU:
                votes[str(track.tracklet)][person] += 1
    return {tracklet: count.most_common(1)[0][0] for tracklet, count in votes.items()}


def iou(a: Box, b: Box) -> float:
    """Intersection over union of two boxes."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    both = width * height
    return both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both)


def judge(
    tracked: Sequence[Tracked], events: Sequence[Event], truth: Boxes, enrolled: Iterable[str]
) -> list[Verdict]:
    """One verdict for each person the truth knows, in the order they appear."""
    known = set(enrolled)
    owner = owners(tracked, truth)
    times = {message.frame.number: message.frame.captured_ns for message in tracked}
    start_ns = min(times.values(), default=0)
    lengths = Counter(str(t.tracklet) for message in tracked for t in message.tracks if t.person is not None)
    seen: dict[str, list[int]] = defaultdict(list)
    for number, people in truth.items():
        for person in people:
            if number in times:
                seen[person].append(times[number])
    return [
        _verdict(
            person, person in known, (min(at_ns), max(at_ns)), start_ns, _own(owner, person, lengths), events
        )
        for person, at_ns in sorted(seen.items(), key=lambda item: min(item[1]))
    ]


def _own(owner: Mapping[str, str], person: str, lengths: Counter[str]) -> list[str]:
    """The person's tracklets, the longest first."""
    return sorted((t for t, p in owner.items() if p == person), key=lambda t: (-lengths[t], t))


def _verdict(
    person: str,
    enrolled: bool,
    seen_ns: tuple[int, int],
    start_ns: int,
    tracklets: list[str],
    events: Sequence[Event],
) -> Verdict:
    answers = [e for e in events if e.tracklet in set(tracklets) and e.identity is not None]
    named = [e for e in answers if e.identity and e.identity.answer == "person"]
    longest = [e.identity for e in answers if tracklets and e.tracklet == tracklets[0]]
    return Verdict(
        person=person,
        enrolled=enrolled,
        first_s=(seen_ns[0] - start_ns) * NS,
        last_s=(seen_ns[1] - start_ns) * NS,
        answer=longest[-1] if longest else None,
        named=tuple(sorted({e.identity.name or "?" for e in named if e.identity})),
        named_s=(min(e.captured_ns for e in named) - start_ns) * NS if named else None,
        tracklets=tuple(tracklets),
    )
