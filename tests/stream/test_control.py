"""Questions to a running stage: answered between frames, refused in one line, never in the way."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq

from stream.bus import Limits, open_socket
from stream.control import ControlServer, ask
from stream.errors import GalleryError, MessageError, ResourceError
from stream.messages import ControlReply, ControlRequest, decode, encode
from stream.sockets import wait_for
from tests.stream.leaks import no_leaks

__all__ = ["no_leaks"]
pytestmark = pytest.mark.usefixtures("no_leaks")


def answer(request: ControlRequest) -> ControlReply:
    if request.verb == "refuse":
        raise GalleryError("the gallery is locked", fix="Unlock it")
    return ControlReply(ok=True, result={"verb": request.verb, **request.arguments})


@pytest.fixture(params=["ipc", "tcp"])
def endpoint(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A server that answers in a thread of its own until the test ends."""
    where = f"ipc://{tmp_path}/control.sock" if request.param == "ipc" else "tcp://127.0.0.1:0"
    bound: list[str] = []
    ready, done = threading.Event(), threading.Event()

    def serve() -> None:
        server = ControlServer(where)
        bound.append(server.endpoint)
        ready.set()
        while not done.is_set():
            wait_for([server.socket], 0.02)
            server.serve(answer)
        server.close()

    thread = threading.Thread(target=serve)
    thread.start()
    assert ready.wait(5)
    yield bound[0]
    done.set()
    thread.join()


def test_a_question_is_answered(endpoint: str) -> None:
    reply = ask(endpoint, ControlRequest("list", {"limit": 3}))
    assert reply == ControlReply(ok=True, result={"verb": "list", "limit": 3})


def test_an_error_becomes_the_answers_one_line(endpoint: str) -> None:
    reply = ask(endpoint, ControlRequest("refuse"))
    assert (reply.ok, reply.error) == (False, "the gallery is locked. Unlock it")


@pytest.mark.parametrize("garbage", [b"", b"hello", b"\x01\x80", encode(ControlReply(ok=True))])
def test_garbage_is_answered_with_what_was_wanted(endpoint: str, garbage: bytes) -> None:
    asker = open_socket(zmq.REQ, endpoint, bind=False, limits=Limits(linger_s=0))
    asker.send(garbage)
    assert asker.poll(5000)
    reply = decode(asker.recv())
    asker.close()
    assert isinstance(reply, ControlReply)
    assert not reply.ok
    assert ask(endpoint, ControlRequest("still there")).ok


def test_nobody_there_is_one_clear_line(tmp_path: Path) -> None:
    for endpoint in (f"ipc://{tmp_path}/none.sock", "tcp://127.0.0.1:1"):
        with pytest.raises(ResourceError, match=r"no pipeline answers.*Start one"):
            ask(endpoint, ControlRequest("list"), timeout_s=0.1)


def test_a_stage_too_busy_to_answer_is_one_clear_line(tmp_path: Path) -> None:
    server = ControlServer(f"ipc://{tmp_path}/control.sock")
    with pytest.raises(ResourceError, match=r"no answer in 0\.05 s"):
        ask(server.endpoint, ControlRequest("list"), timeout_s=0.05)
    server.close()


def test_an_answer_that_is_none_is_refused(tmp_path: Path) -> None:
    fake = open_socket(zmq.REP, f"ipc://{tmp_path}/fake.sock", bind=True)

    def reply_wrongly() -> None:
        fake.recv()
        fake.send(encode(ControlRequest("what?")))

    thread = threading.Thread(target=reply_wrongly)
    thread.start()
    with pytest.raises(MessageError, match="a ControlRequest for an answer"):
        ask(f"ipc://{tmp_path}/fake.sock", ControlRequest("list"))
    thread.join()
    fake.close()


def test_a_flood_of_questions_leaves_time_for_frames(tmp_path: Path) -> None:
    server = ControlServer(f"ipc://{tmp_path}/control.sock")
    flood = open_socket(zmq.DEALER, server.endpoint, bind=False, limits=Limits(hwm=200, linger_s=0))
    for _ in range(60):
        flood.send_multipart([b"", encode(ControlRequest("again"))])
    wait_for([server.socket], 5)
    assert server.serve(answer) <= 16
    flood.close()
    server.close()
