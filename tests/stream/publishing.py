"""What the tests of publisher and subscribers share: a stage on free ports, events, and a wait for both ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from stream.messages import Event, Evidence, FrameRef, Identified, Identity
from stream.publish import Publisher, PublishStage
from stream.sockets import Limits

ANYWHERE = "tcp://127.0.0.1:0"


def event(n: int, camera: str = "door", kind: Any = "update", tracklet: str | None = "door/r/0") -> Event:
    """An event as identify makes it, about tracklet ``tracklet``."""
    return Event(
        "",
        kind,
        camera,
        "r",
        0,
        n * 40_000_000,
        tracklet=tracklet,
        identity=Identity("person", "p1", "Ada Ünal", 0.9),
        evidence=Evidence(0, n, 30, 0.8, (1.0, 2.0, 3.0, 4.0)),
        details={"n": n},
    )


def identified(*events: Event, camera: str = "door") -> Identified:
    """One frame's message."""
    return Identified(FrameRef(camera, "r", 0, 0, 0, 64, 48), events)


def plain(endpoint: str) -> str:
    """An IPv4 endpoint as people write it; ZeroMQ says tcp://[::ffff:127.0.0.1]:5577."""
    return endpoint.replace("[::ffff:127.0.0.1]", "127.0.0.1")


class Publishing:
    """A publish stage on free ports."""

    def __init__(self, log: Path, **options: Any) -> None:
        self.log = log
        limits = Limits(hwm=options.pop("hwm", 1000), linger_s=2.0)
        endpoint, keys = options.pop("endpoint", ANYWHERE), options.get("keys")
        self.publisher = Publisher(endpoint, limits=limits, keys=keys)
        self.stage = PublishStage(log, self.publisher, **{"repair": ANYWHERE} | options)
        self.endpoint = plain(self.publisher.endpoint)

    @property
    def repair(self) -> str:
        endpoint = self.stage.repair_endpoint
        assert endpoint is not None
        return plain(endpoint)

    def publish(self, *numbers: int, camera: str = "door") -> None:
        """Publish one event per number."""
        for number in numbers:
            list(self.stage.handle(identified(event(number, camera), camera=camera)))

    def wait(self, subscribers: int = 1) -> None:
        """Return once so many subscriptions have arrived."""
        assert self.publisher.wait_for_subscribers(subscribers, timeout_s=10.0)


@contextmanager
def publishing(log: Path, **options: Any) -> Iterator[Publishing]:
    """A publish stage, closed afterwards."""
    made = Publishing(log, **options)
    try:
        yield made
    finally:
        made.stage.close()
