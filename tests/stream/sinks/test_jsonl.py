"""Events in a rotated file: whole lines whatever happens, so many files and no more, names that can be blotted."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest

from gait.gallery.redact import LOG, redact
from stream.errors import ResourceError
from stream.sinks.base import NotNowError
from stream.sinks.config import JsonlConfig
from stream.sinks.follow import Waiting
from stream.sinks.jsonl import JsonlSink
from tests.stream.sinks.logs import Log, follower


def waiting(number: int, text: str = "x", *, replayed: bool = False) -> Waiting:
    line = json.dumps({"id": f"e{number}", "text": text}).encode()
    return Waiting(f"e{number}", "door", line, 0, replayed)


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_each_event_is_a_line_that_says_whether_it_may_be_a_repetition(tmp_path: Path) -> None:
    sink = JsonlSink(JsonlConfig(path="a.jsonl"), tmp_path / "sub" / "a.jsonl")
    sink.deliver([waiting(1), waiting(2, replayed=True)])
    sink.close()
    found = lines(tmp_path / "sub" / "a.jsonl")
    assert [(line["event"]["id"], line["replayed"]) for line in found] == [("e1", False), ("e2", True)]


def test_it_goes_on_behind_what_was_there_a_torn_line_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"event":{"id":"e0"},"replayed":false}\n{"event":{"i')
    sink = JsonlSink(JsonlConfig(path="a.jsonl"), path)
    sink.deliver([waiting(1)])
    sink.close()
    assert [line["event"]["id"] for line in lines(path)] == ["e0", "e1"]


def test_a_file_that_is_full_is_kept_under_a_number_and_the_oldest_goes(tmp_path: Path) -> None:
    config = JsonlConfig(path="a.jsonl", max_bytes=4096, keep=2)
    sink = JsonlSink(config, tmp_path / "a.jsonl")
    for number in range(20):
        sink.deliver([waiting(number, "x" * 1000)])
    sink.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.1.jsonl", "a.2.jsonl", "a.jsonl"]
    kept = [line["event"]["id"] for name in ("a.2", "a.1", "a") for line in lines(tmp_path / f"{name}.jsonl")]
    assert kept == [f"e{number}" for number in range(20 - len(kept), 20)]
    assert all(path.stat().st_size <= 4096 for path in tmp_path.iterdir())


def test_a_full_disk_is_waited_out_and_leaves_whole_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = JsonlSink(JsonlConfig(path="a.jsonl"), tmp_path / "a.jsonl")
    sink.deliver([waiting(1)])
    real = os.pwrite

    def full(file: int, data: bytes, at: int) -> int:
        if len(data) > 60:
            return real(file, data[:10], at)
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "pwrite", full)
        with pytest.raises(NotNowError, match="No space left"):
            sink.deliver([waiting(2, "x" * 20)])
    sink.deliver([waiting(2)])
    sink.close()
    assert [line["event"]["id"] for line in lines(tmp_path / "a.jsonl")] == ["e1", "e2"]


def test_a_place_that_cannot_be_written_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ResourceError, match="cannot be written"):
        JsonlSink(JsonlConfig(path="file/a.jsonl"), tmp_path / "file" / "a.jsonl")


def test_a_removed_persons_name_is_blotted_out_in_all_the_files(tmp_path: Path) -> None:
    log = Log(tmp_path / "events.jsonl")
    log.add(8)
    found = follower(tmp_path)
    found.look()
    path = tmp_path / "copy.jsonl"
    sink = JsonlSink(JsonlConfig(path="copy.jsonl", max_bytes=4096), path)
    for one in found.next(8):
        sink.deliver([one] * 2)
    sink.close()
    found.close()
    log.close()
    assert "Ada" in path.read_text()
    done = redact([(str(path), LOG)], "p1")
    assert {Path(one.path).name for one in done} == {"copy.jsonl", "copy.1.jsonl"}
    for name in ("copy.jsonl", "copy.1.jsonl"):
        text = (tmp_path / name).read_text()
        assert "Ada" not in text
        assert '"p1"' not in text
        assert all(line["event"]["identity"]["answer"] == "person" for line in lines(tmp_path / name))
