"""Metrics and health over HTTP: a real server, scraped; a real small pipeline, killed while it is watched."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from stream.errors import ConfigError, ResourceError
from stream.figures import Figure
from stream.health import HealthLimits
from stream.ledger import Count, Drop, Ledger
from stream.look import CameraState, Look, Overseen, StageState, Status
from stream.monitor import Monitor, MonitorConfig
from stream.stop import Level
from tests.stream.leaks import no_leaks
from tests.stream.pipelines import CAMERA, Plan, supervisor

__all__ = ["no_leaks"]
ANY_PORT = ("127.0.0.1", 0)
LIMITS = HealthLimits(5.0, 30.0)


def fetch(port: int, path: str, accept: str = "") -> tuple[int, str, str]:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}{path}", headers={"Accept": accept} if accept else {}
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.headers["Content-Type"], answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers["Content-Type"], error.read().decode()


def samples(text: str) -> dict[tuple[str, ...], float]:
    """Value by name and label values."""
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    made = Ledger.create(tmp_path / "ledger", ["source", "perceive", "publish"], ["hall"])
    yield made
    made.close()


def watched(ledger: Ledger, *stages: StageState) -> Callable[[], Status]:
    overseen = Overseen("test", ledger)
    look = Look(stages, True, Level.RUN, 0.1)
    return lambda: overseen.status(look, {"hall": CameraState("rtsp://h/1", live=True)})


@pytest.mark.usefixtures("no_leaks")
def test_a_scrape_tells_what_the_ledger_counts_and_the_stages_say(ledger: Ledger) -> None:
    source, publish = ledger.stage("source"), ledger.stage("publish")
    source.count("hall", Count.CAPTURED, 7)
    source.count("hall", Drop.RING_FULL, 2)
    ledger.stage("perceive").count("hall", Drop.LATE)
    publish.count("hall", Count.RECEIVED, 4)
    publish.count("hall", Count.HANDLED, 4)
    publish.meters.took("hall", 3_000_000)
    publish.meters.event("hall", "new", "unknown", 80_000_000)
    lost = Figure("camera_lost_since", time.time() - 12.0, {"camera": "hall"})
    stages = (
        StageState(
            "source-hall", "running", 0, 1, 0.2, False, (Figure("queue", 3, {"camera": "hall"}), lost)
        ),
        StageState("identify", "running", 0, 0, 0.2, False, (Figure("gallery_people", 5),)),
    )
    with Monitor(ANY_PORT, watched(ledger, *stages), LIMITS) as monitor:
        status, kind, text = fetch(monitor.port, "/metrics")
    found = samples(text)
    assert status == 200
    assert kind.startswith("text/plain")
    assert found["gaitway_frames_captured_total", "hall"] == 7
    assert found["gaitway_frames_processed_total", "hall"] == 4
    assert found["gaitway_frames_dropped_total", "hall", "ring_full", "source"] == 2
    assert found["gaitway_frames_dropped_total", "hall", "late", "perceive"] == 1
    assert found["gaitway_frames_in_flight", "hall"] == 0
    assert found["gaitway_stage_seconds_bucket", "hall", "0.0025", "publish"] == 0
    assert found["gaitway_stage_seconds_bucket", "hall", "0.005", "publish"] == 1
    assert found["gaitway_stage_seconds_bucket", "hall", "+Inf", "publish"] == 1
    assert found["gaitway_capture_to_event_seconds_sum", "hall"] == pytest.approx(0.08)
    assert found["gaitway_decisions_total", "unknown", "hall"] == 1
    assert found["gaitway_stage_restarts_total", "source-hall"] == 1
    assert found["gaitway_queue", "hall", "source-hall"] == 3
    assert found["gaitway_gallery_people", "identify"] == 5
    assert found["gaitway_camera_lost_seconds", "hall"] == pytest.approx(12.0, abs=8)
    assert found["gaitway_stage_cpu_seconds_total", "supervisor"] > 0
    assert "rtsp" not in text


def test_open_metrics_for_whoever_asks_for_it(ledger: Ledger) -> None:
    with Monitor(ANY_PORT, watched(ledger), LIMITS) as monitor:
        _, kind, text = fetch(monitor.port, "/metrics", "application/openmetrics-text; version=1.0.0")
    assert kind.startswith("application/openmetrics-text")
    assert text.endswith("# EOF\n")


def test_health_is_a_status_and_a_reason(ledger: Ledger) -> None:
    with Monitor(ANY_PORT, watched(ledger, StageState("track", "dead", 0, 0, 0.0, False)), LIMITS) as monitor:
        healthy = fetch(monitor.port, "/healthz")
        ready = fetch(monitor.port, "/readyz?verbose")
        other = fetch(monitor.port, "/secrets")
    assert healthy[:2] == (503, "application/json")
    assert json.loads(healthy[2])["problems"] == ["stage track is dead"]
    assert json.loads(ready[2])["waiting"] == ["no frame has come through yet"]
    assert other[0] == 404


@pytest.mark.usefixtures("no_leaks")
def test_whoever_says_nothing_holds_up_nobody(ledger: Ledger) -> None:
    with Monitor(
        ANY_PORT, watched(ledger, StageState("track", "running", 0, 0, 0.0, False)), LIMITS
    ) as monitor:
        silent = [socket.create_connection(("127.0.0.1", monitor.port)) for _ in range(4)]
        assert fetch(monitor.port, "/healthz")[0] == 200
        for one in silent:
            one.close()


@pytest.mark.parametrize("wrong", ["5579", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:70000", ":80"])
def test_an_address_that_is_none_is_refused(wrong: str) -> None:
    with pytest.raises(ConfigError, match=r"monitor\.http.*HOST:PORT"):
        _ = MonitorConfig(http=wrong).address


def test_beyond_this_host_only_when_told() -> None:
    with pytest.raises(ConfigError, match=r"other machines.*beyond_host"):
        _ = MonitorConfig(http="0.0.0.0:5579").address
    assert MonitorConfig(http="0.0.0.0:5579", beyond_host=True).address == ("0.0.0.0", 5579)
    assert MonitorConfig(http="[::1]:5579").address == ("::1", 5579)
    assert MonitorConfig().address is None


def test_a_port_that_is_taken_is_one_clear_line(ledger: Ledger) -> None:
    with (
        Monitor(ANY_PORT, watched(ledger), LIMITS) as monitor,
        pytest.raises(ResourceError, match="another port"),
    ):
        Monitor(("127.0.0.1", monitor.port), watched(ledger), LIMITS)


@contextmanager
def running(plan: Plan, *, threads: bool = False) -> Iterator[tuple[Monitor, Callable[[], Status]]]:
    """A small pipeline of processes, watched; stopped afterwards."""
    chief, ledger = supervisor(plan, threads=threads)
    overseen = Overseen("test", ledger)

    def look() -> Status:
        return overseen.status(chief.look(), {CAMERA: CameraState("", live=True)})

    thread = threading.Thread(target=chief.run)
    with Monitor(ANY_PORT, look, LIMITS) as monitor:
        thread.start()
        try:
            yield monitor, look
        finally:
            chief.stop()
            chief.stop()
            thread.join(60)
            ledger.close()


def await_true(check: Callable[[], bool], timeout_s: float = 60.0) -> None:
    deadline_s = time.monotonic() + timeout_s
    while not check():
        assert time.monotonic() < deadline_s
        time.sleep(0.01)


def test_a_pipeline_becomes_ready_and_a_killed_stage_is_named_until_it_is_back(tmp_path: Path) -> None:
    plan = Plan(
        folder=str(tmp_path), frames=100_000, pace_s=0.01, kill_stage="last", restarts=5, slow_start=""
    )
    with running(plan) as (monitor, look):
        assert fetch(monitor.port, "/readyz")[0] == 503
        await_true(lambda: fetch(monitor.port, "/readyz")[0] == 200)
        pid = next(stage.pid for stage in look().look.stages if stage.name == "last")
        os.kill(pid, signal.SIGKILL)
        seen: list[str] = []

        def back() -> bool:
            status, _, text = fetch(monitor.port, "/healthz")
            seen.extend(json.loads(text)["problems"])
            return status == 200 and bool(seen)

        await_true(back)
        assert any("stage last" in problem for problem in seen)
        await_true(lambda: fetch(monitor.port, "/readyz")[0] == 200)
        found = samples(fetch(monitor.port, "/metrics")[2])
    assert found["gaitway_stage_restarts_total", "last"] == 1
    assert found["gaitway_stage_up", "last"] == 1
    assert found["gaitway_frames_processed_total", CAMERA] > 0
    assert found["gaitway_stage_cpu_seconds_total", "middle"] > 0


def test_a_stopped_stage_is_found_to_hang(tmp_path: Path) -> None:
    plan = Plan(folder=str(tmp_path), frames=100_000, pace_s=0.01)
    with running(plan) as (monitor, look):
        await_true(lambda: fetch(monitor.port, "/readyz")[0] == 200)
        pid = next(stage.pid for stage in look().look.stages if stage.name == "middle")
        os.kill(pid, signal.SIGSTOP)
        try:
            await_true(lambda: "stage middle hangs" in fetch(monitor.port, "/healthz")[2])
        finally:
            os.kill(pid, signal.SIGCONT)
        await_true(lambda: fetch(monitor.port, "/healthz")[0] == 200)


@pytest.mark.parametrize("threads", [True, False])
def test_stages_say_how_they_stand_as_threads_and_as_processes(tmp_path: Path, threads: bool) -> None:
    plan = Plan(str(tmp_path), "inproc" if threads else "ipc", frames=100_000, pace_s=0.01)
    with running(plan, threads=threads) as (monitor, _):
        found: dict[tuple[str, ...], float] = {}

        def said() -> bool:
            found.update(samples(fetch(monitor.port, "/metrics")[2]))
            handled = found.get(("gaitway_stage_seconds_count", CAMERA, "last"), 0)
            return handled > 0 and ("gaitway_queue", "middle") in found

        await_true(said)
    assert ("gaitway_stage_cpu_seconds_total", "middle") in found or threads
