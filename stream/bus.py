"""A hop: one sender's ``Outlet``, one receiver's ``Inlet``, and no message lost between them.

ZeroMQ alone loses what lies in its buffers when either end dies, and even when a sender closes while its
receiver is behind. So a hop is a DEALER -> ROUTER pair with a window: at most ``hwm`` messages are on their
way, each numbered, and the sender keeps each until the receiver has come back for another one, which says
that it has handled it. A receiver that was started again is sent what its predecessor had not handled.

A receiver that restores a checkpoint when it is started again needs more: what it handled since. To such a
receiver the sender is *durable*: it keeps each message until a checkpoint covers it, goes by the same name
when it is started again itself (``Sent``), and what it then makes a second time is known by its number.

    to the receiver   O first   here I am, what you have not handled begins at number ``first``
                      D number  a message
                      P last    are you there? I have sent up to number ``last``
    to the sender     A last    handled up to number ``last``
                      L last    handled up to ``last``, the rest never came: send it again
                      C last    a checkpoint covers up to number ``last``

When the window is full, a recorded source's hop waits, and a live one's ``send`` returns False so that the
caller counts the drop. The receiver binds, so that a sender that is started again finds it.
"""

from __future__ import annotations

import contextlib
import logging
import secrets
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Final, Protocol

import zmq

from stream.errors import MessageError
from stream.messages import EndOfStream, Message, decode, encode
from stream.sockets import (
    DEFAULT_LIMITS,
    CurveKeys,
    Limits,
    Socket,
    bound_endpoint,
    check_bindable,
    check_endpoint,
    listening,
    open_socket,
    readable,
    receive_two,
    remove_ipc,
    require_keys,
    terminate,
)
from stream.stop import never

__all__ = [
    "CurveKeys",
    "Inlet",
    "Limits",
    "Outlet",
    "Receiver",
    "Sender",
    "Socket",
    "TendedSender",
    "bound_endpoint",
    "check_bindable",
    "check_endpoint",
    "listening",
    "open_socket",
    "remove_ipc",
    "terminate",
]

_log = logging.getLogger("gaitway.stream")

_HEAD: Final = 9  # one letter and a number of 8 bytes
_NUMBER_LIMIT: Final = 1 << 63
_LOOK_FOR_STOP_MS: Final = 50
_PROBE_S: Final = 0.25  # a sender that hears nothing for so long asks
_QUIET_S: Final = 0.02  # without a message: then what was handled is said, be it less than a batch
_MAX_SENDERS: Final = 256
_MAX_KEPT: Final = 8192  # messages of a durable sender that no checkpoint covers: then it waits for one


@dataclass(frozen=True)
class Sent:
    """Where a durable sender stands: its ``name``, what a checkpoint covers, and the messages after that."""

    name: bytes
    covered: int = 0
    kept: tuple[bytes, ...] = ()


class Receiver(Protocol):
    """Where a stage's messages come from: an ``Inlet``, or a ``Merge`` of several."""

    def receive(self, timeout_s: float) -> Message | None:
        """The next message, or None after ``timeout_s``; raises MessageError for bytes that are none.

        To come back for another message says that the one before has been handled.
        """
        ...

    def sockets(self) -> list[Socket]:
        """What to poll while waiting."""
        ...

    def positions(self) -> dict[bytes, int]:
        """The number of the last message taken from each sender, for a checkpoint."""
        ...

    def cover(self, positions: Mapping[bytes, int]) -> None:
        """Tell the senders that a checkpoint covers all up to these numbers."""
        ...

    def close(self) -> None:
        """Say that all was handled, and close."""
        ...


class Sender(Protocol):
    """Where a stage's messages go."""

    def send(self, message: Message, stopped: Callable[[], bool] = ...) -> bool:
        """Send one message; False where it was not sent, and the caller counts the drop."""
        ...

    @property
    def under_way(self) -> int:
        """How many messages were sent that the receiver has not said to have handled."""
        ...

    def close(self) -> None:
        """Wait until what was sent has been handled, then close."""
        ...


class TendedSender(Sender, Protocol):
    """A sender whose hop wants a look now and then, also while there is nothing to send."""

    def tend(self) -> None:
        """Take in what the receiver said, and send again what it asks for; never waits."""
        ...

    @property
    def sent(self) -> Sent:
        """Where it stands, for a checkpoint."""
        ...


class Outlet:
    """The sending end of a hop; for one thread."""

    def __init__(
        self,
        endpoint: str,
        *,
        live: bool = False,
        limits: Limits = DEFAULT_LIMITS,
        keys: CurveKeys | None = None,
        durable: Sent | None = None,
    ) -> None:
        require_keys(endpoint, keys)
        self.endpoint = endpoint
        self._live, self._limits = live, limits
        self._stopped = never
        self._durable = durable is not None
        # The same over reconnects, another for every Outlet that is not durable.
        self._name = durable.name if durable else b"o" + secrets.token_bytes(8)
        self._kept: deque[bytes] = deque(
            durable.kept if durable else ()
        )  # sent and still needed, oldest first
        self._covered = durable.covered if durable else 0  # the number of the last message that is not kept
        self._handled = self._covered  # the number of the last message that the receiver has handled
        self._heard_s = time.monotonic()
        self._socket = open_socket(
            zmq.DEALER, endpoint, bind=False, limits=_roomy(limits), keys=keys, identity=self._name
        )
        self._say(_frame(b"O", self._covered + 1))

    @property
    def sent(self) -> Sent:
        """Where this sender stands, for a checkpoint."""
        return Sent(self._name, self._covered, tuple(self._kept))

    @property
    def under_way(self) -> int:
        """How many messages were sent that the receiver has not said to have handled."""
        return self._covered + len(self._kept) - self._handled

    def send(self, message: Message, stopped: Callable[[], bool] = never) -> bool:
        """Send. When full, live outlets return False; others wait for room or until ``stopped()``.

        The end of a stream is never dropped: it waits for room on a live outlet too.
        """
        self._stopped = stopped
        waits = not self._live or isinstance(message, EndOfStream)
        if self._full:
            self._listen(0)
        while self._full:
            if not waits or stopped():
                return False
            self._listen(_LOOK_FOR_STOP_MS)
        frame = _frame(b"D", self._covered + len(self._kept) + 1, encode(message))
        self._kept.append(frame)
        self._say(frame)
        if 2 * self.under_way >= self._limits.hwm:  # now, so that the next need not wait for it
            self._listen(0)
        return True

    @property
    def _full(self) -> bool:
        return self.under_way >= self._limits.hwm or len(self._kept) >= _MAX_KEPT

    def tend(self) -> None:
        """Take in what the receiver said, and send again what it asks for; never waits."""
        self._listen(0)

    def close(self) -> None:
        """Wait until all was handled, for ``linger_s``, or until the last ``stopped`` given; then close."""
        deadline_s = time.monotonic() + self._limits.linger_s
        while self._kept and time.monotonic() < deadline_s and not self._stopped():
            self._listen(_LOOK_FOR_STOP_MS)
        self._kept.clear()
        self._socket.close(linger=0)

    def _say(self, frame: bytes) -> None:
        with contextlib.suppress(zmq.Again):  # the receiver is away: what it misses it will ask for
            self._socket.send(frame, zmq.DONTWAIT)

    def _listen(self, timeout_ms: int) -> None:
        """Take in what the receiver said; ask it where it has been silent for long."""
        if not readable(self._socket, timeout_ms):
            if self._kept and time.monotonic() - self._heard_s > _PROBE_S:
                self._heard_s = time.monotonic()
                self._say(_frame(b"P", self._covered + len(self._kept)))
            return
        self._heard_s = time.monotonic()
        repeat = False
        while readable(self._socket):
            frame = self._socket.recv(zmq.DONTWAIT)
            try:
                repeat = self._hear(frame) or repeat
            except MessageError as error:  # whoever listens there, it must not end this stage
                _log.warning("%s answers with %s", self.endpoint, error)
        if repeat and self.under_way:
            self._say(_frame(b"O", self._handled + 1))
            for frame in islice(self._kept, self._handled - self._covered, None):
                self._say(frame)

    def _hear(self, frame: bytes) -> bool:
        """Take in one word of the receiver; True where it asks for a repetition. Raises MessageError."""
        word, number = _read_frame(frame, where=self.endpoint)
        number = min(number, self._covered + len(self._kept))
        # A receiver that went back to its checkpoint asks for what it had handled before.
        self._handled = max(number, self._covered if word == b"L" else self._handled)
        while self._covered < number and (word == b"C" or not self._durable):
            self._kept.popleft()
            self._covered += 1
        return word == b"L"


@dataclass
class _Peer:
    """One sender: its next number, how far it was told, whether it was asked to repeat."""

    expected: int
    told: int
    asked: bool = False


class Inlet:
    """The receiving end of a hop; for one thread. Several outlets may connect to it."""

    def __init__(
        self,
        endpoint: str,
        *,
        limits: Limits = DEFAULT_LIMITS,
        keys: CurveKeys | None = None,
        positions: Mapping[bytes, int] | None = None,
    ) -> None:
        """Listen; ``positions``: what a checkpoint of this receiver covers, as ``positions()`` said then."""
        self._batch, self._untold, self._taken_s = max(1, limits.hwm // 2), 0, 0.0
        self._peers = {name: _Peer(last + 1, last) for name, last in (positions or {}).items()}
        self._socket = open_socket(zmq.ROUTER, endpoint, bind=True, limits=_roomy(limits), keys=keys)
        self.endpoint = bound_endpoint(self._socket)

    def receive(self, timeout_s: float) -> Message | None:
        """The next message, or None after ``timeout_s``; raises MessageError for bytes that are none."""
        if self._untold >= self._batch:
            self._tell()
        deadline_s = time.monotonic() + timeout_s
        if timeout_s > 0:
            readable(self._socket, int(min(timeout_s, _QUIET_S) * 1000) + 1)
        while True:
            with contextlib.suppress(zmq.Again):  # where there is a message this is faster than to ask
                data = self._take(receive_two(self._socket))
                if data is not None:
                    return decode(data)
                continue
            now_s = time.monotonic()
            if self._untold and now_s - self._taken_s >= _QUIET_S:
                self._tell()
            if now_s >= deadline_s:
                return None
            until_s = min(deadline_s, self._taken_s + _QUIET_S) if self._untold else deadline_s
            readable(self._socket, int((until_s - now_s) * 1000) + 1)

    def positions(self) -> dict[bytes, int]:
        """The number of the last message taken from each sender."""
        return {name: peer.expected - 1 for name, peer in self._peers.items()}

    def cover(self, positions: Mapping[bytes, int]) -> None:
        """Tell the senders that a checkpoint covers all up to these numbers."""
        for name, last in positions.items():
            self._answer(name, b"C", last)

    def sockets(self) -> list[Socket]:
        """What to poll while waiting."""
        return [self._socket]

    def close(self) -> None:
        """Say that all was handled, and close."""
        self._tell()
        self._socket.close(linger=1000)
        remove_ipc(self.endpoint)

    def _take(self, parts: list[bytes]) -> memoryview | None:
        """The next message's bytes, or None for what only concerns the hop."""
        if len(parts) != 2:
            raise MessageError(f"{len(parts) - 1} parts", where=self.endpoint, wanted="one part")
        sender, frame = parts
        word, number = _read_frame(frame, where=self.endpoint)
        peer = self._peers.get(sender)
        if word == b"O" and peer is None:
            self._meet(sender, number)
        elif word == b"O" and peer is not None:
            peer.asked = False
        elif peer is None:
            self._answer(sender, b"L", 0)
        elif word == b"P":
            self._answer(sender, b"L" if number >= peer.expected else b"A", peer.expected - 1)
        elif word == b"D" and number == peer.expected:
            peer.expected += 1
            self._untold += 1
            self._taken_s = time.monotonic()
            return memoryview(frame)[_HEAD:]
        elif word == b"D" and number > peer.expected and not peer.asked:
            peer.asked = True
            self._answer(sender, b"L", peer.expected - 1)
        return None

    def _meet(self, sender: bytes, first: int) -> None:
        while len(self._peers) >= _MAX_SENDERS:
            del self._peers[next(iter(self._peers))]
        self._peers[sender] = _Peer(expected=first, told=first - 1)

    def _tell(self) -> None:
        """Acknowledge to each sender what was handled since it was last told."""
        self._untold = 0
        for sender, peer in self._peers.items():
            if peer.expected - 1 > peer.told:
                peer.told = peer.expected - 1
                self._answer(sender, b"A", peer.told)

    def _answer(self, sender: bytes, word: bytes, number: int) -> None:
        with contextlib.suppress(zmq.Again):  # a sender that hears nothing asks again
            self._socket.send_multipart([sender, _frame(word, number)], zmq.DONTWAIT)


def _roomy(limits: Limits) -> Limits:
    """The window bounds a hop; the sockets below need room for it and for what is said around it."""
    return Limits(4 * limits.hwm + 64, limits.max_message_bytes + _HEAD, limits.linger_s)


def _frame(word: bytes, number: int, data: bytes = b"") -> bytes:
    return word + number.to_bytes(8, "little") + data


def _read_frame(frame: bytes, where: str = "") -> tuple[bytes, int]:
    word, number = frame[:1], int.from_bytes(frame[1:_HEAD], "little")
    known = word in (b"P", b"A", b"L", b"C") or (word in (b"O", b"D") and number > 0)  # messages count from 1
    if len(frame) < _HEAD or not known or number >= _NUMBER_LIMIT:
        raise MessageError(f"{len(frame)} bytes that are no message of a hop", where=where)
    return word, number
