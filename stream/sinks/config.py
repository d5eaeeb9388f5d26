"""The ``sinks:`` part of pipeline.yaml: where events go beside ZeroMQ, and what each place is given."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from typing import Annotated, Final
from urllib.parse import urlsplit

import msgspec

from stream.errors import ConfigError
from stream.messages import EventKind
from stream.redact import redact
from stream.sockets import is_loopback

SECRET_PREFIX: Final = "whsec_"  # noqa: S105 -- what a secret begins with
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}")  # it becomes a file's
_SECRET_BYTES: Final = 24
_HINT: Final = 'echo "whsec_$(openssl rand -base64 32)"'

Seconds = Annotated[float, msgspec.Meta(gt=0, le=3600)]


class SinkConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What all kinds have in common.

    ``cameras``, ``kinds``: only events of these; empty: of all. ``behind``: how many events may wait for a
    receiver that is away; beyond, the oldest are let go and counted.
    """

    cameras: tuple[str, ...] = ()
    kinds: tuple[EventKind, ...] = ()
    behind: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 10_000  # hours of a busy door


class JsonlConfig(SinkConfig, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A file of JSON lines for a collector to follow.

    ``path``: relative to the run's folder. At ``max_bytes`` it becomes NAME.1.jsonl, and so on to ``keep``
    files; the oldest is removed.
    """

    path: Annotated[str, msgspec.Meta(min_length=1)]
    max_bytes: Annotated[int, msgspec.Meta(ge=4096)] = 100_000_000
    keep: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 5


class TlsConfig(SinkConfig, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A receiver behind TLS: the system's authorities are trusted, or those in the file ``ca``.

    ``certificate`` and ``key``: files with our own, where the receiver wants one. ``plain``: it may be
    another machine without encryption; otherwise only this one.
    """

    ca: str = ""
    certificate: str = ""
    key: str = ""
    plain: bool = False


class WebhookConfig(TlsConfig, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An HTTP address that events are posted to, up to ``batch`` in one request.

    ``secret``: signs each request as the Standard Webhooks specification says; ``whsec_`` and base64.
    """

    url: str
    secret: str = ""
    batch: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 1
    timeout_s: Seconds = 5.0
    headers: dict[str, str] = {}


class MqttConfig(TlsConfig, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A broker: events under TOPIC/events/CAMERA, ``online`` or ``offline`` retained at TOPIC/availability.

    ``url``: mqtt://HOST:1883 or mqtts://HOST:8883.
    """

    url: str
    username: str = ""
    password: str = ""
    topic: Annotated[str, msgspec.Meta(min_length=1, max_length=200, pattern="^[^+#]*[^+#/]$")] = "gaitway/1"
    timeout_s: Seconds = 5.0


class SinksConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The sinks of each kind by name."""

    jsonl: dict[str, JsonlConfig] = {}
    webhook: dict[str, WebhookConfig] = {}
    mqtt: dict[str, MqttConfig] = {}

    def named(self) -> Iterator[tuple[str, SinkConfig]]:
        """Every sink and its name, such as ``webhook-door``: unique, and good for a file's name."""
        for kind in ("jsonl", "webhook", "mqtt"):
            for name, config in getattr(self, kind).items():
                yield f"{kind}-{name}", config

    @property
    def any(self) -> bool:
        """Whether there is one."""
        return bool(self.jsonl or self.webhook or self.mqtt)

    def check(self) -> None:
        """Raises ConfigError for what no type can say."""
        for kind in ("jsonl", "webhook", "mqtt"):
            for name in getattr(self, kind):
                if not _NAME.fullmatch(name):
                    wanted = "1 to 32 letters, digits, '-' or '_', not starting with one of the last two"
                    raise ConfigError(f"name {name!r}", where=f"sinks.{kind}", wanted=wanted)
        for name, config in self.webhook.items():
            where = f"sinks.webhook.{name}"
            _check_url(config, config.url, ("https", "http"), where)
            secret_of(config, where)
        for name, mqtt in self.mqtt.items():
            _check_url(mqtt, mqtt.url, ("mqtts", "mqtt"), f"sinks.mqtt.{name}")


def secret_of(config: WebhookConfig, where: str = "webhook") -> bytes:
    """The key that signs; empty where none is given. Raises ConfigError for one that cannot be."""
    if not config.secret:
        return b""
    try:
        if not config.secret.startswith(SECRET_PREFIX):
            raise ValueError("another prefix")
        key = base64.b64decode(config.secret.removeprefix(SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) < _SECRET_BYTES:
        wanted = f"{SECRET_PREFIX} and base64 of at least {_SECRET_BYTES} random bytes"
        raise ConfigError("secret", where=where, wanted=wanted, fix=f"Make one: {_HINT}")
    return key


def _check_url(config: TlsConfig, url: str, schemes: tuple[str, str], where: str) -> None:
    secure, plain = schemes
    try:
        parts = urlsplit(url)
        found = parts.scheme in schemes and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        found = False
    if not found:
        raise ConfigError(f"url {redact(url)!r}", where=where, wanted=f"{secure}://HOST or {plain}://HOST")
    if parts.scheme == plain and not config.plain and not is_loopback(parts.hostname or ""):
        raise ConfigError(
            f"{redact(url)} would carry names of people unencrypted",
            where=where,
            wanted=f"{secure}://",
            fix="Set plain: true if the way there is safe without",
        )
    if bool(config.certificate) != bool(config.key):
        raise ConfigError("certificate and key go together", where=where, fix="Name both files")
