"""Cameras: RTSP, HTTP and USB through PyAV, their pictures timed on this host's clock.

One ``LiveSource`` is one connection: it ends, with its ``problem`` set, when the camera closes it, falls
silent or sends what nobody can read. Whoever wants the camera back opens another.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from stream.errors import SourceError
from stream.sources.base import Picture, SourceOptions
from stream.sources.clock import Backlog, LiveClock, host_clock
from stream.sources.container import video_stream
from stream.sources.picture import BgrConverter, stamp_of
from stream.sources.redact import redact, redact_text

SCHEMES: Final = ("rtsp://", "rtsps://", "http://", "https://")
USB: Final = "usb:"
_USB_FORMATS: Final = {"linux": "v4l2", "darwin": "avfoundation"}
_KEEP_BUFFERED: Final = "1048576"  # bytes of UDP receive buffer: a key frame of a 4K camera


class LiveSource:
    """The pictures of one camera connection; live, so what comes too fast is dropped by the feed.

    Opening waits at most ``open_timeout_s`` for the camera and raises SourceError, which never holds its
    credentials. ``run`` is the moment of opening: every connection is a run of its own. RTSP and USB stamp
    their pictures when they take them; the stamps of HTTP are made up on arrival, so there arrival counts.
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
        self._stall_s = options.stall_timeout_s
        self._container = _connect(address, options)
        try:
            self._stream = video_stream(self._container, self._where, options.decode_threads)
        except SourceError:
            self._container.close()
            raise
        self.run = f"{self._clock_ns():016x}"
        context = self._stream.codec_context
        self.width: int | None = context.width or None
        self.height: int | None = context.height or None
        rate = self._stream.average_rate or self._stream.guessed_rate
        self.fps: float | None = float(rate) if rate else None
        self.problem: SourceError | None = None
        self._damaged = 0
        self._backlog = Backlog()

    def frames(self) -> Iterator[Picture]:
        """Pictures as they come, until the connection ends."""
        converter = BgrConverter(self._where, self._stream.sample_aspect_ratio)
        clock, number = LiveClock(), 0
        try:
            for frame in self._decode():
                stamp_ns, arrival_ns = stamp_of(frame) if self._stamped else None, self._clock_ns()
                if self._stamped and self._backlog.holds(stamp_ns, arrival_ns):
                    continue
                captured_ns = clock.capture(stamp_ns, arrival_ns)
                source_ns = captured_ns if stamp_ns is None else stamp_ns
                yield Picture(number, captured_ns, source_ns, converter.image(frame))
                number += 1
        except SourceError as error:
            self.problem = error
        except av.FFmpegError as error:
            self.problem = self._ended(error)
        else:
            self.problem = SourceError("the camera closed the stream", where=self._where)

    def _decode(self) -> Iterator[av.VideoFrame]:
        for packet in self._packets():
            try:
                frames = packet.decode()
            except av.InvalidDataError:
                self._damaged += 1
                continue
            yield from frames

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
        return tuple(f"{what}: {count}" for what, count in counts.items() if count)

    def close(self) -> None:
        """Hang up."""
        self._container.close()


def _connect(address: str, options: SourceOptions) -> InputContainer:
    name, form, settings = _how(address, options)
    begin_s = time.monotonic()
    try:
        return av.open(
            name,
            mode="r",
            format=form,
            options=settings,
            metadata_errors="replace",
            timeout=(options.open_timeout_s, options.stall_timeout_s),
        )
    except (av.FFmpegError, ValueError, OSError) as error:
        # FFmpeg's RTSP reports an interrupted wait as invalid data, so ask the clock.
        waited = time.monotonic() - begin_s >= options.open_timeout_s
        fault = TimeoutError() if waited else error
        raise _unreachable(fault, redact(address), options) from None  # its text may hold the password


def _how(address: str, options: SourceOptions) -> tuple[str, str | None, dict[str, str]]:
    """What FFmpeg is to open, as which format, with which settings."""
    if not address.startswith(USB):
        settings = {"fpsprobesize": "0"}  # else the first second goes into measuring the frame rate
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
        return SourceError(
            "the camera refuses this user or password", where=where, fix="Put user:password@ into the address"
        )
    if isinstance(error, av.HTTPNotFoundError):
        return SourceError("the camera has no such stream", where=where, fix="Check the address's path")
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
