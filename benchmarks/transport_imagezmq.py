"""imagezmq's way for bench ``transport``: started as a script in an environment of its own.

    python -I transport_imagezmq.py receive ENDPOINT FRAMES        prints what it measured as JSON
    python -I transport_imagezmq.py send    ENDPOINT FRAMES RATE

REQ and REP, its default: every picture is acknowledged before the next is sent.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from typing import Any

import numpy as np

HEIGHT, WIDTH, IMAGES = 1080, 1920, 16


def receive(endpoint: str, frames: int) -> dict[str, object]:
    """Take all frames, pixels in hand."""
    hub: Any = importlib.import_module("imagezmq").ImageHub(open_port=endpoint)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    arrivals, delays = [], []
    for number in range(frames):
        stamp, image = hub.recv_image()
        arrivals.append(time.monotonic_ns())
        delays.append(arrivals[-1] - int(stamp))
        if int(image[0, 0, 0]) != number % IMAGES:
            raise SystemExit(f"frame {number} is not what was sent")
        hub.send_reply(b"OK")
    return {"fps": (frames - 1) / ((arrivals[-1] - arrivals[0]) / 1e9), "delays_ns": delays}


def send(endpoint: str, frames: int, rate: float) -> None:
    """Send them all."""
    sender: Any = importlib.import_module("imagezmq").ImageSender(connect_to=endpoint)
    tile = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    images = [np.roll(tile, number, axis=0) for number in range(IMAGES)]
    for number, image in enumerate(images):
        image[0, 0, 0] = number
    due_s, step_s = time.monotonic(), 1.0 / rate if rate > 0 else 0.0
    for number in range(frames):
        if step_s:
            due_s = max(due_s + step_s, time.monotonic() - step_s)
            time.sleep(max(0.0, due_s - time.monotonic()))
        sender.send_image(str(time.monotonic_ns()), images[number % IMAGES])


if __name__ == "__main__":
    if sys.argv[1] == "receive":
        sys.stdout.write(json.dumps(receive(sys.argv[2], int(sys.argv[3]))))
    else:
        send(sys.argv[2], int(sys.argv[3]), float(sys.argv[4]))
