"""Traces of single frames: which stage took how long, and where a frame waited.

A share of the frames is traced. The source begins the trace and puts its W3C ``traceparent`` into the frame's
reference, which every message about the frame carries; each stage that meets one adds a span under it, and
the publisher hands it on in the envelope of the frame's events. A gap between two spans is time in a queue.
``stream/otel.py`` makes the spans.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Protocol

import msgspec

from stream.errors import ConfigError
from stream.messages import Event, FrameRef


class TracingConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where traces go. Needs the extra ``gaitway[otel]``.

    ``endpoint``: an OTLP collector's address over HTTP; empty: no traces. ``share``: of frames, for a trace.
    """

    endpoint: str = ""  # http://127.0.0.1:4318/v1/traces
    share: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.01  # a frame every few seconds of a camera

    def check(self) -> None:
        """Raises ConfigError for an address that is none."""
        if self.endpoint and not self.endpoint.startswith(("http://", "https://")):
            raise ConfigError(
                f"{self.endpoint!r}", where="tracing.endpoint", wanted="http://HOST:4318/v1/traces"
            )


class FrameTracer(Protocol):
    """Makes one stage's spans; for its thread."""

    def begin(self) -> str:
        """Begin a frame's trace, if it is this one's turn: its ``traceparent``, or nothing."""
        ...

    def span(self, frame: FrameRef, duration_ns: int, events: Iterable[Event] = ()) -> None:
        """The stage has handled the frame, which took so long until now; nothing where it is not traced."""
        ...

    def close(self) -> None:
        """Send what is left."""
        ...
