"""Cameras: RTSP, HTTP and USB through PyAV, their pictures timed on this host's clock.

One ``LiveSource`` is one connection: it ends, with its ``problem`` set, when the camera closes it, falls
silent, changes its pictures' size or sends what nobody can read. Whoever wants the camera back opens another
(``stream/sources/reconnect.py``).
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from stream.errors import SourceError
from stream.redact import redact, redact_text
from stream.sources.base import Picture, SourceOptions
from stream.sources.clock import Backlog, LiveClock, SenderReports, SteadyPace, host_clock, to_ns
from stream.sources.container import video_stream
from stream.sources.hardware import decoder
from stream.sources.picture import BgrConverter, stamp_of

SCHEMES: Final = ("rtsp://", "rtsps://", "http://", "https://")
USB: Final = "usb:"
_USB_FORMATS: Final = {"linux": "v4l2", "darwin": "avfoundation"}
_KEEP_BUFFERED: Final = "1048576"  # bytes of UDP receive buffer: a key frame of a 4K camera
_HELD_BACK: Final = frozenset({"h264", "hevc"})
"""FFmpeg's parser hands a picture of these on when the next one begins to arrive."""
_REORDERED: Final = 64  # packets: more than any codec holds back
_PIECE_S: Final = 15.0  # HLS brings nothing for as long as a piece lasts, and some servers are late with one
_BLIND_S: Final = 12.0
"""Packets without one picture that can be decoded: longer than any camera's distance between key frames."""


class CameraRefusesError(SourceError):
    """The camera is there and says no: asking again soon will not help, and may lock the account."""


class LiveSource:
    """The pictures of one camera connection; live, so what comes too fast is dropped by the feed.

    Opening waits at most ``open_timeout_s`` for the camera and raises SourceError, which never holds its
    credentials. ``run`` is the moment of opening: every connection is a run of its own. RTSP and USB stamp
    their pictures when they take them; the stamps of HTTP are made up on arrival, so there arrival counts.
    HLS is handed out at the pace of its stamps, and then arrival counts too: it is late by what the server
    keeps back, some seconds, which nobody says.
    """

    live = True
    expected_frames: int | None = None

    def __init__(
        self,
        address: str,
        camera: str,
        options: SourceOptions,
        clock_ns: Callable[[], int] | None = None,
    ) -> None:
        self.camera = camera
        self._where = redact(address)
        self._clock_ns = clock_ns or host_clock()
        self._stamped = not address.startswith("http")
        self._pace: SteadyPace | None = None
        self._stall_s = max(options.stall_timeout_s, _PIECE_S if _in_pieces(address) else 0.0)
        self._container = _connect(address, options)
        try:
            self._stream = video_stream(self._container, self._where, options.decode_threads)
        except SourceError:
            self._container.close()
            raise
        self.run = f"{self._clock_ns():016x}"
        context = self._stream.codec_context
        self._by_hardware = context.is_hwaccel
        self.width: int | None = context.width or None
        self.height: int | None = context.height or None
        rate = self._stream.average_rate or self._stream.guessed_rate
        self.fps: float | None = float(rate) if rate else None
        self.problem: SourceError | None = None
        self._damaged = 0
        self._backlog = Backlog()
        self._clock, self._reports = LiveClock(), SenderReports()
        self._held_back = address.startswith("rtsp") and self._stream.codec.name in _HELD_BACK
        self._handed_ns: int | None = None
        self._reported_ns: dict[int, int] = {}
        self._finite = bool(self._container.duration)  # a film on a web server, not a camera
        if self._container.format.name == "hls":
            self._pace = SteadyPace()  # it comes in pieces of seconds, each at once

    def frames(self) -> Iterator[Picture]:
        """Pictures as they come, until the connection ends."""
        converter = BgrConverter(self._where, self._stream.sample_aspect_ratio)
        number = 0
        try:
            for frame in self._decode():
                if self._pace is not None:
                    self._pace.wait(stamp_of(frame))
                stamp_ns, arrival_ns = stamp_of(frame) if self._stamped else None, self._clock_ns()
                if self._stamped and self._backlog.holds(stamp_ns, arrival_ns):
                    continue
                captured_ns, source_ns = self._times(stamp_ns, arrival_ns)
                yield Picture(number, captured_ns, source_ns, converter.image(frame))
                number += 1
        except SourceError as error:
            self.problem = error
        except av.FFmpegError as error:
            self.problem = self._ended(error)
        else:
            if not self._finite:
                self.problem = SourceError("the camera closed the stream", where=self._where)

    def _times(self, stamp_ns: int | None, handed_ns: int) -> tuple[int, int]:
        """When a picture was taken: by this host's clock, and by the camera's own."""
        arrival_ns = handed_ns
        if self._held_back and self._handed_ns is not None:
            arrival_ns = self._handed_ns  # it was this picture's arrival that let the one before go
        self._handed_ns = handed_ns
        theirs_ns = None if stamp_ns is None else self._reported_ns.get(stamp_ns)
        if stamp_ns is None or theirs_ns is None:
            captured_ns = self._clock.capture(stamp_ns, arrival_ns)
            return captured_ns, captured_ns if stamp_ns is None else stamp_ns
        return self._reports.times(stamp_ns, theirs_ns, arrival_ns, self._clock)

    def _note_report(self, packet: av.Packet[VideoStream]) -> None:
        """Where the camera reports its clock, FFmpeg puts it beside each packet: microseconds since 1970."""
        if packet.pts is None or not packet.time_base or not packet.has_sidedata("prft"):
            return
        wall_us = int.from_bytes(bytes(packet.get_sidedata("prft"))[:8], sys.byteorder)
        self._reported_ns[to_ns(packet.pts, packet.time_base)] = wall_us * 1000
        while len(self._reported_ns) > _REORDERED:
            del self._reported_ns[next(iter(self._reported_ns))]

    def _decode(self) -> Iterator[av.VideoFrame]:
        size: tuple[int, int] | None = None
        seen_s = time.monotonic()
        for packet in self._packets():
            self._note_report(packet)
            try:
                frames = packet.decode()
            except av.InvalidDataError:
                self._damaged += 1
                frames = []
            for frame in frames:
                size, seen_s = size or (frame.width, frame.height), time.monotonic()
                if size != (frame.width, frame.height):
                    raise SourceError(
                        f"the pictures changed from {size[0]}x{size[1]} to {frame.width}x{frame.height}",
                        where=self._where,
                    )
                yield frame
            if time.monotonic() - seen_s > _BLIND_S:
                raise SourceError(
                    f"no picture that can be decoded for {_BLIND_S:g} s",
                    where=self._where,
                    fix="Check the camera",
                )

    def _packets(self) -> Iterator[av.Packet[VideoStream]]:
        return self._container.demux(self._stream)

    def _ended(self, error: av.FFmpegError) -> SourceError:
        if isinstance(error, (av.ExitError, av.TimeoutError)):
            return SourceError(
                f"no picture for {self._stall_s:g} s", where=self._where, fix="Check the camera"
            )
        return SourceError(
            f"the connection broke ({error.strerror})", where=self._where, fix="Check the camera"
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """What was skipped, one line each."""
        counts = {"damaged packets": self._damaged, "pictures from before it was open": self._backlog.skipped}
        skipped = tuple(f"{what}: {count}" for what, count in counts.items() if count)
        return skipped + self._reports.notes + (("decoded by hardware",) if self._by_hardware else ())

    def close(self) -> None:
        """Hang up."""
        self._container.close()


def _connect(address: str, options: SourceOptions) -> InputContainer:
    name, form, settings = _how(address, options)
    begin_s = time.monotonic()
    stall_s = max(options.stall_timeout_s, _PIECE_S) if _in_pieces(address) else options.stall_timeout_s
    try:
        return av.open(
            name,
            mode="r",
            format=form,
            options=settings,
            metadata_errors="replace",
            timeout=(options.open_timeout_s, stall_s),
            hwaccel=decoder(options.decoder, redact(address)),
        )
    except (av.FFmpegError, ValueError, OSError) as error:
        # FFmpeg's RTSP reports an interrupted wait as invalid data, so ask the clock.
        waited = time.monotonic() - begin_s >= options.open_timeout_s
        fault = TimeoutError() if waited else error
        raise _unreachable(fault, redact(address), options) from None  # its text may hold the password


def _in_pieces(address: str) -> bool:
    """Whether an address is one of HLS."""
    return address.startswith("http") and urlsplit(address).path.endswith(".m3u8")


def _how(address: str, options: SourceOptions) -> tuple[str, str | None, dict[str, str]]:
    """What FFmpeg is to open, as which format, with which settings."""
    if not address.startswith(USB):
        settings = {"fpsprobesize": "0"}  # else the first second goes into measuring the frame rate
        if _in_pieces(address):
            settings["live_start_index"] = "-1"  # the newest piece
        if address.startswith("rtsp"):
            settings |= {"rtsp_transport": options.rtsp_transport, "buffer_size": _KEEP_BUFFERED}
        return address, None, settings
    number = address.removeprefix(USB)
    if not number.isascii() or not number.isdecimal():
        raise SourceError("which USB camera?", where=address, wanted="usb:0, usb:1, ...")
    form = _USB_FORMATS.get(sys.platform)
    if form is None:
        raise SourceError("USB cameras are not read on this system", where=address, wanted="Linux or macOS")
    settings = {}
    if options.size:
        settings["video_size"] = f"{options.size[0]}x{options.size[1]}"
    if options.fps:
        settings["framerate"] = f"{options.fps:g}"
    device = f"/dev/video{number}" if form == "v4l2" else number
    if form == "v4l2" and not Path(device).exists():
        there = ", ".join(sorted(f"usb:{path.name[5:]}" for path in Path("/dev").glob("video[0-9]*")))
        raise SourceError(
            f"no camera {device}", where=address, wanted=there or "a camera; none is plugged in"
        )
    return device, form, settings


def _unreachable(error: Exception, where: str, options: SourceOptions) -> SourceError:
    if isinstance(error, (av.HTTPUnauthorizedError, av.HTTPForbiddenError)):
        return CameraRefusesError(
            "the camera refuses this user or password", where=where, fix="Put user:password@ into the address"
        )
    if isinstance(error, av.HTTPNotFoundError):
        return CameraRefusesError(
            "the camera has no such stream", where=where, fix="Check the address's path"
        )
    if isinstance(error, (av.ExitError, TimeoutError)):
        return SourceError(
            f"no answer within {options.open_timeout_s:g} s",
            where=where,
            fix="Check address, cable and power",
        )
    if isinstance(error, av.ConnectionRefusedError):
        return SourceError("nobody listens there", where=where, fix="Check the address's host and port")
    if isinstance(error, av.PermissionError):
        return SourceError("this user may not use it", where=where, fix="Join the group 'video'")
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return SourceError(
        f"the camera cannot be opened ({redact_text(reason)})", where=where, fix="Check the address"
    )
