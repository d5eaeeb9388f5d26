"""A small RTSP camera of the tests' own: H.264 over RTP, in the TCP connection or over UDP (RFC 2326, 6184)."""

from __future__ import annotations

import base64
import contextlib
import re
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction

import av
from av.video.codeccontext import VideoCodecContext

from tests.stream.clips import numbered

CLOCK_HZ = 90_000
NTP_EPOCH_S = 2_208_988_800  # 1900 to 1970
SDP = (
    "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=camera\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\n"
    "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1\r\na=control:track0\r\n"
)


def encoded(frames: int, size: tuple[int, int] = (64, 48)) -> list[list[bytes]]:
    """Numbered pictures as H.264 units, a list per picture."""
    codec = av.CodecContext.create("libx264", "w")
    assert isinstance(codec, VideoCodecContext)
    codec.width, codec.height = size
    codec.pix_fmt, codec.time_base = "yuv420p", Fraction(1, 25)
    codec.options = {"tune": "zerolatency", "g": "5", "x264-params": "repeat-headers=1"}
    units = []
    for number in [*range(frames), None]:
        picture = None
        if number is not None:
            picture = av.VideoFrame.from_ndarray(numbered(number % 256, *size), format="bgr24")
            picture.pts = number
        for packet in codec.encode(picture):
            pieces = bytes(packet).replace(b"\0\0\0\1", b"\0\0\1").split(b"\0\0\1")
            units.append([piece for piece in pieces if piece])
    return units


class RtspCamera:
    """Plays ``frames`` pictures at ``rate`` to whoever asks, then hangs up, or falls silent.

    ``then``: pictures of another size that follow. ``stalled``: nothing is sent while it is set; the clock
    goes on. ``reports_ahead_s``: RTCP sender reports, from a camera whose clock is so much ahead.
    ``loses``: over UDP, one picture in so many does not arrive.
    ``sent_ns``: when each picture was taken, by this host's clock, of the newest connection.
    """

    def __init__(
        self,
        frames: int,
        *,
        silent: bool = False,
        user: str = "admin:hunter2",
        port: int = 0,
        size: tuple[int, int] = (64, 48),
        rate: float = 25,
        then: tuple[int, tuple[int, int]] | None = None,
        reports_ahead_s: float | None = None,
        units: list[list[bytes]] | None = None,
        loses: int = 0,
    ) -> None:
        self.units, self._silent, self._rate = units or encoded(frames, size), silent, rate
        if then is not None:
            self.units += encoded(*then)
        self._ahead_s, self._loses = reports_ahead_s, loses
        self._udp: dict[socket.socket, tuple[socket.socket, list[int]]] = {}
        self._wanted = "Basic " + base64.b64encode(user.encode()).decode()
        self._listener = socket.create_server(("127.0.0.1", port))
        self._over = threading.Event()
        self.stalled = threading.Event()
        self.sent_ns: list[int] = []
        self._threads: list[threading.Thread] = []
        self._connections: list[socket.socket] = []
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()
        self.port: int = self._listener.getsockname()[1]

    @property
    def address(self) -> str:
        return f"rtsp://admin:hunter2@127.0.0.1:{self.port}/live"

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._connections.append(connection)
            thread = threading.Thread(target=self._serve_one, args=(connection,))
            self._threads.append(thread)
            thread.start()

    def _serve_one(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):  # the other side hung up
            self._talk(connection)
        if connection in self._udp:
            self._udp.pop(connection)[0].close()

    def _talk(self, connection: socket.socket) -> None:
        buffer = b""
        while received := connection.recv(4096):
            buffer += received
            while b"\r\n\r\n" in buffer:
                head, _, buffer = buffer.partition(b"\r\n\r\n")
                method = self._reply(connection, head.decode())
                if method == "PLAY":
                    self._play(connection)
                    return

    def _reply(self, connection: socket.socket, head: str) -> str:
        lines = head.split("\r\n")
        method = lines[0].split()[0]
        headers = dict(line.split(": ", 1) for line in lines[1:])
        status, extra, body = "200 OK", "", ""
        if method == "OPTIONS":
            extra = "Public: DESCRIBE, SETUP, PLAY\r\n"
        elif headers.get("Authorization") != self._wanted:
            status, extra = "401 Unauthorized", 'WWW-Authenticate: Basic realm="camera"\r\n'
        elif method == "DESCRIBE":
            extra, body = "Content-Type: application/sdp\r\n", SDP
        elif method == "SETUP":
            extra = f"Transport: {self._transport(connection, headers['Transport'])}\r\nSession: 1\r\n"
        length = f"Content-Length: {len(body)}\r\n" if body else ""
        connection.sendall(
            f"RTSP/1.0 {status}\r\nCSeq: {headers['CSeq']}\r\n{extra}{length}\r\n{body}".encode()
        )
        return method

    def _transport(self, connection: socket.socket, asked: str) -> str:
        ports = re.search(r"client_port=(\d+)-(\d+)", asked)
        if ports is None:
            return "RTP/AVP/TCP;unicast;interleaved=0-1"
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        made.bind(("127.0.0.1", 0))
        self._udp[connection] = (made, [int(port) for port in ports.groups()])
        own = made.getsockname()[1]
        return f"RTP/AVP;unicast;client_port={ports[1]}-{ports[2]};server_port={own}-{own + 1}"

    def _send(self, connection: socket.socket, channel: int, packet: bytes) -> None:
        if connection in self._udp:
            made, ports = self._udp[connection]
            made.sendto(packet, ("127.0.0.1", ports[channel]))
        else:
            connection.sendall(b"$" + bytes([channel]) + struct.pack(">H", len(packet)) + packet)

    def _play(self, connection: socket.socket) -> None:
        sequence, begin_s = 0, time.monotonic()
        self.sent_ns = []
        for number, units in enumerate(self.units):
            self._over.wait(max(0.0, begin_s + number / self._rate - time.monotonic()))
            if self._over.is_set():
                return
            self.sent_ns.append(time.time_ns())
            if self.stalled.is_set():
                continue
            if self._ahead_s is not None and number % 25 == 0:
                self._report(connection, self._stamp(number))
            for unit in units:
                last = unit is units[-1]
                rtp = (
                    struct.pack(">BBHII", 0x80, 96 | last << 7, sequence & 0xFFFF, self._stamp(number), 7)
                    + unit
                )
                if not self._loses or number % self._loses:
                    self._send(connection, 0, rtp)
                sequence += 1
        if self._silent:
            self._over.wait(10)

    def _stamp(self, number: int) -> int:
        return round(number * CLOCK_HZ / self._rate)

    def _report(self, connection: socket.socket, stamp: int) -> None:
        """An RTCP sender report (RFC 3550, 6.4.1): the camera's clock at ``stamp``."""
        assert self._ahead_s is not None
        ntp = int((time.time() + self._ahead_s + NTP_EPOCH_S) * 2**32)
        packet = struct.pack(">BBHIQIII", 0x80, 200, 6, 7, ntp, stamp, 0, 0)
        self._send(connection, 1, packet)

    def close(self) -> None:
        """Hang up on everybody and stop listening."""
        self._over.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()
        for connection in self._connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()


@contextmanager
def rtsp_camera(frames: int, *, silent: bool = False) -> Iterator[str]:
    """The host and port of a camera whose user is admin and whose password is hunter2."""
    made = RtspCamera(frames, silent=silent)
    try:
        yield f"127.0.0.1:{made.port}"
    finally:
        made.close()
