"""Other colours and cloths: what upper and lower clothes become, one draw for a whole track.

Colours are L*a*b* as OpenCV has them for float pictures: L 0 to 100, a and b about -100 to 100.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec
import numpy as np

Rng = np.random.Generator
Lab = tuple[float, float, float]
Pattern = Literal["plain", "hoops", "stripes", "checks"]

# What clothes are seen in: greys and denim more than anything.
PALETTE: Final[tuple[tuple[Lab, float], ...]] = (
    ((14.0, 0.0, -2.0), 0.18),  # black
    ((38.0, 0.0, -2.0), 0.10),  # dark grey
    ((65.0, 0.0, 0.0), 0.08),  # light grey
    ((90.0, 0.0, 3.0), 0.12),  # white
    ((24.0, 8.0, -26.0), 0.14),  # navy
    ((45.0, -2.0, -24.0), 0.12),  # denim
    ((42.0, 52.0, 30.0), 0.06),  # red
    ((40.0, -28.0, 22.0), 0.05),  # green
    ((75.0, 6.0, 52.0), 0.04),  # yellow
    ((62.0, 6.0, 22.0), 0.07),  # beige
    ((32.0, 12.0, 18.0), 0.04),  # brown
)
SPREAD: Final = (5.0, 4.0, 4.0)


class Cloth(msgspec.Struct, frozen=True):
    """A colour, and a second one in a pattern; ``pitch`` of it in shares of stature."""

    colour: Lab
    pattern: Pattern = "plain"
    second: Lab = (50.0, 0.0, 0.0)
    pitch: float = 0.05


class Dye(msgspec.Struct, frozen=True):
    """What upper and lower clothes become; None leaves them as they are."""

    upper: Cloth | None
    lower: Cloth | None


def draw_dye(rng: Rng) -> Dye:
    """Both, or one of them."""
    which = rng.random()
    upper = _draw_cloth(rng, 0.4) if which < 0.9 else None
    lower = _draw_cloth(rng, 0.15) if which > 0.15 else None
    return Dye(upper, lower)


def _draw_cloth(rng: Rng, patterned: float) -> Cloth:
    colour = _draw_colour(rng)
    if rng.random() >= patterned:
        return Cloth(colour)
    patterns: tuple[Pattern, ...] = ("hoops", "stripes", "checks")
    return Cloth(
        colour, patterns[int(rng.integers(3))], _draw_colour(rng), round(float(rng.uniform(0.03, 0.08)), 4)
    )


def _draw_colour(rng: Rng) -> Lab:
    shares = np.array([share for _, share in PALETTE])
    middle = PALETTE[int(rng.choice(len(PALETTE), p=shares / shares.sum()))][0]
    light, a, b = (
        round(float(value + rng.normal(0, by)), 2) for value, by in zip(middle, SPREAD, strict=True)
    )
    return (float(np.clip(light, 6, 96)), a, b)
