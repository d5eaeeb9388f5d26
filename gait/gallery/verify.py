"""Whether a gallery is sound: the file, the references, the vectors, the chain of changes."""

from __future__ import annotations

import sqlite3

import numpy as np

from gait.gallery import rows
from gait.gallery.records import UNIT_TOLERANCE


def faults(db: sqlite3.Connection) -> tuple[str, ...]:
    """What is wrong, one line each; nothing where the gallery is sound."""
    return (*_file_faults(db), *_people_faults(db), *_vector_faults(db), *_chain_faults(db))


def _file_faults(db: sqlite3.Connection) -> list[str]:
    found = [f"file: {row[0]}" for row in db.execute("PRAGMA integrity_check(10)") if row[0] != "ok"]
    return found + [f"a row of {row[0]} refers to nothing" for row in db.execute("PRAGMA foreign_key_check")]


def _people_faults(db: sqlite3.Connection) -> list[str]:
    """Enrolment makes a person and the templates in one change, so nobody is without."""
    query = "SELECT id FROM people WHERE id NOT IN (SELECT person FROM templates) ORDER BY id"
    return [f"person {row[0]} has no template" for row in db.execute(query)]


def _vector_faults(db: sqlite3.Connection) -> list[str]:
    found = []
    dimensions: dict[str, int] = {}
    for number, model, dimension, data in db.execute("SELECT id, model, dimension, vector FROM templates"):
        vector = rows.loaded(data)
        if not abs(float(np.linalg.norm(vector)) - 1.0) <= UNIT_TOLERANCE:
            found.append(f"template {number} is not a unit vector")
        if dimensions.setdefault(model, dimension) != dimension:
            found.append(f"template {number} has another dimension than its model")
    return found


def _chain_faults(db: sqlite3.Connection) -> list[str]:
    """Epochs run from 1 without a gap, and every row's hash follows from the row before."""
    before, expected = "", 1
    for row in rows.audit(db):
        if row.epoch != expected or rows.chained(row, before).chain != row.chain:
            return [f"the audit is broken at epoch {row.epoch}"]
        before, expected = row.chain, expected + 1
    return [] if rows.epoch(db) == expected - 1 else ["the epoch does not match the audit"]
