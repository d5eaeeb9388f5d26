"""A ``Status`` in Prometheus's words.

Everything is read when somebody scrapes: counts and histograms from the ledger's pages, the rest from the
stages' heartbeats. No name, template, address or credential is ever a label.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from stream.figures import Figure
from stream.health import Health
from stream.look import CameraStatus, HopStatus, Status
from stream.meters import BOUNDS_S, Histogram

FIGURES: Final = {
    "queue": "Messages sent to the next stage that it has not said to have handled.",
    "camera_up": "1 while a live camera shows pictures.",
    "overload_level": "How many steps work is eased because frames come late: search, then cameras.",
    "people_followed": "People whom the tracker follows.",
    "tracklets_embedded": "Tracklets with an open window in the embedder.",
    "embeddings_refused": "Answers of the embedder that were no numbers, since the stage started.",
    "gallery_people": "People who can be recognised.",
    "gallery_templates": "Templates that they can be recognised by.",
    "gallery_epoch": "Changes that the gallery has seen.",
    "sink_up": "1 while a sink's receiver takes events.",
    "sink_waiting": "Events that wait for a sink's receiver.",
    "subscriptions": "Subscriptions to the events, one per subscriber and prefix.",
}
"""What stages say of themselves, and what it means; figures without a line here are not exported."""
TOTALS: Final = {
    "sink_delivered": "Events that a sink's receiver has, since the sinks were started.",
    "sink_retries": "Tries that failed and were made again.",
    "sink_dropped": "Events let go: more waited than may, or the receiver refused them for good.",
}
"""Those of them that only grow, and are counters."""


@dataclass(frozen=True)
class Page:
    """What a scrape is answered with."""

    content_type: str
    body: bytes


def metrics_page(status: Status, verdict: Health, accept: str = "") -> Page:
    """All metrics, in the exposition format that the ``Accept`` header asks for."""
    collected = CollectorRegistry(auto_describe=False)
    collected.register(_Collector(lambda: _families(status, verdict)))
    encode, content_type = choose_encoder(accept)
    return Page(content_type, encode(collected))


class _Collector(Collector):
    def __init__(self, families: Callable[[], Iterable[Metric]]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families()

    def describe(self) -> Iterable[Metric]:
        return ()


def _families(status: Status, verdict: Health) -> Iterator[Metric]:
    yield _gauge("ready", "1 when every stage is up and frames come through.", float(verdict.ready))
    yield _gauge("healthy", "1 when no stage is dead or hangs and no camera is lost.", float(verdict.healthy))
    yield _gauge("uptime_seconds", "Since the pipeline was started.", status.at_s - status.started_s)
    yield from _frames(status)
    yield from _histograms(status)
    yield from _events(status)
    yield from _stages(status)
    yield from _figures(status)


def _frames(status: Status) -> Iterator[Metric]:
    captured = _counter("frames_captured", "Frames that a camera gave.", "camera")
    processed = _counter("frames_processed", "Frames that the last stage has handled.", "camera")
    dropped = _counter(
        "frames_dropped", "Frames let go, by the stage and for the cause.", "camera", "stage", "cause"
    )
    handled = _counter("stage_frames", "Frames that a stage has handled.", "camera", "stage")
    in_flight = GaugeMetricFamily("gaitway_frames_in_flight", "Frames on their way.", labels=("camera",))
    lost = GaugeMetricFamily(
        "gaitway_camera_lost_seconds",
        "For how long a camera has shown nothing; 0 while it does.",
        labels=("camera",),
    )
    errors = _counter("messages_refused", "Messages that were none of ours.")
    errors.add_metric((), status.refused)
    for camera in status.cameras:
        captured.add_metric((camera.camera,), camera.captured)
        processed.add_metric((camera.camera,), camera.processed)
        in_flight.add_metric((camera.camera,), camera.in_flight)
        if camera.state.live:
            lost.add_metric((camera.camera,), 0.0 if camera.state.paused else camera.lost_s or 0.0)
        for stage, hop in camera.stages.items():
            handled.add_metric((camera.camera, stage), hop.handled if hop.received else hop.sent)
            for cause, count in hop.dropped.items():
                dropped.add_metric((camera.camera, stage, cause), count)
    yield from (captured, processed, dropped, handled, in_flight, lost, errors)


def _histograms(status: Status) -> Iterator[Metric]:
    takes = HistogramMetricFamily(
        "gaitway_stage_seconds", "What handling one frame takes in a stage.", labels=("camera", "stage")
    )
    age = HistogramMetricFamily(
        "gaitway_frame_age_seconds",
        "From capture until a stage has handled the frame.",
        labels=("camera", "stage"),
    )
    events = HistogramMetricFamily(
        "gaitway_capture_to_event_seconds", "From capture until the event is out.", labels=("camera",)
    )
    for camera, stage, hop in _hops(status):
        _fill(takes, (camera.camera, stage), hop.takes)
        if camera.state.live:
            _fill(age, (camera.camera, stage), hop.age)
    for camera in status.cameras:
        if camera.state.live:
            _fill(events, (camera.camera,), camera.event_age)
    yield from (takes, age, events)


def _hops(status: Status) -> Iterator[tuple[CameraStatus, str, HopStatus]]:
    for camera in status.cameras:
        for stage, hop in camera.stages.items():
            yield camera, stage, hop


def _fill(family: HistogramMetricFamily, labels: tuple[str, ...], found: Histogram) -> None:
    below, buckets = 0, []
    for bound, count in zip((*map(str, BOUNDS_S), "+Inf"), found.counts, strict=True):
        below += count
        buckets.append((bound, below))
    family.add_metric(labels, buckets, found.sum_s)


def _events(status: Status) -> Iterator[Metric]:
    kinds = _counter("events", "Events by kind.", "camera", "kind")
    answers = _counter("decisions", "Answers that events gave.", "camera", "answer")
    for camera in status.cameras:
        for kind, count in camera.events.items():
            kinds.add_metric((camera.camera, kind), count)
        for answer, count in camera.answers.items():
            answers.add_metric((camera.camera, answer), count)
    yield from (kinds, answers)


def _stages(status: Status) -> Iterator[Metric]:
    up = GaugeMetricFamily("gaitway_stage_up", "1 while a stage runs.", labels=("stage",))
    restarts = _counter("stage_restarts", "How often a stage was started again.", "stage")
    silent = GaugeMetricFamily(
        "gaitway_stage_silent_seconds", "Since a stage's process was last heard of.", labels=("stage",)
    )
    cpu = _counter("stage_cpu_seconds", "Processor time of a stage's process.", "stage")
    resident = GaugeMetricFamily(
        "gaitway_stage_resident_bytes", "Resident memory of a stage's process.", labels=("stage",)
    )
    for stage in status.look.stages:
        up.add_metric((stage.name,), float(stage.state == "running"))
        restarts.add_metric((stage.name,), stage.restarts)
        silent.add_metric((stage.name,), stage.silent_s)
    for name, cost in status.costs.items():
        cpu.add_metric((name,), cost.cpu_s)
        resident.add_metric((name,), cost.resident_bytes)
    yield from (up, restarts, silent, cpu, resident)


def _figures(status: Status) -> Iterator[Metric]:
    """What stages said of themselves; a name's labels are the same wherever it is said."""
    said: dict[str, list[tuple[str, Figure]]] = {}
    for stage in status.look.stages:
        for figure in stage.figures:
            said.setdefault(figure.name, []).append((stage.name, figure))
    for name, text in (*FIGURES.items(), *TOTALS.items()):
        found = said.get(name, [])
        labels = sorted({label for _, figure in found for label in figure.labels})
        kind = CounterMetricFamily if name in TOTALS else GaugeMetricFamily
        family = kind(f"gaitway_{name}", text, labels=("stage", *labels))
        for stage_name, figure in found:
            family.add_metric((stage_name, *(figure.labels.get(label, "") for label in labels)), figure.value)
        if found:
            yield family


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"gaitway_{name}", text, value=value)


def _counter(name: str, text: str, *labels: str) -> CounterMetricFamily:
    return CounterMetricFamily(f"gaitway_{name}", text, labels=labels)
