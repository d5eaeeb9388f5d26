"""One colour per person, the same in the video and on the report page."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from stream.messages import Event

Colour = tuple[int, int, int]
"""Blue, green, red: as OpenCV draws."""

GREY: Final[Colour] = (170, 170, 170)
"""Nothing said yet."""
AMBER: Final[Colour] = (60, 165, 235)
"""Unknown."""
# Far apart in hue and away from amber, readable on light and dark ground alike.
PALETTE: Final[tuple[Colour, ...]] = (
    (96, 190, 60),
    (235, 140, 50),
    (200, 80, 190),
    (190, 185, 40),
    (110, 90, 235),
    (225, 105, 120),
    (150, 200, 150),
    (120, 60, 170),
)


def colours_of(events: Iterable[Event]) -> dict[str, Colour]:
    """A colour for everyone who was named, in the order of their names; past eight they repeat."""
    names = sorted({e.identity.name for e in events if e.identity is not None and e.identity.name})
    return {name: PALETTE[index % len(PALETTE)] for index, name in enumerate(names)}


def css(colour: Colour) -> str:
    """The colour as a web page writes it."""
    blue, green, red = colour
    return f"#{red:02x}{green:02x}{blue:02x}"
