"""The people who come into question for a decision, and their templates side by side."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gait.decision_norm import Cohort, Usual, normalised
from stream.errors import MessageError

Vectors = NDArray[np.float32]
SPREAD: Final = 128
"""People, taken evenly, who stand for all of a large gallery where it is asked how alike anyone looks."""


Turn = Callable[[Vectors], Vectors]


def _as_they_are(vectors: Vectors) -> Vectors:
    return vectors


@dataclass(frozen=True)
class GalleryIndex:
    """The people who have a template of ``model``, in the order of their ids, as of ``epoch``.

    ``matrix`` float32 (T, D) holds their templates side by side; person i's begin at row ``firsts[i]``.
    ``total``: how many people the gallery holds where these are only those who come into question; ``anyone``
    (n,) are those of ``people`` who are there whomever they look like, all without it; ``turned`` brings
    vectors to look up into the form that ``matrix`` is in.
    """

    model: str
    epoch: int
    people: tuple[str, ...]
    names: tuple[str, ...]
    matrix: Vectors
    firsts: NDArray[np.intp]
    total: int = 0
    turned: Turn = _as_they_are
    anyone: NDArray[np.int64] | None = None
    _usual: dict[int, Usual] = field(default_factory=dict, compare=False, repr=False)
    _among: dict[int, NDArray[np.float64]] = field(default_factory=dict, compare=False, repr=False)

    @property
    def size(self) -> int:
        """How many people the gallery holds."""
        return max(self.total, len(self.people))

    def of_anyone(self, values: NDArray[np.floating]) -> NDArray[np.float64]:
        """Of values (Q, people) those of people who are there whomever they look like."""
        chosen = values if self.anyone is None else values[:, self.anyone]
        return chosen.astype(np.float64)

    def scores(self, vectors: Vectors, cohort: Cohort | None = None) -> NDArray[np.floating]:
        """(Q, people): the inner product of each vector (Q, D) with each person's nearest template.

        With a ``cohort`` they are told against it (see ``decision_norm``); the nearest is the most unusual.

        Raises MessageError for vectors of another dimension and for NaN, which would match nobody quietly.
        """
        if vectors.ndim != 2 or vectors.shape[1] != self.matrix.shape[1]:
            what = f"vectors of shape {vectors.shape} cannot be looked up"
            raise MessageError(what, wanted=f"(n, {self.matrix.shape[1]})")
        if not np.isfinite(vectors).all():
            raise MessageError("a vector to look up holds NaN or infinity", wanted="finite numbers")
        if not self.people:
            return np.zeros((len(vectors), 0), np.float32)
        products: NDArray[np.floating] = self.turned(vectors) @ self.matrix.T
        if cohort is not None:
            products = normalised(products, cohort.usual(vectors), self._usual_of(cohort))
        nearest: NDArray[np.floating] = np.maximum.reduceat(products, self.firsts, axis=1)
        return nearest

    def among_anyone(self, cohort: Cohort) -> NDArray[np.float64]:
        """(pairs,) the scores between those of people who are there whomever they look like, ``SPREAD`` of
        them at most, told against the cohort: of each two, what they reach either way, averaged.
        """
        if id(cohort) not in self._among:
            self._among[id(cohort)] = self._pairs(cohort)
        return self._among[id(cohort)]

    def _pairs(self, cohort: Cohort) -> NDArray[np.float64]:
        everyone = np.arange(len(self.people)) if self.anyone is None else self.anyone
        chosen = everyone[:: -(-len(everyone) // SPREAD) or 1]
        if len(chosen) < 2:
            return np.zeros(0)
        means = np.add.reduceat(self.matrix, self.firsts, axis=0)[chosen]
        means /= np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-9)
        probes = Cohort(cohort.model, self.turned(cohort.vectors)).usual(means)
        told = normalised(means @ self.matrix.T, probes, self._usual_of(cohort))
        nearest = np.maximum.reduceat(told, self.firsts, axis=1)[:, chosen]
        return ((nearest + nearest.T) / 2)[np.triu_indices(len(chosen), 1)]

    def _usual_of(self, cohort: Cohort) -> Usual:
        """What the templates reach with the cohort; the same for as long as the gallery is."""
        if id(cohort) not in self._usual:
            turned = Cohort(cohort.model, self.turned(cohort.vectors))
            self._usual[id(cohort)] = turned.usual(self.matrix)
        return self._usual[id(cohort)]
