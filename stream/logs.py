"""What a pipeline's processes write about themselves: lines of text, or of JSON for a log collector.

A line of JSON holds ``time`` (UTC), ``level``, ``stage``, ``message``, and ``camera`` where it is about one.
Addresses lose their credentials in either form. Nobody's name and no template is ever logged: what is said of
people is in the events, which can be redacted when somebody is removed.
"""

from __future__ import annotations

import datetime
import logging
import sys
import threading
from typing import Any, Final, Literal

import msgspec

from stream.redact import redact_text

LOGGER: Final = "gaitway.stream"


class LogConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """``format``: text, or one JSON object a line. ``level``: the least that is worth a line."""

    format: Literal["text", "json"] = "text"
    level: Literal["debug", "info", "warning", "error"] = "warning"


def start_logging(config: LogConfig, stage: str = "") -> None:
    """Send what this process logs to standard error; ``stage``: who speaks, where threads do not tell."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines(stage) if config.format == "json" else TextLines())
    logging.basicConfig(handlers=[handler], level=config.level.upper(), force=True)


def about(camera: str) -> dict[str, str]:
    """The ``extra`` of a line that is about a camera."""
    return {"camera": camera}


class TextLines(logging.Formatter):
    """The message, its addresses without credentials."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        return _message(record)


class JsonLines(logging.Formatter):
    """One JSON object a line."""

    def __init__(self, stage: str) -> None:
        super().__init__()
        self._stage = stage

    def format(self, record: logging.LogRecord) -> str:
        """One line, whatever is in the message."""
        at = datetime.datetime.fromtimestamp(record.created, tz=datetime.UTC)
        line: dict[str, Any] = {
            "time": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "stage": self._stage or _speaker(),
            "message": _message(record),
        }
        if camera := getattr(record, "camera", ""):
            line["camera"] = camera
        return msgspec.json.encode(line).decode()


def message_of(line: str) -> str:
    """What a line of a log says, be it JSON or text."""
    try:
        found = msgspec.json.decode(line)
    except msgspec.DecodeError:
        return line
    return str(found["message"]) if isinstance(found, dict) and "message" in found else line


def _speaker() -> str:
    """Where stages are threads: the one that speaks."""
    name = threading.current_thread().name
    return "supervisor" if name == "MainThread" else name


def _message(record: logging.LogRecord) -> str:
    text = " ".join(record.getMessage().split())
    if record.exc_info and record.exc_info[1] is not None:
        text += f" ({type(record.exc_info[1]).__name__}: {record.exc_info[1]})"
    return redact_text(text)
