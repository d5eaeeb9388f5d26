"""``run_pipeline.py gallery``: who is enrolled; change, remove, undo; keys, files, checks."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from commands import gallery_shown as shown
from commands.cli import add_action, add_config_arguments, add_json_argument, print_json, say
from commands.config import PipelineConfig, load_config
from commands.counter import ask_gallery, re_embed_gallery, rekey_gallery, remove_person
from commands.durations import expiry_ns
from gait.gallery import requests as ask
from gait.gallery.keys import make_key
from gait.gallery.records import REASONS
from stream.errors import GalleryError

Arguments = argparse.Namespace
Result = dict[str, Any]


@dataclass(frozen=True)
class Action:
    """One thing to do: what it says of itself, its arguments, the request, how the answer is shown."""

    help: str
    example: str
    show: Callable[[Result], None]
    request: Callable[[Arguments], ask.Request] = lambda _: ask.Request()
    takes: tuple[str, ...] = ()


def _change(kind: type[ask.Change], **fields: str) -> Callable[[Arguments], ask.Request]:
    """Makes a request of ``kind`` from the arguments; ``fields`` are those named otherwise there."""

    def made(arguments: Arguments) -> ask.Request:
        names = [name for name in kind.__struct_fields__ if name not in fields]
        values = {name: getattr(arguments, name) for name in names}
        values |= {name: getattr(arguments, other) for name, other in fields.items()}
        return msgspec.convert(values, kind)

    return made


ACTIONS: Final = {
    "list": Action("everyone enrolled", "gallery list", shown.people),
    "show": Action(
        "one person and their templates", "gallery show Ada", shown.person, lambda a: ask.Who(a.who), ("who",)
    ),
    "rename": Action(
        "call a person something else",
        "gallery rename Ada Countess",
        shown.changed,
        _change(ask.Rename),
        ("who", "name", "why"),
    ),
    "alias": Action(
        "let a person be found by another name too",
        "gallery alias Ada Countess",
        shown.changed,
        _change(ask.Alias),
        ("who", "alias", "drop", "why"),
    ),
    "note": Action(
        "write a note on a person's card",
        'gallery note Ada "walks with a stick"',
        shown.changed,
        _change(ask.Note),
        ("who", "note", "why"),
    ),
    "merge": Action(
        "two people are one: the other's templates and names become the first's",
        "gallery merge Ada Countess",
        shown.changed,
        _change(ask.Merge),
        ("who", "other", "why"),
    ),
    "split": Action(
        "some templates are somebody else's",
        "gallery split Ada --templates 3 4 --name Ben",
        shown.changed,
        _change(ask.Split),
        ("who", "templates", "new_name", "why"),
    ),
    "drop": Action(
        "remove single templates for good",
        "gallery drop Ada --templates 3 --yes",
        shown.changed,
        _change(ask.Drop),
        ("who", "templates", "why", "yes"),
    ),
    "remove": Action(
        "remove a person, every byte of their templates, and their name from event logs",
        "gallery remove Ada --why consent-withdrawn",
        shown.removed,
        _change(ask.Change),
        ("who", "why", "yes"),
    ),
    "expiry": Action(
        "when a person's data end by themselves",
        "gallery expiry Ada 365d",
        shown.changed,
        lambda a: ask.Expiry(a.who, a.why, expires_ns=a.when),
        ("who", "when", "why"),
    ),
    "expire": Action("let go of all that has expired", "gallery expire", shown.expired),
    "undo": Action(
        "undo the last change, or that of an epoch; removal is final",
        "gallery undo",
        shown.undone,
        lambda a: ask.Undo(a.epoch),
        ("epoch",),
    ),
    "promote": Action(
        "give an unknown person of the finished tracks a name",
        "gallery promote u3f2a91c04 --name Ada",
        shown.changed,
        lambda a: ask.Enrol(a.new_name, unknown=a.unknown, consent=a.consent),
        ("unknown", "new_name", "consent"),
    ),
    "tracks": Action("finished tracks that can still be enrolled", "gallery tracks", shown.tracks),
    "audit": Action("what was changed, when and why", "gallery audit", shown.audit),
    "verify": Action("check the whole file", "gallery verify", shown.faults),
    "compact": Action("give back the room of what is gone", "gallery compact", shown.compacted),
    "export": Action(
        "write people to a file, sealed where --key is given",
        "gallery export people.gaitway --key file:transfer.key",
        shown.exported,
        lambda a: ask.Export(str(a.file.absolute()), a.key, tuple(a.only)),
        ("file", "key", "only"),
    ),
    "import": Action(
        "take people in from a file, all or none",
        "gallery import people.gaitway --key file:transfer.key",
        shown.imported,
        lambda a: ask.Import(str(a.file.absolute()), a.key, a.if_known),
        ("file", "key", "if_known"),
    ),
    "keygen": Action(
        "make a key where none is", "gallery keygen file:gallery.key", shown.made_key, takes=("source",)
    ),
    "rekey": Action(
        "seal the gallery by another key (none: unseal it); no pipeline may hold it",
        "gallery rekey file:gallery.key --cancelable",
        shown.rekeyed,
        takes=("source", "cancelable"),
    ),
    "re-embed": Action(
        "make templates of the model that runs from kept walks; no pipeline may hold the gallery",
        "gallery re-embed",
        shown.reembedded,
    ),
}

TAKES: Final[dict[str, tuple[tuple[str, ...], dict[str, Any]]]] = {
    "who": (("who",), {"help": "a name, alias or id"}),
    "name": (("name",), {"help": "the new name"}),
    "alias": (("alias",), {"help": "the other name"}),
    "note": (("note",), {"help": 'the note; "" for none'}),
    "other": (("other",), {"help": "the person who is the same"}),
    "unknown": (("unknown",), {"help": "as `gallery tracks` shows it, e.g. u3f2a91c04"}),
    "new_name": (("--name",), {"dest": "name", "required": True, "help": "what to call them"}),
    "consent": (("--consent",), {"default": "", "metavar": "NOTE", "help": "how and when they agreed"}),
    "templates": (("--templates",), {"type": int, "nargs": "+", "required": True, "metavar": "N"}),
    "drop": (("--drop",), {"action": "store_true", "help": "forget that name again"}),
    "when": (("when",), {"type": expiry_ns, "help": "12h, 30d, 2027-01-31 or never"}),
    "epoch": (("--epoch",), {"type": int, "help": "that change instead of the last (see: gallery audit)"}),
    "file": (("file",), {"type": Path}),
    "key": (("--key",), {"default": "", "help": "the file's key: file:PATH, env:NAME or keyring:NAME"}),
    "only": (("--only",), {"nargs": "+", "default": [], "metavar": "WHO", "help": "these people alone"}),
    "if_known": (("--if-known",), {"choices": ("refuse", "join", "skip"), "default": "refuse"}),
    "source": (("source",), {"metavar": "KEY", "help": "file:PATH, env:NAME, keyring:NAME"}),
    "cancelable": (("--cancelable",), {"action": "store_true", "help": "rotate the vectors by the key too"}),
    "why": (
        ("--why",),
        {"choices": REASONS, "default": "asked", "help": "what the audit says (default asked)"},
    ),
    "yes": (("--yes",), {"action": "store_true", "help": "do not ask"}),
}


def configure(parser: argparse.ArgumentParser) -> None:
    """One sub-command an action."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    for name, action in ACTIONS.items():
        child = add_action(actions, name, action.help, action.example)
        add_config_arguments(child)
        add_json_argument(child)
        for taken in action.takes:
            flags, options = TAKES[taken]
            child.add_argument(*flags, **options)


def run(arguments: Arguments) -> int:
    """Ask the gallery and show the answer."""
    config = load_config(arguments.config, arguments.overrides)
    action = ACTIONS[arguments.action]
    if "yes" in action.takes and not _sure(arguments):
        say("nothing removed")
        return 1
    result = _carried_out(config, arguments, action)
    if arguments.json:
        print_json(result)
    else:
        action.show(result)
    return 1 if result.get("faults") else 0


def _carried_out(config: PipelineConfig, arguments: Arguments, action: Action) -> Result:
    """The answer: most actions are one request; keys and models need the gallery to themselves."""
    if arguments.action == "keygen":
        make_key(arguments.source)
        return {"key": arguments.source}
    if arguments.action == "rekey":
        source = "" if arguments.source == "none" else arguments.source
        rekey_gallery(config, source, cancelable=arguments.cancelable)
        return {"key": source}
    if arguments.action == "re-embed":
        return re_embed_gallery(config)
    request = ask.request(
        arguments.action if arguments.action != "promote" else "enrol", action.request(arguments)
    )
    if arguments.action == "remove":
        return remove_person(config, request)
    return ask_gallery(config, request)


def _sure(arguments: Arguments) -> bool:
    if arguments.yes:
        return True
    if not sys.stdin.isatty():
        raise GalleryError("removal is final and nobody is here to confirm it", fix="Add --yes")
    what = arguments.who if arguments.action == "remove" else f"templates of {arguments.who}"
    return input(f"Remove {what} for good? [y/N] ").strip().lower() in ("y", "yes")
