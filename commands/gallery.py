"""``run_pipeline.py gallery``: who is enrolled; rename and remove; finished tracks; checks."""

from __future__ import annotations

import argparse
import datetime
import sys
from typing import Any

from rich.table import Table

from commands.cli import add_config_arguments, add_json_argument, out, print_json, say
from commands.config import load_config
from commands.counter import ask_gallery
from stream.errors import GalleryError
from stream.messages import ControlRequest

ACTIONS = {
    "list": "everyone enrolled",
    "show": "one person and their templates",
    "rename": "call a person something else",
    "remove": "remove a person and every byte of their templates",
    "tracks": "finished tracks that can still be enrolled",
    "audit": "what was changed, and when",
    "verify": "check the whole file",
}


def configure(parser: argparse.ArgumentParser) -> None:
    """One sub-command an action."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    for name, text in ACTIONS.items():
        child = actions.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        add_config_arguments(child)
        add_json_argument(child)
        if name in ("show", "rename", "remove"):
            child.add_argument("who", help="a name or id")
        if name == "rename":
            child.add_argument("name", help="the new name")
        if name == "remove":
            child.add_argument("--yes", action="store_true", help="do not ask")


def run(arguments: argparse.Namespace) -> int:
    """Ask the gallery and show the answer."""
    config = load_config(arguments.config, arguments.overrides)
    if arguments.action == "remove" and not _sure(arguments):
        say("nothing removed")
        return 1
    wanted = {key: getattr(arguments, key) for key in ("who", "name") if hasattr(arguments, key)}
    result = ask_gallery(config, ControlRequest(f"gallery.{arguments.action}", wanted))
    if arguments.json:
        print_json(result)
    else:
        SHOW[arguments.action](result)
    return 1 if result.get("faults") else 0


def _sure(arguments: argparse.Namespace) -> bool:
    if arguments.yes:
        return True
    if not sys.stdin.isatty():
        raise GalleryError("removal is final and nobody is here to confirm it", fix="Add --yes")
    return input(f"Remove {arguments.who} for good? [y/N] ").strip().lower() in ("y", "yes")


def _people(result: dict[str, Any]) -> None:
    if not result["people"]:
        say("nobody is enrolled; start with: run_pipeline.py enrol CLIP --name NAME")
        return
    table = _table("id", "name", "templates", "samples", "enrolled", "consent")
    for person in result["people"]:
        samples = sum(template["samples"] for template in person["templates"])
        cells = (person["id"], person["name"], len(person["templates"]), samples)
        table.add_row(*map(str, cells), _day(person["created_ns"]), person["consent"] or "-")
    out.print(table)


def _person(result: dict[str, Any]) -> None:
    person = result["person"]
    out.print(f"{person['name']} ({person['id']}), enrolled {_day(person['created_ns'])}", markup=False)
    table = _table("template", "model", "samples", "quality", "source")
    for template in person["templates"]:
        cells = (template["id"], template["model"][:12], template["samples"], f"{template['quality']:.2f}")
        table.add_row(*map(str, cells), template["source"] or "-")
    out.print(table)


def _changed(result: dict[str, Any]) -> None:
    say(f"done: {result['person']['name']} ({result['person']['id']}); epoch {result['epoch']}")


def _tracks(result: dict[str, Any]) -> None:
    if not result["tracks"]:
        say("no finished track is kept")
        return
    table = _table("track", "seconds", "answer", "person", "kept until")
    for track in result["tracks"]:
        seconds = (track["last_ns"] - track["first_ns"]) * 1e-9
        cells = (track["tracklet"], f"{seconds:.1f}", track["answer"], track["person"] or "-")
        table.add_row(*cells, _day(track["expires_ns"]))
    out.print(table)


def _audit(result: dict[str, Any]) -> None:
    table = _table("epoch", "when", "action", "person", "detail")
    for row in result["rows"]:
        table.add_row(str(row["epoch"]), _day(row["at_ns"]), row["action"], row["person"], row["detail"])
    out.print(table)


def _faults(result: dict[str, Any]) -> None:
    for fault in result["faults"]:
        say(fault)
    if not result["faults"]:
        say("the gallery is sound")


def _table(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in headings:
        table.add_column(heading)
    return table


def _day(at_ns: int) -> str:
    return datetime.datetime.fromtimestamp(at_ns / 1e9).astimezone().strftime("%Y-%m-%d %H:%M")


SHOW = {
    "list": _people,
    "show": _person,
    "rename": _changed,
    "remove": _changed,
    "tracks": _tracks,
    "audit": _audit,
    "verify": _faults,
}
