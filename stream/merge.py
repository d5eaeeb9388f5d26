"""Several cameras into one stage, in an order that does not depend on who was faster.

Recorded cameras are merged by (capture time, camera): a frame goes on only when every other recorded camera
has shown its next one or ended, so two runs give the same sequence. Live cameras go on as they arrive, in
turn. A run that is replayed is merged in the order that was recorded. A camera's next message is taken from
its socket only after the last went on, so each hop's bound holds.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Collection, Iterable, Mapping

from stream.bus import Receiver, Socket
from stream.errors import ConfigError, MessageError
from stream.messages import ControlReply, ControlRequest, EndOfStream, Event, FrameMessage, Message
from stream.sockets import wait_for


class Merge:
    """A Receiver over one Receiver per camera; ``live`` names those that are not waited for.

    ``order``: which camera's message is next, for as long as it says so.
    """

    def __init__(
        self, inlets: Mapping[str, Receiver], *, live: Collection[str] = (), order: Iterable[str] = ()
    ) -> None:
        unknown = set(live) - inlets.keys()
        if unknown:
            raise ConfigError(f"live cameras without an inlet: {', '.join(sorted(unknown))}")
        self._inlets = dict(inlets)
        self._live = deque(sorted(live))
        self._recorded = sorted(inlets.keys() - set(live))
        self._heads: dict[str, FrameMessage | EndOfStream] = {}
        self._turns = [self._next_live, self._next_recorded]
        self._replayed = deque(order)

    def receive(self, timeout_s: float) -> Message | None:
        """The next message in order, or None after ``timeout_s``; MessageError as from the inlets."""
        deadline_s = time.monotonic() + timeout_s
        while True:
            self._turns.reverse()  # neither kind can starve the other
            message = self._next_replayed() if self._replayed else self._turns[0]() or self._turns[1]()
            left_s = deadline_s - time.monotonic()
            if message is not None or left_s <= 0:
                return message
            wait_for(self.sockets(), left_s)

    def sockets(self) -> list[Socket]:
        """The sockets whose next message would help."""
        if self._replayed:
            return self._inlets[self._replayed[0]].sockets()
        waited = [*self._live, *(camera for camera in self._recorded if camera not in self._heads)]
        return [socket for camera in waited for socket in self._inlets[camera].sockets()]

    def positions(self) -> dict[bytes, int]:
        """None: what waits here for its turn is pixels, which no sender keeps."""
        return {}

    def cover(self, positions: Mapping[bytes, int]) -> None:
        """Nobody waits for that."""

    def attach(self, camera: str, inlet: Receiver) -> None:
        """Take in one more live camera."""
        before = self._inlets.get(camera)
        if before is not None:  # it was detached
            before.close()
        self._inlets[camera] = inlet
        if camera not in self._live:
            self._live.append(camera)

    def close(self) -> None:
        """Close all inlets."""
        for inlet in self._inlets.values():
            inlet.close()

    def _next_live(self) -> Message | None:
        for _ in range(len(self._live)):
            camera = self._live[0]
            self._live.rotate(-1)
            message = self._take(camera)
            if isinstance(message, EndOfStream) and message.last:
                self._live.remove(camera)
            if message is not None:
                return message
        return None

    def _next_replayed(self) -> Message | None:
        camera = self._replayed[0]
        message = self._take(camera)
        if message is None:
            return None
        self._replayed.popleft()
        if isinstance(message, EndOfStream) and message.last:
            self._recorded.remove(camera)
            self._replayed = deque(name for name in self._replayed if name != camera)
        return message

    def _next_recorded(self) -> Message | None:
        for camera in self._recorded:
            if camera not in self._heads:
                message = self._take(camera)
                if message is not None:
                    self._heads[camera] = message
        if not self._recorded or len(self._heads) < len(self._recorded):
            return None
        first = min(self._heads, key=lambda camera: (_captured_ns(self._heads[camera]), camera))
        message = self._heads.pop(first)
        if isinstance(message, EndOfStream) and message.last:
            self._recorded.remove(first)
        return message

    def _take(self, camera: str) -> FrameMessage | EndOfStream | None:
        message = self._inlets[camera].receive(0)
        if message is None:
            return None
        if isinstance(message, (Event, ControlRequest, ControlReply)) or _camera(message) != camera:
            raise MessageError(
                f"a {type(message).__name__} that is not this camera's",
                where=camera,
                wanted=f"frames of {camera} or their end",
            )
        return message


def _camera(message: FrameMessage | EndOfStream) -> str:
    return message.camera if isinstance(message, EndOfStream) else message.frame.camera


def _captured_ns(message: FrameMessage | EndOfStream) -> int:
    return message.captured_ns if isinstance(message, EndOfStream) else message.frame.captured_ns
