"""What a stage says of itself with its heartbeat: how full its queue is, how large the gallery, who listens.

A figure is how things stand at this moment. What happens per frame is counted in the ledger's pages instead
(``stream/ledger.py``, ``stream/meters.py``), which costs no message and outlives a kill.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Final

import msgspec

from stream.messages import EndOfStream, FrameMessage, FrameRef, Identified
from stream.meters import StageMeters
from stream.tracing import FrameTracer

EVERY_S: Final = 1.0
"""How often a stage says how it stands."""


class Figure(msgspec.Struct, frozen=True, array_like=True):
    """One number by name, such as ``gallery_people``; ``labels`` tell several of one name apart."""

    name: str
    value: float
    labels: dict[str, str] = {}


Figures = tuple[Figure, ...]


def no_one(_: Figures) -> None:
    """Where nobody wants to know."""


class Watch:
    """Measures one stage's loop; for its thread. ``tell`` passes figures on to whoever supervises it.

    ``recorded``: cameras whose capture times are a recording's own, so that an age means nothing. ``tracer``
    makes spans of frames that are traced.
    """

    def __init__(
        self,
        meters: StageMeters,
        tell: Callable[[Figures], None] = no_one,
        *,
        recorded: Iterable[str] = (),
        tracer: FrameTracer | None = None,
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._meters, self._tell = meters, tell
        self._recorded = frozenset(recorded)
        self._tracer, self._clock_ns = tracer, clock_ns
        self._due_s = 0.0

    def begin(self) -> int:
        """A message is about to be handled; give what this returns to ``handled``."""
        return time.perf_counter_ns()

    def trace(self) -> str:
        """What a new frame is to carry: a trace's context, or nothing."""
        return self._tracer.begin() if self._tracer else ""

    def handled(self, frame: FrameRef, began_ns: int, answers: Iterable[FrameMessage] = ()) -> None:
        """A frame was handled: note how long that took, and how old the frame is now."""
        duration_ns = time.perf_counter_ns() - began_ns
        self._meters.took(frame.camera, duration_ns)
        if frame.camera not in self._recorded:
            self._meters.aged(frame.camera, self._clock_ns() - frame.captured_ns)
        if self._tracer and frame.trace:
            events = [event for one in answers if isinstance(one, Identified) for event in one.events]
            self._tracer.span(frame, duration_ns, events)

    def told(self, message: FrameMessage | EndOfStream) -> None:
        """The last stage is through with this: note the events in it."""
        if not isinstance(message, Identified) or not message.events:
            return
        now_ns = self._clock_ns()
        for event in message.events:
            age_ns = None if event.camera in self._recorded else now_ns - event.captured_ns
            answer = event.identity.answer if event.identity else None
            self._meters.event(event.camera, event.kind, answer, age_ns)

    def look(self, figures: Callable[[], Iterable[Figure]]) -> None:
        """Say how things stand, if it is time to."""
        if time.monotonic() >= self._due_s:
            self.say(figures())

    def say(self, figures: Iterable[Figure]) -> None:
        """Say how things stand, now."""
        self._due_s = time.monotonic() + EVERY_S
        self._tell(tuple(figures))

    def close(self) -> None:
        """Let go of the tracer."""
        if self._tracer:
            self._tracer.close()
