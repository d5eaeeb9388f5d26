"""What every verb shares: arguments, progress, tables and the one way to end."""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from stream.logs import LOGGER, LogConfig

ROOT = Path(__file__).resolve().parent.parent
DEFAULT_CONFIG = ROOT / "pipeline.yaml"

out = Console(soft_wrap=True)
err = Console(stderr=True, soft_wrap=True)


class VerbModule(Protocol):
    """What a module of this folder offers to run_pipeline.py."""

    def configure(self, parser: argparse.ArgumentParser) -> None:
        """Declare the verb's arguments."""

    def run(self, arguments: argparse.Namespace) -> int:
        """Do it; the exit status."""


@dataclass(frozen=True)
class Step:
    """A running progress bar; ``advance`` or ``set`` as the work goes on."""

    _progress: Progress
    _task: Any

    def advance(self, count: int = 1) -> None:
        """``count`` more items are done."""
        self._progress.advance(self._task, count)

    def set(self, done: int, total: int | None = None) -> None:
        """``done`` items of ``total`` are done."""
        self._progress.update(self._task, completed=done, total=total)


@contextmanager
def progress(what: str, total: int | None) -> Iterator[Step]:
    """A bar on stderr while a terminal watches; silent otherwise, so that logs stay clean."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as bar:
        yield Step(bar, bar.add_task(what, total=total))


def say(text: str) -> None:
    """A line for the person at the terminal; stdout stays free for results."""
    err.print(text, highlight=False, markup=False)


def teller(logs: LogConfig) -> Callable[[str], None]:
    """How a pipeline's own process says a line: to a person, or to a log collector."""
    if logs.format == "text":
        return say
    return lambda text: logging.getLogger(LOGGER).warning("%s", text)


def print_json(value: object) -> None:
    """One JSON object on stdout."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def whole(least: int) -> Callable[[str], int]:
    """The type of an argument that is a whole number, ``least`` or more."""

    def read(text: str) -> int:
        if not text.removeprefix("-").isdecimal() or int(text) < least:
            raise argparse.ArgumentTypeError(f"{text!r}; wanted a whole number from {least} on")
        return int(text)

    return read


def add_action(actions: Any, name: str, text: str, example: str) -> argparse.ArgumentParser:
    """A sub-command of a verb, with its help and an example of its use."""
    parser: argparse.ArgumentParser = actions.add_parser(
        name,
        help=text,
        description=text[0].upper() + text[1:] + ".",
        epilog=f"example:\n  python run_pipeline.py {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    return parser


def add_config_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of every verb that starts a pipeline."""
    parser.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="the configuration (default: pipeline.yaml beside this program)",
    )
    add_override_argument(parser, "perceive.max_people=4")
    parser.add_argument(
        "--profile",
        action="append",
        type="profile={}".format,
        metavar="NAME",
        dest="overrides",
        help="lay a profile over the configuration: cpu, gpu, or one of its own `profiles`",
    )


def add_override_argument(parser: argparse.ArgumentParser, example: str) -> None:
    """``--set`` for verbs that read settings; ``example`` is one of theirs."""
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        dest="overrides",
        help=f"override one setting, e.g. --set {example}; may be repeated",
    )


def add_json_argument(parser: argparse.ArgumentParser) -> None:
    """``--json`` for verbs a machine may read."""
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of text")
