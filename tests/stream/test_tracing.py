"""Traces: one per chosen frame, a span per stage under the source's, from real processes to a real receiver."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import msgspec
import pytest
import zmq
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from stream.errors import ConfigError
from stream.figures import Watch
from stream.ledger import Ledger
from stream.messages import FrameRef, Identified, decode, encode
from stream.otel import EXPORT_S, SpanTracer, to_collector
from stream.tracing import TracingConfig
from tests.stream.pipelines import Plan, reference, supervisor
from tests.stream.publishing import event, identified, publishing


class Tracers:
    """A source's and a later stage's tracer; the spans stay in memory."""

    def __init__(self, share: float) -> None:
        self.kept = [InMemorySpanExporter(), InMemorySpanExporter()]
        self.source = SpanTracer("source", "p", self.kept[0], share=share)
        self.later = SpanTracer("publish", "p", self.kept[1])

    def spans(self) -> dict[str, ReadableSpan]:
        self.source.close()
        self.later.close()
        return {span.name: span for kept in self.kept for span in kept.get_finished_spans()}


def test_a_later_stages_span_lies_under_the_sources_and_names_no_person() -> None:
    tracers = Tracers(share=1.0)
    frame = msgspec.structs.replace(reference(3), trace=tracers.source.begin())
    tracers.source.span(frame, 1000)
    sealed = msgspec.structs.replace(event(1), id="abc")
    tracers.later.span(frame, 2_000_000, [sealed, event(2)])
    spans = tracers.spans()
    source, publish = spans["source"], spans["publish"]
    assert publish.context.trace_id == source.context.trace_id
    assert publish.parent.span_id == source.context.span_id
    assert publish.end_time - publish.start_time == 2_000_000
    assert publish.attributes == {"gaitway.camera": "door", "gaitway.frame": 3}
    assert [(one.name, dict(one.attributes)) for one in publish.events] == [
        ("update", {"gaitway.event": "abc"})
    ]
    assert publish.resource.attributes["service.instance.id"] == "p"
    assert "Ada" not in publish.to_json()


def test_a_frame_that_is_not_chosen_leaves_no_span_and_no_bytes() -> None:
    tracers = Tracers(share=0.0)
    frame = msgspec.structs.replace(reference(3), trace=tracers.source.begin())
    tracers.source.span(frame, 1000)
    tracers.later.span(frame, 1000)
    assert frame == reference(3)
    assert b"trace" not in encode(Identified(frame, ()))
    assert tracers.spans() == {}


def test_the_context_travels_with_every_message() -> None:
    frame = msgspec.structs.replace(reference(3), trace="00-" + "a" * 32 + "-" + "b" * 16 + "-01")
    assert decode(encode(Identified(frame, ()))).frame == frame


def test_a_watch_makes_a_span_of_what_it_measures(tmp_path: Path) -> None:
    tracers = Tracers(share=1.0)
    ledger = Ledger.create(tmp_path / "ledger", ["source", "publish"], ["door"])
    source = Watch(ledger.stage("source").meters, tracer=tracers.source)
    frame = msgspec.structs.replace(reference(0), trace=source.trace())
    source.handled(frame, source.begin())
    later = Watch(ledger.stage("publish").meters, tracer=tracers.later)
    later.handled(frame, later.begin())
    later.handled(reference(1), later.begin())
    assert set(tracers.spans()) == {"source", "publish"}
    ledger.close()


def test_the_envelope_of_a_traced_frames_event_hands_the_context_on(tmp_path: Path) -> None:
    context = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"
    traced = identified(event(1))
    frame: FrameRef = msgspec.structs.replace(traced.frame, trace=context)
    with publishing(tmp_path / "log") as made:
        socket = zmq.Context.instance().socket(zmq.SUB)
        socket.subscribe(b"gaitway/")
        socket.connect(made.endpoint)
        made.wait()
        list(made.stage.handle(msgspec.structs.replace(traced, frame=frame)))
        list(made.stage.handle(identified(event(2))))
        envelopes = [json.loads(socket.recv_multipart()[1]) for _ in range(2)]
        socket.close(linger=0)
    assert [envelope.get("trace") for envelope in envelopes] == [context, None]


class Receiver(HTTPServer):
    """An OTLP collector over HTTP that keeps what it is sent."""

    def __init__(self) -> None:
        self.spans: list[tuple[str, Span]] = []
        super().__init__(("127.0.0.1", 0), _Collect)

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1/traces"


class _Collect(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        request = ExportTraceServiceRequest.FromString(self.rfile.read(int(self.headers["Content-Length"])))
        for resource in request.resource_spans:
            names = {one.key: one.value.string_value for one in resource.resource.attributes}
            for scope in resource.scope_spans:
                self.server.spans += [(names["service.name"], span) for span in scope.spans]
        self.send_response(200)
        self.send_header("Content-Type", "application/x-protobuf")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    server = Receiver()
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_processes_send_the_traces_of_every_frame_to_a_collector(tmp_path: Path, receiver: Receiver) -> None:
    chief, ledger = supervisor(Plan(str(tmp_path), frames=20, collector=receiver.endpoint), threads=False)
    outcome = chief.run()
    ledger.close()
    assert outcome.exit_status == 0, outcome.error
    traces: dict[bytes, dict[str, Span]] = {}
    for service, span in receiver.spans:
        assert service == "gaitway"
        traces.setdefault(span.trace_id, {})[span.name] = span
    assert len(traces) == 20
    for spans in traces.values():
        assert set(spans) == {"source", "middle", "last"}
        assert {spans["middle"].parent_span_id, spans["last"].parent_span_id} == {spans["source"].span_id}
        assert spans["middle"].end_time_unix_nano <= spans["last"].end_time_unix_nano


def test_a_collector_that_is_away_holds_nothing_up() -> None:
    tracer = SpanTracer("source", "p", to_collector("http://127.0.0.1:9/v1/traces"), share=1.0)
    began_s = time.monotonic()
    for number in range(5000):  # more than the batch thread's queue takes
        tracer.span(msgspec.structs.replace(reference(number), trace=tracer.begin()), 0)
    tracer.close()
    assert time.monotonic() - began_s < 10 * EXPORT_S


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"tracing\.endpoint"):
        TracingConfig(endpoint="localhost:4318").check()
