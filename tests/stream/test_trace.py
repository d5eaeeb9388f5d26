"""Traces: what was written comes back, a torn end is tolerated and said, damage is refused."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.errors import MessageError, ResourceError
from stream.messages import EndOfStream, FrameToken, Message
from stream.trace import MAGIC, TraceWriter, read_trace
from tests.stream.pipelines import reference


def write(path: Path, messages: list[Message]) -> None:
    writer = TraceWriter(path)
    for message in messages:
        writer.append(message)
    writer.close()


def messages(count: int) -> list[Message]:
    return [
        *(FrameToken(reference(n), "r", 0, n) for n in range(count)),
        EndOfStream("door", "run", count, 0),
    ]


def test_what_was_written_comes_back(tmp_path: Path) -> None:
    write(tmp_path / "trace", messages(5))
    assert list(read_trace(tmp_path / "trace")) == messages(5)


@given(st.integers(0, 400))
def test_a_file_cut_anywhere_gives_its_whole_messages(
    tmp_path_factory: pytest.TempPathFactory, kept: int
) -> None:
    path = tmp_path_factory.mktemp("trace") / "trace"
    write(path, messages(3))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(MAGIC) + kept])
    read = list(read_trace(path))
    assert read == messages(3)[: len(read)]
    assert (len(read) == 4) == (len(MAGIC) + kept >= len(whole))


def test_a_torn_end_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write(tmp_path / "trace", messages(2))
    whole = (tmp_path / "trace").read_bytes()
    (tmp_path / "trace").write_bytes(whole[:-3])
    with caplog.at_level(logging.WARNING):
        assert len(list(read_trace(tmp_path / "trace"))) == 2
    assert "cut short in the message at byte" in caplog.text


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "no trace"),
        (b"something else", "no trace"),
        (MAGIC + b"\xff\xff\xff\xff", "a message of 4294967295 bytes at byte 8"),
        (MAGIC + b"\x03\0\0\0\x01\xff\xff", "not a message of ours"),
    ],
)
def test_what_is_no_trace_is_refused(tmp_path: Path, content: bytes, why: str) -> None:
    (tmp_path / "trace").write_bytes(content)
    with pytest.raises(MessageError, match=why):
        list(read_trace(tmp_path / "trace"))


def test_no_file_and_no_room_are_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(ResourceError, match="cannot be read"):
        list(read_trace(tmp_path / "none"))
    with pytest.raises(ResourceError, match="cannot be written"):
        TraceWriter(tmp_path / "no" / "folder")


def test_a_full_disk_is_one_clear_line() -> None:
    with pytest.raises(ResourceError, match=r"No space left on device.*Free the disk"):
        TraceWriter(Path("/dev/full"))
