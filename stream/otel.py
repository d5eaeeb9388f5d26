"""Spans of frames for OpenTelemetry; the one module that needs the extra ``gaitway[otel]``.

Spans name the camera, the frame's number and event ids, never a person. They leave in batches on a thread of
their own; when the collector is away they are let go, and the stage does not wait.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Iterable
from typing import Final

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.trace import Span, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from stream.messages import Event, FrameRef

EXPORT_S: Final = 2.0
"""How long a batch may take to leave, and so how long a stage's end may wait for a collector that is away."""


class SpanTracer:
    """A ``FrameTracer``. ``share``: of frames that a trace is begun for; a source's."""

    def __init__(self, stage: str, pipeline: str, exporter: SpanExporter, *, share: float = 0.0) -> None:
        resource = Resource.create({"service.name": "gaitway", "service.instance.id": pipeline})
        self._provider = TracerProvider(resource=resource)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("gaitway")
        self._w3c = TraceContextTextMapPropagator()
        self._stage, self._share = stage, share
        self._root: Span | None = None

    def begin(self) -> str:
        """Begin a frame's trace, if it is this one's turn: its ``traceparent``, or nothing."""
        if random.random() >= self._share:  # noqa: S311 -- which frames are looked at is no secret
            return ""
        self._root = self._tracer.start_span(self._stage)
        carrier: dict[str, str] = {}
        self._w3c.inject(carrier, set_span_in_context(self._root))
        return carrier["traceparent"]

    def span(self, frame: FrameRef, duration_ns: int, events: Iterable[Event] = ()) -> None:
        """The stage has handled the frame, which took so long until now; nothing where it is not traced."""
        if not frame.trace:
            return
        end_ns = time.time_ns()
        span, self._root = self._root, None
        if span is None:
            above = self._w3c.extract({"traceparent": frame.trace})
            span = self._tracer.start_span(self._stage, above, start_time=end_ns - duration_ns)
        span.set_attributes({"gaitway.camera": frame.camera, "gaitway.frame": frame.number})
        for event in events:
            if event.id:  # the last stage gives it
                span.add_event(event.kind, {"gaitway.event": event.id}, timestamp=end_ns)
        span.end(end_ns)

    def close(self) -> None:
        """Send what is left, within ``EXPORT_S``."""
        self._provider.shutdown()


def to_collector(endpoint: str) -> SpanExporter:
    """What sends spans to an OTLP collector."""
    # It warns of every try and again of the batch that is let go; once is enough.
    logging.getLogger("opentelemetry").setLevel(logging.ERROR)
    return OTLPSpanExporter(endpoint=endpoint, timeout=EXPORT_S)
