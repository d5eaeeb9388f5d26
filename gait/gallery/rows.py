"""Reading a gallery's tables: plain functions over a connection, for the writer and for readers."""

from __future__ import annotations

import hashlib
import sqlite3

import msgspec
import numpy as np

from gait.gallery.records import AuditRow, PersonRecord, TemplateRecord, TrackRecord, Vector

STORED = np.dtype("<f4")
"""How vectors lie in the database, on any machine."""


def epoch(db: sqlite3.Connection) -> int:
    """How many changes the gallery has seen."""
    return int(db.execute("SELECT epoch FROM state").fetchone()[0])


def people(db: sqlite3.Connection) -> tuple[PersonRecord, ...]:
    """Everybody, by id, with their templates."""
    templates: dict[str, list[TemplateRecord]] = {}
    for person, *fields in db.execute(
        "SELECT person, id, model, dimension, samples, quality, source, view_degrees, created_ns"
        " FROM templates ORDER BY id"
    ):
        templates.setdefault(person, []).append(TemplateRecord(*fields))
    return tuple(
        PersonRecord(person, name, consent, created_ns, tuple(templates.get(person, ())))
        for person, name, consent, created_ns in db.execute(
            "SELECT id, name, consent, created_ns FROM people ORDER BY id"
        )
    )


def vectors(db: sqlite3.Connection, model: str) -> list[tuple[str, str, bytes]]:
    """(person id, name, stored vector) of every template of one model, in a fixed order."""
    query = (
        "SELECT people.id, people.name, templates.vector FROM templates JOIN people ON people.id = person"
        " WHERE model = ? ORDER BY people.id, templates.id"
    )
    return list(db.execute(query, (model,)))


def models(db: sqlite3.Connection) -> dict[str, int]:
    """How many templates there are of each model."""
    return dict(db.execute("SELECT model, count(*) FROM templates GROUP BY model ORDER BY model"))


def tracks(db: sqlite3.Connection, now_ns: int) -> tuple[TrackRecord, ...]:
    """The finished tracks that have not expired, latest first."""
    query = (
        "SELECT tracklet, camera, first_ns, last_ns, answer, person, expires_ns,"
        " (SELECT count(*) FROM track_templates WHERE track_templates.tracklet = tracks.tracklet)"
        " FROM tracks WHERE expires_ns > ? ORDER BY last_ns DESC, tracklet"
    )
    return tuple(TrackRecord(*row) for row in db.execute(query, (now_ns,)))


def audit(db: sqlite3.Connection) -> tuple[AuditRow, ...]:
    """Every change, oldest first."""
    query = "SELECT epoch, at_ns, action, person, detail, chain FROM audit ORDER BY epoch"
    return tuple(AuditRow(*row) for row in db.execute(query))


def chained(row: AuditRow, before: str) -> AuditRow:
    """The row with the hash that ties it to the row ``before`` it."""
    bare = msgspec.structs.replace(row, chain="")
    digest = hashlib.sha256(before.encode() + msgspec.json.encode(bare)).hexdigest()
    return msgspec.structs.replace(bare, chain=digest)


def stored(vector: Vector) -> bytes:
    """A vector's bytes in the database."""
    return vector.astype(STORED).tobytes()


def loaded(data: bytes) -> Vector:
    """The vector in a database's bytes."""
    vector: Vector = np.frombuffer(data, dtype=STORED).astype(np.float32)
    return vector
