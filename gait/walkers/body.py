"""The shape and looks of one person; the numbers they are drawn from are in ``population``."""

from __future__ import annotations

from typing import Literal

import msgspec
import numpy as np

from gait.walkers.population import PLAIN, Population, Share, Spread
from gait.walkers.seeds import bounded, stream

Colour = tuple[float, float, float]
"""Red, green, blue in [0, 1]."""
Hair = Literal["short", "long", "bun", "bald"]
Pattern = Literal["plain", "stripes", "block"]
FINE = (
    "shoulder_drop", "neck_girth", "thigh_girth", "calf_girth", "arm_girth", "seat_depth",
    "back_round", "head_width", "head_depth", "hair_volume", "hair_length",
)  # fmt: skip
"""The finer differences of shape, drawn apart from the rest."""

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


HAIRSTYLES: dict[str, tuple[Hair, ...]] = {
    "women": ("short", "long", "long", "bun"),
    "men": ("short", "short", "short", "bald"),
}


class Body(msgspec.Struct, frozen=True):
    """Lengths in metres; girths as factors of the average person's; ``hair`` and ``skin`` belong here too.

    ``thigh`` hip to knee, ``shank`` knee to ankle, ``ankle_height`` above the sole, ``trunk`` hips to the
    line of the shoulders, ``head_height`` from that line to the middle of the head. ``*_width`` run
    from joint to joint. ``girth`` scales every section, ``belly``, ``chest`` and ``seat`` single ones, as do
    the factors from ``neck_girth`` on; ``shoulder_drop`` is how much lower the shoulders' ends are than the
    average person's, as a share of stature.
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
    shoulder_drop: float = 0.0
    neck_girth: float = 1.0
    thigh_girth: float = 1.0
    calf_girth: float = 1.0
    arm_girth: float = 1.0
    seat_depth: float = 1.0
    back_round: float = 1.0
    head_width: float = 1.0
    head_depth: float = 1.0
    hair_volume: float = 1.0
    hair_length: float = 1.0

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


def sample_body(seed: int, population: Population = PLAIN) -> Body:
    """The body of person ``seed``."""
    rng, fine, people = stream(seed, "body"), stream(seed, "shape"), population.body
    woman = bool(rng.random() < 0.5)
    stature = (people.stature_women if woman else people.stature_men).draw(rng)

    def length(share: Share) -> float:
        return stature * (share.women if woman else share.men) * share.spread.draw(rng)

    def own(women: Spread, men: Spread) -> float:
        return (women if woman else men).draw(rng)

    legs = people.legs.draw(rng)
    log_girth = people.log_girth
    girth = float(
        np.clip(
            np.exp(rng.normal(log_girth.mean, log_girth.sd)), np.exp(log_girth.low), np.exp(log_girth.high)
        )
    )
    styles = HAIRSTYLES["women" if woman else "men"]
    return Body(
        stature=stature,
        thigh=length(people.thigh) * legs,
        shank=length(people.shank) * legs,
        ankle_height=length(people.ankle_height),
        foot=length(people.foot),
        trunk=length(people.trunk) * (2.0 - legs),
        head_height=length(people.head_height),
        head_size=length(people.head_size),
        upper_arm=length(people.upper_arm),
        forearm=length(people.forearm),
        hand=length(people.hand),
        hip_width=length(people.hip_width),
        shoulder_width=length(people.shoulder_width),
        girth=girth,
        limb_girth=girth * people.limb_girth.draw(rng),
        belly=bounded(rng, girth**1.3, people.belly_sd, 0.85, 1.45),
        chest=own(people.chest_women, people.chest_men),
        waist=own(people.waist_women, people.waist_men),
        seat=own(people.seat_women, people.seat_men),
        skin=SKIN[int(rng.integers(len(SKIN)))],
        hair=styles[int(rng.integers(len(styles)))],
        hair_colour=HAIR[int(rng.integers(len(HAIR)))],
        **{name: getattr(people, name).draw(fine) for name in FINE},
    )


def sample_clothes(seed: int, outfit: int = 0, population: Population = PLAIN) -> Clothes:
    """What person ``seed`` wears on day ``outfit``."""
    rng, people = stream(seed, "clothes", outfit), population.clothes
    top, accent = rng.choice(len(TOPS), size=2, replace=False)
    patterns: tuple[Pattern, ...] = ("plain", "plain", "stripes", "block")
    return Clothes(
        top=TOPS[int(top)],
        accent=TOPS[int(accent)],
        pattern=patterns[int(rng.integers(len(patterns)))],
        trousers=TROUSERS[int(rng.integers(len(TROUSERS)))],
        shoes=SHOES[int(rng.integers(len(SHOES)))],
        sleeve=float(rng.choice([0.45, 1.0, 1.0])),
        ease=people.ease.draw(rng),
        leg_width=people.leg_width.draw(rng),
    )
