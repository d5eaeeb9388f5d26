"""MQTT against a real broker: events acknowledged in order, availability retained, the last will, a broker killed."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion

from stream.errors import ConfigError
from stream.sinks.base import NotNowError
from stream.sinks.config import MqttConfig, SinksConfig
from stream.sinks.mqtt import MqttSink
from stream.sinks.worker import Worker
from stream.sockets import listening
from tests.stream.sinks.logs import Log, await_true, follower
from tests.stream.sinks.test_jsonl import waiting

BROKERS = ["amqtt", *(["mosquitto"] if shutil.which("mosquitto") else [])]
"""Both where both are; amqtt always is."""


class Broker:
    """The broker's process."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"

    def start(self) -> None:
        command = [sys.executable, "-m", "tests.stream.sinks.broker", str(self.port)]
        if self.kind == "mosquitto":
            command = ["mosquitto", "-p", str(self.port)]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        await_true(lambda: listening(f"tcp://127.0.0.1:{self.port}"))

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


@pytest.fixture(params=BROKERS)
def broker(request: pytest.FixtureRequest) -> Iterator[Broker]:
    made = Broker(request.param)
    made.start()
    yield made
    made.kill()


class Listener:
    """Somebody who subscribes to everything."""

    def __init__(self, broker: Broker) -> None:
        self.got: list[tuple[str, bytes, bool]] = []
        self._client = paho.Client(CallbackAPIVersion.VERSION2)
        self._client.on_message = lambda _c, _u, message: self.got.append(
            (message.topic, message.payload, message.retain)
        )
        ready: list[object] = []
        self._client.on_subscribe = lambda *_: ready.append(1)
        self._client.connect("127.0.0.1", broker.port)
        self._client.subscribe("gaitway/#", qos=1)
        self._client.loop_start()
        await_true(lambda: bool(ready))

    def events(self) -> list[tuple[str, bool]]:
        found = [json.loads(payload) for topic, payload, _ in self.got if "/events/" in topic]
        return [(one["event"]["id"], one["replayed"]) for one in found]

    def availability(self) -> list[bytes]:
        return [payload for topic, payload, _ in self.got if topic == "gaitway/1/availability"]

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@pytest.fixture
def listener(broker: Broker) -> Iterator[Listener]:
    made = Listener(broker)
    yield made
    made.close()


def test_events_arrive_in_order_under_their_cameras_topic(broker: Broker, listener: Listener) -> None:
    sink = MqttSink(MqttConfig(url=broker.url))
    sink.deliver([waiting(1), waiting(2, replayed=True), waiting(3)])
    await_true(lambda: len(listener.events()) == 3)
    sink.close()
    assert listener.events() == [("e1", False), ("e2", True), ("e3", False)]
    assert {topic for topic, _, _ in listener.got} == {"gaitway/1/availability", "gaitway/1/events/door"}


def test_we_are_online_while_there_and_offline_when_gone_also_for_who_comes_later(broker: Broker) -> None:
    sink = MqttSink(MqttConfig(url=broker.url))
    sink.idle()
    early = Listener(broker)
    await_true(lambda: early.availability() == [b"online"])
    assert early.got[0][2]  # retained
    sink.close()
    await_true(lambda: early.availability() == [b"online", b"offline"])
    late = Listener(broker)
    await_true(lambda: set(late.availability()) == {b"offline"})
    early.close()
    late.close()


VANISH = """
import os, sys, time
from stream.sinks.config import MqttConfig
from stream.sinks.mqtt import MqttSink
MqttSink(MqttConfig(url=sys.argv[1])).idle()
print("there", flush=True)
time.sleep(600)
"""


def test_of_one_that_is_killed_the_broker_says_that_it_is_offline(broker: Broker, listener: Listener) -> None:
    process = subprocess.Popen([sys.executable, "-c", VANISH, broker.url], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "there\n"
    await_true(lambda: listener.availability()[-1:] == [b"online"])
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    await_true(lambda: listener.availability()[-1:] == [b"offline"])


def test_a_broker_that_dies_and_comes_back_gets_every_event(tmp_path: Path, broker: Broker) -> None:
    log = Log(tmp_path / "events.jsonl")
    sink = MqttSink(MqttConfig(url=broker.url, timeout_s=2.0))
    worker = Worker("mqtt-test", sink, follower(tmp_path), first_pause_s=0.05)
    worker.thread.start()
    first = Listener(broker)
    log.add(3)
    await_true(lambda: len(first.events()) == 3)
    broker.kill()
    log.add(3)
    await_true(lambda: not next(one.value for one in worker.figures() if one.name == "sink_up"))
    first.close()
    broker.start()
    second = Listener(broker)
    await_true(lambda: {name for name, _ in second.events()} >= set(log.ids[4:]))
    worker.finish(30.0)
    worker.thread.join(60)
    assert worker.error == ""
    delivered = next(one.value for one in worker.figures() if one.name == "sink_delivered")
    assert delivered == 6
    second.close()
    log.close()


def test_nobody_there_is_one_clear_line() -> None:
    began_s = time.monotonic()
    with pytest.raises(NotNowError, match=r"broker 127\.0\.0\.1: .*refused"):
        MqttSink(MqttConfig(url="mqtt://127.0.0.1:9")).idle()
    assert time.monotonic() - began_s < 30


def test_a_server_that_says_nothing_is_given_up_for_now() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        sink = MqttSink(MqttConfig(url=f"mqtt://127.0.0.1:{silent.getsockname()[1]}", timeout_s=0.3))
        with pytest.raises(NotNowError, match="no answer in"):
            sink.idle()
        sink.close()


@pytest.mark.parametrize(
    ("how", "named"),
    [({"url": "mqtt://example.org"}, "unencrypted"), ({"url": "http://h"}, "mqtts://HOST")],
)
def test_a_broker_that_cannot_be_is_refused(how: dict, named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        SinksConfig(mqtt={"home": MqttConfig(**how)}).check()
