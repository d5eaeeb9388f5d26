"""What a sink is: it delivers, or says why not; when to try again is not its business.

NotNowError      the receiver is away or busy: the same again later
RefusedError     it will never take this: let it go, and go on
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from stream.errors import GaitwayError
from stream.sinks.follow import Waiting


class NotNowError(GaitwayError):
    """The receiver did not take it now; ``after_s``: it asked for so much patience."""

    def __init__(self, what: str, after_s: float = 0.0) -> None:
        super().__init__(what)
        self.after_s = after_s


class RefusedError(GaitwayError):
    """The receiver will not take this, however often it is sent."""


class Sink(Protocol):
    """One place that events go to; for one thread."""

    batch: int
    """How many events at a time."""

    def deliver(self, events: Sequence[Waiting]) -> None:
        """Return once the receiver has all of them; raises NotNowError or RefusedError where it has not."""
        ...

    def idle(self) -> None:
        """Nothing waits: keep up what is to be kept up. Raises NotNowError where that is not to be had."""
        ...

    def close(self) -> None:
        """Take leave of the receiver, and let go."""
        ...


class Delivery(msgspec.Struct, frozen=True):
    """How an event stands in what is sent: as in the log, and whether it may have been sent before."""

    event: msgspec.Raw
    replayed: bool


def delivery(waiting: Waiting) -> Delivery:
    """What is sent of an event that waits."""
    return Delivery(msgspec.Raw(waiting.line), waiting.replayed)
