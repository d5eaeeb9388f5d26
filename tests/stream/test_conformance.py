"""The conformance script passes what speaks the protocol of docs/PROTOCOL.md, and fails what does not."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from stream.publish import HEARTBEAT, TOPIC_ROOT
from stream.repair import KEPT, MAX_REPLY_BYTES, MAX_REPLY_EVENTS
from tests.stream.publishing import Publishing, event, identified, publishing
from tests.stream.test_node import node_folder

__all__ = ["node_folder"]
EXAMPLES = Path(__file__).parents[2] / "stream" / "examples"
SCRIPT = EXAMPLES / "conformance.py"
CLIENT = EXAMPLES.parent / "client.py"


def conformance(*words: str | Path, timeout_s: float = 100) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", str(SCRIPT), *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, check=False)


@contextmanager
def busy(made: Publishing) -> Iterator[None]:
    """Two cameras' events and heartbeats, some a second, for as long as it is entered."""
    over = threading.Event()

    def publish() -> None:
        number = 0
        while not over.wait(0.05):
            number += 1
            made.publish(number, camera=("door", "gate")[number % 2])
            list(made.stage.figures())

    thread = threading.Thread(target=publish)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def test_our_publisher_keeps_every_rule(tmp_path: Path) -> None:
    with publishing(tmp_path / "log") as made:
        for kind, tracklet in (("start", None), ("new", "a"), ("load", None), ("end", "a"), ("new", "b")):
            list(made.stage.handle(identified(event(0, kind=kind, tracklet=tracklet))))
        with busy(made):
            done = conformance("publisher", made.endpoint, "--repair", made.repair, "--seconds", "3")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "all rules hold" in done.stdout
    assert "FAIL" not in done.stdout


def test_a_publisher_that_loses_count_is_found_out(tmp_path: Path) -> None:
    with publishing(tmp_path / "log") as made:
        send, seen = made.publisher.send, []

        def forgetful(event, line, **options):
            seen.append(event)
            return 0 if len(seen) % 3 == 0 else send(event, line, **options)

        made.publisher.send = forgetful
        with busy(made):
            done = conformance("publisher", made.endpoint, "--seconds", "3")
    assert done.returncode == 1
    assert "FAIL numbers leave no gaps" in done.stdout


def test_our_client_keeps_every_rule() -> None:
    client = [sys.executable, CLIENT, "{events}", "--repair", "{repair}", "--history"]
    done = conformance("client", "--", *client)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_client_that_takes_what_comes_is_found_out(tmp_path: Path) -> None:
    naive = tmp_path / "naive.py"
    naive.write_text(
        "import sys, zmq\n"
        "socket = zmq.Context.instance().socket(zmq.SUB)\n"
        "socket.connect(sys.argv[1]); socket.subscribe(b'gaitway/1/')\n"
        "while True: print(socket.recv_multipart()[2].decode(), flush=True)\n"
    )
    done = conformance("client", "--seconds", "1", "--", sys.executable, naive, "{events}")
    assert done.returncode == 1
    for rule in ("it begins with the history", "what comes again is told once", "what is missing is fetched"):
        assert f"FAIL {rule}" in done.stdout


def test_the_complete_node_subscriber_keeps_every_rule(node_folder: Path) -> None:
    script = node_folder / "complete.mjs"  # Node looks for packages beside the script
    script.write_bytes((EXAMPLES / "complete.mjs").read_bytes())
    done = conformance("client", "--seconds", "40", "--", "node", script, "{events}", "{repair}")
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_page_says_the_limits_that_hold() -> None:
    page = (EXAMPLES.parents[1] / "docs" / "PROTOCOL.md").read_text(encoding="utf-8")
    for number in (KEPT, MAX_REPLY_EVENTS, MAX_REPLY_BYTES // 2**20, 10_000, 200, 4096):
        assert f"{number:,}" in page or str(number) in page
    assert HEARTBEAT.decode() in page
    assert TOPIC_ROOT in page


@pytest.mark.parametrize("words", [[], ["publisher"], ["client"]])
def test_it_says_how_it_is_called(words: list[str]) -> None:
    assert "usage:" in conformance(*words).stderr
