"""Links between tracklets of one person, in one camera and across cameras. Pure functions over values.

A tracklet's id is never rewritten: that two tracklets are one person is a statement of its own, a ``Link``
with a confidence, which a ``Retraction`` can take back. Ended tracklets wait ``hold_s`` for their
continuation; all that wait and all that began are matched at once, and where two answers are nearly as good
none is given.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
from scipy.optimize import linear_sum_assignment

from stream.messages import Array, Box, TrackletId
from trackers.config import NS_PER_S, StitchConfig
from trackers.motion import Floats

Place = tuple[float, float]
CameraPair = tuple[str, str]


class End(msgspec.Struct, frozen=True):
    """One end of a tracklet: when and where it was last (or first) seen, and who it looked like.

    ``ground`` is (x, y) in metres on a plane shared by all cameras that give one. ``vector`` float32 (D,) of
    unit length rests on ``samples`` valid samples.
    """

    tracklet: TrackletId
    at_ns: int
    box: Box
    vector: Array
    samples: int
    ground: Place | None = None


class Link(msgspec.Struct, frozen=True):
    """``later`` continues ``earlier``, with ``confidence`` in [0, 1] that it is the same person."""

    earlier: TrackletId
    later: TrackletId
    at_ns: int
    distance: float
    confidence: float


class Retraction(msgspec.Struct, frozen=True):
    """A link no longer holds."""

    link: Link
    at_ns: int
    reason: str


class Transit(msgspec.Struct, frozen=True):
    """What was learned of the walk from one camera to another: log seconds, by Welford's method."""

    count: int = 0
    mean: float = 0.0
    squares: float = 0.0

    def learn(self, seconds: float) -> Transit:
        """Add one observed walk of ``seconds``."""
        apart = math.log(max(seconds, 1e-3)) - self.mean
        mean = self.mean + apart / (self.count + 1)
        return Transit(self.count + 1, mean, self.squares + apart * apart * self.count / (self.count + 1))

    def deviation(self, seconds: float, least_spread: float) -> float:
        """How many standard deviations ``seconds`` is from what was learned."""
        spread = math.sqrt(self.squares / (self.count - 1)) if self.count > 1 else 0.0
        return abs(math.log(max(seconds, 1e-3)) - self.mean) / max(spread, least_spread)


Transits = Mapping[CameraPair, Transit]


def still_waiting(ended: Sequence[End], now_ns: int, config: StitchConfig) -> tuple[End, ...]:
    """The ended tracklets that may yet be continued."""
    return tuple(end for end in ended if now_ns - end.at_ns <= config.hold_s * NS_PER_S)


def find_links(
    ended: Sequence[End],
    begun: Sequence[End],
    now_ns: int,
    config: StitchConfig,
    transits: Transits | None = None,
) -> tuple[Link, ...]:
    """The confident links between ``ended`` and ``begun``, each used at most once, by time and id.

    The pairing minimises total distance; a pair is stated only if its share of the likelihood, against every
    other partner of either and against somebody new, is at least ``min_confidence``.
    """
    distance = _distances(ended, begun, config, transits or {})
    if not np.isfinite(distance).any():
        return ()
    rows, columns = linear_sum_assignment(np.minimum(distance, config.max_distance))
    confidence = _confidences(distance, config)
    links = [
        Link(
            ended[row].tracklet,
            begun[column].tracklet,
            now_ns,
            float(distance[row, column]),
            float(confidence[row, column]),
        )
        for row, column in zip(rows.tolist(), columns.tolist(), strict=True)
        if confidence[row, column] >= config.min_confidence
    ]
    return tuple(sorted(links, key=lambda link: (link.later, link.earlier)))


def learn_transit(transits: Transits, earlier: End, later: End) -> dict[CameraPair, Transit]:
    """``transits`` with the walk of one confirmed link between two cameras added."""
    pair = (earlier.tracklet.camera, later.tracklet.camera)
    learned = dict(transits)
    if pair[0] != pair[1]:
        seconds = (later.at_ns - earlier.at_ns) / NS_PER_S
        learned[pair] = learned.get(pair, Transit()).learn(seconds)
    return learned


def review_link(link: Link, earlier: End, later: End, now_ns: int, config: StitchConfig) -> Retraction | None:
    """A retraction where what is known by now of the two tracklets contradicts their link."""
    if _same_camera(earlier, later) and later.at_ns < earlier.at_ns:
        return Retraction(link, now_ns, "both were seen at once")
    distance = _distance(earlier, later)
    if not distance <= config.retract_distance:
        return Retraction(link, now_ns, "the gaits differ")
    return None


def _distances(
    ended: Sequence[End], begun: Sequence[End], config: StitchConfig, transits: Transits
) -> Floats:
    """(N, M) embedding distances, infinite where the pair is not feasible or rests on too little."""
    table = np.full((len(ended), len(begun)), np.inf)
    for row, earlier in enumerate(ended):
        for column, later in enumerate(begun):
            if _feasible(earlier, later, config, transits):
                distance = _distance(earlier, later)
                if distance <= config.max_distance:
                    table[row, column] = distance
    return table


def _distance(earlier: End, later: End) -> float:
    left, right = earlier.vector.numpy(), later.vector.numpy()
    if left.shape != right.shape:
        return math.inf
    distance = 1.0 - float(np.dot(left, right))
    return distance if math.isfinite(distance) else math.inf


def _confidences(distance: Floats, config: StitchConfig) -> Floats:
    """Each pair's share of the likelihood among its row's or its column's alternatives, the lesser one."""
    likelihood: Floats = np.exp((config.stranger_distance - distance) / config.distance_scale)
    in_row = likelihood / (1.0 + likelihood.sum(axis=1, keepdims=True))
    in_column = likelihood / (1.0 + likelihood.sum(axis=0, keepdims=True))
    return np.asarray(np.minimum(in_row, in_column))


def _feasible(earlier: End, later: End, config: StitchConfig, transits: Transits) -> bool:
    elapsed_s = (later.at_ns - earlier.at_ns) / NS_PER_S
    if earlier.tracklet == later.tracklet or not 0.0 < elapsed_s <= config.hold_s:
        return False
    if min(earlier.samples, later.samples) < config.min_samples:
        return False
    if earlier.ground is not None and later.ground is not None:
        apart = math.dist(earlier.ground, later.ground)
        return apart <= config.slack_metres + config.max_speed_metres * elapsed_s
    if _same_camera(earlier, later):
        return _reachable_in_image(earlier.box, later.box, elapsed_s, config)
    learned = transits.get((earlier.tracklet.camera, later.tracklet.camera), Transit())
    if learned.count < config.min_transits:
        return True
    return learned.deviation(elapsed_s, config.transit_spread) <= config.max_transit_deviation


def _reachable_in_image(left: Box, right: Box, elapsed_s: float, config: StitchConfig) -> bool:
    heights = (left[3] - left[1], right[3] - right[1])
    if not min(heights) > 0:
        return False
    growth = config.max_size_ratio ** max(1.0, elapsed_s / 4.0)
    if max(heights) > growth * min(heights):
        return False
    apart = math.hypot(left[0] + left[2] - right[0] - right[2], left[1] + left[3] - right[1] - right[3]) / 2
    reach = config.slack_heights + config.max_speed_heights * elapsed_s
    return apart <= reach * max(heights)


def _same_camera(earlier: End, later: End) -> bool:
    return earlier.tracklet.camera == later.tracklet.camera
