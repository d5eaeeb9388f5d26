"""The shape and looks of one person.

Segment lengths are shares of stature after Drillis and Contini (1966) as tabulated by Winter, Biomechanics
and Motor Control of Human Movement, table 4.1; stature after NCD-RisC (2016), European adults; the spread
of single proportions (3-4 %) after ANSUR II (Gordon et al. 2014).
"""

from __future__ import annotations

from typing import Literal

import msgspec
import numpy as np

from gait.walkers.seeds import bounded, stream

Colour = tuple[float, float, float]
"""Red, green, blue in [0, 1]."""
Hair = Literal["short", "long", "bun", "bald"]
Pattern = Literal["plain", "stripes", "block"]

SKIN: tuple[Colour, ...] = (
    (0.95, 0.80, 0.70),
    (0.90, 0.72, 0.58),
    (0.80, 0.61, 0.46),
    (0.66, 0.47, 0.34),
    (0.48, 0.33, 0.24),
    (0.36, 0.25, 0.19),
)
HAIR: tuple[Colour, ...] = (
    (0.09, 0.07, 0.06),
    (0.20, 0.13, 0.09),
    (0.36, 0.23, 0.13),
    (0.62, 0.46, 0.26),
    (0.50, 0.24, 0.12),
    (0.58, 0.57, 0.56),
)
TOPS: tuple[Colour, ...] = (
    (0.16, 0.26, 0.46),
    (0.62, 0.16, 0.17),
    (0.86, 0.84, 0.78),
    (0.17, 0.40, 0.30),
    (0.83, 0.62, 0.20),
    (0.30, 0.31, 0.34),
    (0.44, 0.25, 0.46),
    (0.35, 0.58, 0.72),
    (0.78, 0.42, 0.30),
    (0.55, 0.60, 0.42),
)
TROUSERS: tuple[Colour, ...] = (
    (0.13, 0.16, 0.25),
    (0.20, 0.20, 0.22),
    (0.28, 0.36, 0.50),
    (0.55, 0.47, 0.35),
    (0.33, 0.28, 0.22),
    (0.45, 0.46, 0.48),
)
SHOES: tuple[Colour, ...] = ((0.10, 0.09, 0.09), (0.30, 0.19, 0.12), (0.88, 0.87, 0.84), (0.45, 0.15, 0.15))


class Body(msgspec.Struct, frozen=True):
    """Lengths in metres; girths as factors of the average person's; ``hair`` and ``skin`` belong here too.

    ``thigh`` hip to knee, ``shank`` knee to ankle, ``ankle_height`` above the sole, ``trunk`` hips to the
    line of the shoulders, ``head_height`` from that line to the middle of the head. ``*_width`` run
    from joint to joint. ``girth`` scales every section, ``belly``, ``chest`` and ``seat`` single ones.
    """

    stature: float
    thigh: float
    shank: float
    ankle_height: float
    foot: float
    trunk: float
    head_height: float
    head_size: float
    upper_arm: float
    forearm: float
    hand: float
    hip_width: float
    shoulder_width: float
    girth: float
    limb_girth: float
    belly: float
    chest: float
    waist: float
    seat: float
    skin: Colour
    hair: Hair
    hair_colour: Colour

    @property
    def leg(self) -> float:
        """Hip to ankle, straight."""
        return self.thigh + self.shank


class Clothes(msgspec.Struct, frozen=True):
    """What may change from day to day without changing the person. ``sleeve`` 0.5 ends at the elbow."""

    top: Colour
    accent: Colour
    pattern: Pattern
    trousers: Colour
    shoes: Colour
    sleeve: float
    ease: float
    leg_width: float


def sample_body(seed: int) -> Body:
    """The body of person ``seed``."""
    rng = stream(seed, "body")
    woman = bool(rng.random() < 0.5)
    stature = bounded(rng, 1.64 if woman else 1.78, 0.068, 1.48, 2.0)

    def share(of_stature: float, spread: float = 0.035) -> float:
        return stature * of_stature * bounded(rng, 1.0, spread, 1 - 2.5 * spread, 1 + 2.5 * spread)

    legs = bounded(rng, 1.0, 0.022, 0.95, 1.05)  # long legs go with a short trunk
    # Girth follows body mass index, log-normal about 25: sections grow with its square root.
    girth = float(np.clip(np.exp(rng.normal(0.0, 0.085)), 0.85, 1.25))
    hair: tuple[Hair, ...] = (
        ("short", "long", "long", "bun") if woman else ("short", "short", "short", "bald")
    )
    return Body(
        stature=stature,
        thigh=share(0.245, 0.02) * legs,
        shank=share(0.246, 0.02) * legs,
        ankle_height=share(0.039, 0.03),
        foot=share(0.148 if woman else 0.152),
        trunk=share(0.285, 0.02) * (2.0 - legs),
        head_height=share(0.112, 0.025),
        head_size=share(0.131, 0.03),
        upper_arm=share(0.180, 0.03),
        forearm=share(0.146, 0.03),
        hand=share(0.100, 0.03),
        hip_width=share(0.108 if woman else 0.100, 0.05),
        shoulder_width=share(0.203 if woman else 0.221, 0.045),
        girth=girth,
        limb_girth=girth * bounded(rng, 1.0, 0.06, 0.85, 1.15),
        belly=bounded(rng, girth**1.3, 0.08, 0.85, 1.45),
        chest=bounded(rng, 1.06 if woman else 1.0, 0.05, 0.88, 1.2),
        waist=bounded(rng, 0.90 if woman else 1.0, 0.05, 0.8, 1.12),
        seat=bounded(rng, 1.08 if woman else 0.98, 0.05, 0.86, 1.22),
        skin=SKIN[int(rng.integers(len(SKIN)))],
        hair=hair[int(rng.integers(len(hair)))],
        hair_colour=HAIR[int(rng.integers(len(HAIR)))],
    )


def sample_clothes(seed: int, outfit: int = 0) -> Clothes:
    """What person ``seed`` wears on day ``outfit``."""
    rng = stream(seed, "clothes", outfit)
    top, accent = rng.choice(len(TOPS), size=2, replace=False)
    patterns: tuple[Pattern, ...] = ("plain", "plain", "stripes", "block")
    return Clothes(
        top=TOPS[int(top)],
        accent=TOPS[int(accent)],
        pattern=patterns[int(rng.integers(len(patterns)))],
        trousers=TROUSERS[int(rng.integers(len(TROUSERS)))],
        shoes=SHOES[int(rng.integers(len(SHOES)))],
        sleeve=float(rng.choice([0.45, 1.0, 1.0])),
        ease=bounded(rng, 1.06, 0.03, 1.0, 1.15),
        leg_width=bounded(rng, 1.08, 0.07, 0.98, 1.3),
    )
