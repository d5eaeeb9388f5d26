"""Which detection belongs to which track: costs in nats, gates, and one optimal assignment per round.

A pair's cost is a minus log likelihood ratio against "somebody else": the motion filter's Student-t
distance, plus what perception knows beyond boxes: keypoints, masks, and the landmark net's own following
hint. The rounds are BYTE's (Zhang et al., "ByteTrack", ECCV 2022, algorithm 1): high scores, then low ones,
then unconfirmed tracks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trackers.config import AssociationConfig
from trackers.motion import Floats

Rows = NDArray[np.intp]
NO_HINT = -1


@dataclass(frozen=True)
class Matches:
    """Pairs (``tracks[i]``, ``detections[i]``); indices into what the costs were computed for."""

    tracks: Rows
    detections: Rows


def shared_area(left: Floats, right: Floats) -> Floats:
    """(N, M) areas that boxes share, given by their corners."""
    wide = np.minimum(left[:, None, 2], right[:, 2]) - np.maximum(left[:, None, 0], right[:, 0])
    high = np.minimum(left[:, None, 3], right[:, 3]) - np.maximum(left[:, None, 1], right[:, 1])
    return np.asarray(np.maximum(wide, 0.0) * np.maximum(high, 0.0))


def area(boxes: Floats) -> Floats:
    """(N,) areas of boxes given by their corners."""
    sides = np.maximum(boxes[:, 2:] - boxes[:, :2], 0.0)
    return np.asarray(sides[:, 0] * sides[:, 1])


def iou(left: Floats, right: Floats) -> Floats:
    """(N, M) intersection over union of boxes given by their corners; 0 where both are empty."""
    shared = shared_area(left, right)
    union = area(left)[:, None] + area(right) - shared
    return np.asarray(shared / np.maximum(union, 1e-9))


def hidden_share(boxes: Floats) -> Floats:
    """(N,) share of each box that one nearer box covers at most; the lower edge tells who is nearer."""
    if len(boxes) < 2:
        return np.zeros(len(boxes))
    nearer = boxes[:, 3] > boxes[:, None, 3]
    covered = (shared_area(boxes, boxes) * nearer).max(axis=1)
    return np.asarray(covered / np.maximum(area(boxes), 1e-9))


def motion_cost(squared: Floats, spread: Floats, tails: float) -> Floats:
    """Student-t minus log likelihood (N, M) from squared Mahalanobis distances and log spreads (N,)."""
    return 0.5 * (tails + 4.0) * np.log1p(squared / tails) + spread[:, None]


def hint_cost(tracks: Rows, detections: Rows, config: AssociationConfig) -> Floats:
    """(N, M) bonus where perception followed the same person, penalty where it followed another."""
    both = (tracks[:, None] != NO_HINT) & (detections[None, :] != NO_HINT)
    same = both & (tracks[:, None] == detections[None, :])
    return np.where(same, -config.hint_bonus, np.where(both, config.hint_penalty, 0.0))


def keypoint_similarity(expected: Floats, seen: Floats, height: Floats, tolerance: float) -> Floats:
    """(P,) object keypoint similarity in [0, 1] of P pairs of keypoints (P, K, 3), NaN where none is sure.

    ``height`` (P,) in pixels; ``tolerance`` in heights is the distance at which similarity is exp(-1/2).
    """
    weight = expected[:, :, 2] * seen[:, :, 2]
    apart = (expected[:, :, 0] - seen[:, :, 0]) ** 2 + (expected[:, :, 1] - seen[:, :, 1]) ** 2
    near = np.exp(apart * (-0.5 / (tolerance * height[:, None]) ** 2))
    total = weight.sum(axis=1)
    mean = (weight * near).sum(axis=1) / np.maximum(total, 1e-9)
    return np.where(total > 0.5, mean, np.nan)


def solve(cost: Floats, max_cost: float) -> Matches:
    """The pairing of least total cost in which leaving a pair out costs ``max_cost``."""
    if not cost.size:
        nothing = np.zeros(0, dtype=np.intp)
        return Matches(nothing, nothing)
    from scipy.optimize import linear_sum_assignment  # noqa: PLC0415 - half a second; not every stage pairs

    rows, columns = linear_sum_assignment(np.minimum(cost, max_cost))
    good = cost[rows, columns] < max_cost
    return Matches(rows[good], columns[good])
