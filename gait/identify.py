"""Who, unknown, or not enough: embeddings and a gallery's scores become answers. Pure; holds no gallery.

Of each track the windows seen so far are pooled. A score map turns the pool's score against each person into
a likelihood ratio; with the share of strangers to expect and the gallery's size that gives a probability for
everybody and for "somebody else". How alike all who pass the camera look is followed and taken off
(``decision_level``). Two tracks that one camera sees at once are two people, so they never share
a name. A name that was given is held until the evidence is clearly against it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from gait.decision_level import FIRST_GUESS, NONE, Impostors, Level, Others, guessed, pairs_of, settled
from gait.decision_norm import Cohort
from gait.gallery.index import GalleryIndex
from gait.score_map import ScoreMap
from stream.errors import ConfigError, MessageError
from stream.messages import Embedding, Identity

NANOSECONDS: Final = 1_000_000_000
MIN_QUALITY: Final = 1e-3
"""Windows of no quality still weigh something, so that a pool of them is not empty."""
Floats = NDArray[np.float64]
Vector = NDArray[np.float32]


class DecisionConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When an answer is given and when it is taken back.

    ``accept``: a name is given from this probability on; ``release``: and held down to this one. An answer
    changes after ``patience`` decisions in a row against it. ``min_samples``: valid samples before any
    answer. ``stranger_share``: how many of those who pass are expected not to be in the gallery.
    ``half_life_s``: the time in which what a track has shown loses half its weight against what it shows.
    """

    accept: float = 0.75  # of three enrolled, a score of about 0.82: one impostor in 280 gets there
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


@dataclass(frozen=True)
class _Window:
    """One embedding, unpacked: its vector (D,), and what it weighs."""

    vector: Floats
    start_ns: int
    end_ns: int
    samples: float
    quality: float

    def share_before(self, at_ns: int) -> float:
        """How much of the window's time lies before ``at_ns``, in [0, 1]."""
        return min(1.0, max(0.0, (at_ns - self.start_ns) / max(1, self.end_ns - self.start_ns)))


@dataclass(frozen=True)
class Shown:
    """The sum of what a track and those that it continues had shown when it ended."""

    total: Floats
    weight: float
    quality: float
    samples: float
    start_ns: int
    end_ns: int


class Pool:
    """What one track has shown: its windows' sum, weighted by quality and samples.

    Every instant counts once: of a window, only what the next does not cover is kept beside it. What
    is kept fades by half in ``half_life_s``. ``inherited`` is what the track that it continues had shown.
    """

    def __init__(self, half_life_s: float) -> None:
        self._half_life_ns = half_life_s * NANOSECONDS
        self.inherited: Shown | None = None
        self._latest: _Window | None = None
        self._kept: Floats | float = 0.0
        self._kept_weight = 0.0
        self._kept_quality = 0.0
        self._kept_samples = 0.0
        self.start_ns = 0

    def add(self, embedding: Embedding) -> None:
        """Take in the next window. Raises MessageError for a bad vector, which leaves no trace."""
        vector = embedding.vector.numpy().astype(np.float64)
        before = self._latest
        sized = vector.ndim == 1 and (before is None or vector.shape == before.vector.shape)
        if not sized or not np.isfinite(vector).all():
            raise MessageError(f"the embedding of {embedding.tracklet} is no finite vector of its model")
        quality = max(embedding.quality, MIN_QUALITY)
        start_ns, end_ns = embedding.start_ns, embedding.end_ns
        if before is None:
            self.start_ns = start_ns
        else:
            self._keep(before, before.share_before(start_ns), max(0, end_ns - before.end_ns))
        self._latest = _Window(vector, start_ns, end_ns, float(embedding.samples), quality)

    def _keep(self, window: _Window, share: float, passed_ns: int) -> None:
        """Keep a share of a window; what is kept is ``passed_ns`` older now."""
        samples = share * window.samples
        weight = samples * window.quality
        fade = 0.5 ** (passed_ns / self._half_life_ns)
        self._kept = (self._kept + weight * window.vector) * fade
        self._kept_weight = (self._kept_weight + weight) * fade
        self._kept_quality = (self._kept_quality + weight * window.quality) * fade
        self._kept_samples += samples

    @property
    def own_samples(self) -> float:
        """How many valid samples of its own it rests on; 0 while empty."""
        return self._kept_samples + (self._latest.samples if self._latest else 0.0)

    @property
    def samples(self) -> float:
        """How many valid samples it rests on, inherited ones included; 0 while empty."""
        return self.own_samples + (self.inherited.samples if self.inherited else 0.0)

    @property
    def end_ns(self) -> int:
        """Until when."""
        return self._latest.end_ns if self._latest else 0

    @property
    def quality(self) -> float:
        """The windows' mean quality in [0, 1]."""
        shown = self.shown()
        return shown.quality / shown.weight if shown else 0.0

    def vector(self) -> Vector:
        """The pooled unit vector (D,)."""
        shown = self.shown()
        assert shown is not None, "an empty pool has no vector"
        length = float(np.linalg.norm(shown.total))
        unit: Vector = (shown.total / (length or 1.0)).astype(np.float32)
        return unit

    def shown(self) -> Shown | None:
        """Everything so far, for the track that continues this one; None while empty."""
        before, latest = self.inherited, self._latest
        if latest is None:
            return before
        weight = latest.samples * latest.quality
        total = self._kept + weight * latest.vector
        quality, start_ns = self._kept_quality + weight * latest.quality, self.start_ns
        weight += self._kept_weight
        if before is not None and before.total.shape == total.shape:
            fade = 0.5 ** (max(0, latest.end_ns - before.end_ns) / self._half_life_ns)
            total, weight = total + fade * before.total, weight + fade * before.weight
            quality, start_ns = quality + fade * before.quality, before.start_ns
        return Shown(total, weight, quality, self.samples, start_ns, latest.end_ns)


@dataclass(frozen=True)
class Belief:
    """Probabilities (people + 1,) of one track: each person of the index, and last somebody else.

    ``others``: its scores with those whom it is not, for the camera's level once the track is over;
    ``impostors``: what the camera's were taken to be, where the score map knows its own.
    """

    probabilities: Floats
    samples: float
    others: Others = NONE
    impostors: Impostors | None = None


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
    cohort: Cohort | None = None

    def __post_init__(self) -> None:
        if self.score_map.normalised != (self.cohort is not None):
            raise ConfigError("a score map of told scores and a cohort go together")

    def believe(self, pools: Sequence[Pool], index: GalleryIndex, level: Level | None = None) -> list[Belief]:
        """What to believe of tracks that one camera sees at once; the pools must not be empty.

        ``level`` is what has been learned of the camera; without it, what the tracks show by themselves.
        """
        if not pools:
            return []
        samples = np.array([pool.samples for pool in pools])
        scores = index.scores(np.stack([pool.vector() for pool in pools]), self.cohort)
        qualities = np.array([pool.quality for pool in pools])

        here, others = None, [NONE] * len(pools)
        fitted = self.score_map.others

        def odds_where(found: Impostors | None) -> Floats:
            told = found.told_as(fitted, scores) if found and fitted else scores
            return self.score_map.evidence(told, samples, qualities) + self._prior(index.size)

        if fitted is not None:
            drawn, enough = index.of_anyone(scores), samples >= self.config.min_samples

            def same_where(found: Impostors) -> Floats:
                return index.of_anyone(_posterior(odds_where(found))[:, :-1])

            guess = guessed(index.among_anyone(self.cohort)) if self.cohort else FIRST_GUESS
            here = settled(level or Level(), guess, drawn, enough, same_where)
        beliefs = _posterior(self._apart(odds_where(here)))
        if fitted is not None:
            others = pairs_of(drawn, index.of_anyone(beliefs[:, :-1]))
        return [
            Belief(row, pool.samples, seen, here)
            for row, pool, seen in zip(beliefs, pools, others, strict=True)
        ]

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
    from scipy.optimize import linear_sum_assignment  # noqa: PLC0415 - half a second; not every stage pairs

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
