"""Where a walker's vector should lie: a direction per strip, made of what the walker's body and gait are.

Of rendered people we know more than who is who: every proportion, girth and habit of theirs. Vectors that
point where these say are alike for people who are alike, whatever they wear and from wherever they are seen,
and every single clip teaches it. What a strip cannot see averages out of what it learns.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from gait.walkers.person import Person, sample_person
from gait.walkers.population import STREET

GAIT_WEIGHT: Final = 0.6
"""Habits are harder to see than lengths, and change more from day to day."""
SEED: Final = 0

LENGTHS: Final = frozenset(
    {
        *("stature", "thigh", "shank", "ankle_height", "foot", "trunk", "head_height", "head_size"),
        *("upper_arm", "forearm", "hand", "hip_width", "shoulder_width"),
    }
)

Targets = NDArray[np.float32]


def targets(people: Sequence[str], strips: int, numbers: int) -> Targets:
    """(people, numbers, strips) unit directions; ``people`` are seeds as data sets name them."""
    traits = np.array([list(_traits(sample_person(int(who), population=STREET))) for who in people])
    spread = traits.std(axis=0)
    known = spread > 1e-9
    standard = (traits[:, known] - traits[:, known].mean(axis=0)) / spread[known]
    body = np.array(list(_is_body(people[0])))[known]
    weighted = standard * np.where(body, 1.0, GAIT_WEIGHT)
    mixing = np.random.default_rng(SEED).normal(size=(strips, weighted.shape[1], numbers))
    mixed = np.einsum("nt,stc->ncs", weighted, mixing)
    return np.asarray(mixed / np.linalg.norm(mixed, axis=1, keepdims=True), np.float32)


def _traits(person: Person) -> Iterator[float]:
    """Lengths as shares of stature, for silhouettes are all of one height; girths and habits as they are."""
    body = person.body
    for name, value in msgspec.structs.asdict(body).items():
        if isinstance(value, float):
            yield value / body.stature if name in LENGTHS else value
    yield from _numbers(person.gait)


def _is_body(who: str) -> Iterator[bool]:
    person = sample_person(int(who), population=STREET)
    of_body = sum(isinstance(value, float) for value in msgspec.structs.asdict(person.body).values())
    for number, _ in enumerate(_traits(person)):
        yield number < of_body


def _numbers(values: msgspec.Struct) -> Iterator[float]:
    """Every number of a struct and of those within it."""
    for value in msgspec.structs.asdict(values).values():
        if isinstance(value, msgspec.Struct):
            yield from _numbers(value)
        elif isinstance(value, float):
            yield value
