"""Decoding one video file to its end, and telling a proper end from a file that was cut short."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import av
from av.video.stream import VideoStream

from stream.errors import SourceError
from stream.sources.base import NS_PER_S
from stream.sources.clock import to_ns
from stream.sources.container import open_file

_TAIL_NS: Final = NS_PER_S // 2
"""A recording that ends this much before its stated length is cut short; less is rounding."""
_DURATION_TAG: Final = re.compile(r"(\d+):(\d\d):(\d\d)\.(\d{9})$")


class Recording:
    """One video file's decoded frames, and after them how it ended.

    Damaged packets are skipped and counted; the frames around them are handed out.
    """

    def __init__(self, path: Path, threads: int) -> None:
        self._path = path
        self.container, self.stream = open_file(path, threads)
        self._size_bytes = path.stat().st_size
        self._decoded = self._damaged = 0
        self._last_packet_damaged = False
        self._end_ns = 0
        self._error = ""

    @property
    def fps(self) -> float | None:
        """The nominal rate, where the file has one."""
        rate = self.stream.average_rate or self.stream.guessed_rate
        return float(rate) if rate else None

    @property
    def expected_frames(self) -> int | None:
        """How many frames the file says it holds, or its length times its rate."""
        if self.stream.frames:
            return self.stream.frames
        stated_ns = self._stated_end_ns()
        return max(1, round(stated_ns * self.fps / NS_PER_S)) if stated_ns and self.fps else None

    def frames(self) -> Iterator[av.VideoFrame]:
        """Every frame that can be decoded, in order of presentation."""
        for packet in self._packets():
            try:
                frames = packet.decode()
            except av.FFmpegError:
                self._damaged += 1
                self._last_packet_damaged = True
                continue
            if packet.size:  # the last, empty packet only drains the decoder
                self._last_packet_damaged = packet.is_corrupt
                self._damaged += packet.is_corrupt
            for frame in frames:
                self._decoded += 1
                yield frame

    def _packets(self) -> Iterator[av.Packet[VideoStream]]:
        try:
            for packet in self.container.demux(self.stream):
                if packet.pts is not None and packet.time_base:
                    end = packet.pts - (self.stream.start_time or 0) + (packet.duration or 0)
                    self._end_ns = max(self._end_ns, to_ns(end, packet.time_base))
                yield packet
        except av.FFmpegError as error:
            self._error = error.strerror or type(error).__name__

    def problem(self) -> SourceError | None:
        """After the last frame: why the file ended before its time, or None."""
        if not self._decoded:
            return SourceError(
                "holds no picture that can be decoded",
                where=str(self._path),
                wanted="at least one frame",
                fix="Record or copy it again",
            )
        reason = self._why_cut_short()
        if not reason:
            return None
        return SourceError(
            f"the recording is cut short ({reason}); {self._decoded} pictures were read",
            where=str(self._path),
            fix="Copy it again, or accept what there is",
        )

    def _why_cut_short(self) -> str:
        if self._error:
            return self._error
        if self._last_packet_damaged:
            return "its last packet is incomplete"
        index_end = max((entry.pos + entry.size for entry in self.stream.index_entries), default=0)
        if index_end > self._size_bytes:
            return f"{self._size_bytes} of {index_end} bytes are there"
        stated_ns = self._stated_end_ns()
        if stated_ns and self._end_ns and self._end_ns + _TAIL_NS < stated_ns:
            return f"it ends at {self._end_ns / NS_PER_S:.2f} s of {stated_ns / NS_PER_S:.2f} s"
        return ""

    def _stated_end_ns(self) -> int | None:
        """The picture stream's length as the file states it; Matroska states it as a tag."""
        if self.stream.duration and self.stream.time_base:
            return to_ns(self.stream.duration, self.stream.time_base)
        tag = _DURATION_TAG.match(self.stream.metadata.get("DURATION", ""))
        if tag is None:
            return None
        hours, minutes, seconds, ns = (int(part) for part in tag.groups())
        return ((hours * 60 + minutes) * 60 + seconds) * NS_PER_S + ns

    @property
    def notes(self) -> tuple[str, ...]:
        """What was skipped, one line, or nothing."""
        return (f"damaged packets: {self._damaged}",) if self._damaged else ()

    def close(self) -> None:
        """Close the file."""
        self.container.close()
