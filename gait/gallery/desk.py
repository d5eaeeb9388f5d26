"""The gallery's counter: requests over the control socket, or from the command line when no pipeline runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from gait.embedder import ModelInfo
from gait.gallery import requests as ask
from gait.gallery.exchange import import_people, read_export, write_export
from gait.gallery.keys import read_key
from gait.gallery.outliers import doubts
from gait.gallery.records import TRACK_SOURCE, NewTemplate, PersonRecord
from gait.gallery.redact import redact
from gait.gallery.requests import enrol_request, plain
from gait.gallery.search import TemplateIndex
from gait.gallery.store import Gallery
from stream.errors import GaitwayError, GalleryError
from stream.messages import ControlReply, ControlRequest

__all__ = ["PREFIX", "GalleryDesk", "enrol_request"]

PREFIX = "gallery."
Result = dict[str, Any]
LiveTrack = Callable[[str], tuple[NewTemplate, ...]]
"""The templates of a track that still lives, by tracklet; empty where there is none."""


class GalleryDesk:
    """Answers gallery requests; every refusal is one clear line, never an exception."""

    def __init__(
        self, gallery: Gallery, model: ModelInfo, live: LiveTrack = lambda _: (), *, idle: bool = False
    ) -> None:
        """``idle``: no pipeline runs on the gallery, so that what one left behind may be removed."""
        self._gallery, self._model, self._live, self._idle = gallery, model, live, idle
        self._verbs: dict[str, tuple[type[ask.Request], Callable[[Any], Result]]] = {
            "epoch": (ask.Request, lambda _: {"epoch": gallery.epoch, "model": model.digest}),
            "list": (ask.Request, lambda _: {"epoch": gallery.epoch, "people": plain(gallery.people())}),
            "show": (ask.Who, lambda asked: {"person": plain(gallery.person(asked.who))}),
            "tracks": (ask.Request, lambda _: {"tracks": plain(gallery.recent_tracks())}),
            "audit": (ask.Request, lambda _: {"rows": plain(gallery.audit())}),
            "verify": (ask.Request, lambda _: {"faults": list(gallery.verify())}),
            "preview": (ask.Preview, self._preview),
            "enrol": (ask.Enrol, self._enrol),
            "rename": (ask.Rename, lambda a: self._changed(gallery.rename(a.who, a.name, a.why))),
            "alias": (
                ask.Alias,
                lambda a: self._changed(gallery.alias(a.who, a.alias, drop=a.drop, why=a.why)),
            ),
            "note": (ask.Note, lambda a: self._changed(gallery.annotate(a.who, a.note, a.why))),
            "expiry": (ask.Expiry, lambda a: self._changed(gallery.set_expiry(a.who, a.expires_ns, a.why))),
            "merge": (ask.Merge, lambda a: self._changed(gallery.merge(a.who, a.other, a.why))),
            "split": (ask.Split, lambda a: self._changed(gallery.split(a.who, a.templates, a.name, a.why))),
            "drop": (ask.Drop, lambda a: self._changed(gallery.drop(a.who, a.templates, a.why))),
            "remove": (ask.Change, self._remove),
            "expire": (ask.Request, self._expire),
            "undo": (ask.Undo, self._undo),
            "import": (ask.Import, self._import),
            "export": (ask.Export, self._export),
            "compact": (ask.Request, lambda _: {"bytes": gallery.compact()}),
        }

    def answer(self, request: ControlRequest) -> ControlReply:
        """Carry out one request."""
        known = (
            self._verbs.get(request.verb.removeprefix(PREFIX)) if request.verb.startswith(PREFIX) else None
        )
        if known is None:
            names = ", ".join(PREFIX + name for name in self._verbs)
            return ControlReply(ok=False, error=f"no request {request.verb[:40]!r}; wanted one of {names}")
        wanted, carry_out = known
        try:
            return ControlReply(ok=True, result=carry_out(msgspec.convert(request.arguments, wanted)))
        except msgspec.ValidationError as error:
            return ControlReply(ok=False, error=f"{request.verb}: {error}")
        except GaitwayError as error:
            return ControlReply(ok=False, error=str(error))

    def _preview(self, asked: ask.Preview) -> Result:
        self._check_model(asked.templates)
        index = TemplateIndex(self._gallery, self._model.digest, self._model.dimension)
        return {"doubts": plain(doubts(index, self._gallery, asked.name, asked.templates))}

    def _enrol(self, asked: ask.Enrol) -> Result:
        if sum(map(bool, (asked.templates, asked.track, asked.unknown))) != 1:
            wanted = "either templates or a track or an unknown person"
            raise GalleryError("an enrolment is refused", wanted=wanted)
        gallery, templates = self._gallery, asked.templates or self._live(asked.track)
        self._check_model(templates)
        if templates:
            return self._changed(
                gallery.enrol(
                    asked.name, templates, asked.consent, expires_ns=asked.expires_ns, walks=asked.walks
                )
            )
        if asked.unknown:
            return self._changed(gallery.promote(asked.unknown, asked.name, asked.consent))
        return self._changed(gallery.enrol_track(asked.track, asked.name, asked.consent))

    def _check_model(self, templates: Sequence[NewTemplate]) -> None:
        """Raises GalleryError for templates that could not be compared with what the pipeline sees."""
        ours = self._model.digest
        foreign = next((t.model for t in templates if t.model != ours), None)
        if foreign is not None:
            fix = "Make the templates with the model that runs"
            what = f"a template is of model {foreign[:12]}"
            raise GalleryError(what, wanted=f"model {ours[:12]}", fix=fix)

    def _remove(self, asked: ask.Change) -> Result:
        """Remove, and take the person out of every log and trace that is known of."""
        places = self._gallery.places()
        person = self._gallery.remove(asked.who, asked.why)
        sources = [t.source.removeprefix(TRACK_SOURCE) for t in person.templates if _of_track(t.source)]
        done = redact(places, person.id, sources, idle=self._idle)
        return {**self._changed(person), "redacted": plain(done), "places": plain(places), "tracks": sources}

    def _expire(self, asked: ask.Request) -> Result:
        del asked
        return {**plain(self._gallery.expire()), "epoch": self._gallery.epoch}

    def _undo(self, asked: ask.Undo) -> Result:
        undone = self._gallery.undo(asked.epoch)
        return {"epoch": self._gallery.epoch, "undone": undone}

    def _import(self, asked: ask.Import) -> Result:
        people = read_export(Path(asked.path), read_key(asked.key))
        came = import_people(self._gallery, people, asked.if_known)
        return {"epoch": self._gallery.epoch, "people": list(came)}

    def _export(self, asked: ask.Export) -> Result:
        count = write_export(self._gallery, Path(asked.path), read_key(asked.key), asked.who)
        return {"people": count}

    def _changed(self, person: PersonRecord) -> Result:
        return {"epoch": self._gallery.epoch, "person": plain(person)}


def _of_track(source: str) -> bool:
    return source.startswith(TRACK_SOURCE)
