"""The whole pipeline as a user meets it: the same bytes every way, a gallery shared while it runs, a clean end."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gait.gallery.lock import holder_of
from stream.events import read_events
from tests.commands.conftest import ROOT, Run

LIVE = "walkers:people=1,seconds=600,size=320x240,fps=10,live=1"


@pytest.fixture
def running(tmp_path: Path):
    """A live pipeline over rendered walkers that holds the gallery; ended with SIGINT, once."""
    quiet = [
        "--set",
        f"events.endpoint=ipc://{tmp_path}/e.sock",
        "--set",
        f"events.repair=ipc://{tmp_path}/r.sock",
    ]
    process = subprocess.Popen(
        [
            sys.executable,
            str(ROOT / "run_pipeline.py"),
            "run",
            "--source",
            f"gate={LIVE}",
            "--out",
            "out",
            *quiet,
        ],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 90
    while (holder := holder_of(tmp_path / "gallery.sqlite")) is None or not holder.endpoint:
        assert process.poll() is None, process.stderr and process.stderr.read()
        assert time.monotonic() < deadline, "the pipeline never took the gallery"
        time.sleep(0.05)
    yield process
    if process.poll() is None:
        process.kill()
    process.communicate()


def interrupt(process: subprocess.Popen[str]) -> tuple[int, str]:
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    return process.returncode, said


def test_twice_as_processes_and_once_as_threads_give_the_same_log(
    gaitway: Run, walk: Path, tmp_path: Path
) -> None:
    logs = []
    for name, flags in (("a", ()), ("b", ()), ("c", ("--threads",))):
        result = gaitway("run", "--source", walk, "--out", name, *flags)
        assert result.returncode == 0, result.stderr
        logs.append((tmp_path / name / "events.jsonl").read_bytes())
    assert logs[0].count(b"\n") >= 4, "start, new, end and stop at the least"
    assert logs[0] == logs[1] == logs[2]


def test_two_recordings_at_once_give_the_same_log_every_time(
    gaitway: Run, walk: Path, tmp_path: Path
) -> None:
    logs = []
    for name in ("a", "b"):
        result = gaitway(
            "run", "--source", f"left={walk}", "--source", f"right={walk}", "--out", name, "--json"
        )
        assert result.returncode == 0, result.stderr
        assert len(json.loads(result.stdout)["ledger"]["cameras"]) == 2
        logs.append((tmp_path / name / "events.jsonl").read_bytes())
    assert logs[0] == logs[1]


def test_the_log_names_what_perceived_and_with_which_precision(
    gaitway: Run, walk: Path, tmp_path: Path
) -> None:
    gaitway("run", "--source", walk, "--out", "a")
    start = next(read_events(tmp_path / "a" / "events.jsonl"))
    assert start.details["precision"] == "f32"
    assert str(start.details["runtime"]).startswith("openvino ")
    assert start.model
    assert start.config


def test_enrolled_from_a_clip_and_recognised_in_it(gaitway: Run, walk: Path, tmp_path: Path) -> None:
    done = gaitway("enrol", walk, "--name", "Ada", "--json")
    assert done.returncode == 0, done.stderr
    assert gaitway("run", "--source", walk, "--out", "a").returncode == 0
    answers = [e.identity for e in read_events(tmp_path / "a" / "events.jsonl") if e.identity]
    assert answers[-1].name == "Ada"
    listed = json.loads(gaitway("gallery", "list", "--json").stdout)
    assert [person["name"] for person in listed["people"]] == ["Ada"]
    assert gaitway("gallery", "remove", "Ada", "--yes").returncode == 0
    assert json.loads(gaitway("gallery", "list", "--json").stdout)["people"] == []


def test_a_running_pipeline_answers_for_its_gallery_and_ends_cleanly(
    running, gaitway: Run, walk: Path, tmp_path: Path
) -> None:
    before = json.loads(gaitway("gallery", "list", "--json").stdout)
    done = gaitway("enrol", walk, "--name", "Ben", "--json")
    assert done.returncode == 0, done.stderr
    after = json.loads(gaitway("gallery", "list", "--json").stdout)
    assert after["epoch"] == before["epoch"] + 1
    assert [person["name"] for person in after["people"]] == ["Ben"]
    status, said = interrupt(running)
    assert status == 0, said
    assert "0 lost" in said
    kinds = [event.kind for event in read_events(tmp_path / "out" / "events.jsonl")]
    assert kinds[0] == "start"
    assert kinds[-1] == "stop"


def test_a_subscriber_hears_a_running_pipeline(running, gaitway: Run, tmp_path: Path) -> None:
    heard = gaitway(
        *("subscribe", f"ipc://{tmp_path}/e.sock", "--repair", f"ipc://{tmp_path}/r.sock", "--history"),
        *("--count", "1", "--json", "--timeout", "60"),
    )
    assert heard.returncode == 0, heard.stderr
    assert json.loads(heard.stdout)["kind"] == "start"


def test_a_sink_has_the_events_of_the_run_and_secrets_are_never_shown(
    gaitway: Run, walk: Path, tmp_path: Path
) -> None:
    sink = ("--set", "sinks.jsonl.archive.path=archive.jsonl")
    config = tmp_path / "p.yaml"
    config.write_text(
        "sinks:\n  webhook:\n    yard:\n      url: https://ada:hunter2@h/\n      secret: ${HOOK}\n"
    )
    secret = "whsec_" + "c2VjcmV0" * 6
    shown = gaitway("config", "--show", "--config", config, *sink, HOOK=secret)
    assert "archive.jsonl" in shown.stdout
    assert "hunter2" not in shown.stdout
    assert "c2VjcmV0" not in shown.stdout
    ran = gaitway("run", "--source", walk, "--out", "out", *sink, timeout_s=180)
    assert ran.returncode == 0, ran.stderr
    logged = (tmp_path / "out" / "events.jsonl").read_bytes().splitlines()
    copied = (tmp_path / "out" / "archive.jsonl").read_bytes().splitlines()
    assert [b'{"event":' + line + b',"replayed":false}' for line in logged] == copied
