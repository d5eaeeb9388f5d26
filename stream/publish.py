"""The publish stage: every event into the log first, then to whoever listens.

What subscribers get, one multipart message per event:

    1  topic      gaitway/1/<camera>/   the schema version and the camera; subscribe by prefix
    2  envelope   JSON {"camera", "sequence", "session", "sent_ns", "fresh", "replayed"}: what differs
                  between two runs over the same recording, and so is not in the event. ``session`` is new
                  whenever the publisher starts, and ``fresh`` says that the count then began at 1 again;
                  ``replayed`` marks an event sent again; ``trace``, where the frame is traced, is its W3C
                  ``traceparent``
    3  event      the line of the log, byte for byte; see schema/event-1.json

``sequence`` counts per camera from 1 without gaps, so a subscriber knows what it missed; it asks the
repair socket for it (``stream/repair.py``). The socket never waits: for a subscriber more than ``hwm``
events behind, events are left out.

About once a second, also while nothing happens, there is a heartbeat, in two parts:

    1  topic      gaitway-heartbeat/1
    2  state      JSON {"session", "fresh", "sent_ns", "sequences"}: how far each camera's count has come, so
                  that the loss of the last events is noticed too

docs/PROTOCOL.md says the same for those who write subscribers.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final

import msgspec
import zmq

from stream.errors import MessageError
from stream.events import SCHEMA_VERSION, EventLog, encode_event, sealed
from stream.figures import Figure
from stream.messages import Event, FrameMessage, Identified
from stream.repair import Answers, History, RepairServer
from stream.sockets import CurveKeys, Limits, bound_endpoint, open_socket, readable, remove_ipc
from stream.stage import PassiveStage
from stream.timings import EventTimings

TOPIC_ROOT: Final = f"gaitway/{SCHEMA_VERSION}/"
HEARTBEAT: Final = f"gaitway-heartbeat/{SCHEMA_VERSION}".encode()
_LIMITS: Final = Limits(hwm=10_000, max_message_bytes=1024, linger_s=2.0)
"""10,000 events are hours of a busy door. What a subscriber has not taken 2 s after the end, it asks for.
What comes in are subscriptions: a longer one is none of ours, and who sends it is hung up on."""
_SUBSCRIBE: Final = 1
_SUBSCRIPTIONS_AT_ONCE: Final = 1000  # so that who subscribes without end does not hold up the events


class Envelope(msgspec.Struct, frozen=True):
    """The second part of a message: what is not the event's own."""

    camera: str
    sequence: int
    session: str
    sent_ns: int
    fresh: bool
    replayed: bool = False
    trace: str | msgspec.UnsetType = msgspec.UNSET


class Heartbeat(msgspec.Struct, frozen=True):
    """The second part of a heartbeat: who publishes, and how far each camera's count has come."""

    session: str
    fresh: bool
    sent_ns: int
    sequences: dict[str, int]


def topic_of(camera: str) -> bytes:
    """The topic of a camera's events."""
    return f"{TOPIC_ROOT}{camera}/".encode()


class Publisher:
    """The PUB side of the wire; for one thread. (XPUB, which also says who listens.)"""

    def __init__(
        self,
        endpoint: str,
        *,
        keys: CurveKeys | None = None,
        limits: Limits = _LIMITS,
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self.session = secrets.token_hex(8)
        self.fresh = True
        self._clock_ns = clock_ns
        self._subscriptions = 0
        self._socket = open_socket(zmq.XPUB, endpoint, bind=True, limits=limits, keys=keys)
        self._socket.setsockopt(zmq.XPUB_VERBOSER, 1)
        self.endpoint = bound_endpoint(self._socket)

    def send(self, event: Event, line: bytes, *, replayed: bool = False, trace: str = "") -> int:
        """Hand one event to ZeroMQ, never waiting; returns when, in nanoseconds since the epoch."""
        self._count_subscriptions()
        sent_ns = self._clock_ns()
        context = trace or msgspec.UNSET
        envelope = Envelope(
            event.camera, event.sequence, self.session, sent_ns, self.fresh, replayed, context
        )
        parts = [topic_of(event.camera), msgspec.json.encode(envelope), line]
        self._socket.send_multipart(parts, zmq.DONTWAIT)
        return sent_ns

    def beat(self, sequences: Mapping[str, int]) -> None:
        """Say that the publisher is alive, and how far each camera's count has come; never waits."""
        state = Heartbeat(self.session, self.fresh, self._clock_ns(), dict(sequences))
        self._socket.send_multipart([HEARTBEAT, msgspec.json.encode(state)], zmq.DONTWAIT)

    def wait_for_subscribers(self, count: int = 1, timeout_s: float = 5.0) -> bool:
        """Wait until ``count`` subscriptions are there, so that a short run has its audience."""
        deadline_s = time.monotonic() + timeout_s
        self._count_subscriptions()
        while self._subscriptions < count and (left_s := deadline_s - time.monotonic()) > 0:
            self._socket.poll(int(left_s * 1000) + 1)
            self._count_subscriptions()
        return self._subscriptions >= count

    @property
    def subscriptions(self) -> int:
        """How many there are now."""
        self._count_subscriptions()
        return self._subscriptions

    def _count_subscriptions(self) -> None:
        for _ in range(_SUBSCRIPTIONS_AT_ONCE):
            if not readable(self._socket):
                return
            said = self._socket.recv(zmq.DONTWAIT)
            self._subscriptions += 1 if said[:1] == bytes([_SUBSCRIBE]) else -1 if said[:1] == b"\0" else 0

    def close(self) -> None:
        """Close; what was sent is handed over for as long as the limits allow."""
        self._socket.close()
        remove_ipc(self.endpoint)


class PublishStage(PassiveStage):
    """Numbers each camera's events, writes them to the log, then publishes them.

    ``fresh`` begins the log anew; otherwise it goes on where it ended, sequence numbers included. ``repair``:
    where missed events can be asked for. ``timings``: a side file with one JSON line per event, saying when
    it was sent; lines are left out when its disk is full, for they are not the record. The publisher is the
    stage's from now on: it is closed with it, also where the stage cannot be made.
    """

    def __init__(
        self,
        log: Path,
        publisher: Publisher,
        *,
        fresh: bool = True,
        sync: bool = False,
        repair: str | None = None,
        timings: Path | None = None,
        keys: CurveKeys | None = None,
    ) -> None:
        self._publisher = publisher
        self._history = History()
        publisher.fresh = fresh
        self._timings: EventTimings | None = None
        self._answers: Answers | None = None
        self._repair: RepairServer | None = None
        self._log: EventLog | None = None
        try:
            self._log = EventLog(log, fresh=fresh, sync=sync, seen=self._history.add)
            self._sequences = self._log.last_sequence.copy()
            if timings is not None:
                self._timings = EventTimings(timings, fresh=fresh)
            if repair:
                self._answers = Answers(self._history, log, publisher.session, fresh=fresh)
                self._repair = RepairServer(repair, self._answers, keys=keys)
        except BaseException:
            self.close()
            raise

    @property
    def note(self) -> str:
        """What was found when the log was opened, or nothing."""
        return self._log.note if self._log else ""

    @property
    def sequences(self) -> dict[str, int]:
        """How far each camera's count has come."""
        return self._sequences.copy()

    @property
    def repair_endpoint(self) -> str | None:
        """Where the repair socket is bound, its port known."""
        return self._repair.endpoint if self._repair else None

    def handle(self, message: FrameMessage) -> Iterable[FrameMessage]:
        """Log the frame's events, then send them; if the log fails (ResourceError), none is sent."""
        if not isinstance(message, Identified):
            raise MessageError(f"publish was sent {type(message).__name__}", wanted="Identified")
        if not message.events:
            return (message,)
        events = tuple(self._numbered(event) for event in message.events)
        lines = [encode_event(event) for event in events]
        assert self._log is not None, "open until closed"
        at = self._log.append(lines)
        for event, line in zip(events, lines, strict=True):
            self._history.add(event, at, len(line))
            at += len(line) + 1
            sent_ns = self._publisher.send(event, line, trace=message.frame.trace)
            if self._timings is not None:
                self._timings.add(event, sent_ns)
        return (Identified(message.frame, events),)

    def _numbered(self, event: Event) -> Event:
        sequence = self._sequences.get(event.camera, 0) + 1
        self._sequences[event.camera] = sequence
        return sealed(event, sequence)

    def figures(self) -> Iterable[Figure]:
        """How many subscriptions there are; whoever subscribes is told how things stand, too."""
        self._publisher.beat(self._sequences)
        yield Figure("subscriptions", self._publisher.subscriptions)

    def close(self) -> None:
        """Close log, sockets and side file."""
        try:
            if self._log is not None:
                self._log.close()
        finally:
            for held in (self._repair, self._answers, self._timings, self._publisher):
                if held is not None:
                    held.close()
