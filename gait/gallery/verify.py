"""Whether a gallery is sound: the file, the references, what is sealed, the vectors, the chain of changes."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import numpy as np

from gait.gallery import rows
from gait.gallery.records import UNIT_TOLERANCE
from gait.gallery.vault import Vault
from stream.errors import GalleryError


def faults(db: sqlite3.Connection, vault: Vault) -> tuple[str, ...]:
    """What is wrong, one line each; nothing where the gallery is sound."""
    return (
        *_file_faults(db),
        *_people_faults(db, vault),
        *_vector_faults(db, vault),
        *_track_faults(db, vault),
        *_chain_faults(db),
    )


def _file_faults(db: sqlite3.Connection) -> list[str]:
    found = [f"file: {row[0]}" for row in db.execute("PRAGMA integrity_check(10)") if row[0] != "ok"]
    return found + [f"a row of {row[0]} refers to nothing" for row in db.execute("PRAGMA foreign_key_check")]


def _people_faults(db: sqlite3.Connection, vault: Vault) -> Iterator[str]:
    """Nobody is without a template, every card opens, and each name on it leads back to it."""
    query = "SELECT id FROM people WHERE id NOT IN (SELECT person FROM templates) ORDER BY id"
    yield from (f"person {row[0]} has no template" for row in db.execute(query))
    names = dict(db.execute("SELECT digest, person FROM names"))
    for person, blob in db.execute("SELECT id, card FROM people ORDER BY id"):
        try:
            card = rows.opened_card(vault, person, blob)
        except GalleryError as error:
            yield f"person {person}: {error.what}"
            continue
        for name in (card.name, *card.aliases):
            if names.pop(vault.digest(name), None) != person:
                yield f"person {person} cannot be found by name"
    if names:
        yield f"{len(names)} names lead to nobody who is called so"


def _vector_faults(db: sqlite3.Connection, vault: Vault) -> Iterator[str]:
    dimensions: dict[str, int] = {}
    query = "SELECT id, person, model, dimension, vector FROM templates"
    for number, person, model, dimension, blob in db.execute(query):
        try:
            vector = vault.open_vector(blob, rows.about_template(person, model))
        except GalleryError as error:
            yield f"template {number}: {error.what}"
            continue
        if vector.size != dimension or not abs(float(np.linalg.norm(vector)) - 1.0) <= UNIT_TOLERANCE:
            yield f"template {number} is not a unit vector of {dimension} numbers"
        if dimensions.setdefault(model, dimension) != dimension:
            yield f"template {number} has another dimension than its model"


def _track_faults(db: sqlite3.Connection, vault: Vault) -> Iterator[str]:
    for tracklet, blob in db.execute("SELECT tracklet, vector FROM track_templates"):
        try:
            vault.open(blob, rows.about_track(tracklet))
        except GalleryError as error:
            yield f"track {tracklet}: {error.what}"


def _chain_faults(db: sqlite3.Connection) -> list[str]:
    """Epochs run from 1 without a gap, and every row's hash follows from the row before."""
    before, expected = "", 1
    for row in rows.audit(db):
        if row.epoch != expected or rows.chained(row, before).chain != row.chain:
            return [f"the audit is broken at epoch {row.epoch}"]
        before, expected = row.chain, expected + 1
    return [] if rows.epoch(db) == expected - 1 else ["the epoch does not match the audit"]
