"""The gallery's counter: requests over the control socket, or from the command line when no pipeline runs.

==================  =====================================================  =================================
request             arguments                                              result
==================  =====================================================  =================================
gallery.epoch       -                                                      epoch, model
gallery.list        -                                                      epoch, people
gallery.show        who (id or name)                                       person
gallery.tracks      -                                                      tracks (finished, not yet expired)
gallery.audit       -                                                      rows
gallery.verify      -                                                      faults
gallery.enrol       name, templates or track, consent                      epoch, person
gallery.rename      who, name                                              epoch, person
gallery.remove      who                                                    epoch, person
==================  =====================================================  =================================
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from gait.embedder import ModelInfo
from gait.gallery.records import NewTemplate, PersonRecord
from gait.gallery.store import Gallery
from stream.errors import GalleryError
from stream.messages import ControlReply, ControlRequest

PREFIX = "gallery."


class Who(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A person, by id or name."""

    who: str


class Rename(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A person and their new name."""

    who: str
    name: str


class Enrol(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Somebody to enrol, from templates or from a finished (or, in a running pipeline, live) track."""

    name: str
    templates: tuple[NewTemplate, ...] = ()
    track: str = ""
    consent: str = ""


class Nothing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """No arguments."""


LiveTrack = Callable[[str], tuple[NewTemplate, ...]]
"""The templates of a track that still lives, by tracklet; empty where there is none."""


def enrol_request(
    name: str, templates: tuple[NewTemplate, ...] = (), *, track: str = "", consent: str = ""
) -> ControlRequest:
    """The request that enrols over a control socket."""
    arguments = msgspec.structs.asdict(Enrol(name, track=track, consent=consent))
    return ControlRequest("gallery.enrol", arguments | {"templates": [_plain(t) for t in templates]})


class GalleryDesk:
    """Answers gallery requests; every refusal is one clear line, never an exception."""

    def __init__(self, gallery: Gallery, model: ModelInfo, live: LiveTrack = lambda _: ()) -> None:
        self._gallery, self._model, self._live = gallery, model, live
        self._verbs: dict[str, Callable[[Any], dict[str, Any]]] = {
            "epoch": self._epoch,
            "list": self._list,
            "show": self._show,
            "tracks": self._tracks,
            "audit": self._audit,
            "verify": self._verify,
            "enrol": self._enrol,
            "rename": self._rename,
            "remove": self._remove,
        }

    def answer(self, request: ControlRequest) -> ControlReply:
        """Carry out one request."""
        verb = self._verbs.get(request.verb.removeprefix(PREFIX)) if request.verb.startswith(PREFIX) else None
        if verb is None:
            known = ", ".join(PREFIX + name for name in self._verbs)
            return ControlReply(ok=False, error=f"no request {request.verb[:40]!r}; wanted one of {known}")
        try:
            return ControlReply(ok=True, result=verb(request.arguments))
        except msgspec.ValidationError as error:
            return ControlReply(ok=False, error=f"{request.verb}: {error}")
        except GalleryError as error:
            return ControlReply(ok=False, error=str(error))

    def _epoch(self, arguments: dict[str, Any]) -> dict[str, Any]:
        msgspec.convert(arguments, Nothing)
        return {"epoch": self._gallery.epoch, "model": self._model.digest}

    def _list(self, arguments: dict[str, Any]) -> dict[str, Any]:
        msgspec.convert(arguments, Nothing)
        return {"epoch": self._gallery.epoch, "people": _plain(self._gallery.people())}

    def _show(self, arguments: dict[str, Any]) -> dict[str, Any]:
        return {"person": _plain(self._gallery.person(msgspec.convert(arguments, Who).who))}

    def _tracks(self, arguments: dict[str, Any]) -> dict[str, Any]:
        msgspec.convert(arguments, Nothing)
        return {"tracks": _plain(self._gallery.recent_tracks())}

    def _audit(self, arguments: dict[str, Any]) -> dict[str, Any]:
        msgspec.convert(arguments, Nothing)
        return {"rows": _plain(self._gallery.audit())}

    def _verify(self, arguments: dict[str, Any]) -> dict[str, Any]:
        msgspec.convert(arguments, Nothing)
        return {"faults": list(self._gallery.verify())}

    def _enrol(self, arguments: dict[str, Any]) -> dict[str, Any]:
        asked = msgspec.convert(arguments, Enrol)
        if bool(asked.templates) == bool(asked.track):
            raise GalleryError("an enrolment is refused", wanted="either templates or a track")
        templates = asked.templates or self._live(asked.track)
        foreign = next((t.model for t in templates if t.model != self._model.digest), None)
        if foreign is not None:
            fix = "Make the templates with the model that runs"
            wanted = f"model {self._model.digest[:12]}"
            raise GalleryError(f"a template is of model {foreign[:12]}", wanted=wanted, fix=fix)
        if templates:
            return self._changed(self._gallery.enrol(asked.name, templates, asked.consent))
        return self._changed(self._gallery.enrol_track(asked.track, asked.name, asked.consent))

    def _rename(self, arguments: dict[str, Any]) -> dict[str, Any]:
        asked = msgspec.convert(arguments, Rename)
        return self._changed(self._gallery.rename(asked.who, asked.name))

    def _remove(self, arguments: dict[str, Any]) -> dict[str, Any]:
        return self._changed(self._gallery.remove(msgspec.convert(arguments, Who).who))

    def _changed(self, person: PersonRecord) -> dict[str, Any]:
        return {"epoch": self._gallery.epoch, "person": _plain(person)}


def _plain(value: Any) -> Any:
    """Structs as dicts and lists; vectors stay bytes."""
    return msgspec.to_builtins(value, builtin_types=(bytes,))
