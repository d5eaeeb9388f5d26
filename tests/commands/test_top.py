"""`top`: numbers from two looks, on a screen, as JSON, and over the socket of a real pipeline."""

from __future__ import annotations

import io
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import msgspec
import pytest
from rich.console import Console

from commands.top_screen import rendered
from commands.top_view import TopView, top_view
from stream.figures import Figure
from stream.health import Health
from stream.look import CameraState, CameraStatus, Cost, HopStatus, Look, StageState, Status
from stream.meters import BOUNDS_S, Histogram
from stream.stop import Level
from tests.commands.conftest import ROOT, Run

FINE = Health(True, True)


def histogram(**at: int) -> Histogram:
    """So many durations up to the bound of each index: ``b5=3``."""
    counts = [0] * (len(BOUNDS_S) + 1)
    for index, count in at.items():
        counts[int(index[1:])] = count
    return Histogram(tuple(counts), 1.0)


def hop(frames: int, takes: Histogram | None = None) -> HopStatus:
    return HopStatus(frames, frames, frames, 0, {}, takes or Histogram(), Histogram())


def look(at_s: float, frames: int, *, state: str = "running", lost_s: float | None = None, **more) -> Status:
    stages = (
        StageState("source-hall", state, 1, 0, 0.1, False, (Figure("queue", 2, {"camera": "hall"}),)),
        StageState("track", "running", 2, 3, 0.1, False, (Figure("people_followed", 4, {"camera": "hall"}),)),
    )
    camera = CameraStatus(
        "hall",
        CameraState("rtsp://h/1", live=True, paused=more.get("paused", False)),
        lost_s,
        2 * frames,
        frames,
        3,
        {"late": frames // 2},
        {"source": hop(frames), "track": hop(frames, more.get("takes"))},
        Histogram(),
        {"new": 1, "end": 0},
        {"unknown": 1},
    )
    costs = {"track": Cost(at_s / 2, 50_000_000)}
    return Status("p", at_s, 0.0, Look(stages, True, Level.RUN, 0.1), costs, (camera,), 0)


def test_rates_and_latencies_are_of_the_time_between() -> None:
    view = top_view(
        look(10.0, 100, takes=histogram(b5=4)), look(14.0, 140, takes=histogram(b5=4, b8=9)), FINE
    )
    hall, (source, track) = view.cameras[0], view.stages
    assert (hall.captured_per_s, hall.processed_per_s, hall.dropped_per_s) == (20.0, 10.0, 5.0)
    assert (hall.captured, hall.processed, hall.in_flight, hall.events) == (280, 140, 3, {"new": 1})
    assert (source.frames_per_s, source.queue, source.cpu) == (10.0, 2, None)
    assert (track.frames_per_s, track.cpu, track.resident_mb, track.restarts) == (10.0, 0.5, 50.0, 3)
    assert 20 < track.takes.p50_ms <= 35
    assert view.figures == (Figure("people_followed", 4, {"camera": "hall"}),)


@pytest.mark.parametrize(
    ("how", "shown"),
    [
        ({}, "attached"),
        ({"state": "ended"}, "detached"),
        ({"state": "restarting"}, "restarting"),
        ({"paused": True}, "paused"),
        ({"lost_s": 12.3}, "lost 12 s"),
    ],
)
def test_a_cameras_state_is_one_word(how: dict, shown: str) -> None:
    assert top_view(look(1.0, 5), look(2.0, 6, **how), FINE).cameras[0].state == shown


def test_a_stage_that_began_anew_has_no_negative_rate() -> None:
    assert top_view(look(1.0, 50), look(2.0, 6), FINE).stages[1].frames_per_s == 0


def test_the_screen_names_what_is_wrong_and_says_when_a_time_is_off_the_scale() -> None:
    slow = histogram(**{f"b{len(BOUNDS_S)}": 3})
    bad = Health(False, False, ("stage track is dead",))
    view = top_view(look(10.0, 100), look(14.0, 140, takes=slow), bad)
    screen = Console(file=io.StringIO(), width=160)
    screen.print(rendered(view))
    text = screen.file.getvalue()
    assert "unhealthy" in text
    assert "stage track is dead" in text
    assert ">5000 / >5000" in text
    assert "70 late" in text


def test_where_nothing_runs_it_says_so(gaitway: Run, tmp_path: Path) -> None:
    result = gaitway("top", "--once", "--set", f"stream.runtime_folder={tmp_path}")
    assert result.returncode == 4
    assert "no pipeline is running" in result.stderr


def test_looking_too_often_is_refused(gaitway: Run) -> None:
    assert "at least 0.1 s" in gaitway("top", "--every", "0").stderr


def test_a_running_pipeline_shows_itself_in_json_over_http_and_in_its_logs(
    gaitway: Run, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    runtime = ("--set", f"stream.runtime_folder={tmp_path}")
    settings = [
        *(f"events.{name}=ipc://{tmp_path}/{name}" for name in ("endpoint", "repair")),
        *(f"monitor.http=127.0.0.1:{port}", f"gallery.path={tmp_path}/g.sqlite"),
        *("logs.format=json", "logs.level=info"),
    ]
    source = "hall=walkers:seed=3,people=1,seconds=600,size=320x240,fps=5,live=1"
    command = [
        sys.executable,
        str(ROOT / "run_pipeline.py"),
        "run",
        "--source",
        source,
        "--id",
        "t",
        *runtime,
    ]
    command += [word for setting in settings for word in ("--set", setting)]
    command += ["--out", str(tmp_path / "out")]
    running = subprocess.Popen(command, stderr=subprocess.PIPE, cwd=tmp_path)
    try:
        view = _await_frames(gaitway, runtime, running)
        assert view.health.ready
        assert [row.stage for row in view.stages] == [
            *("source-hall", "perceive", "track", "embed", "identify", "publish"),
        ]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=30) as answer:
            assert json.load(answer)["ready"]
        assert "pipeline t" in gaitway("top", "--once", "--every", "0.2", *runtime).stdout
    finally:
        running.send_signal(signal.SIGINT)
        try:
            said = running.communicate(timeout=100)[1].decode()
            assert running.returncode == 0, said
        finally:
            running.kill()
            running.stderr.close()
    logs = tmp_path / f"gaitway-{os.getuid()}" / "t" / "logs"
    for stage in ("source-hall", "perceive", "publish"):
        lines = [json.loads(line) for line in (logs / f"{stage}.log").read_text().splitlines()]
        assert {"ready", "ended"} <= {line["message"] for line in lines if line["stage"] == stage}
    assert "captured" in json.loads(said.splitlines()[-1])["message"]


SHOWN = {"gallery_people", "people_followed", "subscriptions"}


def _await_frames(gaitway: Run, runtime: tuple[str, ...], running: subprocess.Popen) -> TopView:
    deadline_s = time.monotonic() + 110
    while time.monotonic() < deadline_s and running.poll() is None:
        result = gaitway("top", "--once", "--json", "--every", "0.5", *runtime)
        if result.returncode == 0:
            view = msgspec.convert(json.loads(result.stdout), TopView)
            # A stage says how it stands once a second, so some figures come after the first frame.
            if view.cameras[0].processed and {figure.name for figure in view.figures} >= SHOWN:
                return view
    raise AssertionError(result.stderr)
