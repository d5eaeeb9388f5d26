"""The HTTP page on a running pipeline: `/metrics`, `/healthz`, `/readyz`. Read only, on loopback unless told.

It lives in the supervisor's process. A request reads what lies there and asks no stage, so that it costs the
pipeline next to nothing, and is answered also while a stage hangs.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

import msgspec

from stream.errors import ConfigError, ResourceError
from stream.health import Health, HealthLimits, health
from stream.look import Status
from stream.metrics import metrics_page
from stream.sockets import is_loopback

_AT_ONCE: Final = 8
_PATIENCE_S: Final = 5.0
_LOOK_FOR_CLOSE_S: Final = 0.1


class MonitorConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Who may look in, and what counts as well.

    ``http``: HOST:PORT of `/metrics`, `/healthz` and `/readyz`; empty: none. They show camera names and
    counts, are not encrypted and ask nobody who they are, so any but a loopback address has to be allowed
    with ``beyond_host``. ``camera_lost_s``: how long a camera may be lost before the pipeline is unhealthy.
    """

    http: str = ""
    beyond_host: bool = False
    camera_lost_s: float = 30.0  # a camera that reboots is back by then

    @property
    def address(self) -> tuple[str, int] | None:
        """Host and port; None where nobody is to look in. Raises ConfigError for what cannot be one."""
        if not self.http:
            return None
        host, _, port = self.http.rpartition(":")
        if not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
            raise ConfigError(f"{self.http!r}", where="monitor.http", wanted="HOST:PORT, as 127.0.0.1:5579")
        if not is_loopback(host) and not self.beyond_host:
            raise ConfigError(
                f"{self.http} would show this pipeline to other machines, unencrypted",
                where="monitor.http",
                wanted="a loopback address",
                fix="Set monitor.beyond_host: true if that is what you want, or scrape through a proxy",
            )
        return host.strip("[]"), int(port)

    def limits(self, heartbeat_s: float) -> HealthLimits:
        """What counts as well: half of the silence for which a stage is killed is a hang already."""
        return HealthLimits(silent_s=heartbeat_s / 2, lost_s=self.camera_lost_s)


class Monitor:
    """While entered, answers at ``address`` what ``look`` sees then."""

    def __init__(self, address: tuple[str, int], look: Callable[[], Status], limits: HealthLimits) -> None:
        """Listen; raises ResourceError where that cannot be."""
        try:
            self._server = _Server(address, look, limits)
        except OSError as error:
            raise ResourceError(
                f"cannot listen at {address[0]}:{address[1]} ({error.strerror})",
                where="monitor.http",
                fix="Another pipeline may be there: give this one another port",
            ) from error
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(_LOOK_FOR_CLOSE_S,), name="monitor", daemon=True
        )

    @property
    def port(self) -> int:
        """The port, known where 0 was asked for."""
        return int(self._server.server_address[1])

    def __enter__(self) -> Monitor:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    """A thread a request, of which there are never more than a few: whoever comes then is turned away."""

    block_on_close = False

    def __init__(self, address: tuple[str, int], look: Callable[[], Status], limits: HealthLimits) -> None:
        self.look, self.limits = look, limits
        self._room = threading.BoundedSemaphore(_AT_ONCE)
        if ":" in address[0]:
            self.address_family = socket.AF_INET6
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer on a thread, where there is room for one."""
        if self._room.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """As the server does; then there is room again."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._room.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Whoever asked went away: nothing to say."""


class _Handler(BaseHTTPRequestHandler):
    server_version = "gaitway"
    sys_version = ""
    timeout = _PATIENCE_S  # for whoever connects and says nothing

    def do_GET(self) -> None:
        """Answer one of the three pages."""
        path = self.path.partition("?")[0]
        if path not in ("/metrics", "/healthz", "/readyz"):
            self._send(HTTPStatus.NOT_FOUND, "text/plain", b"/metrics, /healthz or /readyz\n")
            return
        assert isinstance(self.server, _Server)
        status = self.server.look()
        verdict = health(status, self.server.limits)
        if path == "/metrics":
            page = metrics_page(status, verdict, self.headers.get("Accept", ""))
            self._send(HTTPStatus.OK, page.content_type, page.body)
        else:
            self._tell(verdict, well=verdict.healthy if path == "/healthz" else verdict.ready)

    def do_HEAD(self) -> None:
        """The same without the page."""
        self.do_GET()

    def _tell(self, verdict: Health, *, well: bool) -> None:
        answer = HTTPStatus.OK if well else HTTPStatus.SERVICE_UNAVAILABLE
        self._send(answer, "application/json", msgspec.json.encode(verdict) + b"\n")

    def _send(self, status: HTTPStatus, content_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        if self.command != "HEAD":
            with contextlib.suppress(BrokenPipeError):
                self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """A scrape every few seconds is no news."""
