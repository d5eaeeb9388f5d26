"""Hops: nothing lost, nothing twice, bounded, and every refusal one clear line."""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import zmq
from hypothesis import given
from hypothesis import strategies as st

from stream import bus
from stream.bus import CurveKeys, Inlet, Limits, Outlet, check_bindable, open_socket, terminate
from stream.errors import ConfigError, MessageError, ResourceError
from stream.messages import EndOfStream, FrameToken, Message
from tests.stream.leaks import no_leaks
from tests.stream.pipelines import reference

__all__ = ["no_leaks"]
SMALL = Limits(hwm=4, linger_s=5.0)
fresh = itertools.count()
pytestmark = pytest.mark.usefixtures("no_leaks")


@pytest.fixture(params=["inproc", "ipc", "tcp"])
def inlet(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Inlet]:
    made = Inlet(endpoint(request.param, tmp_path), limits=SMALL)
    yield made
    made.close()


def endpoint(transport: str, folder: Path) -> str:
    return {
        "inproc": f"inproc://{folder}/hop",
        "ipc": f"ipc://{folder}/hop.sock",
        "tcp": "tcp://127.0.0.1:0",
    }[transport]


def token(number: int) -> FrameToken:
    return FrameToken(reference(number), "gaitway-x.frames", 0, 1)


def numbers(inlet: Inlet, count: int) -> list[int]:
    return [frame_number(inlet.receive(5)) for _ in range(count)]


def frame_number(message: Message | None) -> int:
    assert isinstance(message, FrameToken)
    return message.frame.number


def raw(endpoint: str, kind: int = zmq.DEALER) -> zmq.Socket[bytes]:
    return open_socket(kind, endpoint, bind=False, limits=Limits(linger_s=1.0))


def test_a_slow_receiver_gets_every_message_once_and_in_order(inlet: Inlet) -> None:
    def send() -> None:
        outlet = Outlet(inlet.endpoint, limits=SMALL)
        assert all(outlet.send(token(number)) for number in range(200))
        outlet.close()

    sender = threading.Thread(target=send)
    sender.start()
    assert numbers(inlet, 200) == list(range(200))
    assert inlet.receive(0) is None
    sender.join()


def test_a_live_outlet_is_told_when_the_window_is_full(inlet: Inlet) -> None:
    with closing(Outlet(inlet.endpoint, live=True, limits=SMALL)) as outlet:
        assert [outlet.send(token(number)) for number in range(6)] == [True] * 4 + [False] * 2
        assert numbers(inlet, 4) == [0, 1, 2, 3]
        assert inlet.receive(0) is None  # to come back says that all four were handled
        deadline_s = time.monotonic() + 10
        while not outlet.send(token(6)):
            assert time.monotonic() < deadline_s
        assert numbers(inlet, 1) == [6]
        inlet.receive(0)


def test_the_end_of_a_stream_waits_on_a_full_live_outlet(inlet: Inlet) -> None:
    outlet = Outlet(inlet.endpoint, live=True, limits=SMALL)
    for number in range(4):
        assert outlet.send(token(number))
    sent = threading.Thread(target=lambda: (outlet.send(EndOfStream("door", "run", 4, 0)), outlet.close()))
    sent.start()
    numbers(inlet, 4)
    assert isinstance(inlet.receive(5), EndOfStream)
    inlet.receive(0)
    sent.join()


def test_a_blocked_sender_wakes_when_stopped(inlet: Inlet) -> None:
    outlet, stop = Outlet(inlet.endpoint, limits=SMALL), threading.Event()
    for number in range(4):
        assert outlet.send(token(number), stop.is_set)
    threading.Timer(0.05, stop.set).start()
    assert not outlet.send(token(4), stop.is_set)
    began_s = time.monotonic()
    outlet.close()
    assert time.monotonic() - began_s < SMALL.linger_s


def test_a_sender_that_ends_while_its_receiver_is_behind_loses_nothing(tmp_path: Path) -> None:
    """ZeroMQ's own PUSH and PULL drop what lies in the kernel's buffer here."""
    inlet = Inlet(f"ipc://{tmp_path}/hop.sock", limits=SMALL)
    code = (
        "import sys; from stream.bus import Limits, Outlet, terminate; from tests.stream.test_bus import SMALL, token\n"
        "outlet = Outlet(sys.argv[1], limits=SMALL)\n"
        "for number in range(40): outlet.send(token(number))\n"
        "outlet.close(); terminate()"
    )
    sender = subprocess.Popen([sys.executable, "-c", code, inlet.endpoint], cwd=Path(__file__).parents[2])
    received = [frame_number(inlet.receive(60))]
    for _ in range(39):
        time.sleep(0.002)  # the receiver's work: what makes it the slower one
        received.append(frame_number(inlet.receive(5)))
    assert received == list(range(40))
    inlet.receive(0)
    assert sender.wait(60) == 0
    inlet.close()


def test_a_restarted_receiver_is_sent_what_the_dead_one_had_not_handled(tmp_path: Path) -> None:
    where = f"ipc://{tmp_path}/hop.sock"
    code = (
        "import sys; from stream.bus import Inlet; from tests.stream.test_bus import SMALL, numbers\n"
        "inlet = Inlet(sys.argv[1], limits=SMALL); print(numbers(inlet, 3), flush=True); sys.stdin.read()"
    )
    pipe = subprocess.PIPE
    first = subprocess.Popen(
        [sys.executable, "-c", code, where], stdin=pipe, stdout=pipe, text=True, cwd=Path(__file__).parents[2]
    )
    outlet = Outlet(where, limits=SMALL)
    for number in range(4):
        assert outlet.send(token(number))
    assert first.stdout.readline() == "[0, 1, 2]\n"  # 2 is in hand, 3 in a buffer of the process
    first.send_signal(signal.SIGKILL)
    first.communicate()
    second, received = Inlet(where, limits=SMALL), []

    def receive() -> None:
        while not received or received[-1] != 9:
            message = second.receive(0.05)
            received.extend([frame_number(message)] if message else [])
        second.receive(0)

    thread = threading.Thread(target=receive)
    thread.start()
    assert all(outlet.send(token(number)) for number in range(4, 10))
    outlet.close()
    thread.join()
    # 0 may or may not have been acknowledged before the kill; from the first on, all in order and once.
    assert received == list(range(received[0], 10))
    assert received[0] <= 2
    second.close()


def test_two_senders_keep_their_own_order(inlet: Inlet) -> None:
    def send(first: int) -> None:
        outlet = Outlet(inlet.endpoint, limits=SMALL)
        assert all(outlet.send(token(number)) for number in range(first, first + 50))
        outlet.close()

    threads = [threading.Thread(target=send, args=(first,)) for first in (0, 1000)]
    for thread in threads:
        thread.start()
    received = numbers(inlet, 100)
    inlet.receive(0)
    for thread in threads:
        thread.join()
    for first in (0, 1000):
        assert [n for n in received if first <= n < first + 50] == list(range(first, first + 50))


GARBAGE = [
    [b""],
    [b"hello"],
    [b"D" + bytes(8)],
    [b"Z" + bytes(8)],
    [b"O" + b"\xff" * 8],
    [b"a", b"b"],
    [b"D" + (1).to_bytes(8, "little") + b"\x01not msgpack"],
    [b"D" + (1).to_bytes(8, "little") + b"\x07" + b"another version"],
]


@pytest.mark.parametrize("parts", GARBAGE)
def test_garbage_is_refused_and_the_next_message_arrives(inlet: Inlet, parts: list[bytes]) -> None:
    with closing(Outlet(inlet.endpoint, limits=SMALL)) as outlet, closing(raw(inlet.endpoint)) as stranger:
        stranger.send(b"O" + (1).to_bytes(8, "little"))
        stranger.send_multipart(parts)
        outlet.send(token(0))
        received, refused = [], 0
        deadline_s = time.monotonic() + 10
        while (not received or not refused) and time.monotonic() < deadline_s:
            try:
                message = inlet.receive(0.05)
            except MessageError:
                refused += 1
            else:
                received += [frame_number(message)] if message else []
        assert (received, refused) == ([0], 1)
        inlet.receive(0)


@given(
    st.lists(
        st.tuples(st.sampled_from([b"O", b"D", b"P", b"A", b"x"]), st.integers(0, 9), st.binary(max_size=6))
    )
)
def test_no_sequence_of_frames_breaks_an_inlet(frames: list[tuple[bytes, int, bytes]]) -> None:
    inlet = Inlet(f"inproc://fuzz-{next(fresh)}", limits=SMALL)
    stranger = raw(inlet.endpoint)
    for word, number, data in frames[:64]:
        stranger.send(word + number.to_bytes(8, "little") + data, zmq.DONTWAIT)
    try:
        for _ in range(len(frames) + 1):
            with contextlib.suppress(MessageError):  # counted by the loop, which goes on
                assert inlet.receive(0) is None
    finally:
        stranger.close(linger=0)
        inlet.close()


@pytest.mark.parametrize("seed", range(3))
def test_a_lossy_connection_loses_and_doubles_nothing(
    tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A relay that drops a third of everything, both ways, stands for connections that break."""
    monkeypatch.setattr(bus, "_PROBE_S", 0.01)
    monkeypatch.setattr(bus, "_LOOK_FOR_STOP_MS", 10)
    rng, front, back = random.Random(seed), f"inproc://{tmp_path}/front", f"inproc://{tmp_path}/back"
    inlet, done = Inlet(back, limits=SMALL), threading.Event()
    before = open_socket(zmq.ROUTER, front, bind=True, limits=Limits(hwm=100))
    beyond = open_socket(zmq.DEALER, back, bind=False, limits=Limits(hwm=100), identity=b"relay")

    def relay() -> None:
        poller, peer = zmq.Poller(), b""
        poller.register(before, zmq.POLLIN)
        poller.register(beyond, zmq.POLLIN)
        while not done.is_set():
            for source, _ in poller.poll(20):
                *head, frame = source.recv_multipart()
                peer = head[0] if head else peer
                if rng.random() < 0.67 and source is before:
                    beyond.send(frame)
                elif rng.random() < 0.67 and source is beyond:
                    before.send_multipart([peer, frame])
        before.close(linger=0)
        beyond.close(linger=0)

    def send() -> None:
        outlet = Outlet(front, limits=SMALL)
        assert all(outlet.send(token(number)) for number in range(12))
        outlet.close()

    threads = [threading.Thread(target=relay), threading.Thread(target=send)]
    for thread in threads:
        thread.start()
    received: list[int] = []
    while threads[1].is_alive():
        message = inlet.receive(0.02)
        received += [frame_number(message)] if message else []
    done.set()
    for thread in threads:
        thread.join()
    inlet.close()
    assert received == list(range(12))


def test_a_message_beyond_the_limit_never_arrives(tmp_path: Path) -> None:
    inlet = Inlet(f"ipc://{tmp_path}/hop.sock", limits=Limits(max_message_bytes=2048))
    stranger = raw(inlet.endpoint)
    stranger.send(b"D" + bytes(1 << 20))
    assert inlet.receive(0.2) is None
    stranger.close(linger=0)
    inlet.close()


@pytest.mark.parametrize("transport", ["inproc", "ipc", "tcp"])
def test_an_endpoint_in_use_is_refused_and_its_owner_undisturbed(transport: str, tmp_path: Path) -> None:
    owner = Inlet(endpoint(transport, tmp_path), limits=SMALL)
    with pytest.raises(ResourceError, match=r"in use\. Another pipeline is running") as caught:
        check_bindable(owner.endpoint)
    assert owner.endpoint in str(caught.value)
    outlet = Outlet(owner.endpoint, limits=SMALL)
    outlet.send(token(1))
    assert numbers(owner, 1) == [1]
    owner.receive(0)
    outlet.close()
    owner.close()


def test_an_ipc_file_left_by_the_dead_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "hop.sock"
    code = "import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])"
    subprocess.run([sys.executable, "-c", code, str(path)], check=True)
    assert path.is_socket()
    inlet = Inlet(f"ipc://{path}")
    inlet.close()
    assert not path.exists()


def test_a_file_that_is_no_socket_is_never_removed(tmp_path: Path) -> None:
    path = tmp_path / "hop.sock"
    path.write_text("somebody's data")
    with pytest.raises(ResourceError):
        Inlet(f"ipc://{path}")
    assert path.read_text() == "somebody's data"


@pytest.mark.parametrize(
    "wrong", ["", "door", "udp://x", "tcp://", "tcp://host", "tcp://host:x", "tcp://h:70000", "ipc://"]
)
def test_malformed_endpoints_are_config_errors(wrong: str) -> None:
    with pytest.raises(ConfigError, match="endpoint"):
        Outlet(wrong)


def test_too_long_an_ipc_path_says_what_to_set() -> None:
    with pytest.raises(ConfigError, match=r"has 12\d bytes; wanted at most 107\. Set stream\.runtime_folder"):
        Inlet("ipc:///tmp/" + "x" * 120)


def test_a_missing_folder_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(ResourceError, match="there is no folder"):
        Inlet(f"ipc://{tmp_path}/none/hop.sock")


@pytest.mark.parametrize("host", ["*", "0.0.0.0", "192.168.1.5", "[::]", "example.org"])
def test_listening_beyond_this_host_needs_keys(host: str) -> None:
    with pytest.raises(ConfigError, match="beyond this host without keys"):
        Inlet(f"tcp://{host}:5555")


def test_an_address_that_is_not_this_machines_is_one_clear_line() -> None:
    public, secret = zmq.curve_keypair()
    with pytest.raises(ResourceError, match=r"cannot listen at tcp://192\.0\.2\.1:5555"):
        Inlet("tcp://192.0.2.1:5555", keys=CurveKeys(public, secret))


def test_curve_lets_in_whoever_knows_the_servers_key_and_nobody_else() -> None:
    server, client, other = (zmq.curve_keypair() for _ in range(3))
    inlet = Inlet("tcp://127.0.0.1:0", limits=SMALL, keys=CurveKeys(*server))
    wrong = Outlet(inlet.endpoint, limits=Limits(4, linger_s=0.1), keys=CurveKeys(*client, server=other[0]))
    plain = Outlet(inlet.endpoint, limits=Limits(4, linger_s=0.1))
    right = Outlet(inlet.endpoint, limits=SMALL, keys=CurveKeys(*client, server=server[0]))
    for number, outlet in enumerate((wrong, plain, right)):
        outlet.send(token(number))
    assert numbers(inlet, 1) == [2]
    assert inlet.receive(0.1) is None
    for outlet in (wrong, plain, right):
        outlet.close()
    inlet.close()


@pytest.mark.parametrize("keys", [CurveKeys(b"short", b"short"), CurveKeys(*zmq.curve_keypair())])
def test_unusable_keys_are_config_errors(keys: CurveKeys) -> None:
    with pytest.raises(ConfigError, match="CURVE keys"):
        Outlet("tcp://127.0.0.1:5555", keys=keys)


def test_terminate_returns_at_once_when_all_sockets_are_closed(tmp_path: Path) -> None:
    Outlet(f"ipc://{tmp_path}/nobody.sock", limits=SMALL).close()
    began_s = time.monotonic()
    terminate()
    assert time.monotonic() - began_s < 1
    assert os.listdir(tmp_path) == []


def test_a_receiver_that_talks_nonsense_does_not_end_the_sender(tmp_path: Path) -> None:
    where = f"ipc://{tmp_path}/hop.sock"
    receiver = open_socket(zmq.ROUTER, where, bind=True, limits=Limits(64, linger_s=0.0))
    outlet = Outlet(where, limits=Limits(hwm=2, linger_s=0.0))
    sender = receiver.recv_multipart()[0]
    for word in (b"", b"A", b"?" + bytes(8), b"\xff" * 9, b"A" + (1).to_bytes(8, "little")):
        receiver.send_multipart([sender, word])
    assert outlet.send(token(0))
    assert outlet.send(token(1)), "the window of two has room again once the first was acknowledged"
    assert outlet.send(token(2))
    outlet.close()
    receiver.close()


def test_a_peer_that_hangs_up_on_a_slow_reader_does_not_end_its_process(tmp_path: Path) -> None:
    """ZeroMQ's own heartbeats did: libzmq aborts on one that comes due between hang-up and reading."""
    where = f"ipc://{tmp_path}/slow.sock"
    program = (
        "import sys, zmq; from stream.bus import Limits, open_socket\n"
        f"reader = open_socket(zmq.PULL, {where!r}, bind=True, limits=Limits(hwm=1, linger_s=0))\n"
        "print(len(reader.recv()), flush=True); sys.stdin.read(); print(len(reader.recv()), flush=True)\n"
        "reader.close(); zmq.Context.instance().term()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as reader:
        assert reader.stdin is not None
        assert reader.stdout is not None
        sender = open_socket(zmq.PUSH, where, bind=False, limits=Limits(hwm=20_000, linger_s=0))
        for _ in range(20_000):
            sender.send(bytes(200))
        assert reader.stdout.readline() == b"200\n"
        sender.close(linger=0)
        with pytest.raises(subprocess.TimeoutExpired):  # heartbeats came every 2 s
            reader.wait(3)
        reader.stdin.close()
        assert reader.stdout.readline() == b"200\n"
        assert reader.wait(30) == 0
