"""How a running stage is asked to end: a flag that a signal handler may set and any thread may read."""

from __future__ import annotations

import time
from enum import IntEnum


class Level(IntEnum):
    """How soon a stage is to end."""

    RUN = 0
    DRAIN = 1
    """Sources stop; the others go on until the end of stream has passed through them."""
    FLUSH = 2
    """Handle what has already arrived, and end when nothing more comes: a stage upstream is dead."""
    NOW = 3
    """End after the message in hand."""


class Stop:
    """Only ever rises. Plain attributes and no lock, so that a signal handler can never dead-lock on it.

    ``asked`` counts how often the stage looked here: one that works or waits looks all the time, one that
    hangs does not, which is how its supervisor tells. ``paused``: a source lets go of its camera meanwhile.
    """

    def __init__(self) -> None:
        self.level = Level.RUN
        self.asked = 0
        self.paused = False
        self.raised_at_s: float | None = None

    def ask(self, level: Level = Level.DRAIN) -> None:
        """Rise to ``level``."""
        if level > self.level:
            self.level = level
            self.raised_at_s = time.monotonic()

    def ask_again(self) -> None:
        """What Ctrl-C means: drain; pressed again: now."""
        self.ask(Level.DRAIN if self.level is Level.RUN else Level.NOW)

    def draining(self) -> bool:
        """True once a source has to stop capturing."""
        self.asked += 1
        return self.level >= Level.DRAIN

    def now(self) -> bool:
        """True once even a wait for room in the next hop has to end."""
        self.asked += 1
        return self.level >= Level.NOW


def never() -> bool:
    """The answer of a ``stopped`` callable that nobody stops."""
    return False
