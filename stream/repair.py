"""Missed events, for whoever asks: a ROUTER beside the PUB socket that answers from the log.

A request is one JSON object from a REQ (or DEALER with an empty first part) socket:

    {"want": "state"}                                          how far each camera's count has come
    {"want": "range", "camera": C, "first": 5, "last": 9}      these events again
    {"want": "snapshot", "camera": C or null}                  the newest event of everyone still there

The reply is a header, ``{"ok", "session", "fresh", "sequences", "more", "error"}``, and the events' lines,
one part each, in order. ``sequences`` holds each camera's count; ``more`` says that the range was cut at
the size limit and is to be asked for again from where it ended. Events older than ``KEPT`` per camera are
only in the log.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
import zmq

from stream.allowance import Allowance
from stream.errors import FOREIGN, ResourceError
from stream.messages import Event
from stream.sockets import CurveKeys, Limits, Socket, bound_endpoint, open_socket, receive_from, remove_ipc

KEPT: Final = 100_000
"""Events per camera that can be asked for; 16 MB of index each, weeks of a busy door."""
MAX_REPLY_EVENTS: Final = 1000
MAX_REPLY_BYTES: Final = 4 * 1024 * 1024
_LIMITS: Final = Limits(hwm=1000, max_message_bytes=4096, linger_s=1.0)
_LOOK_FOR_CLOSE_MS: Final = 50


class RepairRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a subscriber asks for."""

    want: Literal["state", "range", "snapshot"]
    camera: str | None = None
    first: Annotated[int, msgspec.Meta(ge=1)] = 1
    last: Annotated[int, msgspec.Meta(ge=1)] | None = None


class RepairReply(msgspec.Struct, frozen=True):
    """The header of an answer."""

    ok: bool
    session: str
    fresh: bool
    sequences: dict[str, int] = {}
    more: bool = False
    error: str = ""


class Place(msgspec.Struct, frozen=True):
    """Where one event's line lies in the log."""

    sequence: int
    at: int
    size: int


class History:
    """Where the newest events of each camera lie in the log; written by one thread, read by another."""

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self._lock = threading.Lock()
        self._places: dict[str, deque[Place]] = {}
        self._present: dict[str, dict[str, Place]] = {}

    def add(self, event: Event, at: int, size: int) -> None:
        """Note that the line of ``event`` lies at ``at``."""
        place = Place(event.sequence, at, size)
        with self._lock:
            self._places.setdefault(event.camera, deque(maxlen=self._kept)).append(place)
            present = self._present.setdefault(event.camera, {})
            if event.kind in ("start", "stop"):
                present.clear()
            if event.kind == "end":
                present.pop(event.tracklet or "", None)
            else:
                present[event.tracklet or ("load" if event.kind == "load" else "run")] = place

    def sequences(self) -> dict[str, int]:
        """The number of each camera's last event."""
        with self._lock:
            return {camera: places[-1].sequence for camera, places in self._places.items()}

    def between(self, camera: str, first: int, last: int | None) -> list[Place]:
        """The places of events ``first`` to ``last`` (None: the newest) that are still kept."""
        with self._lock:
            places = self._places.get(camera)
            if not places:
                return []
            oldest, newest = places[0].sequence, places[-1].sequence
            begin = max(first, oldest) - oldest
            end = min(newest if last is None else last, newest) - oldest + 1
            return [places[index] for index in range(begin, min(end, begin + MAX_REPLY_EVENTS + 1))]

    def present(self, camera: str | None) -> list[Place]:
        """The newest event of every run and of every tracklet that has not ended, in the log's order."""
        with self._lock:
            cameras = self._present if camera is None else {camera: self._present.get(camera, {})}
            return sorted(
                (place for places in cameras.values() for place in places.values()),
                key=lambda place: place.at,
            )


class Answers:
    """What the log and its history answer to a request, whatever its bytes."""

    def __init__(self, history: History, log: Path, session: str, *, fresh: bool) -> None:
        self._history, self._session, self._fresh = history, session, fresh
        try:
            self._log = os.open(log, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise ResourceError(f"the event log cannot be read ({error.strerror})", where=str(log)) from error

    def answer(self, body: bytes) -> list[bytes]:
        """The parts that answer one request."""
        try:
            request = msgspec.json.decode(body, type=RepairRequest)
        except FOREIGN as error:
            return self.refusal(str(error))
        if request.want == "range" and request.camera is None:
            return self.refusal("a range needs a camera")
        # The counts first: an event that comes meanwhile is then seen as missing, never taken for known.
        sequences = self._history.sequences()
        lines, more = self._lines(self._wanted(request))
        return [self._header(ok=True, sequences=sequences, more=more), *lines]

    def refusal(self, error: str) -> list[bytes]:
        """The parts that refuse a request."""
        return [self._header(ok=False, error=error)]

    def _header(
        self, *, ok: bool, sequences: dict[str, int] | None = None, more: bool = False, error: str = ""
    ) -> bytes:
        return msgspec.json.encode(
            RepairReply(ok, self._session, self._fresh, sequences or {}, more=more, error=error)
        )

    def _wanted(self, request: RepairRequest) -> list[Place]:
        if request.want == "snapshot":
            return self._history.present(request.camera)
        if request.want == "range" and request.camera is not None:
            return self._history.between(request.camera, request.first, request.last)
        return []

    def _lines(self, places: list[Place]) -> tuple[list[bytes], bool]:
        lines: list[bytes] = []
        size = 0
        for place in places:
            if len(lines) == MAX_REPLY_EVENTS or size + place.size > MAX_REPLY_BYTES:
                return lines, True
            line = os.pread(self._log, place.size, place.at)
            if len(line) == place.size:  # shorter where the log is a device
                lines.append(line)
                size += place.size
        return lines, False

    def close(self) -> None:
        """Let go of the log."""
        os.close(self._log)


class RepairServer:
    """Gives the answers at ``endpoint``, on a thread of its own, until closed."""

    def __init__(self, endpoint: str, answers: Answers, *, keys: CurveKeys | None = None) -> None:
        self._answers = answers
        self._socket = open_socket(zmq.ROUTER, endpoint, bind=True, limits=_LIMITS, keys=keys)
        self.endpoint = bound_endpoint(self._socket)
        self._allowance = Allowance()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._serve, args=(self._socket,), name="repair", daemon=True)
        self._thread.start()

    def _serve(self, socket: Socket) -> None:
        while not self._closing.is_set():
            if socket.poll(_LOOK_FOR_CLOSE_MS):
                caller, parts = receive_from(socket)
                if len(parts) == 3 and not parts[1]:  # anything else is no request and gets no answer
                    allowed = self._allowance.take(caller, time.monotonic())
                    reply = self._answers.answer(parts[2]) if allowed else self._answers.refusal("too often")
                    socket.send_multipart([*parts[:2], *reply], zmq.DONTWAIT)
        socket.close()

    def close(self) -> None:
        """Stop answering; may be called twice."""
        if not self._closing.is_set():
            self._closing.set()
            self._thread.join()
            remove_ipc(self.endpoint)
