"""A hop: one sender's ``Outlet``, one receiver's ``Inlet``, and no message lost between them.

ZeroMQ alone loses what lies in its buffers when either end dies, and even when a sender closes while its
receiver is behind. So a hop is a DEALER -> ROUTER pair with a window: at most ``hwm`` messages are on their
way, each numbered, and the sender keeps each until the receiver has come back for another one, which says
that it has handled it. A receiver that was started again is sent what its predecessor had not handled.

    to the receiver   O first   here I am, what you have not handled begins at number ``first``
                      D number  a message
                      P last    are you there? I have sent up to number ``last``
    to the sender     A last    handled up to number ``last``
                      L last    handled up to ``last``, the rest never came: send it again

When the window is full, a recorded source's hop waits, and a live one's ``send`` returns False so that the
caller counts the drop. The receiver binds, so that a sender that is started again finds it.
"""

from __future__ import annotations

import contextlib
import secrets
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
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
    remove_ipc,
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

_HEAD: Final = 9  # one letter and a number of 8 bytes
_NUMBER_LIMIT: Final = 1 << 63
_LOOK_FOR_STOP_MS: Final = 50
_PROBE_S: Final = 0.25  # a sender that hears nothing for so long asks
_MAX_SENDERS: Final = 256


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

    def close(self) -> None:
        """Say that all was handled, and close."""
        ...


class Sender(Protocol):
    """Where a stage's messages go."""

    def send(self, message: Message, stopped: Callable[[], bool] = ...) -> bool:
        """Send one message; False where it was not sent, and the caller counts the drop."""
        ...

    def close(self) -> None:
        """Wait until what was sent has been handled, then close."""
        ...


class TendedSender(Sender, Protocol):
    """A sender whose hop wants a look now and then, also while there is nothing to send."""

    def tend(self) -> None:
        """Take in what the receiver said, and send again what it asks for; never waits."""
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
    ) -> None:
        self.endpoint = endpoint
        self._live, self._limits = live, limits
        self._stopped = never
        self._kept: deque[bytes] = deque()  # sent and not yet handled, oldest first
        self._handled = 0  # the number of the last message that the receiver has handled
        self._heard_s = time.monotonic()
        identity = b"o" + secrets.token_bytes(8)  # the same over reconnects, another for every Outlet
        self._socket = open_socket(
            zmq.DEALER, endpoint, bind=False, limits=_roomy(limits), keys=keys, identity=identity
        )
        self._say(_frame(b"O", 1))

    def send(self, message: Message, stopped: Callable[[], bool] = never) -> bool:
        """Send. When full, live outlets return False; others wait for room or until ``stopped()``.

        The end of a stream is never dropped: it waits for room on a live outlet too.
        """
        self._stopped = stopped
        waits = not self._live or isinstance(message, EndOfStream)
        if 2 * len(self._kept) >= self._limits.hwm:
            self._listen(0)
        while len(self._kept) >= self._limits.hwm:
            if not waits or stopped():
                return False
            self._listen(_LOOK_FOR_STOP_MS)
        frame = _frame(b"D", self._handled + len(self._kept) + 1, encode(message))
        self._kept.append(frame)
        self._say(frame)
        return True

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
        if not self._socket.poll(timeout_ms):
            if self._kept and time.monotonic() - self._heard_s > _PROBE_S:
                self._heard_s = time.monotonic()
                self._say(_frame(b"P", self._handled + len(self._kept)))
            return
        self._heard_s = time.monotonic()
        repeat = False
        with contextlib.suppress(zmq.Again):
            while True:
                word, number = _read_frame(self._socket.recv(zmq.DONTWAIT))
                while self._kept and self._handled < number:
                    self._kept.popleft()
                    self._handled += 1
                repeat = repeat or word == b"L"
        if repeat and self._kept:
            self._say(_frame(b"O", self._handled + 1))
            for frame in self._kept:
                self._say(frame)


@dataclass
class _Peer:
    """One sender: its next number, how far it was told, whether it was asked to repeat."""

    expected: int
    told: int
    asked: bool = False


class Inlet:
    """The receiving end of a hop; for one thread. Several outlets may connect to it."""

    def __init__(
        self, endpoint: str, *, limits: Limits = DEFAULT_LIMITS, keys: CurveKeys | None = None
    ) -> None:
        self._limits = limits
        self._peers: dict[bytes, _Peer] = {}
        self._socket = open_socket(zmq.ROUTER, endpoint, bind=True, limits=_roomy(limits), keys=keys)
        self.endpoint = bound_endpoint(self._socket)

    def receive(self, timeout_s: float) -> Message | None:
        """The next message, or None after ``timeout_s``; raises MessageError for bytes that are none."""
        deadline_s = time.monotonic() + timeout_s
        self._tell(max(1, self._limits.hwm // 4))
        while True:
            try:
                parts = self._socket.recv_multipart(zmq.DONTWAIT)
            except zmq.Again:
                self._tell(1)
                left_s = deadline_s - time.monotonic()
                if left_s <= 0:
                    return None
                self._socket.poll(int(left_s * 1000) + 1)
            else:
                data = self._take(parts)
                if data is not None:
                    return decode(data)

    def sockets(self) -> list[Socket]:
        """What to poll while waiting."""
        return [self._socket]

    def close(self) -> None:
        """Say that all was handled, and close."""
        self._tell(1)
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
            return memoryview(frame)[_HEAD:]
        elif word == b"D" and number > peer.expected and not peer.asked:
            peer.asked = True
            self._answer(sender, b"L", peer.expected - 1)
        return None

    def _meet(self, sender: bytes, first: int) -> None:
        while len(self._peers) >= _MAX_SENDERS:
            del self._peers[next(iter(self._peers))]
        self._peers[sender] = _Peer(expected=first, told=first - 1)

    def _tell(self, least: int) -> None:
        """Acknowledge to the senders of whose messages ``least`` were handled since they were last told."""
        for sender, peer in self._peers.items():
            if peer.expected - 1 - peer.told >= least:
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
    known = word in (b"P", b"A", b"L") or (word in (b"O", b"D") and number > 0)  # messages count from 1
    if len(frame) < _HEAD or not known or number >= _NUMBER_LIMIT:
        raise MessageError(f"{len(frame)} bytes that are no message of a hop", where=where)
    return word, number
