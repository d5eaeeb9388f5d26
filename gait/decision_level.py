"""How alike the people of one camera look to a net: what a likeness has to rise above there.

All who pass a camera share its light, its lens, its background and what perception gets wrong there, so two
of them look more alike than two people of the score map's, who each had cameras of their own. Told against a
cohort alone, a stranger is then somebody. So mean and spread of the scores between people who are not one
person are followed for each camera, and the map is asked about the score that lies as far out among its own.
Which pairs those are is not known either; each counts by how likely it is to be one, in turns with the mean
(Dempster, Laird and Rubin 1977, "Maximum likelihood from incomplete data via the EM algorithm").
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
MOST: Final = 1000.0
"""Pairs remembered: light and weather change."""
ROUNDS: Final = 5
"""After so many turns the mean moves by less than a tenth."""
MIN_SPREAD: Final = 0.5
"""A camera whose few pairs happen to be alike is not believed to be so exact."""


class Impostors(NamedTuple):
    """What scores between two who are not one person are like: their mean and standard deviation."""

    mean: float
    spread: float

    def told_as(self, other: Impostors, scores: NDArray[np.floating]) -> Floats:
        """The scores that lie as far out among ``other`` as these do here."""
        moved: Floats = (scores.astype(np.float64) - self.mean) * (other.spread / self.spread) + other.mean
        return moved


FIRST_GUESS: Final = Impostors(2.0, 1.9)
"""Walkers of a rendered clip reach 1 to 3 with each other; drawn ones who share no camera reach -2.9."""
GUESS_WEIGHT: Final = 12.0
"""The first guess counts as so many pairs: the few who happen to pass first say little of others."""
CLIP_TO_CLIP: Final = 2.6
"""Over the root of how many are enrolled: how the mean of what they reach with each other varies from one
rendered clip to the next (by 1.45 where three or four are)."""


@dataclass(frozen=True)
class Others:
    """Scores of pairs that are not one person, each by how likely it is: sum, sum of squares, how many."""

    total: float = 0.0
    squares: float = 0.0
    count: float = 0.0

    def __add__(self, more: Others) -> Others:
        return Others(self.total + more.total, self.squares + more.squares, self.count + more.count)

    def __mul__(self, share: float) -> Others:
        return Others(self.total * share, self.squares * share, self.count * share)


NONE: Final = Others()


@dataclass
class Level:
    """What people who passed one camera reached with people whom they are not."""

    seen: Others = NONE

    def impostors(self, now: Others = NONE, guess: Impostors = FIRST_GUESS) -> Impostors:
        """Of the pairs seen and those of ``now``; of the first guess while they are few.

        What is not yet known of the mean is part of the spread.
        """
        known = self.seen + now
        count = GUESS_WEIGHT + known.count
        mean = (GUESS_WEIGHT * guess.mean + known.total) / count
        around = known.squares - 2 * mean * known.total + known.count * mean**2
        variance = (GUESS_WEIGHT * guess.spread**2 + around) / count
        return Impostors(mean, max(MIN_SPREAD, (variance * (1 + 1 / count)) ** 0.5))

    def learn(self, pairs: Others) -> None:
        """Remember a track that ended; what was seen before counts less once there is much."""
        known = self.seen + pairs
        self.seen = known * min(1.0, MOST / known.count) if known.count > 0 else known


def pairs_of(scores: Floats, same: Floats) -> list[Others]:
    """Each row's pairs (Q, P), given how likely each is to be one person."""
    apart = 1.0 - same
    sums = np.stack(
        [(apart * scores).sum(axis=1), (apart * scores**2).sum(axis=1), apart.sum(axis=1)], axis=1
    )
    return [Others(*row) for row in sums.tolist()]


def guessed(among: Floats) -> Impostors:
    """The first guess, given the scores of the enrolled with each other (pairs,).

    Who passes another camera looks no more like them than they, who may share one, look like each other.
    """
    if not len(among):
        return FIRST_GUESS
    people = (1 + (1 + 8 * len(among)) ** 0.5) / 2
    at_most = float(among.mean()) + 2 * CLIP_TO_CLIP / people**0.5
    return FIRST_GUESS._replace(mean=min(FIRST_GUESS.mean, at_most))


def settled(
    level: Level,
    guess: Impostors,
    scores: Floats,
    counted: NDArray[np.bool_],
    likely: Callable[[Impostors], Floats],
) -> Impostors:
    """What the camera's are, given the scores (Q, P) that are on the table; ``counted`` (Q,) rows count.

    ``guess``: see ``guessed``. ``likely(found)`` says how likely each pair is to be one person where they
    are like that.
    """
    found = level.impostors(guess=guess)
    for _ in range(ROUNDS):
        rows = pairs_of(scores[counted], likely(found)[counted])
        found = level.impostors(sum(rows, NONE), guess)
    return found
