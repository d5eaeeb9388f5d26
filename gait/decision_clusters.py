"""Strangers who come again: unknown tracks that look like one person share a name of no meaning.

A track that is unknown is compared with the strangers remembered so far. It joins one where that is likely
enough, and is a new one otherwise; what it showed is added when it ends. Pure: no clock but the frames'.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import astuple, dataclass
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from gait.decision_level import Impostors
from gait.decision_norm import Cohort, Usual, normalised
from gait.score_map import ScoreMap
from stream.errors import ConfigError

NANOSECONDS: Final = 1_000_000_000
Vector = NDArray[np.float32]
Floats = NDArray[np.float64]


class ClusterConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When strangers are taken for one, and for how long they are remembered.

    ``join``: a track joins a remembered stranger from this probability on; ``leave``: and stays down to this
    one. ``new_share``: how many strangers are expected to be new. ``forget_s``: a stranger not seen for this
    long is forgotten. ``most``: strangers remembered; the one seen longest ago gives way. ``memory``: valid
    samples after which what a stranger showed first counts no more than what they show later; 0: no clusters.
    """

    join: float = 0.8
    leave: float = 0.4
    new_share: float = 0.5  # no opinion
    forget_s: float = 24 * 3600.0  # a day: unknown people's data expire by default
    most: int = 2_000
    memory: float = 1_000.0  # forty seconds of walking

    def __post_init__(self) -> None:
        if not 0 < self.leave <= self.join < 1 or not 0 < self.new_share < 1:
            raise ValueError(
                "`leave`, `join` and `new_share` must satisfy 0 < leave <= join < 1, inside (0, 1)"
            )
        if self.forget_s <= 0 or self.most < 1 or self.memory < 0:
            raise ValueError("`forget_s` and `most` must be above 0, `memory` from 0")


@dataclass
class Stranger:
    """Somebody unknown: what they showed (a sum of vectors by samples), and when they were last seen."""

    total: Floats
    samples: float
    last_ns: int
    usual: Usual | None = None

    @property
    def unit(self) -> Floats:
        """What they showed, as a unit vector."""
        unit: Floats = self.total / max(float(np.linalg.norm(self.total)), 1e-12)
        return unit


class Strangers:
    """The strangers remembered, by their names; with a ``cohort`` scores are told against it."""

    def __init__(
        self, score_map: ScoreMap, config: ClusterConfig | None = None, cohort: Cohort | None = None
    ) -> None:
        if score_map.normalised != (cohort is not None):
            raise ConfigError("a score map of told scores and a cohort go together")
        self.score_map, self.config, self._cohort = score_map, config or ClusterConfig(), cohort
        self._known: dict[str, Stranger] = {}

    def __len__(self) -> int:
        return len(self._known)

    def recognise(
        self,
        vector: Vector,
        samples: float,
        own: str,
        before: str | None,
        taken: Collection[str] = (),
        impostors: Impostors | None = None,
    ) -> str:
        """Which stranger a track shows: ``before`` while that holds, another that is likely, else ``own``.

        ``own`` is what the track would be called alone; ``taken`` are those that other tracks beside it show.
        ``impostors``: what scores of the camera are like between people who are not one person, where known.
        """
        names = [name for name in self._known if name not in taken and name != own]
        if not names or not self.config.memory:
            return own
        chances = self._chances(vector, samples, names, impostors)
        if before in names and chances[names.index(before)] >= self.config.leave:
            return str(before)
        best = int(chances.argmax())
        return names[best] if chances[best] >= self.config.join else own

    def learn(self, name: str, vector: Vector, samples: float, now_ns: int) -> None:
        """Add what an ended track showed to the stranger it was taken for."""
        if not self.config.memory:
            return
        known = self._known.pop(name, None) or Stranger(np.zeros(len(vector)), 0.0, now_ns)
        fade = min(1.0, self.config.memory / max(1.0, known.samples + samples))
        known.total = (known.total + samples * vector.astype(np.float64)) * fade
        known.samples = (known.samples + samples) * fade
        known.last_ns = max(known.last_ns, now_ns)
        if self._cohort is not None:
            known.usual = self._cohort.usual(known.unit[None].astype(np.float32))
        self._known[name] = known  # last in: the order is that of the last sight
        self._forget(now_ns)

    def drop(self, name: str) -> None:
        """Forget a stranger, who has a name now or is to be forgotten."""
        self._known.pop(name, None)

    def _chances(
        self, vector: Vector, samples: float, names: list[str], impostors: Impostors | None
    ) -> Floats:
        """The probability of each stranger, given that the track shows one of them or somebody new."""
        known = [self._known[name] for name in names]
        scores = (np.stack([one.unit for one in known]) @ vector.astype(np.float64))[None]
        if self._cohort is not None:
            usual = [one.usual for one in known if one.usual is not None]
            theirs = Usual(*(np.concatenate(part) for part in zip(*map(astuple, usual), strict=True)))
            scores = normalised(scores, self._cohort.usual(vector[None]), theirs)
        if impostors is not None and self.score_map.others is not None:
            scores = impostors.told_as(self.score_map.others, scores)
        behind = np.array([samples])
        share = self.config.new_share
        odds = self.score_map.evidence(scores, behind)[0] + np.log((1 - share) / (share * len(names)))
        top = max(0.0, float(odds.max()))
        likely = np.exp(odds - top)
        chances: Floats = likely / (likely.sum() + np.exp(-top))
        return chances

    def _forget(self, now_ns: int) -> None:
        horizon_ns = now_ns - int(self.config.forget_s * NANOSECONDS)
        over = [name for name, known in self._known.items() if known.last_ns < horizon_ns]
        surplus = len(self._known) - len(over) - self.config.most
        over += [name for name in self._known if name not in over][: max(0, surplus)]
        for name in over:
            del self._known[name]


def own_name(tracklet: str) -> str:
    """What a track's stranger is called if nobody like them was seen before."""
    return "u" + hashlib.blake2b(tracklet.encode(), digest_size=5).hexdigest()
