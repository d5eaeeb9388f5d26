"""Logs: one line each, JSON where asked, who speaks and about which camera; no credential in either form."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.errors import SourceError
from stream.logs import LOGGER, JsonLines, LogConfig, TextLines, about, message_of, start_logging

_log = logging.getLogger(LOGGER)


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    yield
    root.handlers[:] = before[0]
    root.setLevel(before[1])


def test_a_line_of_json_says_when_who_how_grave_and_about_which_camera(
    capsys: pytest.CaptureFixture[str],
) -> None:
    start_logging(LogConfig(format="json"), "source-hall")
    _log.warning("%s: lost (%s)", "hall", "no route to rtsp://ada:secret@h/1?key=x", extra=about("hall"))
    line = json.loads(capsys.readouterr().err)
    assert line.pop("time").endswith("Z")
    assert line == {
        "level": "warning",
        "stage": "source-hall",
        "camera": "hall",
        "message": "hall: lost (no route to rtsp://***@h/1?***",
    }


def test_text_is_the_message_alone_without_credentials(capsys: pytest.CaptureFixture[str]) -> None:
    start_logging(LogConfig())
    _log.error("%s", SourceError("refused", where="rtsp://ada:secret@h/1"))
    _log.info("not worth a line")
    assert capsys.readouterr().err == "rtsp://***@h/1: refused\n"


def test_the_level_decides_what_is_worth_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    start_logging(LogConfig(format="json", level="info"))
    _log.debug("no")
    _log.info("yes")
    assert [json.loads(line)["message"] for line in capsys.readouterr().err.splitlines()] == ["yes"]


def test_where_stages_are_threads_the_thread_says_who_speaks(capsys: pytest.CaptureFixture[str]) -> None:
    start_logging(LogConfig(format="json"))
    speaker = threading.Thread(target=lambda: _log.warning("here"), name="track")
    speaker.start()
    speaker.join()
    _log.warning("there")
    stages = [json.loads(line)["stage"] for line in capsys.readouterr().err.splitlines()]
    assert stages == ["track", "supervisor"]


@given(st.text())
def test_any_message_is_one_line_that_can_be_read_again(text: str) -> None:
    record = logging.LogRecord("x", logging.WARNING, "", 0, "%s", (text,), None)
    line = JsonLines("track").format(record)
    assert "\n" not in line
    assert message_of(line) == TextLines().format(record)


def test_an_exception_is_named_on_the_same_line() -> None:
    try:
        raise ValueError("line one\nline two")
    except ValueError as error:
        record = logging.LogRecord("x", logging.ERROR, "", 0, "failed", (), (type(error), error, None))
    assert (
        json.loads(JsonLines("track").format(record))["message"] == "failed (ValueError: line one\nline two)"
    )


@pytest.mark.parametrize("line", ["plain words", "[1, 2]", '{"other": 1}', ""])
def test_what_is_no_line_of_ours_is_its_own_message(line: str) -> None:
    assert message_of(line) == line
