"""How alike the people of one camera look to a net: what a likeness has to rise above there.

All who pass a camera share its light, its lens, its background and what perception gets wrong there, so two
of them look more alike than two people of the score map's, who each had cameras of their own. Told against a
cohort alone, a stranger is then somebody. So the mean score between people who are not one person is followed
for each camera, and the map is asked about what a score has above it. Which pairs those are is not known
either; each counts by how likely it is to be one, in turns with the mean (Dempster, Laird and Rubin 1977,
"Maximum likelihood from incomplete data via the EM algorithm").
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
FIRST_GUESS: Final = 2.0
"""Walkers of one rendered clip reach 1 to 3 with each other; drawn ones who share no camera reach -2.8."""
GUESS_WEIGHT: Final = 2.0
"""The first guess counts as so many pairs."""
MOST: Final = 300.0
"""Pairs remembered: light and weather change."""
ROUNDS: Final = 4
"""After so many turns the mean moves by less than a tenth."""


@dataclass(frozen=True)
class Others:
    """Scores of pairs that are not one person: their sum and how many, each by how likely it is."""

    total: float = 0.0
    count: float = 0.0

    def __add__(self, more: Others) -> Others:
        return Others(self.total + more.total, self.count + more.count)


NONE: Final = Others()


@dataclass
class Level:
    """What people who passed one camera reached with people whom they are not."""

    seen: Others = NONE

    def mean(self, now: Others = NONE) -> float:
        """The mean of the pairs seen and those of ``now``, and of the first guess while they are few."""
        known = self.seen + now
        return (GUESS_WEIGHT * FIRST_GUESS + known.total) / (GUESS_WEIGHT + known.count)

    def learn(self, pairs: Others) -> None:
        """Remember a track that ended; what was seen before counts less once there is much."""
        known = self.seen + pairs
        share = min(1.0, MOST / known.count) if known.count > 0 else 1.0
        self.seen = Others(known.total * share, known.count * share)


def pairs_of(scores: Floats, same: Floats) -> list[Others]:
    """Each row's pairs (Q, P), given how likely each is to be one person."""
    apart = 1.0 - same
    totals, counts = (apart * scores).sum(axis=1), apart.sum(axis=1)
    return [Others(float(total), float(count)) for total, count in zip(totals, counts, strict=True)]


def settled(
    level: Level, scores: Floats, counted: NDArray[np.bool_], likely: Callable[[float], Floats]
) -> float:
    """The camera's mean, given the scores (Q, P) that are on the table; ``counted`` (Q,) rows count.

    ``likely(mean)`` says how likely each pair is to be one person where that is the mean.
    """
    mean = level.mean()
    for _ in range(ROUNDS):
        rows = pairs_of(scores[counted], likely(mean)[counted])
        mean = level.mean(sum(rows, NONE))
    return mean
