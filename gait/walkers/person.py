"""A person: a body, a way of walking, today's clothes and what they carry."""

from __future__ import annotations

import msgspec

from gait.walkers.body import Body, Clothes, sample_body, sample_clothes
from gait.walkers.conditions import NORMAL, Conditions
from gait.walkers.gait import Gait, sample_gait
from gait.walkers.population import PLAIN, Population


class Person(msgspec.Struct, frozen=True):
    """``name`` is what truth files call the person; ``seed`` makes the person again."""

    name: str
    seed: int
    body: Body
    gait: Gait
    clothes: Clothes
    conditions: Conditions = NORMAL

    def under(self, conditions: Conditions) -> Person:
        """The same person under other conditions."""
        return msgspec.structs.replace(self, conditions=conditions)


def sample_person(seed: int, name: str = "", outfit: int = 0, population: Population = PLAIN) -> Person:
    """Person ``seed`` of a population; the same body and gait on every day ``outfit``, other clothes."""
    body = sample_body(seed, population)
    gait = sample_gait(seed, body, population)
    clothes = sample_clothes(seed, outfit, population)
    return Person(name or f"walker-{seed}", seed, body, gait, clothes)
