"""Opening what PyAV can read, and saying in one line why it cannot."""

from __future__ import annotations

import contextlib
import hashlib
from pathlib import Path
from typing import Final

import av
from av.container import InputContainer
from av.stream import Disposition
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from stream.errors import SourceError

RUN_DIGITS: Final = 16
_TEXT_FORMATS: Final = frozenset({"tty"})
"""FFmpeg takes any .txt for terminal art and renders it as a film."""
_LIST_FORMATS: Final = frozenset({"concat", "dash", "hls", "imf"})
"""What such a file shows lies in others: its hash would not say what was seen."""
_FILES_ONLY: Final = {"protocol_whitelist": "file"}
"""A file from outside must not make this host open connections."""
_NOT_VIDEO: Final = "Check it with 'ffprobe FILE'; any container and codec that FFmpeg reads will do"


def check_file(path: Path) -> None:
    """Raises SourceError unless ``path`` is a file with something in it that we may read."""
    try:
        size = path.stat().st_size
        with path.open("rb"):
            pass
    except FileNotFoundError:
        raise SourceError("no such file", where=str(path), fix="Check the path") from None
    except IsADirectoryError:
        raise SourceError("is a folder", where=str(path), wanted="a video file") from None
    except PermissionError:
        raise SourceError(
            "may not be read by this user", where=str(path), fix=f"Give read permission: chmod u+r '{path}'"
        ) from None
    except OSError as error:
        raise SourceError(f"cannot be read ({error.strerror})", where=str(path)) from error
    if size == 0:
        raise SourceError(
            "the file is empty (0 bytes)", where=str(path), wanted="a video", fix="Copy or record it again"
        )


def content_hash(paths: list[Path]) -> str:
    """The run of a recording: a hash of all bytes, blind to names and dates; raises SourceError."""
    digest = hashlib.blake2b(digest_size=RUN_DIGITS // 2)
    for path in paths:
        check_file(path)
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, hashlib.blake2b).digest())
    return digest.hexdigest()


def open_file(path: Path, threads: int) -> tuple[InputContainer, VideoStream]:
    """A video file's container and its video stream; raises SourceError."""
    check_file(path)
    try:
        container = av.open(str(path), mode="r", options=_FILES_ONLY, metadata_errors="replace")
    except av.FFmpegError as error:
        raise _not_video(path, error) from error
    try:
        if container.format.name in _TEXT_FORMATS:
            raise SourceError("a text file", where=str(path), wanted="a video file", fix=_NOT_VIDEO)
        if not _LIST_FORMATS.isdisjoint(container.format.name.split(",")):
            raise SourceError(
                "a list of other files",
                where=str(path),
                wanted="a video file",
                fix="Name their folder instead",
            )
        return container, video_stream(container, str(path), threads)
    except SourceError:
        container.close()
        raise


def video_stream(container: InputContainer, where: str, threads: int) -> VideoStream:
    """The first stream with moving pictures (not a cover picture of a song); raises SourceError."""
    for stream in container.streams.video:
        if Disposition.attached_pic not in stream.disposition:
            if not _decodable(stream):
                raise SourceError("in a codec that cannot be decoded here", where=where, fix=_NOT_VIDEO)
            stream.thread_type = "FRAME" if threads > 1 else "NONE"
            stream.codec_context.thread_count = threads
            return stream
    if container.streams.audio:
        raise SourceError(
            "holds sound but no pictures", where=where, wanted="a video", fix="Name another file"
        )
    raise SourceError("holds no video", where=where, wanted="a video", fix=_NOT_VIDEO)


def _decodable(stream: VideoStream) -> bool:
    """PyAV leaves the context out where it has no decoder, which its types do not say."""
    context: VideoCodecContext | None = stream.codec_context
    return context is not None


def _not_video(path: Path, error: av.FFmpegError) -> SourceError:
    head = b""
    with contextlib.suppress(OSError), path.open("rb") as file:
        head = file.read(12)
    if head[4:8] == b"ftyp":  # MP4 and QuickTime keep their index (moov) at the end unless told
        return SourceError(
            "an MP4 whose index cannot be read: cut short, or still being written",
            where=str(path),
            fix="Record to .mkv or fragmented MP4, or copy the file again",
        )
    if isinstance(error, av.EOFError):
        return SourceError(
            "holds no picture: it ends after its header",
            where=str(path),
            wanted="at least one frame",
            fix="Record or copy it again",
        )
    return SourceError(
        f"not a video ({error.strerror})", where=str(path), wanted="a video file", fix=_NOT_VIDEO
    )
