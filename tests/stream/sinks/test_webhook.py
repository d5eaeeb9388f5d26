"""Webhooks against a real HTTP and HTTPS server: signed, verified, retried under the same id, refused for good."""

from __future__ import annotations

import base64
import datetime
import ipaddress
import json
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from standardwebhooks import Webhook

from stream.errors import ConfigError
from stream.sinks.base import NotNowError, RefusedError
from stream.sinks.config import SinksConfig, WebhookConfig
from stream.sinks.follow import Waiting
from stream.sinks.webhook import WebhookSink
from tests.stream.sinks.test_jsonl import waiting

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()


class Endpoint(ThreadingHTTPServer):
    """Keeps what is posted; answers with the statuses and headers of its script, then 204."""

    daemon_threads = True

    def __init__(self) -> None:
        self.script: deque[tuple[int, dict[str, str]]] = deque()
        self.posts: list[tuple[dict[str, str], bytes]] = []
        self.connections = 0
        self.wait_s = 0.0
        super().__init__(("127.0.0.1", 0), _Answer)

    def url(self, scheme: str = "http", path: str = "/hook?a=1") -> str:
        return f"{scheme}://127.0.0.1:{self.server_address[1]}{path}"

    def get_request(self):
        self.connections += 1
        return super().get_request()

    def handle_error(self, *_: object) -> None:
        pass


class _Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.posts.append((dict(self.headers.items()) | {"path": self.path}, body))
        time.sleep(self.server.wait_s)
        status, headers = self.server.script.popleft() if self.server.script else (204, {})
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    server = Endpoint()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


Make = Callable[..., WebhookSink]


@pytest.fixture
def make(endpoint: Endpoint) -> Iterator[Make]:
    sinks: list[WebhookSink] = []

    def make(url: str = "", **how: object) -> WebhookSink:
        sinks.append(WebhookSink(WebhookConfig(url=url or endpoint.url(), **how)))
        return sinks[-1]

    yield make
    for sink in sinks:
        sink.close()


def test_events_are_posted_and_the_signature_is_what_the_specification_says(
    endpoint: Endpoint, make: Make
) -> None:
    make(secret=SECRET, headers={"X-Api": "k"}).deliver([waiting(1), waiting(2, replayed=True)])
    headers, body = endpoint.posts[0]
    verified = Webhook(SECRET).verify(body, {name.lower(): value for name, value in headers.items()})
    assert [(one["event"]["id"], one["replayed"]) for one in verified["deliveries"]] == [
        *(("e1", False), ("e2", True))
    ]
    assert (headers["path"], headers["X-Api"], headers["Content-Type"]) == (
        "/hook?a=1",
        "k",
        "application/json",
    )


def test_without_a_secret_nothing_is_signed(endpoint: Endpoint, make: Make) -> None:
    make().deliver([waiting(1)])
    assert "webhook-signature" not in endpoint.posts[0][0]


def test_the_same_events_have_the_same_id_whenever_they_are_sent(endpoint: Endpoint, make: Make) -> None:
    endpoint.script.append((503, {}))
    sink = make()
    with pytest.raises(NotNowError, match="answered 503"):
        sink.deliver([waiting(1), waiting(2)])
    sink.deliver([waiting(1, replayed=True), waiting(2, replayed=True)])
    make().deliver([waiting(3)])
    first, second, other = (headers["webhook-id"] for headers, _ in endpoint.posts)
    assert first == second != other
    assert endpoint.connections == 2  # one a sink: it is kept open


@pytest.mark.parametrize("status", [301, 302, 401, 404, 408, 429, 500])
def test_what_may_get_better_is_tried_again(endpoint: Endpoint, make: Make, status: int) -> None:
    endpoint.script.append((status, {"Location": endpoint.url(path="/other")}))
    with pytest.raises(NotNowError, match=str(status)):
        make().deliver([waiting(1)])
    assert len(endpoint.posts) == 1


@pytest.mark.parametrize("status", [400, 413, 415, 422])
def test_what_will_never_be_taken_is_refused(endpoint: Endpoint, make: Make, status: int) -> None:
    endpoint.script.append((status, {}))
    with pytest.raises(RefusedError, match=str(status)):
        make().deliver([waiting(1)])


@pytest.mark.parametrize(
    ("said", "after_s"), [("7", 7.0), ("Wed, 21 Oct 2026 07:28:00 GMT", 0.0), ("-3", 0.0)]
)
def test_the_patience_that_a_busy_receiver_asks_for_is_passed_on(
    endpoint: Endpoint, make: Make, said: str, after_s: float
) -> None:
    endpoint.script.append((429, {"Retry-After": said}))
    with pytest.raises(NotNowError) as caught:
        make().deliver([waiting(1)])
    assert caught.value.after_s == after_s


def test_a_receiver_that_does_not_answer_in_time_is_given_up_for_now(endpoint: Endpoint, make: Make) -> None:
    endpoint.wait_s = 1.0
    with pytest.raises(NotNowError, match="does not answer"):
        make(timeout_s=0.2).deliver([waiting(1)])


def test_a_connection_that_was_closed_meanwhile_is_opened_anew(endpoint: Endpoint, make: Make) -> None:
    endpoint.script.append((204, {"Connection": "close"}))
    sink = make()
    sink.deliver([waiting(1)])
    sink.deliver([waiting(2)])
    assert endpoint.connections == 2


def test_nobody_there_is_one_clear_line(make: Make) -> None:
    with pytest.raises(NotNowError, match=r"127\.0\.0\.1 does not answer \(.*refused"):
        make("http://127.0.0.1:9/").deliver([waiting(1)])


def certificate(folder: Path, name: str, host: str = "127.0.0.1") -> tuple[Path, Path]:
    """A self-signed certificate for ``host`` and its key, as files."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    day = datetime.timedelta(days=1)
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(host))])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - day)
        .not_valid_after(now + day)
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    files = folder / f"{name}.pem", folder / f"{name}.key"
    files[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    files[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    )
    return files


def serve_tls(endpoint: Endpoint, files: tuple[Path, Path], client_ca: Path | None = None) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*files)
    if client_ca is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(client_ca)
    endpoint.socket = context.wrap_socket(endpoint.socket, server_side=True)


def test_a_certificate_that_is_known_is_trusted_and_another_is_not(
    endpoint: Endpoint, make: Make, tmp_path: Path
) -> None:
    ours = certificate(tmp_path, "ours")
    serve_tls(endpoint, ours)
    make(endpoint.url("https"), ca=str(ours[0])).deliver([waiting(1)])
    other = certificate(tmp_path, "other")
    for ca in (str(other[0]), ""):
        with pytest.raises(NotNowError, match=r"(?i)certificate"):
            make(endpoint.url("https"), ca=ca).deliver([waiting(2)])
    assert [json.loads(body)["deliveries"][0]["event"]["id"] for _, body in endpoint.posts] == ["e1"]


def test_a_certificate_for_another_host_is_not_trusted(
    endpoint: Endpoint, make: Make, tmp_path: Path
) -> None:
    files = certificate(tmp_path, "ours", host="127.0.0.2")
    serve_tls(endpoint, files)
    with pytest.raises(NotNowError, match=r"(?i)certificate|mismatch"):
        make(endpoint.url("https"), ca=str(files[0])).deliver([waiting(1)])
    assert endpoint.posts == []


def test_a_receiver_that_wants_our_certificate_gets_it(
    endpoint: Endpoint, make: Make, tmp_path: Path
) -> None:
    server, client = certificate(tmp_path, "server"), certificate(tmp_path, "client")
    serve_tls(endpoint, server, client[0])
    own = {"certificate": str(client[0]), "key": str(client[1])}
    make(endpoint.url("https"), ca=str(server[0]), **own).deliver([waiting(1)])
    with pytest.raises(NotNowError):
        make(endpoint.url("https"), ca=str(server[0])).deliver([waiting(2)])
    assert len(endpoint.posts) == 1


def test_certificates_that_are_none_are_refused_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nothing")
    with pytest.raises(ConfigError, match="no usable certificates"):
        WebhookSink(WebhookConfig(url="https://h/", ca=str(tmp_path / "ca.pem")))


@pytest.mark.parametrize(
    ("how", "named"),
    [
        ({"url": "http://example.org/"}, "unencrypted"),
        ({"url": "ftp://example.org/"}, "https://HOST"),
        ({"url": "https://"}, "https://HOST"),
        ({"url": "https://h:0x/"}, "https://HOST"),
        ({"url": "https://h/", "secret": "hunter2"}, "whsec_"),
        ({"url": "https://h/", "secret": "whsec_AAAA"}, "24 random bytes"),
        ({"url": "https://h/", "certificate": "a.pem"}, "go together"),
    ],
)
def test_a_webhook_that_cannot_be_is_refused_and_no_secret_is_shown(how: dict, named: str) -> None:
    with pytest.raises(ConfigError, match=named) as caught:
        SinksConfig(webhook={"door": WebhookConfig(**how)}).check()
    assert "sinks.webhook.door" in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_plain_http_beyond_this_host_has_to_be_said() -> None:
    SinksConfig(webhook={"door": WebhookConfig(url="http://example.org/", plain=True)}).check()
    SinksConfig(webhook={"door": WebhookConfig(url="http://127.0.0.1:8080/hook")}).check()


def test_a_waiting_event_is_sent_as_its_line_stands(endpoint: Endpoint, make: Make) -> None:
    line = b'{"type":"event","id":"e9","details":{"n":1.50}}'
    make().deliver([Waiting("e9", "door", line, 0, False)])
    assert line in endpoint.posts[0][1]
