"""Several cameras into one: recorded ones in an order that arrival cannot change."""

from __future__ import annotations

import random
from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.bus import Socket
from stream.errors import ConfigError, MessageError
from stream.merge import Merge
from stream.messages import EndOfStream, FrameRef, FrameToken, Message


class Arrivals:
    """A receiver that gives what has arrived; the test decides what that is."""

    def __init__(self) -> None:
        self.arrived: deque[Message] = deque()
        self.closed = False

    def receive(self, timeout_s: float) -> Message | None:
        return self.arrived.popleft() if self.arrived else None

    def sockets(self) -> list[Socket]:
        return []

    def close(self) -> None:
        self.closed = True


def token(camera: str, captured_ns: int, number: int = 0) -> FrameToken:
    return FrameToken(FrameRef(camera, "run", number, captured_ns, captured_ns, 4, 4), "r", 0, 1)


def end(camera: str, captured_ns: int) -> EndOfStream:
    return EndOfStream(camera, "run", 0, captured_ns)


def drain(merge: Merge) -> list[Message]:
    received = []
    while (message := merge.receive(0)) is not None:
        received.append(message)
    return received


def merged(streams: dict[str, list[Message]], rng: random.Random) -> list[Message]:
    """Let the streams arrive in a random order, receiving in between."""
    inlets = {camera: Arrivals() for camera in streams}
    merge, waiting, received = (
        Merge(inlets),
        {camera: deque(stream) for camera, stream in streams.items()},
        [],
    )
    while any(waiting.values()):
        camera = rng.choice([camera for camera, stream in waiting.items() if stream])
        inlets[camera].arrived.append(waiting[camera].popleft())
        if rng.random() < 0.5:
            received += drain(merge)
    return received + drain(merge)


TIMES = st.lists(st.integers(0, 20), max_size=12).map(sorted)


@given(
    st.dictionaries(st.sampled_from("abcd"), TIMES, min_size=1), st.integers(0, 2**32), st.integers(0, 2**32)
)
def test_arrival_never_changes_the_order(times: dict[str, list[int]], one: int, other: int) -> None:
    streams: dict[str, list[Message]] = {
        camera: [
            *(token(camera, at, n) for n, at in enumerate(stamps)),
            end(camera, stamps[-1] if stamps else 0),
        ]
        for camera, stamps in times.items()
    }
    first = merged(streams, random.Random(one))
    assert first == merged(streams, random.Random(other))
    assert len(first) == sum(len(stream) for stream in streams.values())
    keys = [(m.frame.captured_ns, m.frame.camera) for m in first if isinstance(m, FrameToken)]
    assert keys == sorted(keys)


def test_a_recorded_camera_that_is_behind_is_waited_for() -> None:
    inlets = {"a": Arrivals(), "b": Arrivals()}
    merge = Merge(inlets)
    inlets["a"].arrived.append(token("a", 5))
    assert merge.receive(0) is None
    inlets["b"].arrived.append(token("b", 3))
    assert merge.receive(0) == token("b", 3)
    assert merge.receive(0) is None
    inlets["b"].arrived.append(end("b", 3))
    assert drain(merge) == [end("b", 3), token("a", 5)]


def test_a_live_camera_is_not_waited_for() -> None:
    inlets = {"live": Arrivals(), "file": Arrivals()}
    merge = Merge(inlets, live=["live"])
    inlets["live"].arrived.append(token("live", 99))
    assert merge.receive(0) == token("live", 99)
    inlets["file"].arrived.append(token("file", 1))
    assert merge.receive(0) == token("file", 1)


def test_neither_live_nor_recorded_cameras_starve_the_other() -> None:
    inlets = {"live": Arrivals(), "file": Arrivals()}
    merge = Merge(inlets, live=["live"])
    for at in range(10):
        inlets["live"].arrived.append(token("live", at))
        inlets["file"].arrived.append(token("file", at))
    cameras = [message.frame.camera for message in drain(merge)[:10]]
    assert cameras.count("live") == cameras.count("file") == 5


def test_live_cameras_take_turns() -> None:
    inlets = {"a": Arrivals(), "b": Arrivals()}
    merge = Merge(inlets, live=["a", "b"])
    for at in range(3):
        inlets["a"].arrived.append(token("a", at))
        inlets["b"].arrived.append(token("b", at))
    cameras = [message.frame.camera for message in drain(merge)]
    assert cameras[::2] != cameras[1::2]
    assert sorted(cameras) == ["a"] * 3 + ["b"] * 3


def test_only_one_message_per_camera_is_taken_ahead() -> None:
    inlets = {"a": Arrivals(), "b": Arrivals()}
    merge = Merge(inlets)
    inlets["a"].arrived.extend(token("a", at) for at in range(5))
    assert drain(merge) == []
    assert len(inlets["a"].arrived) == 4


def test_another_cameras_frames_are_refused() -> None:
    inlets = {"a": Arrivals()}
    inlets["a"].arrived.append(token("b", 1))
    with pytest.raises(MessageError, match="a: a FrameToken that is not this camera's"):
        Merge(inlets).receive(0)


def test_a_live_camera_without_an_inlet_is_a_config_error() -> None:
    with pytest.raises(ConfigError, match="without an inlet: c"):
        Merge({"a": Arrivals()}, live=["c"])


def test_close_closes_every_inlet() -> None:
    inlets = {"a": Arrivals(), "b": Arrivals()}
    Merge(inlets).close()
    assert all(inlet.closed for inlet in inlets.values())
