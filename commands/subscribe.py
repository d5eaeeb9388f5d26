"""``run_pipeline.py subscribe``: print identity events as a running pipeline publishes them."""

from __future__ import annotations

import argparse
import datetime
import sys
from pathlib import Path

import msgspec

from commands.cli import add_config_arguments, out, say
from commands.config import load_config
from stream.client import ClientError, Event, Gap, Keys, QuietError, subscribe
from stream.errors import ConfigError, ResourceError
from stream.security import KeyFolder

WORDS = {"person": "green", "unknown": "yellow", "insufficient_evidence": "dim"}


def configure(parser: argparse.ArgumentParser) -> None:
    """Where to listen, to whom, for how long."""
    add_config_arguments(parser)
    parser.add_argument("endpoint", nargs="?", help="default: events.endpoint of the configuration")
    parser.add_argument("--repair", help="default: events.repair of the configuration")
    parser.add_argument("--camera", help="this camera's events only")
    parser.add_argument("--history", action="store_true", help="begin with what was published before")
    parser.add_argument("--snapshot", action="store_true", help="begin with who is there now")
    parser.add_argument("--count", type=int, metavar="N", help="end after N events")
    parser.add_argument("--timeout", type=float, metavar="S", help="end after S seconds without an event")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument("--server", metavar="FILE", help="pipeline.key of a pipeline on another machine")
    parser.add_argument("--identity", metavar="FILE", help="your NAME.key_secret there (needs --server)")


def run(arguments: argparse.Namespace) -> int:
    """Print until Ctrl-C, the count or the time-out (status 4)."""
    config = load_config(arguments.config, arguments.overrides)
    events = config.events
    endpoint = arguments.endpoint or events.endpoint
    repair = arguments.repair or (None if arguments.endpoint else events.repair or None)
    if not arguments.json:
        say(f"listening to {endpoint}; stop with Ctrl-C")
    try:
        with subscribe(
            endpoint,
            arguments.camera,
            keys=_keys(arguments, config.security.keys, endpoint),
            repair=repair,
            history="snapshot" if arguments.snapshot else arguments.history,
            timeout_s=arguments.timeout,
            on_gap=_missed,
        ) as arriving:
            for number, event in enumerate(arriving, start=1):
                _print(event, as_json=arguments.json)
                if number == arguments.count:
                    return 0
    except QuietError as error:
        raise ResourceError(
            str(error), fix="Is a pipeline running? See `doctor` for the endpoints"
        ) from error
    except ClientError as error:
        raise ResourceError(str(error)) from error
    return 0


def _keys(arguments: argparse.Namespace, folder: str, endpoint: str) -> Keys | None:
    """The files named, else the operator's own in the configured folder."""
    if bool(arguments.server) != bool(arguments.identity):
        raise ConfigError("--server and --identity go together", fix="Name both key files")
    if arguments.server:
        return Keys.load(arguments.server, arguments.identity)
    if not folder or not endpoint.startswith("tcp://"):
        return None
    own = KeyFolder(Path(folder)).client()
    return Keys(own.server or b"", own.public, own.secret)


def _print(event: Event, *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(msgspec.json.encode(event).decode() + "\n")
        sys.stdout.flush()
        return
    at = datetime.datetime.fromtimestamp(event.captured_ns / 1e9, tz=datetime.UTC).strftime("%H:%M:%S.%f")[
        :-4
    ]
    answer = event.identity
    who, colour = "", "dim"
    if answer is not None:
        who = answer.name or answer.answer.replace("_", " ")
        colour = WORDS[answer.answer]
        if answer.probability is not None:
            who += f" {answer.probability:.0%}"
    if event.link is not None:
        who = f"continues {event.link.earlier} {event.link.confidence:.0%}"
        who = f"not so: {who} ({event.link.reason})" if event.kind == "retract" else who
    line = f"{at}  {event.camera:<12} {event.sequence:>5}  {event.kind:<7} {who:<24} {event.tracklet or ''}"
    out.print(line.rstrip(), style=colour, markup=False, highlight=False)


def _missed(gap: Gap) -> None:
    say(f"missed for good: {gap.camera} {gap.first} to {gap.last}")
