"""Reading a gallery's tables: plain functions over a connection, for the writer and for readers."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

import msgspec

from gait.gallery.records import AuditRow, Card, Origin, PersonRecord, TemplateRecord, TrackRecord
from gait.gallery.vault import Locks, Vault
from stream.errors import FOREIGN, GalleryError

T = TypeVar("T")
MODELS_OF: Final = "SELECT DISTINCT model FROM templates WHERE person = ? ORDER BY model"
_pack = msgspec.msgpack.Encoder().encode
_card = msgspec.msgpack.Decoder(Card)
_origin = msgspec.msgpack.Decoder(Origin)


@dataclass(frozen=True)
class StoredVector:
    """One template's vector as it lies in the database, and whose it is."""

    person: str
    template: int
    blob: bytes


def epoch(db: sqlite3.Connection) -> int:
    """How many changes the gallery has seen."""
    return int(db.execute("SELECT epoch FROM state").fetchone()[0])


def locks(db: sqlite3.Connection) -> Locks:
    """What the gallery keeps about its key."""
    return Locks(*db.execute("SELECT salt, key_check, turn FROM state").fetchone())


def sealed_card(vault: Vault, person: str, card: Card) -> bytes:
    """A person's card as it is stored."""
    return vault.seal(_pack(card), f"card:{person}")


def opened_card(vault: Vault, person: str, blob: bytes) -> Card:
    """A person's card; raises GalleryError where it is none."""
    return _decoded(_card, vault.open(blob, f"card:{person}"), "card")


def sealed_origin(vault: Vault, person: str, origin: Origin) -> bytes:
    """A template's or a sequence's origin as it is stored."""
    return vault.seal(_pack(origin), f"origin:{person}")


def opened_origin(vault: Vault, person: str, blob: bytes) -> Origin:
    """A template's or a sequence's origin; raises GalleryError where it is none."""
    return _decoded(_origin, vault.open(blob, f"origin:{person}"), "origin")


def about_template(person: str, model: str) -> str:
    """What a template's vector is sealed to: a row moved to another person does not open."""
    return f"template:{person}:{model}"


def about_walk(person: str) -> str:
    """What a sequence is sealed to."""
    return f"walk:{person}"


def about_track(tracklet: str) -> str:
    """What a finished track's vectors are sealed to."""
    return f"track:{tracklet}"


def people(
    db: sqlite3.Connection, vault: Vault, only: Sequence[str] | None = None
) -> tuple[PersonRecord, ...]:
    """Everybody, or those of these ids, by id, with their templates."""
    if only is not None:
        return tuple(person for one in sorted(only) for person in _people(db, vault, "WHERE {} = ?", (one,)))
    return tuple(_people(db, vault, "", ()))


def _people(
    db: sqlite3.Connection, vault: Vault, where: str, values: tuple[str, ...]
) -> Iterator[PersonRecord]:
    """The people whom ``where`` finds; its braces stand for the column that holds the person's id."""
    templates: dict[str, list[TemplateRecord]] = {}
    query = (
        "SELECT person, origin, id, model, dimension, samples, quality, view_degrees, created_ns, expires_ns"
        f" FROM templates {where.format('person')} ORDER BY id"
    )
    for person, blob, number, model, dimension, samples, quality, view, made, over in db.execute(
        query, values
    ):
        origin = opened_origin(vault, person, blob)
        templates.setdefault(person, []).append(
            TemplateRecord(
                *(number, model, dimension, samples, quality, origin.source, view, made, over, origin.consent)
            )
        )
    walks = dict(
        db.execute(f"SELECT person, count(*) FROM sequences {where.format('person')} GROUP BY person", values)
    )
    query = f"SELECT id, tag, card, created_ns, expires_ns FROM people {where.format('id')} ORDER BY id"
    for person, tag, blob, made, over in db.execute(query, values):
        card = opened_card(vault, person, blob)
        yield PersonRecord(
            person,
            card.name,
            card.consent,
            made,
            tuple(templates.get(person, ())),
            aliases=card.aliases,
            note=card.note,
            expires_ns=over,
            tag=tag,
            sequences=walks.get(person, 0),
        )


def person_id(db: sqlite3.Connection, vault: Vault, who: str) -> str | None:
    """The id of the person of this id, name or alias."""
    row = db.execute("SELECT id FROM people WHERE id = ?", (who,)).fetchone()
    row = row or db.execute("SELECT person FROM names WHERE digest = ?", (vault.digest(who),)).fetchone()
    return None if row is None else str(row[0])


def vectors(db: sqlite3.Connection, model: str, person: str | None = None) -> Iterator[StoredVector]:
    """Every template of one model, by person and age; or those of one person."""
    query = "SELECT person, id, vector FROM templates WHERE model = ?"
    values: tuple[str, ...] = (model,)
    if person is not None:
        query, values = query + " AND person = ?", (model, person)
    for row in db.execute(query + " ORDER BY person, id", values):
        yield StoredVector(*row)


def names(db: sqlite3.Connection, vault: Vault) -> dict[str, str]:
    """Everybody's name, by id."""
    rows = db.execute("SELECT id, card FROM people ORDER BY id")
    return {person: opened_card(vault, person, blob).name for person, blob in rows}


def models(db: sqlite3.Connection) -> dict[str, int]:
    """How many templates there are of each model."""
    return dict(db.execute("SELECT model, count(*) FROM templates GROUP BY model ORDER BY model"))


def touched_since(db: sqlite3.Connection, since: int) -> tuple[str, ...] | None:
    """Whom the changes after epoch ``since`` were about; None where that is no longer known."""
    now = epoch(db)
    known = db.execute("SELECT count(DISTINCT epoch) FROM touched WHERE epoch > ?", (since,)).fetchone()[0]
    if since > now or known < now - since:
        return None
    rows = db.execute("SELECT DISTINCT person FROM touched WHERE epoch > ? ORDER BY person", (since,))
    return tuple(row[0] for row in rows if row[0])


def tracks(db: sqlite3.Connection, now_ns: int) -> tuple[TrackRecord, ...]:
    """The finished tracks that have not expired, latest first."""
    query = (
        "SELECT tracklet, camera, first_ns, last_ns, answer, person, expires_ns,"
        " (SELECT count(*) FROM track_templates WHERE track_templates.tracklet = tracks.tracklet), cluster"
        " FROM tracks WHERE expires_ns > ? ORDER BY last_ns DESC, tracklet"
    )
    return tuple(TrackRecord(*row) for row in db.execute(query, (now_ns,)))


def audit(db: sqlite3.Connection) -> tuple[AuditRow, ...]:
    """Every change, oldest first."""
    query = "SELECT epoch, at_ns, action, person, detail, why, chain FROM audit ORDER BY epoch"
    return tuple(AuditRow(*row) for row in db.execute(query))


def chained(row: AuditRow, before: str) -> AuditRow:
    """The row with the hash that ties it to the row ``before`` it."""
    bare = msgspec.structs.replace(row, chain="")
    digest = hashlib.sha256(before.encode() + msgspec.json.encode(bare)).hexdigest()
    return msgspec.structs.replace(bare, chain=digest)


def _decoded(decoder: msgspec.msgpack.Decoder[T], data: bytes, kind: str) -> T:
    try:
        return decoder.decode(data)
    except FOREIGN as error:
        raise GalleryError(f"a {kind} is damaged ({error})", fix="Restore a copy") from error
