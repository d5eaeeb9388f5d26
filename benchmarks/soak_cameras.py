"""Cameras for bench ``soak``: walkers rendered once, then shown again and again over HTTP, as MJPEG."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import cv2

from gait.walkers.scenes import street_scene

SECONDS, SIZE, RATE = 20.0, (320, 240), 5
_QUALITY: Final = (int(cv2.IMWRITE_JPEG_QUALITY), 90)


def rendered(seed: int) -> list[bytes]:
    """A clip of two walkers as JPEG pictures."""
    scene = street_scene(seed, 2, SECONDS, size=SIZE)
    step = max(1, round(scene.fps / RATE))
    images = (scene.frame(number).image for number in range(0, scene.frame_count, step))
    return [cv2.imencode(".jpg", image, _QUALITY)[1].tobytes() for image in images]


@contextmanager
def cameras(clips: list[list[bytes]]) -> Iterator[list[str]]:
    """A camera for each clip; their addresses."""
    over = threading.Event()

    class Camera(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            clip = clips[int(self.path.strip("/"))]
            self.send_response(200)
            self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=picture")
            self.end_headers()
            number = 0
            while not over.wait(1 / RATE):
                jpeg = clip[number % len(clip)]
                head = f"--picture\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
                self.wfile.write(head.encode() + jpeg + b"\r\n")
                number += 1

        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

    class Server(http.server.ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            """A camera that was switched off hangs up: no error."""

    with Server(("127.0.0.1", 0), Camera) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield [f"http://127.0.0.1:{server.server_port}/{number}" for number in range(len(clips))]
        finally:
            over.set()
            server.shutdown()
            thread.join()
