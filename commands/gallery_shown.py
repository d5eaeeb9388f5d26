"""What the gallery answered, as tables and lines."""

from __future__ import annotations

import datetime
from typing import Any

from rich.table import Table

from commands.cli import out, say

Result = dict[str, Any]


def people(result: Result) -> None:
    """Everybody, one a line."""
    if not result["people"]:
        say("nobody is enrolled; start with: run_pipeline.py enrol CLIP --name NAME")
        return
    table = _table("id", "name", "templates", "samples", "enrolled", "until", "consent")
    for person in result["people"]:
        samples = sum(template["samples"] for template in person["templates"])
        names = " = ".join([person["name"], *person["aliases"]])
        cells = (person["id"], names, len(person["templates"]), samples)
        until = day(person["expires_ns"])
        table.add_row(*map(str, cells), day(person["created_ns"]), until, person["consent"] or "-")
    out.print(table)


def person(result: Result) -> None:
    """One person and their templates."""
    person = result["person"]
    lines = [
        f"{person['name']} ({person['id']}; {person['tag'][:8]} in the audit)",
        f"also called: {', '.join(person['aliases']) or '-'}",
        f"consent: {person['consent'] or '-'}",
        f"note: {person['note'] or '-'}",
        f"enrolled {day(person['created_ns'])}, until {day(person['expires_ns'])};"
        f" {person['sequences']} walk(s) kept",
    ]
    out.print("\n".join(lines), markup=False, highlight=False)
    table = _table("template", "model", "samples", "quality", "view", "until", "source")
    for template in person["templates"]:
        cells = (template["id"], template["model"][:12], template["samples"], f"{template['quality']:.2f}")
        view = "-" if template["view_degrees"] is None else f"{template['view_degrees']:.0f}"
        table.add_row(*map(str, cells), view, day(template["expires_ns"]), template["source"] or "-")
    out.print(table)


def changed(result: Result) -> None:
    """What a change left."""
    say(f"done: {result['person']['name']} ({result['person']['id']}); epoch {result['epoch']}")


def removed(result: Result) -> None:
    """That somebody is gone, and from which files."""
    changed(result)
    for file in result["redacted"]:
        if file["removed"]:
            say(f"{file['path']}: removed, it held vectors of that run")
        else:
            say(f"{file['path']}: {file['events']} event(s) blotted out; a replay gives other bytes now")


def tracks(result: Result) -> None:
    """Finished tracks that can be enrolled."""
    if not result["tracks"]:
        say("no finished track is kept")
        return
    table = _table("track", "seconds", "answer", "person", "kept until")
    for track in result["tracks"]:
        seconds = (track["last_ns"] - track["first_ns"]) * 1e-9
        who = track["person"] or track["cluster"] or "-"
        table.add_row(track["tracklet"], f"{seconds:.1f}", track["answer"], who, day(track["expires_ns"]))
    out.print(table)


def audit(result: Result) -> None:
    """Every change."""
    table = _table("epoch", "when", "action", "person", "why", "detail")
    for row in result["rows"]:
        cells = (row["action"], row["person"][:8] or "-", row["why"], row["detail"])
        table.add_row(str(row["epoch"]), day(row["at_ns"]), *cells)
    out.print(table)


def faults(result: Result) -> None:
    """What is wrong, or that nothing is."""
    for fault in result["faults"]:
        say(fault)
    if not result["faults"]:
        say("the gallery is sound")


def expired(result: Result) -> None:
    """What had expired."""
    kinds = ("people", "templates", "sequences", "tracks")
    say("gone: " + ", ".join(f"{result[kind]} {kind}" for kind in kinds) + f"; epoch {result['epoch']}")


def undone(result: Result) -> None:
    """What was undone."""
    say(f"undone: {result['undone']}; epoch {result['epoch']}")


def imported(result: Result) -> None:
    """How many came."""
    say(f"{len(result['people'])} people came; epoch {result['epoch']}")


def exported(result: Result) -> None:
    """How many went."""
    say(f"{result['people']} people written; the file holds biometric data")


def compacted(result: Result) -> None:
    """How much room was given back."""
    say(f"{result['bytes']} bytes given back")


def rekeyed(result: Result) -> None:
    """That another key is needed now."""
    say(f"sealed anew; name the key from now on: gallery.key: {result['key'] or '(none)'}")


def made_key(result: Result) -> None:
    """Where the key is."""
    say(f"made {result['key']}; keep a copy apart from the gallery: without it nothing can be read")


def reembedded(result: Result) -> None:
    """Who has templates of the model now."""
    say(f"{result['templates']} templates of model {result['model'][:12]} for {len(result['people'])} people")
    if result["without"]:
        say(f"no walk is kept of: {', '.join(result['without'])}; enrol them again (and --keep-walks)")


def doubts(found: list[dict[str, Any]], sources: list[str]) -> None:
    """Templates that do not fit."""
    table = _table("template", "source", "doubt", "own", "other")
    for doubt in found:
        own, other = (("-" if doubt[key] is None else f"{doubt[key]:.2f}") for key in ("own", "other"))
        table.add_row(str(doubt["place"]), sources[doubt["place"]] or "-", doubt["why"], own, other)
    out.print(table)


def _table(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in headings:
        table.add_column(heading)
    return table


def day(at_ns: int | None) -> str:
    """A wall-clock time for people; '-' where there is none."""
    if at_ns is None:
        return "-"
    return datetime.datetime.fromtimestamp(at_ns / 1e9).astimezone().strftime("%Y-%m-%d %H:%M")
