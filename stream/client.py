"""Subscribe to a Gaitway pipeline's identity events. One file: copy it; it needs pyzmq and msgspec only.

    from client import subscribe

    for event in subscribe("tcp://127.0.0.1:5577"):
        if event.identity and event.identity.answer == "person":
            print(event.identity.name, event.identity.probability)

Every event comes once, in order per camera. Events that a slow or late subscriber missed are fetched when the
pipeline's ``repair`` endpoint is given, and reported as a ``Gap`` when not. ``python client.py tcp://...``
prints events as JSON lines.

    ClientError            one clear line
    +-- VersionError       the pipeline speaks another version of the event schema
    +-- QuietError         no event came for as long as ``timeout_s`` allows
    +-- SilentError        not even a heartbeat came for as long as ``dead_after_s`` allows
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Final, Literal

import msgspec
import zmq
import zmq.auth

VERSION: Final = 1
ROOT: Final = "gaitway/"
HEARTBEAT: Final = f"gaitway-heartbeat/{VERSION}"
_LOOK_MS: Final = 1000
_REPAIR_MS: Final = 2000
_FOREIGN: Final = (
    msgspec.MsgspecError,
    UnicodeDecodeError,
    RecursionError,
)  # what msgspec raises for such bytes
_log = logging.getLogger("gaitway.client")

History = bool | Literal["snapshot"]


class Identity(msgspec.Struct, frozen=True):
    """The answer: an enrolled person, ``unknown``, or ``insufficient_evidence`` with what is ``missing``."""

    answer: Literal["person", "unknown", "insufficient_evidence"]
    person: str | None = None
    name: str | None = None
    probability: float | None = None
    margin: float | None = None
    missing: str | None = None
    cluster: str | None = None


class Evidence(msgspec.Struct, frozen=True):
    """What an answer rests on; ``box`` is left, top, right, bottom in image pixels."""

    start_ns: int
    end_ns: int
    samples: int
    quality: float
    box: tuple[float, float, float, float] | None = None


class Continuation(msgspec.Struct, frozen=True):
    """Which ``earlier`` tracklet the event's continues; ``reason`` says why a ``retract`` takes that back."""

    earlier: str
    gap_s: float
    distance: float | None
    confidence: float
    reason: str | None = None


class Event(msgspec.Struct, frozen=True, tag="event"):
    """What happened; the fields are described in the schema, ``event-1.json``."""

    id: str
    kind: Literal["start", "new", "update", "link", "retract", "end", "load", "stop"]
    camera: str
    run: str
    sequence: int
    captured_ns: int
    tracklet: str | None = None
    identity: Identity | None = None
    evidence: Evidence | None = None
    model: str | None = None
    gallery_epoch: int | None = None
    config: str | None = None
    expires_ns: int | None = None
    details: dict[str, str | int | float] = {}
    version: int = VERSION
    link: Continuation | None = None


class Gap(msgspec.Struct, frozen=True):
    """Events ``first`` to ``last`` of ``camera`` were missed and could not be fetched."""

    camera: str
    first: int
    last: int


class Keys(msgspec.Struct, frozen=True):
    """CURVE keys in Z85: the pipeline's public key and the subscriber's own pair."""

    server: bytes
    public: bytes
    secret: bytes

    @classmethod
    def load(cls, server: str, identity: str) -> Keys:
        """From ``pipeline.key`` and ``NAME.key_secret``, as ``run_pipeline.py keys`` makes them."""
        try:
            (known, _), (public, secret) = (zmq.auth.load_certificate(path) for path in (server, identity))
        except (OSError, ValueError) as error:
            raise ClientError(f"no key file: {error}") from error
        if secret is None:
            raise ClientError(f"{identity} holds no secret key; take the .key_secret file")
        return cls(known, public, secret)


class ClientError(Exception):
    """What went wrong, in one line."""


class VersionError(ClientError):
    """The pipeline speaks another version of the event schema."""


class QuietError(ClientError, TimeoutError):
    """No event came for as long as was allowed."""


class SilentError(ClientError, TimeoutError):
    """Nothing came for as long as was allowed, heartbeats included: the pipeline is gone."""


class _Envelope(msgspec.Struct, frozen=True):
    camera: str
    sequence: int
    session: str
    sent_ns: int
    fresh: bool
    replayed: bool = False


class _State(msgspec.Struct, frozen=True):
    session: str
    fresh: bool
    sequences: dict[str, int]


class _Reply(msgspec.Struct, frozen=True):
    ok: bool
    session: str
    fresh: bool = True
    sequences: dict[str, int] = {}
    more: bool = False
    error: str = ""


class Subscriber:
    """Iterate over it for events, each once and in order per camera; close it, or use it with ``with``.

    ``repair``: the pipeline's repair endpoint. ``history`` (needs ``repair``) also fetches what came before,
    or, "snapshot", of that the newest event of everyone who is still there.
    ``timeout_s``: raise QuietError after so long without an event; ``dead_after_s``: raise SilentError after
    so long without a heartbeat either (they come every second). ``on_gap`` is told of what is lost for good;
    without, a warning is logged.
    """

    def __init__(
        self,
        endpoint: str,
        camera: str | None = None,
        *,
        repair: str | None = None,
        history: History = False,
        timeout_s: float | None = None,
        dead_after_s: float | None = None,
        on_gap: Callable[[Gap], None] | None = None,
        keys: Keys | None = None,
    ) -> None:
        if history and not repair:
            raise ClientError("history needs the pipeline's repair endpoint")
        self._endpoint, self._repair, self._keys = endpoint, repair, keys
        self._camera, self._timeout_s, self._dead_after_s = camera, timeout_s, dead_after_s
        self._heard_s = time.monotonic()
        self._on_gap = on_gap or (lambda gap: _log.warning("missed for good: %s", gap))
        self._known: dict[str, tuple[str, int]] = {}  # camera -> (session, last sequence had)
        self._joined: dict[str, int] | None = (
            {} if history is True else None
        )  # camera -> last sequence not wanted
        self._snapshot = history == "snapshot"  # still to be asked for
        self._ready: deque[Event] = deque()
        self._socket = self._connect(zmq.SUB, endpoint)
        self._socket.subscribe(f"{ROOT}{VERSION}/{camera}/" if camera else ROOT)
        self._socket.subscribe(HEARTBEAT)

    def __iter__(self) -> Iterator[Event]:
        return self

    def __next__(self) -> Event:
        """The next event; raises ClientError, for a message that is not ours too."""
        quiet_at = time.monotonic() + self._timeout_s if self._timeout_s is not None else None
        if self._snapshot:
            self._begin_with_snapshot()
        while not self._ready:
            if self._socket.closed:
                raise StopIteration
            left_ms = _LOOK_MS if quiet_at is None else int((quiet_at - time.monotonic()) * 1000)
            if self._socket.poll(max(0, min(left_ms, _LOOK_MS))):
                self._heard_s = time.monotonic()
                self._take(self._socket.recv_multipart(zmq.DONTWAIT))
            elif self._repair is not None:
                self._catch_up()
            if not self._ready:
                self._check_patience(quiet_at)
        return self._ready.popleft()

    def _check_patience(self, quiet_at: float | None) -> None:
        now = time.monotonic()
        if self._dead_after_s is not None and now - self._heard_s > self._dead_after_s:
            raise SilentError(f"{self._endpoint} has been silent for {self._dead_after_s:g} s")
        if quiet_at is not None and now >= quiet_at:
            raise QuietError(f"no event from {self._endpoint} for {self._timeout_s:g} s")

    def __enter__(self) -> Subscriber:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the sockets; the iteration ends. May be called twice."""
        self._socket.close(linger=0)

    def _take(self, parts: list[bytes]) -> None:
        if parts[0] == HEARTBEAT.encode():
            self._compare(_state(parts, self._endpoint))
            return
        event, envelope = _decode(parts, self._endpoint)
        if self._joined is None and self._repair is not None:
            self._catch_up()
        last = self._last(event.camera, envelope.session, fresh=envelope.fresh)
        if last is None or (event.camera not in self._known and event.sequence <= last):
            last = event.sequence - 1  # joined with this one: what came before is history
        if event.sequence <= last:
            return  # known: sent again, or fetched before it came
        self._fill(event.camera, last + 1, event.sequence - 1)
        self._known[event.camera] = (envelope.session, event.sequence)
        self._ready.append(event)

    def _last(self, camera: str, session: str, *, fresh: bool) -> int | None:
        """The last event of ``camera`` that was had or is not wanted; None when nobody can say."""
        known = self._known.get(camera)
        if known is not None:
            # A pipeline that began a fresh log counts from 1 again.
            return 0 if fresh and known[0] != session else known[1]
        return self._joined.get(camera, 0) if self._joined is not None else None

    def _begin_with_snapshot(self) -> None:
        """Who is there now; what was published since its counts were read comes as any other event."""
        request: dict[str, str | int] = {"want": "snapshot"}
        if self._camera:
            request["camera"] = self._camera
        reply, events = self._ask(request)
        if reply is not None:  # else again with the next event that is asked for
            self._snapshot, self._joined = False, dict(reply.sequences)
            self._ready += [one for one in events if one.sequence <= reply.sequences.get(one.camera, 0)]

    def _catch_up(self) -> None:
        """Ask how far the counts are: at first to know what is history, in quiet times for a lost tail."""
        reply, _ = self._ask({"want": "state"})
        if reply is None:
            return
        if self._joined is None:
            self._joined = dict(reply.sequences)
        self._compare(_State(reply.session, reply.fresh, reply.sequences))

    def _compare(self, state: _State) -> None:
        """Fetch what was published and never came."""
        for camera, newest in state.sequences.items():
            last = self._last(camera, state.session, fresh=state.fresh)
            if self._camera in (None, camera) and last is not None and last < newest:
                self._fill(camera, last + 1, newest)
                self._known[camera] = (state.session, newest)

    def _fill(self, camera: str, first: int, last: int) -> None:
        """Fetch events ``first`` to ``last``; what cannot be had is a gap."""
        while first <= last:
            reply, events = self._ask({"want": "range", "camera": camera, "first": first, "last": last})
            for event in events:
                if event.sequence > first:
                    self._on_gap(Gap(camera, first, event.sequence - 1))
                first = event.sequence + 1
                self._ready.append(event)
            if reply is None or not reply.more or not events:
                break
        if first <= last:
            self._on_gap(Gap(camera, first, last))

    def _ask(self, request: dict[str, str | int]) -> tuple[_Reply | None, list[Event]]:
        """The repair channel's answer; None when there is no such channel or it does not answer in time."""
        if self._repair is None:
            return None, []
        socket = self._connect(zmq.REQ, self._repair)
        try:
            socket.send(msgspec.json.encode(request))
            if not socket.poll(_REPAIR_MS):
                _log.warning("no answer from %s", self._repair)
                return None, []
            head, *lines = socket.recv_multipart()
            reply = msgspec.json.decode(head, type=_Reply)
            return (reply if reply.ok else None), [_event(line, self._repair) for line in lines]
        except _FOREIGN as error:
            raise ClientError(f"{self._repair} does not answer as a pipeline does ({error})") from error
        finally:
            socket.close(linger=0)

    def _connect(self, kind: int, endpoint: str) -> zmq.Socket[bytes]:
        socket: zmq.Socket[bytes] = zmq.Context.instance().socket(kind)
        socket.rcvhwm = 100_000
        socket.maxmsgsize = 64 * 1024 * 1024
        # Notices a pipeline whose machine is gone. Not ZeroMQ's heartbeats: behind a slow reader they abort
        # the process (libzmq issue 3937).
        socket.tcp_keepalive, socket.tcp_keepalive_idle = 1, 5
        socket.tcp_keepalive_intvl, socket.tcp_keepalive_cnt = 2, 3
        try:
            if self._keys is not None:
                socket.curve_serverkey = self._keys.server
                socket.curve_publickey, socket.curve_secretkey = self._keys.public, self._keys.secret
            socket.connect(endpoint)
        except zmq.ZMQError as error:
            socket.close(linger=0)
            raise ClientError(f"cannot connect to {endpoint!r} ({error.strerror})") from error
        return socket


def subscribe(
    endpoint: str,
    camera: str | None = None,
    *,
    repair: str | None = None,
    history: History = False,
    timeout_s: float | None = None,
    dead_after_s: float | None = None,
    on_gap: Callable[[Gap], None] | None = None,
    keys: Keys | None = None,
) -> Subscriber:
    """Events of one camera, or of all; see ``Subscriber``."""
    return Subscriber(
        endpoint,
        camera,
        repair=repair,
        history=history,
        timeout_s=timeout_s,
        dead_after_s=dead_after_s,
        on_gap=on_gap,
        keys=keys,
    )


def _state(parts: list[bytes], endpoint: str) -> _State:
    try:
        return msgspec.json.decode(parts[1], type=_State)
    except (*_FOREIGN, IndexError) as error:
        raise ClientError(f"{endpoint} sent no Gaitway heartbeat ({error})") from error


def _decode(parts: list[bytes], endpoint: str) -> tuple[Event, _Envelope]:
    topic = parts[0].decode(errors="replace").split("/")
    if topic[0] == ROOT[:-1] and len(topic) > 1 and topic[1] != str(VERSION):
        raise VersionError(_other_version(endpoint, topic[1]))
    if len(parts) != 3:
        raise ClientError(f"{endpoint} sent {len(parts)} parts, not topic, envelope and event")
    try:
        envelope = msgspec.json.decode(parts[1], type=_Envelope)
    except _FOREIGN as error:
        raise ClientError(f"{endpoint} sent no Gaitway envelope ({error})") from error
    return _event(parts[2], endpoint), envelope


def _event(line: bytes, endpoint: str) -> Event:
    try:
        event = msgspec.json.decode(line, type=Event)
    except _FOREIGN as error:
        raise ClientError(f"{endpoint} sent no Gaitway event ({error})") from error
    if event.version != VERSION:
        raise VersionError(_other_version(endpoint, str(event.version)))
    return event


def _other_version(endpoint: str, version: str) -> str:
    return (
        f"{endpoint} publishes schema version {version}, this client reads version {VERSION}: "
        "copy the client.py of the release that runs there"
    )


def main() -> int:
    """Print events as JSON lines until Ctrl-C."""
    parser = argparse.ArgumentParser(description="Print a Gaitway pipeline's events as JSON lines.")
    parser.add_argument("endpoint", help="such as tcp://127.0.0.1:5577")
    parser.add_argument("--camera", help="this camera's events only")
    parser.add_argument("--repair", help="the pipeline's repair endpoint, to miss nothing")
    parser.add_argument("--history", action="store_true", help="begin with what came before (needs --repair)")
    parser.add_argument("--snapshot", action="store_true", help="begin with who is there (needs --repair)")
    parser.add_argument("--timeout", type=float, metavar="S", help="end after S seconds without an event")
    parser.add_argument("--server", metavar="FILE", help="the pipeline's public key, pipeline.key")
    parser.add_argument("--identity", metavar="FILE", help="your own NAME.key_secret (needs --server)")
    asked = parser.parse_args()
    if bool(asked.server) != bool(asked.identity):
        parser.error("--server and --identity go together")
    try:
        keys = Keys.load(asked.server, asked.identity) if asked.server else None
        with subscribe(
            asked.endpoint,
            asked.camera,
            repair=asked.repair,
            history="snapshot" if asked.snapshot else asked.history,
            timeout_s=asked.timeout,
            keys=keys,
        ) as events:
            for event in events:
                sys.stdout.write(msgspec.json.encode(event).decode() + "\n")
                sys.stdout.flush()
    except ClientError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except (KeyboardInterrupt, BrokenPipeError):
        return 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
