"""Who, unknown, or not enough: embeddings and a gallery's scores become answers. Pure; holds no gallery.

Of each track the windows seen so far are pooled. A score map turns the pool's score against each person into
a likelihood ratio; with the share of strangers to expect and the gallery's size that gives a probability for
everybody and for "somebody else". Two tracks that one camera sees at once are two people, so they never share
a name. A name that was given is held until the evidence is clearly against it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from gait.gallery.index import GalleryIndex
from gait.score_map import ScoreMap
from stream.errors import MessageError
from stream.messages import Embedding, Identity

NANOSECONDS: Final = 1_000_000_000
Floats = NDArray[np.float64]
Vector = NDArray[np.float32]


class DecisionConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When an answer is given and when it is taken back.

    ``accept``: a name is given from this probability on; ``release``: and held down to this one. An answer
    changes after ``patience`` decisions in a row against it. ``min_samples``: valid samples before any
    answer. ``stranger_share``: how many of those who pass are expected not to be in the gallery.
    ``half_life_s``: the time in which what a track has shown loses half its weight against what it shows.
    """

    accept: float = 0.8
    release: float = 0.5
    patience: int = 2
    min_samples: int = 38  # 1.5 s of the 25 Hz grid: more than one gait cycle at the slowest walk
    stranger_share: float = 0.5  # no opinion
    half_life_s: float = 10.0  # a tracklet that swaps people in a crowd is believed no longer than that

    def __post_init__(self) -> None:
        if not 0 < self.release <= self.accept < 1:
            raise ValueError("`release` and `accept` must satisfy 0 < release <= accept < 1")
        if self.patience < 1 or self.min_samples < 1 or self.half_life_s <= 0:
            raise ValueError("`patience`, `min_samples` and `half_life_s` must be above 0")
        if not 0 < self.stranger_share < 1:
            raise ValueError("`stranger_share` must be inside (0, 1)")


@dataclass
class Pool:
    """What one track has shown: the windows' sum, weighted by quality and length, and what it rests on.

    Older windows fade by half in ``half_life_s``.
    """

    half_life_s: float
    total: Floats | None = None
    samples: float = 0.0
    start_ns: int = 0
    end_ns: int = 0
    _weight: float = 0.0
    _quality: float = 0.0

    def add(self, embedding: Embedding) -> None:
        """Take in a window; overlapping samples count once. Raises MessageError for a bad vector."""
        vector = embedding.vector.numpy().astype(np.float64)
        sized = vector.ndim == 1 and (self.total is None or vector.shape == self.total.shape)
        if not sized or not np.isfinite(vector).all():
            raise MessageError(f"the embedding of {embedding.tracklet} is no finite vector of its model")
        if self.total is None:
            self.total, self.start_ns, self.end_ns = (
                np.zeros_like(vector),
                embedding.start_ns,
                embedding.start_ns,
            )
        span_ns = max(1, embedding.end_ns - embedding.start_ns)
        fresh_ns = max(0, embedding.end_ns - max(self.end_ns, embedding.start_ns))
        self._fade(max(0, embedding.end_ns - self.end_ns))
        weight = max(embedding.quality, 1e-3) * embedding.samples
        self.total += weight * vector
        self._weight += weight
        self._quality += weight * embedding.quality
        self.samples += embedding.samples * min(1.0, fresh_ns / span_ns)
        self.end_ns = max(self.end_ns, embedding.end_ns)

    def _fade(self, passed_ns: int) -> None:
        """Take weight from what is older."""
        share = 0.5 ** (passed_ns / (self.half_life_s * NANOSECONDS))
        assert self.total is not None
        self.total *= share
        self._weight *= share
        self._quality *= share

    @property
    def quality(self) -> float:
        """The windows' mean quality in [0, 1]."""
        return self._quality / self._weight if self._weight else 0.0

    def vector(self) -> Vector:
        """The pooled unit vector (D,)."""
        assert self.total is not None, "an empty pool has no vector"
        length = float(np.linalg.norm(self.total))
        unit: Vector = (self.total / (length or 1.0)).astype(np.float32)
        return unit


@dataclass(frozen=True)
class Belief:
    """Probabilities (people + 1,) of one track: each person of the index, and last somebody else."""

    probabilities: Floats
    samples: float


@dataclass(frozen=True)
class Held:
    """The answer that stands for a track, and how many decisions in a row spoke against it."""

    identity: Identity
    against: int = 0


@dataclass(frozen=True)
class Decider:
    """The decision for one model: its score map and the rules."""

    score_map: ScoreMap
    config: DecisionConfig = field(default_factory=DecisionConfig)

    def believe(self, pools: Sequence[Pool], index: GalleryIndex) -> list[Belief]:
        """What to believe of tracks that one camera sees at once; the pools must not be empty."""
        if not pools:
            return []
        samples = np.array([pool.samples for pool in pools])
        scores = index.scores(np.stack([pool.vector() for pool in pools]))
        odds = self.score_map.evidence(scores, samples) + self._prior(len(index.people))
        beliefs = _posterior(self._apart(odds))
        return [Belief(row, pool.samples) for row, pool in zip(beliefs, pools, strict=True)]

    def answer(self, belief: Belief, index: GalleryIndex) -> Identity:
        """The answer that this belief alone calls for."""
        lacking = self.config.min_samples - belief.samples
        if lacking > 0:
            missing = f"{int(np.ceil(lacking))} more valid samples"
            return Identity("insufficient_evidence", missing=missing)
        best = int(np.argmax(belief.probabilities))
        if best == len(index.people):
            return _identity(belief, best, index)
        probability = float(belief.probabilities[best])
        if probability >= self.config.accept:
            return _identity(belief, best, index)
        missing = f"a clearer match: {probability:.2f} at best, named from {self.config.accept:.2f}"
        return Identity("insufficient_evidence", missing=missing)

    def settle(self, held: Held | None, belief: Belief, index: GalleryIndex, *, last: bool = False) -> Held:
        """The answer that stands now, given the one that stood; the ``last`` decision waits for nothing."""
        fresh = self.answer(belief, index)
        if held is None or _same(held.identity, fresh) or held.identity.answer == "insufficient_evidence":
            return Held(fresh)
        stands = _restated(held.identity, belief, index)
        if stands is None:  # the person has left the gallery
            return Held(fresh)
        if stands.answer == "person" and (stands.probability or 0.0) >= self.config.release:
            return Held(stands)
        if last or held.against + 1 >= self.config.patience:
            return Held(fresh)
        return Held(stands, held.against + 1)

    def _apart(self, odds: Floats) -> Floats:
        """The odds (Q, P) with every name that is sure for its likeliest track ruled out for all others.

        Ruling a name out may make another one sure, so this is repeated until nothing changes.
        """
        own = _assigned(odds)
        while True:
            sure = _posterior(odds)[:, :-1] >= self.config.accept
            taken = (own & sure).any(axis=0)
            barred = ~own & (sure | taken) & np.isfinite(odds)
            if not barred.any():
                return odds
            odds = np.where(barred, -np.inf, odds)

    def _prior(self, people: int) -> float:
        """Log odds, before any evidence, of one person of the gallery against a stranger."""
        share = self.config.stranger_share
        return float(np.log((1 - share) / (share * max(1, people))))


def _posterior(odds: Floats) -> Floats:
    """Probabilities (Q, P + 1) from log odds (Q, P) against a stranger, who stands last with log odds 0."""
    full = np.concatenate([odds, np.zeros((len(odds), 1))], axis=1)
    likely = np.exp(full - full.max(axis=1, keepdims=True))
    shares: Floats = likely / likely.sum(axis=1, keepdims=True)
    return shares


def _assigned(odds: Floats) -> NDArray[np.bool_]:
    """(Q, P) the likeliest way to give each track one person or none, nobody twice."""
    tracks, people = odds.shape
    nobody = np.zeros((tracks, tracks))  # every track may be a stranger
    rows, columns = linear_sum_assignment(np.concatenate([odds, nobody], axis=1), maximize=True)
    given = np.zeros((tracks, people + tracks), dtype=np.bool_)
    given[rows, columns] = True
    return given[:, :people]


def _identity(belief: Belief, which: int, index: GalleryIndex) -> Identity:
    """The answer ``which`` with its probability and its lead over the next likeliest."""
    probability = float(belief.probabilities[which])
    others = np.delete(belief.probabilities, which)
    margin = probability - float(others.max(initial=0.0))
    if which == len(index.people):
        return Identity("unknown", probability=_round(probability), margin=_round(margin))
    return Identity(
        "person",
        index.people[which],
        index.names[which],
        probability=_round(probability),
        margin=_round(margin),
    )


def _restated(identity: Identity, belief: Belief, index: GalleryIndex) -> Identity | None:
    """The same answer with today's probability; None where its person is no longer in the index."""
    if identity.answer == "unknown":
        return _identity(belief, len(index.people), index)
    if identity.person not in index.people:
        return None
    return _identity(belief, index.people.index(identity.person), index)


def _same(one: Identity, other: Identity) -> bool:
    return (one.answer, one.person) == (other.answer, other.person)


def _round(value: float) -> float:
    """Four decimals: what the calibration can tell apart, and the same text on every machine."""
    return round(value, 4)
