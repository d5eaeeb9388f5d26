"""The database's tables, how it is opened, and what its damage is called.

Every template belongs to one person and one model. Times are wall-clock nanoseconds; they stay inside the
database and never reach an event.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from stream.errors import GalleryError

APPLICATION_ID: Final = 0x47414954  # "GAIT"
SCHEMA_VERSION: Final = 1
BUSY_MS: Final = 5_000  # readers come and go within milliseconds

TABLES: Final = """
CREATE TABLE state (
  only INTEGER PRIMARY KEY CHECK (only = 1),
  epoch INTEGER NOT NULL CHECK (epoch >= 0),
  people_made INTEGER NOT NULL CHECK (people_made >= 0)
);
INSERT INTO state VALUES (1, 0, 0);
CREATE TABLE people (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL UNIQUE CHECK (length(name) > 0),
  consent TEXT NOT NULL,
  created_ns INTEGER NOT NULL
);
CREATE TABLE templates (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  person TEXT NOT NULL REFERENCES people (id) ON DELETE CASCADE,
  model TEXT NOT NULL,
  dimension INTEGER NOT NULL CHECK (dimension > 0),
  vector BLOB NOT NULL CHECK (length(vector) = 4 * dimension),
  samples INTEGER NOT NULL CHECK (samples > 0),
  quality REAL NOT NULL CHECK (quality BETWEEN 0 AND 1),
  source TEXT NOT NULL,
  view_degrees REAL,
  created_ns INTEGER NOT NULL
);
CREATE INDEX templates_by_person ON templates (person);
CREATE INDEX templates_by_model ON templates (model);
CREATE TABLE tracks (
  tracklet TEXT PRIMARY KEY,
  camera TEXT NOT NULL,
  first_ns INTEGER NOT NULL,
  last_ns INTEGER NOT NULL,
  answer TEXT NOT NULL,
  person TEXT,
  expires_ns INTEGER NOT NULL
);
CREATE TABLE track_templates (
  tracklet TEXT NOT NULL REFERENCES tracks (tracklet) ON DELETE CASCADE,
  position INTEGER NOT NULL,
  model TEXT NOT NULL,
  dimension INTEGER NOT NULL CHECK (dimension > 0),
  vector BLOB NOT NULL CHECK (length(vector) = 4 * dimension),
  samples INTEGER NOT NULL CHECK (samples > 0),
  quality REAL NOT NULL CHECK (quality BETWEEN 0 AND 1),
  PRIMARY KEY (tracklet, position)
);
CREATE TABLE audit (
  epoch INTEGER PRIMARY KEY,
  at_ns INTEGER NOT NULL,
  action TEXT NOT NULL,
  person TEXT NOT NULL,
  detail TEXT NOT NULL,
  chain TEXT NOT NULL
);
"""


@contextlib.contextmanager
def one_line(path: Path) -> Iterator[None]:
    """Turn whatever SQLite says into one GalleryError that names the file."""
    try:
        yield
    except sqlite3.Error as error:
        raise _explained(error, path) from error
    except OSError as error:
        reason = error.strerror or str(error)
        raise GalleryError(f"cannot be used: {reason}", where=f"gallery {path}") from error


def _explained(error: sqlite3.Error, path: Path) -> GalleryError:
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


def connect(path: Path, *, read_only: bool) -> sqlite3.Connection:
    """A connection to a sound gallery of this release; a new file gets its tables when it may be written.

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
            _prepare(connection, path, read_only=read_only)
        except BaseException:
            connection.close()
            raise
        return connection


def _prepare(connection: sqlite3.Connection, path: Path, *, read_only: bool) -> None:
    """Settings, tables where there are none, and a check of what is there before anything is written."""
    connection.execute("PRAGMA foreign_keys = ON")
    empty = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    if empty and application == 0 and not read_only:
        _create(connection)
    else:
        _check(connection, path)
    if not read_only:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")  # acknowledged means kept, through a power cut too
        connection.execute("PRAGMA secure_delete = ON")  # what is removed is overwritten


def _create(connection: sqlite3.Connection) -> None:
    """All tables in one transaction, so that a kill leaves either none or all."""
    connection.execute("PRAGMA journal_mode = WAL")
    connection.executescript(
        f"BEGIN IMMEDIATE; PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {SCHEMA_VERSION};"
        f"{TABLES} COMMIT;"
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
