"""How often a peer may ask, so that one that asks without end costs the others nothing."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

# A subscriber that missed an hour asks some hundred times; one that asks without end gets its refusals
# cheaply. Peers beyond the bound share what is forgotten first.
_ASKS_PER_S: Final = 200.0
_ASKS_AT_ONCE: Final = 1000.0
_PEERS: Final = 1024


class Allowance:
    """How often each peer may still ask: a bucket each that fills at a steady rate."""

    def __init__(
        self, per_s: float = _ASKS_PER_S, at_once: float = _ASKS_AT_ONCE, peers: int = _PEERS
    ) -> None:
        self._per_s, self._at_once, self._peers = per_s, at_once, peers
        self._left: OrderedDict[bytes, tuple[float, float]] = OrderedDict()

    def take(self, peer: bytes, now_s: float) -> bool:
        """Whether ``peer`` may ask now."""
        left, since_s = self._left.pop(peer, (self._at_once, now_s))
        left = min(self._at_once, left + (now_s - since_s) * self._per_s)
        self._left[peer] = (left - 1 if left >= 1 else left, now_s)
        if len(self._left) > self._peers:
            self._left.popitem(last=False)
        return left >= 1
