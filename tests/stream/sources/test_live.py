"""Cameras: pictures while they come; a clear end when they stop; no password in any message."""

from __future__ import annotations

import functools
import http.server
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import av
import cv2
import pytest

from stream.errors import SourceError
from stream.sources import SourceOptions, open_source
from tests.stream.clips import number_of, numbered
from tests.stream.rtsp import rtsp_camera

STEP_NS = 40_000_000
PATIENT = SourceOptions(open_timeout_s=10.0, stall_timeout_s=10.0)  # this machine may be busy
QUICK = SourceOptions(open_timeout_s=10.0, stall_timeout_s=0.8)


@contextmanager
def camera(frames: int, then: Callable[[], object]) -> Iterator[str]:
    """An HTTP camera (MJPEG) that sends ``frames`` pictures and then does ``then``; yields its address."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=picture")
            self.end_headers()
            for number in range(frames):
                jpeg = cv2.imencode(".jpg", numbered(number))[1].tobytes()
                head = f"--picture\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
                self.wfile.write(head.encode() + jpeg + b"\r\n")
            then()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://admin:hunter2@127.0.0.1:{server.server_port}/video"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def answering(reply: bytes | None) -> Iterator[int]:
    """A port that answers every request with ``reply``, or not at all; yields its number."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        held: list[socket.socket] = []

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                held.append(connection)
                while reply is not None and connection.recv(4096):
                    connection.sendall(reply)
                    if reply.startswith(b"HTTP"):
                        connection.shutdown(socket.SHUT_RDWR)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
            for connection in held:
                connection.close()


def refusal(address: str, options: SourceOptions = PATIENT) -> str:
    with pytest.raises(SourceError) as caught:
        open_source(address, "door", options)
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None
    return str(caught.value)


def test_pictures_come_stamped_until_the_camera_hangs_up() -> None:
    with camera(12, then=lambda: None) as address:
        source = open_source(address, "door", PATIENT)
        pictures = list(source.frames())
        source.close()
    assert [number_of(picture.image) for picture in pictures] == list(range(12))
    assert all(later.captured_ns > earlier.captured_ns for earlier, later in pairwise(pictures))
    assert source.live
    assert "the connection broke" in str(source.problem)
    assert "hunter2" not in str(source.problem)


def test_a_camera_that_falls_silent_is_noticed() -> None:
    quiet = threading.Event()
    with camera(12, then=lambda: quiet.wait(10)) as address:
        source = open_source(address, "door", QUICK)
        pictures = list(source.frames())
        quiet.set()
        source.close()
    assert len(pictures) >= 10
    assert "no picture for 0.8 s" in str(source.problem)


def test_every_connection_is_a_run_of_its_own() -> None:
    with camera(12, then=lambda: None) as address:
        runs = []
        for _ in range(2):
            source = open_source(address, "door", PATIENT)
            runs.append(source.run)
            source.close()
    assert runs[0] != runs[1]


@pytest.mark.parametrize("scheme", ["rtsp", "http"])
def test_a_camera_that_is_not_there(scheme: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert "nobody listens" in refusal(f"{scheme}://admin:hunter2@127.0.0.1:{port}/live")


@pytest.mark.parametrize("scheme", ["rtsp", "http"])
def test_a_camera_that_never_answers(scheme: str) -> None:
    impatient = SourceOptions(open_timeout_s=0.3)
    with answering(None) as port:
        address = f"{scheme}://admin:hunter2@127.0.0.1:{port}/live"
        assert "no answer within 0.3 s" in refusal(address, impatient)


def test_an_rtsp_cameras_pictures_are_timed_by_its_stamps() -> None:
    with rtsp_camera(25) as host:
        source = open_source(f"rtsp://admin:hunter2@{host}/live", "door", PATIENT)
        pictures = list(source.frames())
        source.close()
    shown = [number_of(picture.image) for picture in pictures]
    assert shown == list(range(shown[0], 25))
    assert [picture.number for picture in pictures] == list(range(len(pictures)))
    assert source.notes == (f"pictures from before it was open: {shown[0]}",)
    assert all(later.source_ns - earlier.source_ns == STEP_NS for earlier, later in pairwise(pictures))
    assert all(later.captured_ns > earlier.captured_ns for earlier, later in pairwise(pictures))
    took_ns = pictures[-1].captured_ns - pictures[0].captured_ns
    assert abs(took_ns - (len(pictures) - 1) * STEP_NS) < 10 * STEP_NS  # this machine may be busy
    assert (source.width, source.height, source.live) == (64, 48, True)
    assert "hunter2" not in str(source.problem)


def test_an_rtsp_camera_that_falls_silent_is_noticed() -> None:
    with rtsp_camera(12, silent=True) as host:
        source = open_source(f"rtsp://admin:hunter2@{host}/live", "door", QUICK)
        pictures = list(source.frames())
        source.close()
    assert number_of(pictures[-1].image) == 11
    assert "no picture for 0.8 s" in str(source.problem)


@pytest.fixture
def hls(tmp_path: Path) -> Iterator[str]:
    """The address of an HLS stream of three seconds in pieces of one."""
    with av.open(str(tmp_path / "live.m3u8"), "w", format="hls", options={"hls_time": "1"}) as container:
        stream = container.add_stream("libx264", rate=25, options={"g": "25", "bf": "0"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(75):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(numbered(number), format="bgr24")))
        container.mux(stream.encode())
    handler = functools.partial(QuietHandler, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"http://admin:hunter2@127.0.0.1:{server.server_port}/live.m3u8"
        server.shutdown()
        thread.join()


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


def test_hls_comes_in_pieces_and_is_handed_out_at_its_pace(hls: str) -> None:
    source = open_source(hls, "door", PATIENT)
    pictures = list(source.frames())
    source.close()
    assert [number_of(picture.image) for picture in pictures] == list(range(75))
    gaps = sorted(later.captured_ns - earlier.captured_ns for earlier, later in pairwise(pictures))
    assert gaps[len(gaps) // 2] == pytest.approx(STEP_NS, rel=0.2)
    assert pictures[-1].captured_ns - pictures[0].captured_ns > 60 * STEP_NS
    assert source.problem is None


@pytest.mark.parametrize("user", ["admin:wrong-hunter2", "nobody:hunter2"])
def test_a_wrong_password(user: str) -> None:
    with rtsp_camera(1) as host:
        assert "refuses this user or password" in refusal(f"rtsp://{user}@{host}/live")


def test_no_password_where_one_is_wanted() -> None:
    with rtsp_camera(1) as host:
        assert "refuses this user or password" in refusal(f"rtsp://{host}/live")


def test_a_stream_that_the_camera_does_not_have() -> None:
    with answering(b"HTTP/1.0 404 Not Found\r\n\r\n") as port:
        assert "no such stream" in refusal(f"http://admin:hunter2@127.0.0.1:{port}/live")


def test_an_answer_that_is_no_video() -> None:
    with answering(b"HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n\r\n<html>hello</html>") as port:
        assert "127.0.0.1" in refusal(f"http://admin:hunter2@127.0.0.1:{port}/live")


def test_a_usb_camera_that_is_not_plugged_in() -> None:
    assert "usb:97" in refusal("usb:97")


@pytest.mark.parametrize("address", ["usb:", "usb:front", "usb:-1"])
def test_a_usb_camera_without_a_number(address: str) -> None:
    assert "usb:0" in refusal(address)
