"""Events posted to an HTTP address, signed as the Standard Webhooks specification says.

    POST URL
    webhook-id          the same whenever the same events are sent again: to be taken once
    webhook-timestamp   seconds since 1970
    webhook-signature   v1,BASE64 of HMAC-SHA256 over "ID.TIMESTAMP.BODY"; only with a secret

    {"deliveries": [{"event": {...}, "replayed": false}, ...]}

2xx: arrived. 400, 413, 415, 422: will never be taken, and is let go. Anything else, redirects included:
later, after ``Retry-After`` where that is said. Certificates are always checked.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import http.client
import ssl
import time
from collections.abc import Callable, Sequence
from typing import Final
from urllib.parse import SplitResult, urlsplit

import msgspec

from stream.errors import ConfigError
from stream.sinks.base import NotNowError, RefusedError, delivery
from stream.sinks.config import TlsConfig, WebhookConfig, secret_of
from stream.sinks.follow import Waiting

REFUSED: Final = (400, 413, 415, 422)
_MOST_READ: Final = 64 * 1024


class WebhookSink:
    """Posts events over one connection that is kept open."""

    def __init__(self, config: WebhookConfig, clock: Callable[[], float] = time.time) -> None:
        """Raises ConfigError for certificates or a secret that cannot be used."""
        self.batch = config.batch
        self._config, self._clock, self._secret = config, clock, secret_of(config)
        self._to = urlsplit(config.url)
        self._tls = tls_context(config) if self._to.scheme == "https" else None
        self._connection: http.client.HTTPConnection | None = None

    def deliver(self, events: Sequence[Waiting]) -> None:
        """Post them in one request."""
        body = msgspec.json.encode({"deliveries": [delivery(event) for event in events]})
        try:
            connection = self._connection = self._connection or self._connect()
            connection.request("POST", _target(self._to), body, self._headers(events, body))
            answer = connection.getresponse()
            answer.read(_MOST_READ)
        except (OSError, http.client.HTTPException) as error:
            self._hang_up()
            raise NotNowError(f"{self._to.hostname} does not answer ({_why(error)})") from error
        if not answer.isclosed() or answer.will_close:
            self._hang_up()  # it says more than anybody wants to know
        self._judge(answer)

    def idle(self) -> None:
        """Nothing is kept up."""

    def close(self) -> None:
        """Hang up."""
        self._hang_up()

    def _judge(self, answer: http.client.HTTPResponse) -> None:
        if answer.status in REFUSED:
            raise RefusedError(f"{self._to.hostname} answered {answer.status}")
        if not 200 <= answer.status < 300:
            after = answer.getheader("Retry-After", "")
            raise NotNowError(
                f"{self._to.hostname} answered {answer.status}", float(after) if after.isdigit() else 0.0
            )

    def _headers(self, events: Sequence[Waiting], body: bytes) -> dict[str, str]:
        ids = hashlib.blake2b("".join(event.id for event in events).encode(), digest_size=16).hexdigest()
        headers = {
            **self._config.headers,
            "Content-Type": "application/json",
            "User-Agent": "gaitway",
            "webhook-id": f"msg_{ids}",
            "webhook-timestamp": str(int(self._clock())),
        }
        if self._secret:
            signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
            code = base64.b64encode(hmac.digest(self._secret, signed, "sha256")).decode()
            headers["webhook-signature"] = f"v1,{code}"
        return headers

    def _connect(self) -> http.client.HTTPConnection:
        host, port, timeout_s = self._to.hostname or "", self._to.port, self._config.timeout_s
        if self._tls is not None:
            return http.client.HTTPSConnection(host, port, timeout=timeout_s, context=self._tls)
        return http.client.HTTPConnection(host, port, timeout=timeout_s)

    def _hang_up(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(OSError):
                self._connection.close()
            self._connection = None


def tls_context(config: TlsConfig) -> ssl.SSLContext:
    """What checks the receiver's certificate, and shows ours; raises ConfigError for files that are none."""
    try:
        context = ssl.create_default_context(cafile=config.ca or None)
        if config.certificate:
            context.load_cert_chain(config.certificate, config.key)
    except (OSError, ssl.SSLError) as error:
        named = ", ".join(filter(None, (config.ca, config.certificate, config.key)))
        raise ConfigError(
            f"no usable certificates ({_why(error)})", where=named, wanted="PEM files"
        ) from error
    return context


def _target(url: SplitResult) -> str:
    return (url.path or "/") + (f"?{url.query}" if url.query else "")


def _why(error: Exception) -> str:
    reason = getattr(error, "strerror", None) or str(error)
    return reason or type(error).__name__
