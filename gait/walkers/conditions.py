"""What changes from one pass to the next without changing the person: garments, burdens, hands, pace."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import msgspec
import numpy as np

from gait.walkers.seeds import stream
from stream.errors import ConfigError

Hand = Literal["none", "right", "left"]
Hands = Literal["none", "right", "left", "both"]
Bag = Literal["none", "hand", "shoulder"]
Hat = Literal["none", "cap", "beanie", "brim"]
Hood = Literal["none", "down", "up"]
Phone = Literal["none", "right text", "left text", "right call", "left call"]
Values = dict[str, object]


class Conditions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One pass's conditions; the defaults are the person in their ordinary clothes, empty-handed.

    ``coat`` and ``skirt``: how far they reach from the hip (0: none) to the ankle (1). ``padding``: how much
    wider a coat makes the trunk and arms. ``collar``: the share of the neck that a collar or scarf hides.
    ``trousers``: width as a factor of the clothes' own. ``heel_m``
    under the heel, metres. ``shoe``: size as a factor. ``backpack`` and ``bag_size``: 0 none, 1 ordinary.
    ``pace``: speed as a factor. ``load``: carried mass as a share of the body's. ``fatigue``: 0 to 1.
    """

    coat: float = 0.0
    padding: float = 0.0
    collar: float = 0.0
    skirt: float = 0.0
    trousers: float = 1.0
    heel_m: float = 0.0
    shoe: float = 1.0
    backpack: float = 0.0
    right_bag: Bag = "none"
    left_bag: Bag = "none"
    bag_size: float = 1.0
    hat: Hat = "none"
    hood: Hood = "none"
    umbrella: Hand = "none"
    phone: Phone = "none"
    pocket: Hands = "none"
    pace: float = 1.0
    load: float = 0.0
    fatigue: float = 0.0

    def changed(self) -> tuple[str, ...]:
        """The fields that are not as usual."""
        return tuple(name for name in self.__struct_fields__ if getattr(self, name) != getattr(NORMAL, name))

    def __post_init__(self) -> None:
        for name, (low, high) in LIMITS.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise ValueError(f"{name} is {value}; wanted {low} to {high}")


LIMITS = {
    "coat": (0.0, 0.95),
    "padding": (0.0, 0.35),
    "collar": (0.0, 1.0),
    "skirt": (0.0, 0.97),
    "trousers": (0.8, 1.5),
    "heel_m": (0.0, 0.10),
    "shoe": (0.85, 1.3),
    "backpack": (0.0, 2.0),
    "bag_size": (0.4, 1.8),
    "pace": (0.5, 1.5),
    "load": (0.0, 0.4),
    "fatigue": (0.0, 1.0),
}
NORMAL = Conditions()


def _side(rng: np.random.Generator) -> str:
    return "left" if rng.random() < 0.5 else "right"


def _coat(rng: np.random.Generator) -> Values:
    """From a jacket that ends at the hip to a coat below the knee; the thick ones are winter's."""
    length, padding = float(rng.uniform(0.08, 0.68)), float(rng.uniform(0.05, 0.26))
    collar = float(rng.uniform(0.2, 1.0)) if rng.random() < 0.7 else 0.0
    return {"coat": length, "padding": padding, "collar": collar}


def _layers(rng: np.random.Generator) -> Values:
    """A pullover, cardigan or light jacket."""
    length, padding = float(rng.uniform(0.03, 0.2)), float(rng.uniform(0.02, 0.14))
    collar = float(rng.uniform(0.1, 0.6)) if rng.random() < 0.4 else 0.0
    return {"coat": length, "padding": padding, "collar": collar}


def _bag(rng: np.random.Generator) -> Values:
    kind = "hand" if rng.random() < 0.5 else "shoulder"
    size = float(rng.uniform(0.6, 1.4))
    return {f"{_side(rng)}_bag": kind, "bag_size": size, "load": 0.04 * size}


def _backpack(rng: np.random.Generator) -> Values:
    size = float(rng.uniform(0.6, 1.5))
    return {"backpack": size, "load": 0.08 * size * float(rng.uniform(0.4, 1.4))}


def _phone(rng: np.random.Generator) -> Values:
    return {"phone": f"{_side(rng)} {'text' if rng.random() < 0.6 else 'call'}"}


KINDS: dict[str, Callable[[np.random.Generator], Values]] = {
    "normal": lambda _: {},
    "layers": _layers,
    "coat": _coat,
    "skirt": lambda rng: {"skirt": float(rng.uniform(0.3, 0.92))},
    "trousers": lambda rng: {"trousers": float(rng.uniform(0.90, 1.28))},
    "shoes": lambda rng: {"shoe": float(rng.uniform(0.95, 1.18)), "heel_m": float(rng.uniform(0.0, 0.03))},
    "heels": lambda rng: {"heel_m": float(rng.uniform(0.03, 0.09)), "shoe": float(rng.uniform(0.9, 1.0))},
    "backpack": _backpack,
    "bag": _bag,
    "hat": lambda rng: {"hat": ("cap", "beanie", "brim")[int(rng.integers(3))]},
    "hood": lambda rng: {"hood": "up" if rng.random() < 0.5 else "down"},
    "umbrella": lambda rng: {"umbrella": _side(rng)},
    "phone": _phone,
    "pocket": lambda rng: {"pocket": ("left", "right", "both")[int(rng.integers(3))]},
    "load": lambda rng: {"load": float(rng.uniform(0.08, 0.3))},
    "tired": lambda rng: {"fatigue": float(rng.uniform(0.3, 1.0))},
    "slow": lambda rng: {"pace": float(rng.uniform(0.72, 0.92))},
    "fast": lambda rng: {"pace": float(rng.uniform(1.08, 1.28))},
}
LIKELY = {
    "layers": 0.4, "coat": 0.25, "skirt": 0.06, "trousers": 0.5, "shoes": 0.5, "heels": 0.06,
    "backpack": 0.18, "bag": 0.22, "hat": 0.10, "hood": 0.10, "umbrella": 0.04, "phone": 0.08,
    "pocket": 0.10, "load": 0.05, "tired": 0.15, "slow": 0.15, "fast": 0.12,
}  # fmt: skip
"""How often each is met in ``any``: ours, about a street in spring. Later kinds overrule earlier ones."""
CHOICES = (*KINDS, "any")
BUSY_HANDS = ("umbrella", "phone", "pocket")


def sample_conditions(seed: int, visit: int = 0, kinds: Sequence[str] = ("any",)) -> Conditions:
    """Conditions of person ``seed`` on their pass ``visit``: all of ``kinds``, their details drawn.

    ``any`` stands for a draw among all kinds. Raises ConfigError for an unknown kind.
    """
    for kind in kinds:
        if kind not in CHOICES:
            raise ConfigError(f"no condition {kind!r}", wanted=f"some of {', '.join(CHOICES)}")
    chosen = [kind for kind in kinds if kind != "any"]
    if "any" in kinds:
        odds = stream(seed, "conditions", visit)
        chosen += [kind for kind, share in LIKELY.items() if odds.random() < share]
    values: Values = {}
    for kind in dict.fromkeys(chosen):
        values |= KINDS[kind](stream(seed, "condition", visit, kind))
    return msgspec.convert(_possible(values, kinds), Conditions)


def _possible(values: Values, asked: Sequence[str]) -> Values:
    """Without what cannot go together: two things in one hand, a hood over a hat."""
    busy: set[str] = set()
    for side in ("right", "left"):
        if values.get(f"{side}_bag") == "hand":
            busy.add(side)
    for kind in BUSY_HANDS:
        held = str(values.get(kind, "none")).split()[0]
        hands = {"both": {"right", "left"}}.get(held, {held} - {"none"})
        if hands & busy:
            del values[kind]
        busy |= hands
    if values.get("hood") == "up" and "hat" in values:
        del values["hat" if "hood" in asked else "hood"]
    return values
