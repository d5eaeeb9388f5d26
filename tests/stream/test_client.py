"""Subscribers: every event once and in order, gaps filled or told, other versions refused, nothing leaked."""

from __future__ import annotations

import ast
import json
import logging
import os
import shutil
import signal
import socket as sockets
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
import pytest
import zmq

import stream.client as client
from stream import messages
from stream.client import ClientError, Gap, Keys, QuietError, SilentError, Subscriber, VersionError, subscribe
from stream.events import encode_event, sealed
from stream.sockets import CurveKeys
from tests.stream.publishing import Publishing, event, identified, publishing

ROOT = Path(__file__).parents[2]
FILE = ROOT / "stream" / "client.py"
QUICK_S = 5.0


@pytest.fixture
def pub() -> Iterator[tuple[zmq.Socket[bytes], str]]:
    """A bare publisher, for messages that ours would never send."""
    made: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.XPUB)
    made.linger = 0
    port = made.bind_to_random_port("tcp://127.0.0.1")
    yield made, f"tcp://127.0.0.1:{port}"
    made.close()


def numbers(subscriber: Subscriber, count: int) -> list[int]:
    return [one.sequence for one in islice(subscriber, count)]


def message(sequence: int, session: str = "s", *, fresh: bool = True, replayed: bool = False) -> list[bytes]:
    envelope = {
        "camera": "door",
        "sequence": sequence,
        "session": session,
        "sent_ns": 1,
        "fresh": fresh,
        "replayed": replayed,
    }
    return [
        b"gaitway/1/door/",
        json.dumps(envelope).encode(),
        encode_event(sealed(event(sequence), sequence)),
    ]


@contextmanager
def following(log: Path, **options: Any) -> Iterator[tuple[Publishing, Subscriber]]:
    """A pipeline and a subscriber that misses nothing."""
    with publishing(log, **options) as made:
        events = subscribe(made.endpoint, repair=made.repair, timeout_s=QUICK_S)
        with events:
            made.wait()
            yield made, events


def test_events_arrive_typed_and_whole(tmp_path: Path) -> None:
    with publishing(tmp_path / "log") as made, subscribe(made.endpoint, timeout_s=QUICK_S) as events:
        made.wait()
        made.publish(1)
        got = next(events)
    assert msgspec.json.encode(got) == (tmp_path / "log").read_bytes().rstrip()
    assert got.identity is not None
    assert (got.identity.name, got.identity.probability) == ("Ada Ünal", 0.9)


def test_its_types_are_the_pipelines() -> None:
    for name in ("Identity", "Evidence", "Continuation", "Event"):
        theirs, ours = getattr(client, name), getattr(messages, name)
        assert theirs.__struct_fields__ == ours.__struct_fields__
        assert theirs.__struct_config__.tag == ours.__struct_config__.tag


def test_it_is_one_file_that_needs_pyzmq_and_msgspec_only() -> None:
    imported = set()
    for node in ast.walk(ast.parse(FILE.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            imported |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add((node.module or "").split(".")[0])
    assert imported - set(sys.stdlib_module_names) == {"zmq", "msgspec"}


def test_one_cameras_events_only_when_asked(tmp_path: Path) -> None:
    with publishing(tmp_path / "log") as made, subscribe(made.endpoint, "gate", timeout_s=QUICK_S) as events:
        made.wait()
        made.publish(1, 2)
        made.publish(3, camera="gate")
        assert next(events).camera == "gate"


def test_a_gap_is_told_when_it_cannot_be_filled(pub: tuple[zmq.Socket[bytes], str]) -> None:
    sender, endpoint = pub
    gaps: list[Gap] = []
    with subscribe(endpoint, timeout_s=QUICK_S, on_gap=gaps.append) as events:
        sender.recv()
        for sequence in (4, 5, 9):  # joined at 4: what was before is no gap
            sender.send_multipart(message(sequence))
        assert numbers(events, 3) == [4, 5, 9]
    assert gaps == [Gap("door", 6, 8)]


def test_a_gap_is_logged_when_nobody_asked_to_be_told(
    pub: tuple[zmq.Socket[bytes], str], caplog: pytest.LogCaptureFixture
) -> None:
    sender, endpoint = pub
    with subscribe(endpoint, timeout_s=QUICK_S) as events, caplog.at_level(logging.WARNING, "gaitway.client"):
        sender.recv()
        for sequence in (1, 3):
            sender.send_multipart(message(sequence))
        numbers(events, 2)
    assert "first=2, last=2" in caplog.text


def test_an_event_sent_twice_comes_once(pub: tuple[zmq.Socket[bytes], str]) -> None:
    sender, endpoint = pub
    with subscribe(endpoint, timeout_s=QUICK_S) as events:
        sender.recv()
        for sequence in (1, 2, 2, 1, 3):
            sender.send_multipart(message(sequence))
        assert numbers(events, 3) == [1, 2, 3]


def test_a_pipeline_that_begins_anew_is_followed(pub: tuple[zmq.Socket[bytes], str]) -> None:
    sender, endpoint = pub
    gaps: list[Gap] = []
    with subscribe(endpoint, timeout_s=QUICK_S, on_gap=gaps.append) as events:
        sender.recv()
        for sequence, session in ((1, "a"), (2, "a"), (1, "b"), (2, "b")):
            sender.send_multipart(message(sequence, session))
        assert numbers(events, 4) == [1, 2, 1, 2]
    assert gaps == []


def test_a_pipeline_that_goes_on_after_a_restart_repeats_nothing(pub: tuple[zmq.Socket[bytes], str]) -> None:
    sender, endpoint = pub
    with subscribe(endpoint, timeout_s=QUICK_S) as events:
        sender.recv()
        sender.send_multipart(message(1, "a"))
        sender.send_multipart(message(1, "b", fresh=False, replayed=True))
        sender.send_multipart(message(2, "b", fresh=False))
        assert numbers(events, 2) == [1, 2]


def test_missed_events_are_fetched_in_order(tmp_path: Path) -> None:
    with following(tmp_path / "log") as (made, events):
        made.publish(1)
        assert numbers(events, 1) == [1]
        miss(made, 2, 3, 4)
        made.publish(5)
        assert numbers(events, 4) == [2, 3, 4, 5]


def test_a_lost_tail_is_fetched_when_it_is_quiet(tmp_path: Path) -> None:
    with following(tmp_path / "log") as (made, events):
        made.publish(1)
        assert numbers(events, 1) == [1]
        miss(made, 2, 3)
        assert numbers(events, 2) == [2, 3]


def test_a_lost_tail_is_noticed_by_the_heartbeat_alone(tmp_path: Path) -> None:
    gaps: list[Gap] = []
    with (
        publishing(tmp_path / "log") as made,
        subscribe(made.endpoint, timeout_s=QUICK_S, on_gap=gaps.append) as events,
    ):
        made.wait(2)  # the second subscription is to heartbeats
        made.publish(1)
        assert numbers(events, 1) == [1]
        miss(made, 2, 3)
        list(made.stage.figures())
        made.publish(4)
        assert numbers(events, 1) == [4]
    assert gaps == [Gap("door", 2, 3)]


def test_a_pipeline_without_a_heartbeat_is_gone_and_one_with_it_is_only_quiet(tmp_path: Path) -> None:
    with (
        publishing(tmp_path / "log") as made,
        subscribe(made.endpoint, timeout_s=3.0, dead_after_s=1.0) as events,
    ):
        made.wait(2)
        over = threading.Event()

        def beat() -> None:
            while not over.wait(0.1):
                made.publisher.beat({})

        beating = threading.Thread(target=beat)
        beating.start()
        with pytest.raises(QuietError, match="no event"):
            next(events)
        over.set()
        beating.join()
        with pytest.raises(SilentError, match="has been silent for 1 s"):
            next(events)


def test_a_late_subscriber_gets_the_history_when_it_asks(tmp_path: Path) -> None:
    with publishing(tmp_path / "log") as made:
        list(made.stage.handle(identified(*[event(n) for n in range(1, 1501)])))
        with subscribe(made.endpoint, repair=made.repair, history=True, timeout_s=QUICK_S) as events:
            made.wait()
            made.publish(1501)
            assert numbers(events, 1501) == list(range(1, 1502))


def test_a_late_subscriber_begins_with_who_is_there_when_it_asks(tmp_path: Path) -> None:
    with publishing(tmp_path / "log") as made:
        seen = [("update", "door/r/0"), ("update", "door/r/1"), ("update", "door/r/0"), ("end", "door/r/1")]
        for number, (kind, tracklet) in enumerate(seen):
            list(made.stage.handle(identified(event(number, kind=kind, tracklet=tracklet))))
        late = subscribe(made.endpoint, repair=made.repair, history="snapshot", timeout_s=10)
        with late as events:
            assert [(one.sequence, one.tracklet) for one in islice(events, 1)] == [(3, "door/r/0")]
            made.publish(9)  # the subscription may not have arrived: then repair has it
            list(made.stage.figures())
            assert numbers(events, 1) == [5]


@pytest.mark.parametrize("camera", [None, "gate"])
def test_a_snapshot_is_of_one_camera_or_of_all(tmp_path: Path, camera: str | None) -> None:
    with publishing(tmp_path / "log") as made:
        made.publish(1)
        made.publish(1, 2, camera="gate")
        with subscribe(made.endpoint, camera, repair=made.repair, history="snapshot", timeout_s=10) as events:
            wanted = [("gate", 2)] if camera else [("door", 1), ("gate", 2)]
            assert [(one.camera, one.sequence) for one in islice(events, len(wanted))] == wanted


def test_a_late_subscriber_gets_no_history_when_it_does_not_ask(tmp_path: Path) -> None:
    with publishing(tmp_path / "log") as made:
        made.publish(1, 2)
        with subscribe(made.endpoint, repair=made.repair, timeout_s=QUICK_S) as events:
            made.wait()
            made.publish(3)
            assert numbers(events, 1) == [3]


def test_a_subscriber_that_reads_slowly_ends_with_every_event(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = 9000
    fetched = []
    ask = Subscriber._ask

    def note(self: Subscriber, request: dict[str, Any]) -> Any:
        fetched.append(request["want"])
        return ask(self, request)

    monkeypatch.setattr(Subscriber, "_ask", note)
    with following(tmp_path / "log", hwm=50) as (made, events):
        made.publish(1)
        got = numbers(events, 1)
        for _ in range(count // 100):  # while it sleeps
            list(made.stage.handle(identified(*[event(n) for n in range(100)])))
        got += numbers(events, count)
    assert got == list(range(1, count + 2))
    assert "range" in fetched  # it did miss some


def test_with_keys_only_those_who_have_them_hear_anything(tmp_path: Path) -> None:
    server, own = zmq.curve_keypair(), zmq.curve_keypair()
    with publishing(tmp_path / "log", keys=CurveKeys(*server)) as made:
        keys = Keys(server[0], *own)
        made.publish(1)
        with (
            subscribe(made.endpoint, timeout_s=0.2) as stranger,
            subscribe(
                made.endpoint, repair=made.repair, history=True, timeout_s=QUICK_S, keys=keys
            ) as friend,
        ):
            made.wait()
            made.publish(2)
            assert numbers(friend, 2) == [1, 2]
            with pytest.raises(QuietError):
                next(stranger)


def test_quiet_for_too_long_is_an_error(pub: tuple[zmq.Socket[bytes], str]) -> None:
    with (
        subscribe(pub[1], timeout_s=0.05) as events,
        pytest.raises(QuietError, match=r"no event .* for 0.05 s"),
    ):
        next(events)


def test_another_schema_version_is_refused_with_what_to_do(pub: tuple[zmq.Socket[bytes], str]) -> None:
    sender, endpoint = pub
    with subscribe(endpoint, timeout_s=QUICK_S) as events:
        sender.recv()
        sender.send_multipart([b"gaitway/2/door/", b"who", b"knows", b"what"])
        with pytest.raises(VersionError, match=r"version 2, this client reads version 1: copy"):
            next(events)
        topic, envelope, line = message(1)
        sender.send_multipart([topic, envelope, line.replace(b'"version":1', b'"version":3')])
        with pytest.raises(VersionError, match="version 3"):
            next(events)


@pytest.mark.parametrize(
    "parts", [[b""], [b"{}", b"{}"], [b"x", b"{}"], [message(1)[1], b"[" * 3000], [b"\xff", b"1", b"2"]]
)
def test_what_is_no_event_is_one_clear_error(pub: tuple[zmq.Socket[bytes], str], parts: list[bytes]) -> None:
    sender, endpoint = pub
    with subscribe(endpoint, timeout_s=QUICK_S) as events:
        sender.recv()
        sender.send_multipart([b"gaitway/1/door/", *parts])
        with pytest.raises(ClientError) as caught:
            next(events)
    assert "\n" not in str(caught.value)


def test_a_repair_channel_that_is_none_is_a_gap(
    pub: tuple[zmq.Socket[bytes], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "_REPAIR_MS", 50)
    sender, endpoint = pub
    gaps: list[Gap] = []
    with sockets.create_server(("127.0.0.1", 0)) as mute:
        repair = f"tcp://127.0.0.1:{mute.getsockname()[1]}"
        with subscribe(endpoint, repair=repair, timeout_s=QUICK_S, on_gap=gaps.append) as events:
            sender.recv()
            for sequence in (1, 4):
                sender.send_multipart(message(sequence))
            assert numbers(events, 2) == [1, 4]
    assert gaps == [Gap("door", 2, 3)]


@pytest.mark.parametrize("endpoint", ["", "nowhere", "tcp://", "tcp://host", "smtp://x:1"])
def test_an_endpoint_that_is_none_is_one_clear_error(endpoint: str) -> None:
    with pytest.raises(ClientError, match="cannot connect"):
        subscribe(endpoint)


def test_history_without_a_repair_channel_is_refused() -> None:
    with pytest.raises(ClientError, match="repair"):
        subscribe("tcp://127.0.0.1:1", history=True)


def test_closing_ends_the_iteration_and_leaves_no_socket(pub: tuple[zmq.Socket[bytes], str]) -> None:
    before = open_files()
    for _ in range(20):
        subscriber = subscribe(pub[1])
        subscriber.close()
        subscriber.close()
        assert list(subscriber) == []
    deadline_s = time.monotonic() + 5  # ZeroMQ closes them on a thread of its own
    while open_files() > before + 4 and time.monotonic() < deadline_s:
        time.sleep(0.01)
    assert open_files() <= before + 4


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


def miss(made: Publishing, *numbers_: int) -> None:
    """Publish what no subscriber gets: it is logged, and lost on its way."""
    send = made.publisher.send
    made.publisher.send = lambda *_, **__: 0  # type: ignore[method-assign]  # the wire fails, the log does not
    made.publish(*numbers_)
    made.publisher.send = send  # type: ignore[method-assign]


def run_file(tmp_path: Path, *arguments: str) -> subprocess.Popen[str]:
    """The client as somebody copied it: alone in a folder, without the repository on the path."""
    copy = shutil.copy(FILE, tmp_path / "client.py")
    return subprocess.Popen(
        [sys.executable, "-P", str(copy), *arguments],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
    )


def test_the_copied_file_prints_events_until_ctrl_c(tmp_path: Path) -> None:
    with publishing(tmp_path / "log") as made, run_file(tmp_path, made.endpoint) as process:
        made.wait()
        made.publish(1, 2)
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(2)]
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=10)
    assert "".join(lines) == (tmp_path / "log").read_text(encoding="utf-8")
    assert (process.returncode, out, err) == (0, "", "")


def test_the_copied_file_ends_with_one_line_when_it_is_quiet(tmp_path: Path) -> None:
    with run_file(tmp_path, "tcp://127.0.0.1:9", "--timeout", "0.1") as process:
        _, err = process.communicate(timeout=10)
    assert process.returncode == 1
    assert err == "no event from tcp://127.0.0.1:9 for 0.1 s\n"


def test_the_ten_line_subscriber_runs(tmp_path: Path) -> None:
    example = ROOT / "stream" / "examples" / "subscriber.py"
    code = [line for line in example.read_text().split('"""')[2].splitlines() if line.strip()]
    assert len(code) <= 10
    with (
        publishing(tmp_path / "log") as made,
        subprocess.Popen(
            [sys.executable, example, made.endpoint], stdout=subprocess.PIPE, text=True
        ) as process,
    ):
        made.wait()
        made.publish(1)
        assert process.stdout is not None
        assert process.stdout.readline() == "door update Ada Ünal\n"
        process.kill()
