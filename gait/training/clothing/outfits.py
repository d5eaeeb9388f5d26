"""What is put on: one outfit for a whole track, drawn from a seed.

Lengths are shares of stature. How much wider clothes are than what is under them follows pattern cutting:
jackets are cut 8 to 16 cm and coats 14 to 26 cm wider round the chest than the body, ordinary tops 6 to 10,
so a coat stands 0.5 to 3 cm further out. Hems: from the hip to the calf. Nothing here was taken from how
our rendered walkers are dressed (``gait.walkers.wear``): they are what this is tested with.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec
import numpy as np

Hood = Literal["none", "down", "up"]
BagKind = Literal["backpack", "shoulder", "hand"]
Side = Literal["left", "right"]

Rng = np.random.Generator


class Bag(msgspec.Struct, frozen=True):
    """Something carried; ``size`` 1 is an ordinary one of its kind."""

    kind: BagKind
    side: Side
    size: float


class Outfit(msgspec.Struct, frozen=True):
    """What is worn over what the track shows already.

    ``padding`` and ``sleeves``: how much wider trunk and arms become, shares of stature. ``collar``: likewise
    the neck. ``coat`` and ``skirt``: how far they reach from hip (0: none) to ankle (1); ``flare``: how much
    they widen on the way, a share of their length. ``trousers``: how much wider legs are at the hem.
    ``loose``: how far cloth swings, 0 for leather, 1 for silk.
    """

    padding: float = 0.0
    sleeves: float = 0.0
    collar: float = 0.0
    coat: float = 0.0
    skirt: float = 0.0
    flare: float = 0.0
    trousers: float = 0.0
    loose: float = 0.3
    hood: Hood = "none"
    bags: tuple[Bag, ...] = ()

    @property
    def hanging(self) -> float:
        """How far cloth round both legs reaches, 0 for none."""
        return max(self.coat, self.skirt)


WORN: Final[tuple[tuple[str, float], ...]] = (
    ("coat", 0.5),
    ("layer", 0.2),
    ("skirt", 0.12),
    ("trousers", 0.3),
    ("hood", 0.2),
    ("bag", 0.4),
)
"""How often each is drawn. A coat and a layer exclude each other; so do a skirt and wide trousers."""


def draw_outfit(rng: Rng) -> Outfit:
    """An outfit with at least one thing in it."""
    while True:
        wanted = {name for name, share in WORN if rng.random() < share}
        if wanted:
            break
    outfit = Outfit(loose=float(rng.uniform(0.05, 0.8)))
    if "coat" in wanted:
        outfit = _in_coat(outfit, rng)
    elif "layer" in wanted:
        padding = float(rng.uniform(0.003, 0.010))
        outfit = msgspec.structs.replace(
            outfit, padding=padding, sleeves=0.7 * padding, coat=float(rng.uniform(0.02, 0.14))
        )
    if "skirt" in wanted:
        outfit = msgspec.structs.replace(
            outfit, skirt=float(rng.uniform(0.3, 0.95)), flare=max(outfit.flare, float(rng.uniform(0, 0.35)))
        )
    elif "trousers" in wanted:
        outfit = msgspec.structs.replace(outfit, trousers=float(rng.uniform(0.004, 0.020)))
    if "hood" in wanted:
        outfit = msgspec.structs.replace(outfit, hood="up" if rng.random() < 0.5 else "down")
    if "bag" in wanted:
        outfit = msgspec.structs.replace(outfit, bags=_bags(rng))
    return outfit


def _in_coat(outfit: Outfit, rng: Rng) -> Outfit:
    """From a jacket to a long winter coat."""
    padding = float(rng.uniform(0.003, 0.020))
    return msgspec.structs.replace(
        outfit,
        padding=padding,
        sleeves=float(rng.uniform(0.4, 0.9)) * padding,
        collar=float(rng.uniform(0.3, 1.4)) * padding if rng.random() < 0.6 else 0.0,
        coat=float(rng.uniform(0.05, 0.75)),
        flare=float(rng.uniform(0.0, 0.18)),
    )


def _bags(rng: Rng) -> tuple[Bag, ...]:
    kinds: tuple[BagKind, ...] = ("backpack", "shoulder", "hand")
    first = kinds[int(rng.integers(3))]
    bags = [Bag(first, _side(rng), float(rng.uniform(0.6, 1.4)))]
    if first == "backpack" and rng.random() < 0.2:
        bags.append(Bag("hand", _side(rng), float(rng.uniform(0.6, 1.2))))
    return tuple(bags)


def _side(rng: Rng) -> Side:
    return "left" if rng.random() < 0.5 else "right"
