"""How well tracks follow people: HOTA, IDF1 and the CLEAR measures, from boxes with identities.

HOTA: Luiten et al., "HOTA: a higher order metric for evaluating multi-object tracking", IJCV 2021, sections
4 and 5, over 19 localisation thresholds. IDF1: Ristani et al., ECCV workshops 2016. CLEAR: Bernardin and
Stiefelhagen, 2008, where a pair of the last frame is kept while it overlaps by half. All three are exact:
counts are sums, so several sequences are scored as one by adding their counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

Floats = NDArray[np.float64]
Ids = NDArray[np.intp]

MATCH_IOU: Final = 0.5
ALPHAS: Final = np.arange(1, 20) * 0.05
SLACK: Final = float(np.finfo(np.float64).eps)
KEEP: Final = 1000.0
"""A pair that went on from the last frame outweighs any overlap."""


@dataclass(frozen=True)
class Frame:
    """One frame: ``truth`` (N,) and ``found`` (M,) identities from 0, ``similarity`` (N, M) in [0, 1]."""

    truth: Ids
    found: Ids
    similarity: Floats


@dataclass(frozen=True)
class MotCounts:
    """What is counted over one or more sequences; the arrays have one entry per localisation threshold."""

    boxes: int = 0
    people: int = 0
    matched: int = 0
    missed: int = 0
    false: int = 0
    switches: int = 0
    overlap: float = 0.0
    identity_matched: int = 0
    identity_missed: int = 0
    identity_false: int = 0
    hits: Floats = field(default_factory=lambda: np.zeros(len(ALPHAS)))
    lacks: Floats = field(default_factory=lambda: np.zeros(len(ALPHAS)))
    extras: Floats = field(default_factory=lambda: np.zeros(len(ALPHAS)))
    association: Floats = field(default_factory=lambda: np.zeros(len(ALPHAS)))
    localisation: Floats = field(default_factory=lambda: np.zeros(len(ALPHAS)))

    def __add__(self, other: MotCounts) -> MotCounts:
        """The counts of both."""
        return MotCounts(*(getattr(self, name) + getattr(other, name) for name in self.__dataclass_fields__))


class MotScores(msgspec.Struct, frozen=True):
    """The usual figures, shares in percent."""

    hota: float
    deta: float
    assa: float
    loca: float
    idf1: float
    idp: float
    idr: float
    mota: float
    motp: float
    false_positives: int
    false_negatives: int
    switches: int
    boxes: int
    people: int


def frames_of(
    truth: Iterable[tuple[int, int, Sequence[float]]], found: Iterable[tuple[int, int, Sequence[float]]]
) -> list[Frame]:
    """Frames from (frame, identity, (left, top, right, bottom)) rows, identities counted anew from 0."""
    sides = [_by_frame(rows) for rows in (truth, found)]
    nobody = (np.zeros(0, dtype=np.intp), np.zeros((0, 4)))
    frames = []
    for number in sorted(sides[0].keys() | sides[1].keys()):
        (truth_ids, truth_boxes), (found_ids, found_boxes) = (side.get(number, nobody) for side in sides)
        frames.append(Frame(truth_ids, found_ids, overlaps(truth_boxes, found_boxes)))
    return frames


def _by_frame(rows: Iterable[tuple[int, int, Sequence[float]]]) -> dict[int, tuple[Ids, Floats]]:
    numbers: dict[int, int] = {}
    collected: dict[int, list[tuple[int, Sequence[float]]]] = {}
    for frame, who, box in rows:
        collected.setdefault(frame, []).append((numbers.setdefault(who, len(numbers)), box))
    return {
        frame: (np.array([who for who, _ in here], dtype=np.intp), np.array([box for _, box in here]))
        for frame, here in collected.items()
    }


def overlaps(left: Floats, right: Floats) -> Floats:
    """(N, M) intersection over union of boxes given by their corners; 0 where both are empty."""
    low = np.maximum(left[:, None, :2], right[None, :, :2])
    high = np.minimum(left[:, None, 2:], right[None, :, 2:])
    shared = np.maximum(high - low, 0.0).prod(axis=2)
    areas = [np.maximum(boxes[:, 2:] - boxes[:, :2], 0.0).prod(axis=1) for boxes in (left, right)]
    union = areas[0][:, None] + areas[1] - shared
    return np.asarray(np.where(union > 0.0, shared / np.maximum(union, SLACK), 0.0))


def count(frames: Sequence[Frame]) -> MotCounts:
    """Everything that is counted over one sequence."""
    truths = 1 + max((int(frame.truth.max()) for frame in frames if len(frame.truth)), default=-1)
    founds = 1 + max((int(frame.found.max()) for frame in frames if len(frame.found)), default=-1)
    shape = (truths, founds)
    parts = (_clear(frames, truths), _identity(frames, shape), _hota(frames, shape))
    return reduce(lambda one, other: one + other, parts)


def scores(counts: MotCounts) -> MotScores:
    """The figures that the counts make; 0 where there is nothing to divide by."""
    total = counts.identity_matched + counts.identity_missed
    answered = counts.identity_matched + counts.identity_false
    detection = counts.hits / np.maximum(counts.hits + counts.lacks + counts.extras, 1.0)
    association = counts.association / np.maximum(counts.hits, 1.0)
    where = np.maximum(counts.localisation, 1e-10) / np.maximum(counts.hits, 1e-10)
    right = counts.matched - counts.false - counts.switches
    return MotScores(
        hota=100.0 * float(np.sqrt(detection * association).mean()),
        deta=100.0 * float(detection.mean()),
        assa=100.0 * float(association.mean()),
        loca=100.0 * float(where.mean()),
        idf1=_percent(2 * counts.identity_matched, total + answered),
        idp=_percent(counts.identity_matched, answered),
        idr=_percent(counts.identity_matched, total),
        mota=_percent(right, counts.boxes),
        motp=_percent(counts.overlap, counts.matched),
        false_positives=counts.false,
        false_negatives=counts.missed,
        switches=counts.switches,
        boxes=counts.boxes,
        people=counts.people,
    )


def _percent(part: float, whole: float) -> float:
    return 100.0 * float(part) / max(float(whole), 1.0)


def _clear(frames: Sequence[Frame], truths: int) -> MotCounts:
    """Boxes found, missed and too many, and how often a person's box changed its identity."""
    ever, last = np.full(truths, -1), np.full(truths, -1)
    matched, switches, overlap = 0, 0, 0.0
    for frame in frames:
        goes_on = last[frame.truth][:, None] == frame.found
        worth = np.where(frame.similarity >= MATCH_IOU - SLACK, KEEP * goes_on + frame.similarity, 0.0)
        rows, columns = linear_sum_assignment(worth, maximize=True)
        good = worth[rows, columns] > SLACK
        rows, columns = rows[good], columns[good]
        who, names = frame.truth[rows], frame.found[columns]
        switches += int(((ever[who] >= 0) & (ever[who] != names)).sum())
        last[:] = -1
        ever[who], last[who] = names, names
        matched += len(rows)
        overlap += float(frame.similarity[rows, columns].sum())
    boxes, found = sum(len(f.truth) for f in frames), sum(len(f.found) for f in frames)
    missed, false = boxes - matched, found - matched
    return MotCounts(boxes, truths, matched, missed, false, switches, overlap)


def _identity(frames: Sequence[Frame], shape: tuple[int, int]) -> MotCounts:
    """The best one-to-one naming of people by identities over the whole sequence."""
    together = np.zeros(shape)
    for frame in frames:
        np.add.at(together, np.ix_(frame.truth, frame.found), frame.similarity >= MATCH_IOU - SLACK)
    rows, columns = linear_sum_assignment(together, maximize=True)
    matched = round(float(together[rows, columns].sum()))
    boxes, found = sum(len(f.truth) for f in frames), sum(len(f.found) for f in frames)
    return MotCounts(
        identity_matched=matched, identity_missed=boxes - matched, identity_false=found - matched
    )


def _hota(frames: Sequence[Frame], shape: tuple[int, int]) -> MotCounts:
    """Equations 8 to 16 of the paper; pairs are matched once, for the most association, at all thresholds."""
    aligned, truth_seen, found_seen = _alignment(frames, shape)
    pairs = np.zeros((len(ALPHAS), *shape))
    hits, where = np.zeros(len(ALPHAS)), np.zeros(len(ALPHAS))
    for frame in frames:
        worth = aligned[np.ix_(frame.truth, frame.found)] * frame.similarity
        rows, columns = linear_sum_assignment(worth, maximize=True)
        reached = frame.similarity[rows, columns]
        for level, alpha in enumerate(ALPHAS):
            good = reached >= alpha - SLACK
            hits[level] += good.sum()
            where[level] += reached[good].sum()
            pairs[level, frame.truth[rows[good]], frame.found[columns[good]]] += 1.0
    either = truth_seen[:, None] + found_seen - pairs
    association = (pairs * pairs / np.maximum(either, 1.0)).sum(axis=(1, 2))
    return MotCounts(
        hits=hits,
        lacks=truth_seen.sum() - hits,
        extras=found_seen.sum() - hits,
        association=association,
        localisation=where,
    )


def _alignment(frames: Sequence[Frame], shape: tuple[int, int]) -> tuple[Floats, Floats, Floats]:
    """(N, M) how much each pair belongs together over the sequence, and how often each was there."""
    together, truth_seen, found_seen = np.zeros(shape), np.zeros(shape[0]), np.zeros(shape[1])
    for frame in frames:
        similar = frame.similarity
        rivals = similar.sum(axis=0) + similar.sum(axis=1, keepdims=True) - similar
        share = np.where(rivals > SLACK, similar / np.maximum(rivals, SLACK), 0.0)
        np.add.at(together, np.ix_(frame.truth, frame.found), share)
        truth_seen[frame.truth] += 1.0
        found_seen[frame.found] += 1.0
    return together / np.maximum(truth_seen[:, None] + found_seen - together, SLACK), truth_seen, found_seen
