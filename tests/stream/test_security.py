"""Keys and the allow list: who is on it hears events and may ask, at once; nobody else does."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import zmq

from stream.allowance import Allowance
from stream.bus import CurveKeys, Inlet, Limits, Outlet
from stream.client import Keys, QuietError, subscribe
from stream.control import ControlServer, ask
from stream.errors import ConfigError, ResourceError
from stream.messages import ControlReply, ControlRequest, FrameToken, decode, encode
from stream.security import KeyFolder, SecurityConfig, client_keys, load_pair
from stream.sockets import open_socket, readable, receive_from, wait_for
from tests.stream.pipelines import reference
from tests.stream.publishing import Publishing, publishing

WAIT_S = 20.0
SILENCE_S = 1.0  # how long somebody refused hears nothing


@pytest.fixture
def folder(tmp_path: Path) -> KeyFolder:
    made = KeyFolder(tmp_path / "keys")
    assert made.make_pipeline()
    return made


def held(folder: KeyFolder, secret: Path) -> Keys:
    return Keys.load(str(folder.path / "pipeline.key"), str(secret))


def hears(made: Publishing, keys: Keys | None) -> bool:
    """Whether a subscriber with these keys is given the history, and so may connect and ask."""
    patience_s = SILENCE_S if keys is None else WAIT_S
    with subscribe(
        made.endpoint, repair=made.repair, history=True, timeout_s=patience_s, keys=keys
    ) as events:
        return next(events).sequence == 1


def is_refused(made: Publishing, keys: Keys | None) -> bool:
    """Whether neither the events nor the repair socket answer."""
    with subscribe(made.endpoint, timeout_s=SILENCE_S, keys=keys) as events:
        made.publish(9)
        with pytest.raises(QuietError):
            next(events)
    return not _answers(made.repair, keys)


def _answers(endpoint: str, keys: Keys | None) -> bool:
    with zmq.Context.instance().socket(zmq.REQ) as socket:
        socket.linger = 0
        if keys is not None:
            socket.curve_serverkey, socket.curve_publickey = keys.server, keys.public
            socket.curve_secretkey = keys.secret
        socket.connect(endpoint)
        socket.send(b'{"want": "state"}')
        return bool(socket.poll(int(SILENCE_S * 1000)))


def test_only_those_on_the_list_are_heard(tmp_path: Path, folder: KeyFolder) -> None:
    """A subscriber and an operator are; a camera, a stranger with keys and one without are not."""
    subscriber, camera = folder.issue("display", "subscriber"), folder.issue("door", "camera")
    stranger = Keys(held(folder, subscriber).server, *zmq.curve_keypair())
    operator = folder.path / "issued" / "operator.key_secret"
    guarded = folder.server("subscriber", "operator")
    with publishing(tmp_path / "log", keys=guarded) as made:
        made.publish(1)
        assert hears(made, held(folder, subscriber))
        assert hears(made, held(folder, operator))
        assert is_refused(made, held(folder, camera))
        assert is_refused(made, stranger)
        assert is_refused(made, None)


def test_allowing_and_revoking_hold_for_the_next_connection(tmp_path: Path, folder: KeyFolder) -> None:
    theirs = KeyFolder(tmp_path / "theirs")
    theirs.make_pipeline()
    secret = theirs.path / "issued" / "operator.key_secret"
    guest = tmp_path / "guest.key"
    guest.write_bytes(secret.with_suffix(".key").read_bytes())
    keys = held(folder, secret)
    with publishing(tmp_path / "log", keys=folder.server("subscriber")) as made:
        made.publish(1)
        assert is_refused(made, keys)
        folder.allow(guest, "subscriber")
        assert hears(made, keys)
        assert folder.revoke("guest") == ["subscriber"]
        assert is_refused(made, keys)
        assert folder.revoke("guest") == []


def test_the_list_names_everybody_with_their_role(folder: KeyFolder) -> None:
    folder.issue("display", "subscriber")
    folder.issue("door", "camera")
    assert [(one.name, one.role) for one in folder.allowed()] == [
        ("display", "subscriber"),
        ("door", "camera"),
        ("operator", "operator"),
    ]


def test_secrets_are_closed_to_other_users_and_refused_when_open(folder: KeyFolder) -> None:
    secret = folder.issue("display", "subscriber")
    assert secret.stat().st_mode & 0o077 == 0
    assert (folder.path / "pipeline.key_secret").stat().st_mode & 0o077 == 0
    secret.chmod(0o644)
    with pytest.raises(ConfigError, match="other users can read"):
        load_pair(secret)


def test_keys_are_never_overwritten(folder: KeyFolder) -> None:
    before = (folder.path / "pipeline.key_secret").read_bytes()
    assert not folder.make_pipeline()
    folder.issue("display", "subscriber")
    with pytest.raises(ConfigError, match="is there already"):
        folder.issue("display", "operator")
    assert (folder.path / "pipeline.key_secret").read_bytes() == before


@pytest.mark.parametrize("name", ["", "../pipeline", "a b", "a/b", "x" * 65])
def test_a_name_that_would_leave_the_folder_is_refused(folder: KeyFolder, name: str) -> None:
    with pytest.raises(ConfigError, match="key name"):
        folder.issue(name, "subscriber")
    with pytest.raises(ConfigError, match="key name"):
        folder.revoke(name)


@pytest.mark.parametrize("content", [None, b"", b"\x00\xff garbage", b'curve\n    public-key = "short"\n'])
def test_a_broken_key_file_is_one_clear_line(
    tmp_path: Path, folder: KeyFolder, content: bytes | None
) -> None:
    broken = tmp_path / "broken.key"
    if content is not None:
        broken.write_bytes(content)
    with pytest.raises(ConfigError, match=r"key"):
        folder.allow(broken, "subscriber")
    with pytest.raises(ConfigError, match=r"key"):
        client_keys(broken, broken)


def test_a_broken_file_on_the_list_keeps_nobody_else_out(folder: KeyFolder) -> None:
    """It admits nobody itself, and looking at the list names it."""
    secret = folder.issue("display", "subscriber")
    (folder.path / "allowed" / "subscriber" / "aaa.key").write_bytes(b"garbage")
    assert folder.admits(load_pair(secret)[0], ("subscriber",))
    assert not folder.admits(zmq.curve_keypair()[0], ("subscriber",))
    with pytest.raises(ConfigError, match=r"aaa\.key"):
        folder.allowed()


def test_without_the_pipelines_keys_nobody_can_be_allowed(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="keys init"):
        KeyFolder(tmp_path / "empty").issue("display", "subscriber")


def test_only_tcp_sockets_of_a_configured_folder_are_guarded(folder: KeyFolder) -> None:
    config = SecurityConfig(keys=str(folder.path))
    assert config.guarding("ipc:///run/x", "subscriber") is None
    assert SecurityConfig().guarding("tcp://127.0.0.1:5577", "subscriber") is None
    assert config.guarding("tcp://0.0.0.0:5577", "subscriber") is not None


def test_a_peer_that_asks_without_end_is_refused_and_others_are_not() -> None:
    allowance = Allowance(per_s=10, at_once=5, peers=2)
    assert [allowance.take(b"greedy", 0.0) for _ in range(6)] == [True] * 5 + [False]
    assert allowance.take(b"modest", 0.0)
    assert allowance.take(b"greedy", 0.1)
    assert not allowance.take(b"greedy", 0.1)
    # A third peer makes room by forgetting the one heard least lately.
    assert allowance.take(b"third", 0.1)
    assert allowance.take(b"modest", 0.1)


def arrives(inlet: Inlet, keys: CurveKeys | None, patience_s: float) -> bool:
    """Whether a token sent with these keys comes through the hop."""
    outlet = Outlet(inlet.endpoint, limits=Limits(4, linger_s=0.0), keys=keys)
    outlet.send(FrameToken(reference(0), "gaitway-x.frames", 0, 1))
    found = inlet.receive(patience_s)
    outlet.close()
    return found is not None


def test_a_hop_over_tcp_takes_the_pipelines_own_stages_and_cameras_machines_alone(folder: KeyFolder) -> None:
    config = SecurityConfig(keys=str(folder.path))
    camera, display = folder.issue("yard", "camera"), folder.issue("display", "subscriber")
    elsewhere = SecurityConfig(keys=str(folder.path), identity=str(camera))
    inlet = Inlet("tcp://127.0.0.1:0", keys=config.receiving("tcp://127.0.0.1:0"))
    assert arrives(inlet, config.sending(inlet.endpoint), WAIT_S)
    assert arrives(inlet, elsewhere.sending(inlet.endpoint), WAIT_S)
    assert not arrives(inlet, folder.client_of(display), SILENCE_S)
    assert not arrives(inlet, CurveKeys(*zmq.curve_keypair(), folder.own().public), SILENCE_S)
    assert not arrives(inlet, None, SILENCE_S)
    inlet.close()


def test_a_hop_that_would_leave_this_host_without_keys_is_refused_at_both_ends(folder: KeyFolder) -> None:
    with pytest.raises(ConfigError, match="would listen beyond this host without keys"):
        Inlet("tcp://0.0.0.0:0")
    with pytest.raises(ConfigError, match="lies beyond this host, and there are no keys"):
        Outlet("tcp://192.0.2.7:17400")
    Outlet("tcp://192.0.2.7:17400", limits=Limits(4, linger_s=0.0), keys=folder.own()).close()
    config = SecurityConfig(keys=str(folder.path))
    assert config.sending("ipc:///run/x") is config.receiving("ipc:///run/x") is None


def served(server: ControlServer, endpoint: str, request: ControlRequest, keys: CurveKeys) -> ControlReply:
    """The answer to one question, this thread being the server too."""
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(ask, endpoint, request, timeout_s=SILENCE_S, keys=keys)
        while not asked.done():
            wait_for([server.socket], 0.02)
            server.serve(lambda request: ControlReply(ok=True, result={"verb": request.verb}))
        return asked.result()


def test_orders_over_the_network_are_an_operators_alone_and_small(folder: KeyFolder) -> None:
    config = SecurityConfig(keys=str(folder.path))
    server = ControlServer("tcp://127.0.0.1:0", keys=config.guarding("tcp://127.0.0.1:0", "operator"))
    operator, display = folder.client(), folder.client_of(folder.issue("display", "subscriber"))
    assert served(server, server.endpoint, ControlRequest("list"), operator).result == {"verb": "list"}
    with pytest.raises(ResourceError, match="no pipeline answers"):
        served(server, server.endpoint, ControlRequest("list"), display)
    with pytest.raises(ResourceError, match="no pipeline answers"):
        served(server, server.endpoint, ControlRequest("list", {"camera": "x" * 100_000}), operator)
    assert served(server, server.endpoint, ControlRequest("list"), operator).ok, "others are still served"
    server.close()


def test_a_caller_is_known_by_the_key_and_not_by_the_connection(folder: KeyFolder) -> None:
    keys = folder.server("operator")
    for guarded, known_again in ((keys, True), (None, False)):
        router = open_socket(
            zmq.ROUTER, "tcp://127.0.0.1:0", bind=True, limits=Limits(4, 4096, 0.0), keys=guarded
        )
        callers = []
        for _ in range(2):
            caller = open_socket(
                zmq.DEALER,
                router.getsockopt_string(zmq.LAST_ENDPOINT),
                bind=False,
                limits=Limits(4, 4096, 0.0),
                keys=folder.client() if guarded else None,
            )
            caller.send(b"hello")
            assert readable(router, int(WAIT_S * 1000))
            callers.append(receive_from(router)[0])
            caller.close()
        assert (callers[0] == callers[1]) is known_again
        router.close()


def test_who_asks_the_control_socket_without_end_is_refused(folder: KeyFolder) -> None:
    server = ControlServer("tcp://127.0.0.1:0")
    flood = open_socket(zmq.DEALER, server.endpoint, bind=False, limits=Limits(5000, 64 * 1024, 0.0))
    for _ in range(2000):
        flood.send_multipart([b"", encode(ControlRequest("list"))])
    replies: list[ControlReply] = []
    until_s = time.monotonic() + WAIT_S
    while len(replies) < 2000 and time.monotonic() < until_s:
        server.serve(lambda _: ControlReply(ok=True))
        while readable(flood):
            replies.append(decode(flood.recv_multipart()[-1]))
    assert {reply.error for reply in replies} == {"", "asked too often"}
    flood.close()
    server.close()


def test_a_subscription_that_is_none_of_ours_does_no_harm(tmp_path: Path) -> None:
    with publishing(tmp_path / "log") as made:
        rude = zmq.Context.instance().socket(zmq.SUB)
        rude.linger = 0
        rude.connect(made.endpoint)
        rude.subscribe(b"x" * 100_000)
        with subscribe(made.endpoint, repair=made.repair, history=True, timeout_s=WAIT_S) as events:
            made.publish(1)
            assert next(events).sequence == 1
        rude.close()
