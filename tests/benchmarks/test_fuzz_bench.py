"""A short run of every fuzz target; and what the long ones found stays found."""

from __future__ import annotations

import io
import random
import signal
import zipfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest

from benchmarks.fuzz_mutate import Mutator
from benchmarks.fuzz_stream import Target
from benchmarks.fuzz_worker import TARGETS, HangError, _hangs, fuzz
from commands.config import PipelineConfig
from commands.settings import parse_settings
from gait.decision_norm import load_cohort
from stream.checkpoint import Checkpoint, read_checkpoint
from stream.errors import ConfigError, GaitwayError, MessageError
from stream.messages import ControlRequest, decode, encode
from stream.security import load_public
from tests.stream.publishing import publishing
from tests.stream.test_publish import ask
from trackers.mot import read_mot

FEW = {"tflite": 10, "gallery_file": 20}


@pytest.fixture(autouse=True)
def _watched() -> Iterator[None]:
    """One input that takes more than its time is an error, as in the bench."""
    before = signal.signal(signal.SIGPROF, _hangs)
    yield
    signal.signal(signal.SIGPROF, before)


@pytest.mark.parametrize("name", TARGETS)
def test_every_parser_refuses_what_is_nearly_right_in_one_line(name: str, tmp_path: Path) -> None:
    count = FEW.get(name, 150)
    found = fuzz(TARGETS[name](tmp_path), count, random.Random(f"{name}-7"), lambda _: None)
    assert [f"{crash.what} at {crash.where}, input {crash.input}" for crash in found.crashes] == []
    assert found.inputs == count


def test_a_crash_and_a_hang_are_told_with_their_input() -> None:
    def feed(data: bytes) -> None:
        if data[:1] != b"o":
            raise ZeroDivisionError("a defect") if len(data) % 2 else HangError("too long")

    found = fuzz(Target("text", (b"ok",), feed), 200, random.Random(1), lambda _: None)
    assert {crash.what for crash in found.crashes} == {"ZeroDivisionError: a defect", "HangError: too long"}
    for crash in found.crashes:
        with pytest.raises((ZeroDivisionError, HangError)):
            feed(bytes.fromhex(crash.input))


@pytest.mark.parametrize("form", ["bytes", "text", "json", "msgpack"])
def test_mutations_differ_and_can_be_had_again(form: str) -> None:
    seed = (
        msgspec.json.encode({"a": [1, "x"]}) if form == "json" else encode(ControlRequest("list", {"a": 1}))
    )
    made = [[Mutator(random.Random(5), [seed], form).next() for _ in range(1)] for _ in range(2)]
    assert made[0] == made[1]
    mutator = Mutator(random.Random(5), [seed], form)
    assert len({mutator.next() for _ in range(500)}) > 300


def test_text_that_is_no_utf_8_is_no_message(tmp_path: Path) -> None:
    with pytest.raises(MessageError, match="not a message of ours"):
        decode(encode(ControlRequest("list")).replace(b"list", b"l\xffst"))
    with publishing(tmp_path / "log") as made:
        made.publish(1)
        assert ask(made.repair, b'{"want":"\xff"}')[0]["ok"] is False
        assert ask(made.repair, {"want": "state"})[0]["ok"] is True, "it still answers"


def test_a_checkpoint_with_names_that_are_none_is_damaged(tmp_path: Path) -> None:
    bad = Checkpoint(b"", (), {}, positions={"zz": 1})
    (tmp_path / "x.checkpoint").write_bytes(msgspec.msgpack.encode(bad))
    with pytest.raises(MessageError, match="damaged checkpoint"):
        read_checkpoint(tmp_path, "x")


def test_a_key_without_its_value_is_no_key_file(tmp_path: Path) -> None:
    (tmp_path / "x.key").write_text("curve\n    public-key\n")
    with pytest.raises(ConfigError, match="no key file"):
        load_public(tmp_path / "x.key")


@pytest.mark.parametrize(
    "text",
    [
        "[" * 3000,
        "cameras: &a {x: *a}",
        "a: &a [1, 2, 3, 4, 5, 6, 7, 8, 9]\n"
        + "".join(
            f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n"
            for old, new in zip("abcdefg", "bcdefgh", strict=True)
        ),
    ],
    ids=["deep", "endless", "wide"],
)
def test_settings_that_grow_without_end_are_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        parse_settings(text, "x.yaml", PipelineConfig, [])


def test_a_row_of_infinite_class_is_a_row_of_a_person(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("1,2,10,20,30,40,1,1e999\n")
    assert len(read_mot(tmp_path / "x.txt")) == 1


def test_a_damaged_archive_of_vectors_is_one_line(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, model=np.array("m"), vectors=np.ones((30, 4), np.float16))
    good = buffer.getvalue()
    at = good.index(b"PK\x01\x02")
    for data in (b"PK\x03\x04", good[:at], good.replace(b"PK\x03\x04", b"PK\x03\x05")):
        (tmp_path / "c.npz").write_bytes(data)
        with pytest.raises(GaitwayError):
            load_cohort(tmp_path / "c.npz", "m")
    assert zipfile.is_zipfile(io.BytesIO(good))
