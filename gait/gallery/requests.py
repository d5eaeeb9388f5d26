"""What can be asked of a gallery, as typed values: requests of the control socket and the command line alike.

==================  ======================================================================================
request             result
==================  ======================================================================================
gallery.epoch       epoch, model
gallery.list        epoch, people
gallery.show        person
gallery.tracks      tracks (finished, not yet expired)
gallery.audit       rows
gallery.verify      faults
gallery.preview     doubts: templates that would not fit (see ``outliers``)
gallery.enrol       epoch, person; from templates, a finished or a live track, or an unknown person's tracks
gallery.rename      epoch, person; so do ``alias``, ``note``, ``expiry``, ``merge``, ``split``, ``drop``
gallery.remove      epoch, person, redacted (files that named them)
gallery.expire      epoch, people, templates, sequences, tracks: how many had expired and are gone
gallery.undo        epoch, undone
gallery.import      epoch, people
gallery.export      people: how many
gallery.compact     bytes
==================  ======================================================================================
"""

from __future__ import annotations

from typing import Any

import msgspec

from gait.gallery.records import IfKnown, NewTemplate
from stream.messages import ControlRequest


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """No arguments; the base of those that have some."""


class Who(Request, frozen=True, forbid_unknown_fields=True):
    """A person, by id, name or alias."""

    who: str


class Change(Who, frozen=True, forbid_unknown_fields=True):
    """Something done to a person, and why (one of ``records.REASONS``)."""

    why: str = "asked"


class Rename(Change, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A new name."""

    name: str


class Alias(Change, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Another name, to be added or dropped."""

    alias: str
    drop: bool = False


class Note(Change, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A note in place of the one that is there."""

    note: str


class Expiry(Change, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """When a person's data end by themselves, wall-clock; None: not."""

    expires_ns: int | None


class Merge(Change, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Somebody else who is the same person."""

    other: str


class Split(Change, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Templates that are somebody else's, who is called ``name``."""

    templates: tuple[int, ...]
    name: str


class Drop(Change, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Templates to remove for good."""

    templates: tuple[int, ...]


class Undo(Request, frozen=True, forbid_unknown_fields=True):
    """The change to undo; None: the last."""

    epoch: int | None = None


class Preview(Request, frozen=True, forbid_unknown_fields=True):
    """Templates that somebody would be enrolled with."""

    name: str
    templates: tuple[NewTemplate, ...]


class Enrol(Request, frozen=True, forbid_unknown_fields=True):
    """Somebody to enrol: from templates, from a track, or from what an unknown person left."""

    name: str
    templates: tuple[NewTemplate, ...] = ()
    track: str = ""
    unknown: str = ""
    consent: str = ""
    expires_ns: int | None = None
    walks: tuple[bytes, ...] = ()


class Import(Request, frozen=True, forbid_unknown_fields=True):
    """A file of people on the gallery's machine, and where its key is."""

    path: str
    key: str = ""
    if_known: IfKnown = "refuse"


class Export(Request, frozen=True, forbid_unknown_fields=True):
    """A new file on the gallery's machine; everybody, or those named."""

    path: str
    key: str = ""
    who: tuple[str, ...] = ()


def enrol_request(
    name: str, templates: tuple[NewTemplate, ...] = (), *, track: str = "", consent: str = ""
) -> ControlRequest:
    """The request that enrols over a control socket."""
    return request("enrol", Enrol(name, templates, track, consent=consent))


def request(verb: str, asked: Request) -> ControlRequest:
    """A request as it travels."""
    arguments = {name: plain(getattr(asked, name)) for name in asked.__struct_fields__}
    return ControlRequest(f"gallery.{verb}", arguments)


def plain(value: Any) -> Any:
    """Structs as dicts and lists; vectors stay bytes."""
    return msgspec.to_builtins(value, builtin_types=(bytes,))
