"""Links between tracklets of one person, in one camera and across cameras. Pure functions over values.

A tracklet's id is never rewritten: that two tracklets are one person is a statement of its own, a ``Link``
with a confidence, which a ``Retraction`` can take back. All that ended and all that began are matched at
once, and where two answers are nearly as good none is given. Everything is weighed in nats, as log likelihood
ratios of "one person" against "two": the gait by the model's calibrated score map, the way between by how
far somebody walks in that time, the walk between two cameras by the times learned for that pair.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from stream.messages import Array, Box, Link, Retraction, TrackletId
from trackers.config import NS_PER_S, StitchConfig
from trackers.motion import Floats

Place = tuple[float, float]
CameraPair = tuple[str, str]
Evidence = Callable[[NDArray[np.floating], NDArray[np.floating]], Floats]
"""(scores (N, M), samples (N,)) -> log likelihood ratios (N, M): ``ScoreMap.evidence``."""


class End(msgspec.Struct, frozen=True):
    """One end of a tracklet: when and where it was last (or first) seen, and how it walks.

    ``ground`` is (x, y) in metres on a plane shared by all cameras that give one. ``vector`` float32 (D,) of
    unit length rests on ``samples`` valid samples. ``other_ns``: of one that ended, when the tracklet that is
    known to continue it began; of one that began and is over already, when that was.
    """

    tracklet: TrackletId
    at_ns: int
    box: Box
    vector: Array
    samples: float
    ground: Place | None = None
    other_ns: int | None = None


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

    def spread(self, least: float) -> float:
        """Standard deviation of the log seconds, at least ``least``."""
        return max(math.sqrt(self.squares / (self.count - 1)) if self.count > 1 else 0.0, least)

    def deviation(self, seconds: float, least_spread: float) -> float:
        """How many standard deviations ``seconds`` is from what was learned."""
        return abs(math.log(max(seconds, 1e-3)) - self.mean) / self.spread(least_spread)


Transits = Mapping[CameraPair, Transit]


def find_links(
    ended: Sequence[End],
    begun: Sequence[End],
    now_ns: int,
    evidence: Evidence,
    config: StitchConfig,
    *,
    transits: Transits | None = None,
    unsettled: Collection[TrackletId] = (),
) -> tuple[Link, ...]:
    """The confident links between ``ended`` and ``begun``, each used at most once, by time and id.

    The pairing has the greatest total evidence; a pair is stated only if its share of the likelihood, against
    every other partner of either and against somebody new, is at least ``min_confidence``. Tracklets that
    are ``unsettled`` (unseen just now, but not over) compete like the ended and are not linked yet.
    """
    weighed, scores = _weigh(ended, begun, evidence, config, transits or {})
    if not (weighed > 0.0).any():
        return ()
    from scipy.optimize import linear_sum_assignment  # noqa: PLC0415 - half a second; not every stage pairs

    rows, columns = linear_sum_assignment(np.maximum(weighed, 0.0), maximize=True)
    twins = [_twins(ends, evidence, config) for ends in (ended, begun)]
    confidence = _confidences(weighed, *twins)
    links = [
        _link(ended[row], begun[column], now_ns, float(scores[row, column]), float(confidence[row, column]))
        for row, column in zip(rows.tolist(), columns.tolist(), strict=True)
        if weighed[row, column] > 0.0
        and confidence[row, column] >= config.min_confidence
        and ended[row].tracklet not in unsettled
    ]
    return tuple(sorted(links, key=lambda link: (link.later, link.earlier)))


def learn_transit(transits: Transits, link: Link) -> dict[CameraPair, Transit]:
    """``transits`` with the walk of one confirmed link between two cameras added."""
    pair = (link.earlier.camera, link.later.camera)
    learned = dict(transits)
    if pair[0] != pair[1]:
        learned[pair] = learned.get(pair, Transit()).learn(link.gap_s)
    return learned


def review_link(
    link: Link, earlier: End, later: End, now_ns: int, evidence: Evidence, config: StitchConfig
) -> Retraction | None:
    """A retraction where what is known by now of the two tracklets contradicts their link."""
    if link.earlier.camera == link.later.camera and later.at_ns < earlier.at_ns:
        return Retraction(link, now_ns, "both were seen at once")
    gait = _gait_evidence([earlier], [later], _scores([earlier], [later]), evidence, config)
    if not float(gait[0, 0]) >= config.retract_evidence:
        return Retraction(link, now_ns, "the gaits differ")
    return None


def _link(earlier: End, later: End, now_ns: int, score: float, confidence: float) -> Link:
    gap_s = (later.at_ns - earlier.at_ns) / NS_PER_S
    distance = None if math.isnan(score) else 1.0 - score
    return Link(earlier.tracklet, later.tracklet, now_ns, gap_s, distance, confidence)


def _weigh(
    ended: Sequence[End], begun: Sequence[End], evidence: Evidence, config: StitchConfig, transits: Transits
) -> tuple[Floats, Floats]:
    """(N, M) evidence for each pair, minus infinity where it is not feasible; and (N, M) gait scores."""
    shape = (len(ended), len(begun))
    way = np.full(shape, -np.inf)
    for row, earlier in enumerate(ended):
        for column, later in enumerate(begun):
            if later.at_ns > earlier.at_ns and _has_room(earlier, later):
                way[row, column] = way_evidence(earlier, later, config, transits)
    if not np.isfinite(way).any():
        return way, np.full(shape, np.nan)
    scores = _scores(ended, begun)
    total = way + _gait_evidence(ended, begun, scores, evidence, config) + config.prior_evidence
    return np.where(np.isnan(total), -np.inf, total), scores


def _has_room(earlier: End, later: End) -> bool:
    """Whether nobody is known to continue ``earlier``, or ``later`` was over when they began."""
    return earlier.other_ns is None or (later.other_ns is not None and later.other_ns < earlier.other_ns)


def _scores(ended: Sequence[End], begun: Sequence[End]) -> Floats:
    """(N, M) inner products, not a number where vectors are of different models."""
    left, right = ([end.vector.numpy().astype(np.float64) for end in ends] for ends in (ended, begun))
    if len({vector.shape for vector in (*left, *right)}) == 1 and left[0].size:
        return np.asarray(np.stack(left) @ np.stack(right).T)
    same = [[a.shape == b.shape != (0,) for b in right] for a in left]
    return np.array(
        [
            [float(np.dot(a, b)) if ok else np.nan for b, ok in zip(right, row, strict=True)]
            for a, row in zip(left, same, strict=True)
        ]
    )


def _gait_evidence(
    ended: Sequence[End], begun: Sequence[End], scores: Floats, evidence: Evidence, config: StitchConfig
) -> Floats:
    """(N, M) log likelihood ratios; of the two ends the one with fewer samples says how sure they are.

    Where one showed too little the gait says nothing, and in two cameras nothing else will do.
    """
    samples = [np.array([end.samples for end in ends]) for ends in (ended, begun)]
    some = [np.maximum(counts, 1.0) for counts in samples]
    left, right = evidence(scores, some[0]), evidence(scores.T, some[1]).T
    weighed = np.where(np.abs(left) <= np.abs(right), left, right)
    silent = np.minimum(samples[0][:, None], samples[1]) < config.min_samples
    cameras = [np.array([end.tracklet.camera for end in ends]) for ends in (ended, begun)]
    alone = np.where(cameras[0][:, None] == cameras[1], 0.0, -np.inf)
    return np.asarray(np.where(silent, alone, weighed))


def _twins(ends: Sequence[End], evidence: Evidence, config: StitchConfig) -> Floats | None:
    """(N, N) how likely two ends are one person whom two overlapping cameras see; None where none overlap."""
    pairs = {frozenset(pair) for pair in config.overlapping}
    if not pairs:
        return None
    cameras = [end.tracklet.camera for end in ends]
    shared = np.array([[a != b and frozenset((a, b)) in pairs for b in cameras] for a in cameras], dtype=bool)
    if not shared.any():
        return None
    gait = _gait_evidence(ends, ends, _scores(ends, ends), evidence, config)
    return np.where(shared & ~np.isnan(gait), 1.0 / (1.0 + np.exp(-np.maximum(gait, -50.0))), 0.0)


def _confidences(weighed: Floats, ended_twins: Floats | None, begun_twins: Floats | None) -> Floats:
    """Each pair's share of the likelihood among its row's or its column's alternatives, the lesser one.

    An alternative counts as far as it is another person: two sights of one person are no two answers.
    """
    likelihood: Floats = np.exp(weighed)
    in_row = likelihood.sum(axis=1, keepdims=True)
    in_column = likelihood.sum(axis=0, keepdims=True)
    if begun_twins is not None:
        in_row = np.maximum(in_row - likelihood @ begun_twins, likelihood)
    if ended_twins is not None:
        in_column = np.maximum(in_column - ended_twins @ likelihood, likelihood)
    return np.asarray(likelihood / (1.0 + np.maximum(in_row, in_column)))


def way_evidence(earlier: End, later: End, config: StitchConfig, transits: Transits) -> float:
    """What place and time say for one person, in nats; minus infinity where nobody can have walked that."""
    elapsed_s = (later.at_ns - earlier.at_ns) / NS_PER_S
    if earlier.tracklet == later.tracklet or not 0.0 < elapsed_s <= config.hold_s:
        return -math.inf
    if earlier.ground is not None and later.ground is not None:
        apart = math.dist(earlier.ground, later.ground)
        feasible = apart <= config.slack_metres + config.max_speed_metres * elapsed_s
        return 0.0 if feasible else -math.inf
    if earlier.tracklet.camera == later.tracklet.camera:
        return _image_evidence(earlier.box, later.box, elapsed_s, config)
    learned = transits.get((earlier.tracklet.camera, later.tracklet.camera), Transit())
    return _transit_evidence(learned, elapsed_s, config)


def _image_evidence(left: Box, right: Box, elapsed_s: float, config: StitchConfig) -> float:
    """How much likelier a place is for somebody who walks on than for anybody, both in heights."""
    heights = (left[3] - left[1], right[3] - right[1])
    if not min(heights) > 0 or max(heights) > config.max_size_ratio * min(heights):
        return -math.inf
    pixels = math.hypot(left[0] + left[2] - right[0] - right[2], left[1] + left[3] - right[1] - right[3]) / 2
    apart = pixels / max(heights)
    if apart > config.slack_heights + config.max_speed_heights * elapsed_s:
        return -math.inf
    spread = config.place_spread + config.place_speed * elapsed_s
    growth = math.log(max(heights) / min(heights)) / (config.size_spread + config.size_speed * elapsed_s)
    # A deviation as wide as the picture says nothing: then everywhere in it is as likely.
    gain = math.log(config.picture_heights / min(2.0 * math.pi * spread**2, config.picture_heights))
    return _bounded(gain - 0.5 * (apart / spread) ** 2 - 0.5 * growth**2, config)


def _transit_evidence(learned: Transit, elapsed_s: float, config: StitchConfig) -> float:
    """How much likelier a walk of this time is between these cameras than any within the hold."""
    if learned.count < config.min_transits:
        return 0.0
    deviation = learned.deviation(elapsed_s, config.transit_spread)
    if deviation > config.max_transit_deviation:
        return -math.inf
    spread = learned.spread(config.transit_spread)
    likelihood = -0.5 * deviation**2 - math.log(elapsed_s * spread * math.sqrt(2.0 * math.pi))
    return _bounded(likelihood + math.log(config.hold_s), config)


def _bounded(evidence: float, config: StitchConfig) -> float:
    return min(max(evidence, -config.max_way_evidence), config.max_way_evidence)
