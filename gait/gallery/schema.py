"""The database's tables, how it is opened, and what its damage is called.

Every template belongs to one person and one model. ``card``, ``origin``, ``walk``, ``vector`` and ``before``
are what a key seals (see ``vault``); ``touched`` says whom a change was about, ``undo`` how it was before.
Times are wall-clock nanoseconds; they stay inside the database and never reach an event.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from gait.gallery.vault import Locks
from stream.errors import GalleryError

APPLICATION_ID: Final = 0x47414954  # "GAIT"
SCHEMA_VERSION: Final = 2
PAGE_BYTES: Final = 16_384  # seven 512-number templates a page; 4096 would waste half of each
BUSY_MS: Final = 5_000  # readers come and go within milliseconds

TABLES: Final = """
CREATE TABLE state (
  only INTEGER PRIMARY KEY CHECK (only = 1),
  epoch INTEGER NOT NULL CHECK (epoch >= 0),
  people_made INTEGER NOT NULL CHECK (people_made >= 0),
  salt BLOB NOT NULL,
  key_check BLOB NOT NULL,
  turn BLOB NOT NULL
);
CREATE TABLE people (
  id TEXT PRIMARY KEY,
  tag TEXT NOT NULL UNIQUE,
  card BLOB NOT NULL,
  created_ns INTEGER NOT NULL,
  expires_ns INTEGER
);
CREATE TABLE names (
  digest BLOB PRIMARY KEY,
  person TEXT NOT NULL REFERENCES people (id) ON DELETE CASCADE
) WITHOUT ROWID;
CREATE INDEX names_by_person ON names (person);
CREATE TABLE templates (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  person TEXT NOT NULL REFERENCES people (id) ON DELETE CASCADE,
  model TEXT NOT NULL,
  dimension INTEGER NOT NULL CHECK (dimension > 0),
  samples INTEGER NOT NULL CHECK (samples > 0),
  quality REAL NOT NULL CHECK (quality BETWEEN 0 AND 1),
  view_degrees REAL,
  created_ns INTEGER NOT NULL,
  expires_ns INTEGER,
  origin BLOB NOT NULL,
  vector BLOB NOT NULL CHECK (length(vector) >= 4 * dimension)
);
CREATE INDEX templates_by_person ON templates (person, model);
CREATE INDEX templates_by_model ON templates (model, person, id);
CREATE TABLE sequences (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  person TEXT NOT NULL REFERENCES people (id) ON DELETE CASCADE,
  created_ns INTEGER NOT NULL,
  expires_ns INTEGER,
  origin BLOB NOT NULL,
  walk BLOB NOT NULL
);
CREATE INDEX sequences_by_person ON sequences (person);
CREATE TABLE tracks (
  tracklet TEXT PRIMARY KEY,
  camera TEXT NOT NULL,
  first_ns INTEGER NOT NULL,
  last_ns INTEGER NOT NULL,
  answer TEXT NOT NULL,
  person TEXT,
  expires_ns INTEGER NOT NULL,
  cluster TEXT
);
CREATE INDEX tracks_by_expiry ON tracks (expires_ns);
CREATE INDEX tracks_by_cluster ON tracks (cluster);
CREATE TABLE track_templates (
  tracklet TEXT NOT NULL REFERENCES tracks (tracklet) ON DELETE CASCADE,
  position INTEGER NOT NULL,
  model TEXT NOT NULL,
  dimension INTEGER NOT NULL CHECK (dimension > 0),
  samples INTEGER NOT NULL CHECK (samples > 0),
  quality REAL NOT NULL CHECK (quality BETWEEN 0 AND 1),
  vector BLOB NOT NULL CHECK (length(vector) >= 4 * dimension),
  PRIMARY KEY (tracklet, position)
);
CREATE TABLE audit (
  epoch INTEGER PRIMARY KEY,
  at_ns INTEGER NOT NULL,
  action TEXT NOT NULL,
  person TEXT NOT NULL,
  detail TEXT NOT NULL,
  why TEXT NOT NULL,
  chain TEXT NOT NULL
);
CREATE TABLE touched (
  epoch INTEGER NOT NULL,
  person TEXT NOT NULL,
  PRIMARY KEY (epoch, person)
) WITHOUT ROWID;
CREATE INDEX touched_by_person ON touched (person, epoch);
CREATE TABLE undo (
  epoch INTEGER PRIMARY KEY,
  before BLOB NOT NULL
);
CREATE TABLE places (
  path TEXT PRIMARY KEY,
  kind TEXT NOT NULL
);
"""


@contextlib.contextmanager
def one_line(path: Path) -> Iterator[None]:
    """Turn whatever SQLite says into one GalleryError that names the file."""
    try:
        yield
    except sqlite3.Error as error:
        raise explained(error, path) from error
    except OSError as error:
        reason = error.strerror or str(error)
        raise GalleryError(f"cannot be used: {reason}", where=f"gallery {path}") from error


def explained(error: sqlite3.Error, path: Path) -> GalleryError:
    """What a user can do about a SQLite error."""
    where, text = f"gallery {path}", str(error).lower()
    if "malformed" in text or "not a database" in text or "corrupt" in text:
        fix = "Restore a copy, or name a new file; this one was left as it is"
        return GalleryError(f"damaged ({error})", where=where, wanted="a Gaitway gallery", fix=fix)
    if "full" in text:
        fix = "Free some space and repeat the request; what was acknowledged before is kept"
        return GalleryError("the disk is full", where=where, fix=fix)
    if "locked" in text or "busy" in text:
        fix = "Close the program that reads it and try again"
        return GalleryError("another program is using it", where=where, fix=fix)
    if "readonly" in text or "unable to open" in text:
        return GalleryError(f"cannot be opened ({error})", where=where, wanted="a file that may be written")
    return GalleryError(f"refused ({error})", where=where)


def connect(path: Path, *, read_only: bool, fresh: Locks | None = None) -> sqlite3.Connection:
    """A connection to a sound gallery of this release; a new file gets its tables when it may be written.

    ``fresh`` is what a new gallery keeps about its key.

    The connection may move between threads, one at a time: a stage is made in one and runs in another.
    """
    with one_line(path):
        if read_only and not path.is_file():
            fix = "Enrol somebody first, or correct the path"
            raise GalleryError("there is no such gallery", where=f"gallery {path}", fix=fix)
        mode = "ro" if read_only else "rwc"
        address = f"{path.absolute().as_uri()}?mode={mode}"
        connection = sqlite3.connect(
            address, uri=True, isolation_level=None, check_same_thread=False, timeout=BUSY_MS / 1000
        )
        try:
            _prepare(connection, path, None if read_only else fresh)
        except BaseException:
            connection.close()
            raise
        return connection


def _prepare(connection: sqlite3.Connection, path: Path, fresh: Locks | None) -> None:
    """Settings, tables where there are none, and a check of what is there before anything is written."""
    connection.execute("PRAGMA foreign_keys = ON")
    empty = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    if empty and application == 0 and fresh is not None:
        _create(connection, fresh)
    else:
        _check(connection, path)
    if fresh is not None:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")  # acknowledged means kept, through a power cut too
        connection.execute("PRAGMA secure_delete = ON")  # what is removed is overwritten


def _create(connection: sqlite3.Connection, locks: Locks) -> None:
    """All tables in one transaction, so that a kill leaves either none or all."""
    connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
    connection.execute("PRAGMA journal_mode = WAL")
    state = ", ".join(f"X'{part.hex()}'" for part in (locks.salt, locks.check, locks.turn))
    connection.executescript(
        f"BEGIN IMMEDIATE; PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {SCHEMA_VERSION};"
        f"{TABLES} INSERT INTO state VALUES (1, 0, 0, {state}); COMMIT;"
    )


def _check(connection: sqlite3.Connection, path: Path) -> None:
    """Refuse another program's database, another release's, and a damaged one."""
    where = f"gallery {path}"
    if connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
        raise GalleryError("not a Gaitway gallery", where=where, fix="Name a new file, or the right one")
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version != SCHEMA_VERSION:
        fix = "Use the Gaitway release that wrote it, or enrol into a new file"
        wanted = f"version {SCHEMA_VERSION}"
        raise GalleryError(f"schema version {version}", where=where, wanted=wanted, fix=fix)
    verdict = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if verdict != "ok":
        raise sqlite3.DatabaseError(f"malformed: {verdict}")
