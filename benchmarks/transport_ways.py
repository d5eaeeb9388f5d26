"""The other ways of bench ``transport``, each end a process of its own: bytes over ZeroMQ, and memcpy alone.

    python -m benchmarks.transport_ways receive WAY ENDPOINT FRAMES RATE   prints what it measured as JSON
    python -m benchmarks.transport_ways send    WAY ENDPOINT FRAMES RATE

``tokens`` and ``tokens-zmq`` send no pixels: a token goes there and back, through our hops or bare sockets.
"""

from __future__ import annotations

import json
import mmap
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import zmq
from numpy.typing import NDArray

from stream.bus import Inlet, Outlet
from stream.config import StreamConfig
from stream.messages import FrameRef, FrameToken
from stream.sockets import Socket

Image = NDArray[np.uint8]
HEIGHT, WIDTH = 1080, 1920
_IMAGES: Final = 16  # 100 MB in all: no processor has them in its cache
_QUEUE: Final = 8  # messages, as many as our ring has slots
_STAMP: Final = 8
_WARM: Final = 200
_TOKEN: Final = FrameToken(
    FrameRef("cam1", "r", 1, 1 << 60, 1 << 60, WIDTH, HEIGHT), "gaitway-x.frames", 3, 9
)
_BARE: Final = bytes(90)  # as long as a token is on the wire


class Noise:
    """Pictures that differ, made once, as a decoder's are there before they are sent."""

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        tile = rng.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
        self._images = [np.roll(tile, number, axis=0) for number in range(_IMAGES)]
        for number, image in enumerate(self._images):
            image[0, 0, 0] = number

    def image(self, number: int) -> Image:
        """The picture of frame ``number``; its first byte says which of them."""
        return self._images[number % _IMAGES]


def changed(image: Image, number: int) -> bool:
    """Whether this is not the picture of frame ``number``, as far as its first byte tells."""
    return image.shape != (HEIGHT, WIDTH, 3) or int(image[0, 0, 0]) != number % _IMAGES


class Pacer:
    """Holds back to ``rate`` a second; 0: to nothing. What came late is not caught up."""

    def __init__(self, rate: float) -> None:
        self._step_s = 1.0 / rate if rate > 0 else 0.0
        self._due_s = time.monotonic()

    def wait(self) -> None:
        """Until the next is due."""
        if self._step_s:
            self._due_s = max(self._due_s + self._step_s, time.monotonic() - self._step_s)
            time.sleep(max(0.0, self._due_s - time.monotonic()))


def memcpy(frames: int, rate: float) -> dict[str, object]:
    """Copy into shared memory and no more: rate, delays, processor time a frame."""
    noise, size = Noise(), HEIGHT * WIDTH * 3
    with mmap.mmap(-1, _QUEUE * size) as memory:
        slots = [
            np.frombuffer(memory, np.uint8, size, at * size).reshape(HEIGHT, WIDTH, 3) for at in range(_QUEUE)
        ]
        for slot in slots:
            slot[:] = 0
        pacer, delays, cpu_s = Pacer(rate), [], 0.0
        begin_s = time.monotonic()
        for number in range(frames):
            image = noise.image(number)
            pacer.wait()
            at_ns, at_s = time.monotonic_ns(), time.thread_time()
            np.copyto(slots[number % _QUEUE], image)
            delays.append(time.monotonic_ns() - at_ns)
            cpu_s += time.thread_time() - at_s
        seconds = time.monotonic() - begin_s
        del slots, slot
    return {"fps": frames / seconds, "delays_ns": delays, "cpu_s": cpu_s / frames}


def receive(way: str, endpoint: str, frames: int) -> dict[str, object]:
    """Take all frames, pixels in hand, and say how that went."""
    socket: Socket = zmq.Context.instance().socket(zmq.PULL)
    socket.rcvhwm = _QUEUE
    socket.bind(endpoint)
    _say_ready()
    arrivals, delays = [], []
    for number in range(frames):
        stamp = socket.recv()
        data = socket.recv() if way == "ipc-copy" else socket.recv(copy=False).buffer
        image = np.frombuffer(data, np.uint8).reshape(HEIGHT, WIDTH, 3)
        wrong = changed(image, number)
        arrivals.append(time.monotonic_ns())
        delays.append(arrivals[-1] - int.from_bytes(stamp, "little"))
        if wrong:
            raise SystemExit(f"frame {number} is not what was sent")
    socket.close()
    return {"fps": (frames - 1) / ((arrivals[-1] - arrivals[0]) / 1e9), "delays_ns": delays}


def send(way: str, endpoint: str, frames: int, rate: float) -> None:
    """Send them all."""
    noise, pacer = Noise(), Pacer(rate)
    socket: Socket = zmq.Context.instance().socket(zmq.PUSH)
    socket.sndhwm = _QUEUE
    socket.connect(endpoint)
    for number in range(frames):
        image = noise.image(number)
        pacer.wait()
        socket.send(time.monotonic_ns().to_bytes(_STAMP, "little"), zmq.SNDMORE)
        socket.send(image.data, 0, way == "ipc-copy")
    socket.close()
    zmq.Context.instance().term()


@dataclass(frozen=True)
class Ends:
    """One end of two hops, there and back: what it sends with, what it waits for the next with."""

    send: Callable[[], object]
    receive: Callable[[], object]


def ends(way: str, endpoint: str, *, first: bool) -> Ends:
    """Through our hops, or through bare sockets."""
    theirs, mine = (f"{endpoint}-back", f"{endpoint}-there")[:: 1 if first else -1]
    if way == "tokens":
        limits = replace(StreamConfig().token_limits, linger_s=0.1)
        inlet, outlet = Inlet(theirs, limits=limits), Outlet(mine, limits=limits)
        return Ends(lambda: outlet.send(_TOKEN), lambda: _next(inlet))
    pull: Socket = zmq.Context.instance().socket(zmq.PULL)
    push: Socket = zmq.Context.instance().socket(zmq.PUSH)
    pull.bind(theirs)
    push.connect(mine)
    return Ends(lambda: push.send(_BARE), pull.recv)


def _next(inlet: Inlet) -> None:
    while inlet.receive(1.0) is None:
        pass


def there_and_back(way: str, endpoint: str, count: int) -> dict[str, object]:
    """Half of each round trip of a token."""
    here = ends(way, endpoint, first=True)
    _say_ready()
    delays = []
    for _ in range(count + _WARM):
        at_ns = time.monotonic_ns()
        here.send()
        here.receive()
        delays.append((time.monotonic_ns() - at_ns) // 2)
    return {"delays_ns": delays[_WARM:]}


def echo(way: str, endpoint: str, count: int) -> None:
    """The other end."""
    there = ends(way, endpoint, first=False)
    for _ in range(count + _WARM):
        there.receive()
        there.send()
    time.sleep(0.5)  # the last is still on its way


def _say_ready() -> None:
    sys.stdout.write("ready\n")
    sys.stdout.flush()


def main(what: str, way: str, endpoint: str, frames: int, rate: float) -> None:
    """One end of one way."""
    tokens = way.startswith("tokens")
    if what == "send":
        if tokens:
            echo(way, endpoint, frames)
        else:
            send(way, endpoint, frames, rate)
        return
    if way == "memcpy":
        found = memcpy(frames, rate)
    else:
        found = there_and_back(way, endpoint, frames) if tokens else receive(way, endpoint, frames)
    sys.stdout.write(json.dumps(found))
    sys.stdout.flush()
    os._exit(0)  # sockets of ours may still hold what nobody waits for


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), float(sys.argv[5]))
