"""A person: a body, a way of walking, and today's clothes."""

from __future__ import annotations

import msgspec

from gait.walkers.body import Body, Clothes, sample_body, sample_clothes
from gait.walkers.gait import Gait, sample_gait


class Person(msgspec.Struct, frozen=True):
    """``name`` is what truth files call the person; ``seed`` makes the person again."""

    name: str
    seed: int
    body: Body
    gait: Gait
    clothes: Clothes


def sample_person(seed: int, name: str = "", outfit: int = 0) -> Person:
    """Person ``seed``; the same body and gait on every day ``outfit``, other clothes."""
    body = sample_body(seed)
    return Person(name or f"walker-{seed}", seed, body, sample_gait(seed, body), sample_clothes(seed, outfit))
