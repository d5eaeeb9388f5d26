"""A timed buffer per person: observations at any rate in, samples on the 25 Hz grid out.

The rules. Instants of the grid count from the camera's first frame. An instant takes the frame nearest in
time when that is at most half a step away. Further from any frame but within a gap of at most ``max_gap_s``
it is bridged: joints interpolated, the nearer silhouette, marked, at a lower weight. A frame that the gate
refused makes the instants nearest to it invalid. A longer gap, or a longer run of refused frames, cuts the
segment.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from stream.messages import Array, Body, Cut, Sample, TrackletId
from trackers.config import NS_PER_S, WindowConfig


@dataclass(frozen=True)
class Observed:
    """A person's accepted look at one capture time."""

    captured_ns: int
    body: Body
    weight: float


@dataclass
class Outcome:
    """What became ready; the stage collects it over all people of a frame."""

    samples: list[Sample] = field(default_factory=list)
    cuts: list[Cut] = field(default_factory=list)


@dataclass
class TimedWindow:
    """One tracklet's segment in the making; holds one observation and the refusals since."""

    tracklet: TrackletId
    anchor_ns: int
    config: WindowConfig
    last: Observed | None = None
    next_ns: int | None = None
    refused_ns: list[int] = field(default_factory=list)
    refusal: str = ""
    weight_sum: float = 0.0
    valid_samples: int = 0

    @property
    def is_open(self) -> bool:
        """True while a segment could go on."""
        return self.last is not None

    @property
    def quality(self) -> float:
        """Mean weight of the open segment's valid samples, 0 where there is none."""
        return self.weight_sum / self.valid_samples if self.valid_samples else 0.0

    def accept(self, seen: Observed, out: Outcome) -> None:
        """Take a frame that the gate let pass, and answer every instant up to it."""
        self.pass_time(seen.captured_ns, out)
        if self.last is None:
            self._open(seen)
        step = self.config.grid_ns
        while self.next_ns is not None and self.next_ns <= seen.captured_ns:
            self._answer(self.next_ns, self.last or seen, seen, out)
            self.next_ns += step
        self.last = seen
        self.refused_ns.clear()
        self.refusal = ""

    def refuse(self, now_ns: int, reason: str, out: Outcome) -> None:
        """The person was seen, but not well enough."""
        self.pass_time(now_ns, out)
        if self.last is not None:
            self.refused_ns.append(now_ns)
            self.refusal = reason

    def pass_time(self, now_ns: int, out: Outcome) -> None:
        """Cut the segment where ``now_ns`` is more than ``max_gap_s`` after its last accepted frame."""
        if self.last is not None and now_ns - self.last.captured_ns > self.config.max_gap_s * NS_PER_S:
            self.close(self.refusal or "gap", out)

    def close(self, reason: str, out: Outcome) -> None:
        """End the segment at its last accepted frame; nothing happens where none is open."""
        last = self.last
        if last is None or self.next_ns is None:
            return
        while 2 * (self.next_ns - last.captured_ns) <= self.config.grid_ns:
            self._answer(self.next_ns, last, last, out)
            self.next_ns += self.config.grid_ns
        at_ns = max(last.captured_ns, self.next_ns - self.config.grid_ns)
        out.cuts.append(Cut(self.tracklet, at_ns, reason))
        self.last = None
        self.refused_ns.clear()
        self.refusal = ""
        self.weight_sum, self.valid_samples = 0.0, 0

    def _open(self, seen: Observed) -> None:
        """The first instant is the one nearest to ``seen``, and never one that was answered before."""
        step = self.config.grid_ns
        steps = -((self.anchor_ns - seen.captured_ns + step // 2) // step)
        first_ns = self.anchor_ns + steps * step
        self.next_ns = first_ns if self.next_ns is None else max(first_ns, self.next_ns)

    def _answer(self, at_ns: int, before: Observed, after: Observed, out: Outcome) -> None:
        since, until = abs(at_ns - before.captured_ns), abs(after.captured_ns - at_ns)
        nearest = before if since <= until else after
        apart = min(since, until)
        valid = not any(abs(at_ns - refused) < apart for refused in self.refused_ns)
        bridged = 2 * apart > self.config.grid_ns
        body = _between(before, after, at_ns) if bridged else nearest.body
        weight = nearest.weight * (self.config.bridged_weight if bridged else 1.0) * valid
        out.samples.append(
            Sample(
                self.tracklet,
                at_ns,
                body.silhouette,
                body.joints_2d,
                body.joints_3d,
                valid,
                weight,
                bridged or not valid,
            )
        )
        if valid:
            self.weight_sum += weight
            self.valid_samples += 1


def _between(before: Observed, after: Observed, at_ns: int) -> Body:
    """Joints in a straight line from one observation to the next, with the nearer one's silhouette."""
    share = (at_ns - before.captured_ns) / (after.captured_ns - before.captured_ns)
    nearest = (before if share <= 0.5 else after).body
    joints_2d = _blend(before.body.joints_2d, after.body.joints_2d, share)
    if before.body.joints_3d is None or after.body.joints_3d is None:
        return Body(nearest.silhouette, joints_2d, None)
    return Body(nearest.silhouette, joints_2d, _blend(before.body.joints_3d, after.body.joints_3d, share))


def _blend(before: Array, after: Array, share: float) -> Array:
    return Array.of(((1.0 - share) * before.numpy() + share * after.numpy()).astype(np.float32))
