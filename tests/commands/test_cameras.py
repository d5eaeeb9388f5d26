"""Cameras of a running pipeline: what is answered, what is refused, and what reaches the supervisor."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

import run_pipeline
from commands.camera_desk import CameraDesk
from commands.config import CameraConfig, PipelineConfig
from commands.plan import RunPlan, read_plan
from stream.config import StreamConfig
from stream.control import ask
from stream.errors import ConfigError, ResourceError
from stream.events import read_events
from stream.ledger import Ledger
from stream.messages import ControlReply, ControlRequest
from stream.runner import StagePlan
from stream.security import KeyFolder, SecurityConfig
from tests.commands.conftest import ROOT, Run
from tests.stream.rtsp import RtspCamera


class FakeSupervisor:
    """Remembers its orders."""

    def __init__(self, *running: str) -> None:
        self.running, self.paused = frozenset(running), frozenset()
        self.told: list[tuple[str, str]] = []
        self.attached: list[StagePlan] = []

    def tell(self, name: str, word: str) -> None:
        self.told.append((name, word))

    def attach(self, plan: StagePlan, camera: str, *, into: str) -> None:
        self.attached.append(plan)
        self.running |= {plan.name}


Make = Callable[..., tuple[CameraDesk, FakeSupervisor, RunPlan]]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    ledgers: list[Ledger] = []

    def desk(**sources: str) -> tuple[CameraDesk, FakeSupervisor, RunPlan]:
        config = PipelineConfig(
            cameras={name: CameraConfig(source) for name, source in sources.items()},
            stream=StreamConfig(runtime_folder=str(tmp_path)),
        )
        plan = RunPlan("desk", str(tmp_path), config)
        ledgers.append(Ledger.create(plan.ledger, plan.stages, plan.cameras))
        supervisor = FakeSupervisor(*(f"source-{name}" for name in sources), "perceive")
        return CameraDesk(plan, supervisor, ledgers[-1]), supervisor, plan

    yield desk
    for ledger in ledgers:
        ledger.close()


def order(desk: CameraDesk, verb: str, camera: str = "", source: str = "") -> ControlReply:
    return desk.answer(ControlRequest(verb, {"camera": camera, "source": source}))


def test_the_list_shows_states_and_no_password(make: Make) -> None:
    desk, supervisor, _ = make(hall="rtsp://ada:secret@h/1", yard="rtsp://h/2")
    supervisor.paused = frozenset({"source-yard"})
    listed = order(desk, "list").result["cameras"]
    assert [(one["camera"], one["state"]) for one in listed] == [("hall", "attached"), ("yard", "paused")]
    assert "secret" not in json.dumps(listed)


def test_orders_reach_the_cameras_process(make: Make) -> None:
    desk, supervisor, _ = make(hall="rtsp://h/1", yard="rtsp://h/2")
    for verb in ("pause", "resume", "detach"):
        assert order(desk, verb, "hall").ok
    assert supervisor.told == [("source-hall", word) for word in ("pause", "resume", "drain")]
    assert [one["state"] for one in order(desk, "list").result["cameras"]] == ["detached", "attached"]


def test_a_new_camera_is_in_the_plan_that_stages_read(make: Make) -> None:
    desk, supervisor, plan = make(hall="rtsp://h/1")
    order(desk, "attach", "yard", "rtsp://h/2")
    assert [one.name for one in supervisor.attached] == ["source-yard"]
    assert read_plan(plan.plan_file).cameras == ("hall", "yard")
    assert plan.hop_of("yard") == read_plan(plan.plan_file).hop_of("yard"), "old and new plans meet there"


def test_a_detached_camera_can_be_attached_by_its_name(make: Make) -> None:
    desk, supervisor, _ = make(hall="rtsp://h/1", yard="rtsp://h/2")
    order(desk, "detach", "yard")
    with pytest.raises(ConfigError, match="still being detached"):
        order(desk, "attach", "yard")
    supervisor.running -= {"source-yard"}
    assert order(desk, "attach", "yard").ok


@pytest.mark.parametrize(
    ("verb", "camera", "source", "line"),
    [
        ("pause", "cellar", "", "no camera 'cellar' is attached"),
        ("detach", "hall", "", "hall is the only camera"),
        ("attach", "hall", "rtsp://h/1", "camera hall is attached already"),
        ("attach", "yard", "", "what does camera yard look at"),
        ("attach", "yard", "clip.mp4", "clip.mp4 is a recording"),
        ("attach", "../yard", "rtsp://h/2", "camera name"),
        ("explode", "hall", "", "no such order"),
    ],
)
def test_what_cannot_be_done_is_one_clear_line(
    make: Make, verb: str, camera: str, source: str, line: str
) -> None:
    desk, supervisor, _ = make(hall="rtsp://h/1")
    with pytest.raises(ConfigError, match=line):
        order(desk, verb, camera, source)
    assert not supervisor.told
    assert not supervisor.attached


def test_a_pipeline_over_recordings_takes_no_orders(make: Make) -> None:
    desk, _, _ = make(hall="a.mp4", yard="b.mp4")
    for verb, camera in (("pause", "hall"), ("detach", "hall"), ("attach", "attic")):
        with pytest.raises(ConfigError, match="live"):
            order(desk, verb, camera, "rtsp://h/2")


def test_the_socket_answers_and_refuses(make: Make) -> None:
    desk, _, plan = make(hall="rtsp://h/1")
    with desk:
        assert len(ask(plan.supervisor, ControlRequest("list")).result["cameras"]) == 1
        refused = ask(plan.supervisor, ControlRequest("pause", {"camera": "x"}))
    assert not refused.ok
    assert "no camera 'x' is attached" in refused.error


def test_an_operator_orders_from_another_machine_and_a_subscriber_does_not(
    make: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keys = KeyFolder(tmp_path / "keys")
    keys.make_pipeline()
    display = keys.issue("display", "subscriber")
    with socket.create_server(("127.0.0.1", 0)) as free:
        where = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    desk, supervisor, plan = make(hall="rtsp://h/1", yard="rtsp://h/2")
    config = msgspec.structs.replace(plan.config, security=SecurityConfig(keys=str(keys.path), control=where))
    desk._plan = msgspec.structs.replace(plan, config=config)
    as_operator = ["--identity", str(keys.path / "issued" / "operator.key_secret")]
    there = ["--at", where, "--server", str(keys.path / "pipeline.key")]
    with desk:
        assert run_pipeline.main(["cameras", "pause", "hall", *there, *as_operator]) == 0
        assert supervisor.told == [("source-hall", "pause")]
        with pytest.raises(ResourceError, match="no answer in 1 s"):
            ask(where, ControlRequest("list"), timeout_s=1.0, keys=keys.client_of(display))
    assert run_pipeline.main(["cameras", "list", "--at", where]) != 0
    assert "--identity" in capsys.readouterr().err


def test_without_a_pipeline_the_verb_says_so(gaitway: Run, tmp_path: Path) -> None:
    result = gaitway("cameras", "list", "--set", f"stream.runtime_folder={tmp_path}")
    assert result.returncode == 4
    assert "no pipeline is running" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.slow
def test_a_live_run_is_recorded_paused_broken_and_replayed(gaitway: Run, tmp_path: Path) -> None:
    """A real pipeline over two small RTSP cameras: one is attached, paused, resumed; then all is replayed."""
    camera, other = RtspCamera(6000, size=(320, 240), rate=5), RtspCamera(6000, size=(320, 240), rate=5)
    settings = [f"events.endpoint=ipc://{tmp_path}/e", "events.repair=", f"stream.runtime_folder={tmp_path}"]
    flags = [word for setting in settings for word in ("--set", setting)]
    argv = [sys.executable, str(ROOT / "run_pipeline.py"), "run", "--source", f"a={camera.address}", *flags]
    process = subprocess.Popen(
        [*argv, "--out", "live", "--record", "recording"], cwd=tmp_path, stderr=subprocess.PIPE, text=True
    )
    log = tmp_path / "live" / "events.jsonl"

    def await_events(kind: str, camera: str, count: int) -> None:
        until_s = time.monotonic() + 180
        while sum((e.kind, e.camera) == (kind, camera) for e in read_events(log) if log.exists()) < count:
            assert process.poll() is None, process.stderr.read()
            assert time.monotonic() < until_s, f"no {kind} of {camera}"
            time.sleep(0.1)

    try:
        while not log.exists():
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.1)
        await_events("start", "a", 1)
        for words, seen in (
            (("attach", f"b={other.address}"), ("start", "b", 1)),
            (("pause", "a"), ("stop", "a", 1)),
            (("resume", "a"), ("start", "a", 2)),
        ):
            done = gaitway("cameras", *words, *flags)
            assert done.returncode == 0, done.stderr
            await_events(*seen)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
        assert process.returncode == 0, said
    finally:
        process.kill()
        camera.close()
        other.close()
    replayed = gaitway("replay", "recording", "--out", "again", *flags)
    assert replayed.returncode == 0, replayed.stderr
    assert (tmp_path / "again" / "events.jsonl").read_bytes() == log.read_bytes()
