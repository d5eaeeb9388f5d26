"""Events to an MQTT broker, each acknowledged; and whether we are there, retained, with a last will.

    TOPIC/events/CAMERA    QoS 1: {"event": {...}, "replayed": false}
    TOPIC/availability     retained: online, or offline, which the broker says for us should we vanish

The one module that needs the extra ``gaitway[mqtt]``.
"""

from __future__ import annotations

import contextlib
import secrets
import threading
import time
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion

from stream.sinks.base import NotNowError, delivery
from stream.sinks.config import MqttConfig
from stream.sinks.follow import Waiting
from stream.sinks.webhook import tls_context

ONLINE, OFFLINE = b"online", b"offline"
_PORTS: Final = {"mqtt": 1883, "mqtts": 8883}
_KEEPALIVE_S: Final = 15


class MqttSink:
    """Publishes over one connection; after anything goes wrong, over a new one."""

    batch = 64  # unacknowledged at a time

    def __init__(self, config: MqttConfig) -> None:
        """Raises ConfigError for certificates that cannot be used."""
        self._config, self._to = config, urlsplit(config.url)
        self._tls = tls_context(config) if self._to.scheme == "mqtts" else None
        self._availability = f"{config.topic}/availability"
        self._name = f"gaitway-{secrets.token_hex(6)}"
        self._link: _Link | None = None

    def deliver(self, events: Sequence[Waiting]) -> None:
        """Publish them, and wait until the broker has each."""
        link = self._connected()
        until_s = time.monotonic() + self._config.timeout_s
        try:
            sent = [
                link.publish(
                    f"{self._config.topic}/events/{event.camera}", msgspec.json.encode(delivery(event))
                )
                for event in events
            ]
            for one in sent:
                link.await_acknowledged(one, until_s)
        except NotNowError:
            self._drop()
            raise

    def idle(self) -> None:
        """Be there."""
        self._connected()

    def close(self) -> None:
        """Say that we are gone, and go."""
        if self._link is not None and self._link.up:
            with contextlib.suppress(NotNowError):
                said = self._link.publish(self._availability, OFFLINE, retain=True)
                self._link.await_acknowledged(said, time.monotonic() + 1.0)
        self._drop()

    def _connected(self) -> _Link:
        if self._link is not None and self._link.up:
            return self._link
        self._drop()
        link = _Link(self._client(), self._to.hostname or "")
        try:
            link.connect(self._to.port or _PORTS[self._to.scheme], self._config.timeout_s)
            said = link.publish(self._availability, ONLINE, retain=True)
            link.await_acknowledged(said, time.monotonic() + self._config.timeout_s)
        except NotNowError:
            link.drop()
            raise
        self._link = link
        return link

    def _client(self) -> paho.Client:
        client = paho.Client(CallbackAPIVersion.VERSION2, client_id=self._name, protocol=paho.MQTTv311)
        client.max_inflight_messages_set(self.batch)
        client.connect_timeout = self._config.timeout_s
        client.will_set(self._availability, OFFLINE, qos=1, retain=True)
        if self._config.username:
            client.username_pw_set(self._config.username, self._config.password or None)
        if self._tls is not None:
            client.tls_set_context(self._tls)
        return client

    def _drop(self) -> None:
        if self._link is not None:
            self._link.drop()
            self._link = None


class _Link:
    """One connection; paho's own queue and reconnecting are left unused, for the log is the queue."""

    def __init__(self, client: paho.Client, host: str) -> None:
        self._client, self._host = client, host
        self._answered = threading.Event()
        self._refusal = ""
        self.up = False
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect

    def connect(self, port: int, timeout_s: float) -> None:
        """Connect and be let in."""
        try:
            self._client.connect(self._host, port, keepalive=_KEEPALIVE_S)
        except (OSError, ValueError) as error:
            raise self._away(getattr(error, "strerror", None) or str(error)) from error
        self._client.loop_start()
        if not self._answered.wait(timeout_s):
            raise self._away(f"no answer in {timeout_s:g} s")
        if self._refusal:
            raise self._away(self._refusal)

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> paho.MQTTMessageInfo:
        """Hand one message over."""
        info = self._client.publish(topic, payload, qos=1, retain=retain)
        if info.rc != paho.MQTT_ERR_SUCCESS:
            raise self._away(paho.error_string(info.rc))
        return info

    def await_acknowledged(self, info: paho.MQTTMessageInfo, until_s: float) -> None:
        """Return once the broker has it."""
        while not info.is_published():
            if not self.up:
                raise self._away("the connection was lost")
            left_s = until_s - time.monotonic()
            if left_s <= 0:
                raise self._away("does not acknowledge")
            with contextlib.suppress(RuntimeError, ValueError):
                info.wait_for_publish(min(left_s, 0.1))

    def drop(self) -> None:
        """Let go of the connection."""
        self.up = False
        self._client.disconnect()
        self._client.loop_stop()

    def _on_connect(self, *answer: Any) -> None:
        reason = answer[3]
        self._refusal = str(reason) if reason.is_failure else ""
        self.up = not reason.is_failure
        self._answered.set()

    def _on_disconnect(self, *_: Any) -> None:
        self.up = False

    def _away(self, why: str) -> NotNowError:
        return NotNowError(f"broker {self._host}: {why}")
