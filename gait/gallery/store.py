"""The gallery: the record of who is known, with one writer and any number of readers.

Every change is one transaction that raises the epoch by one and leaves one audit row; a kill at any moment
leaves the gallery as it was before or after a change, never between. Finished tracks are kept beside it for
a while without touching the epoch: they answer nothing until somebody enrols them.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gait.gallery import rows
from gait.gallery.lock import WriterLock
from gait.gallery.reader import Clock, GalleryReader
from gait.gallery.records import (
    MAX_TEMPLATES,
    AuditRow,
    NewTemplate,
    PersonRecord,
    TrackRecord,
    Vector,
    checked_name,
    checked_note,
)
from gait.gallery.schema import one_line
from stream.errors import GalleryError
from stream.messages import Array

TRACK_SOURCE: Final = "track:"
NANOSECONDS: Final = 1_000_000_000


@dataclass
class _Change:
    """What the audit will say of the change in hand."""

    person: str = ""
    detail: str = ""


class Gallery(GalleryReader):
    """One gallery, open for its one writer; ``endpoint`` is the control socket it can be reached by."""

    def __init__(self, path: Path, *, endpoint: str = "", clock: Clock = time.time_ns) -> None:
        """Open or make ``path``; raises GalleryError where another writer holds it or it is not sound."""
        path = Path(path)
        with one_line(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._lock: WriterLock | None = WriterLock(path, endpoint)
        try:
            super().__init__(path, read_only=False, clock=clock)
            self._scrub(compact=False)  # a writer that was killed may have left removed bytes in the log
        except BaseException:
            self._lock.release()
            raise

    def close(self) -> None:
        """Close the database and let the next writer in; may be called twice."""
        super().close()
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def enrol(self, name: str, templates: Sequence[NewTemplate], consent: str = "") -> PersonRecord:
        """Keep ``templates`` for the person called ``name``, who is made where new."""
        clean, note = checked_name(name), checked_note(consent)
        checked = [(template, template.checked()) for template in templates]
        if not checked:
            raise GalleryError(f"nothing to enrol for {clean}", wanted="at least one template")
        with self._change("enrol") as change:
            change.person = self._person_for(clean, note)
            for template, vector in checked:
                self._insert(change.person, template, vector)
            change.detail = f"{len(checked)} templates"
        return self.person(change.person)

    def enrol_track(self, tracklet: str, name: str, consent: str = "") -> PersonRecord:
        """Enrol the templates of a finished track that has not expired."""
        with one_line(self.path):
            query = (
                "SELECT vector, model, samples, quality FROM track_templates JOIN tracks USING (tracklet)"
                " WHERE tracklet = ? AND expires_ns > ? ORDER BY position"
            )
            kept = self._db.execute(query, (tracklet, self._clock())).fetchall()
        if not kept:
            fix = "See them with `gallery tracks`"
            raise GalleryError(f"no recent track {tracklet[:80]!r}", where=f"gallery {self.path}", fix=fix)
        source = TRACK_SOURCE + tracklet
        templates = [
            NewTemplate(Array.of(rows.loaded(data)), model, samples, quality, source)
            for data, model, samples, quality in kept
        ]
        return self.enrol(name, templates, consent)

    def rename(self, who: str, name: str) -> PersonRecord:
        """Call a person something else; the id stays."""
        person, clean = self.person(who), checked_name(name)
        if any(other.name == clean and other.id != person.id for other in self.people()):
            fix = "Choose another name, or remove one of the two"
            raise GalleryError(f"somebody is called {clean} already", where=f"gallery {self.path}", fix=fix)
        with self._change("rename") as change:
            change.person = person.id
            self._db.execute("UPDATE people SET name = ? WHERE id = ?", (clean, person.id))
        return self.person(person.id)

    def remove(self, who: str) -> PersonRecord:
        """Remove a person, their templates, and the finished tracks that were theirs: no byte stays."""
        person = self.person(who)
        sources = {template.source for template in person.templates}
        tracks = sorted(s.removeprefix(TRACK_SOURCE) for s in sources if s.startswith(TRACK_SOURCE))
        with self._change("remove") as change:
            change.person, change.detail = person.id, f"{len(person.templates)} templates"
            self._db.execute("DELETE FROM people WHERE id = ?", (person.id,))
            self._db.execute("DELETE FROM tracks WHERE person = ?", (person.id,))
            self._db.executemany("DELETE FROM tracks WHERE tracklet = ?", [(track,) for track in tracks])
        self._scrub(compact=True)
        return person

    def keep_track(self, track: TrackRecord, templates: Sequence[NewTemplate]) -> None:
        """Keep a finished track until it expires, and let go of those that have; the epoch stays."""
        checked = [(template, template.checked()) for template in templates]
        with one_line(self.path), self._transaction():
            gone = (self._clock(), track.tracklet)
            self._db.execute("DELETE FROM tracks WHERE expires_ns <= ? OR tracklet = ?", gone)
            *fields, _ = _fields(track)
            self._db.execute("INSERT INTO tracks VALUES (?, ?, ?, ?, ?, ?, ?)", fields)
            self._db.executemany(
                "INSERT INTO track_templates VALUES (?, ?, ?, ?, ?, ?, ?)",
                [
                    (track.tracklet, place, t.model, v.size, rows.stored(v), t.samples, t.quality)
                    for place, (t, v) in enumerate(checked)
                ],
            )

    def expiry_ns(self, retain_s: float) -> int:
        """When, by this gallery's clock, something kept now for ``retain_s`` expires."""
        return self._clock() + int(retain_s * NANOSECONDS)

    def expire_tracks(self) -> int:
        """Let go of finished tracks that have expired; how many there were. Their bytes go too."""
        with one_line(self.path), self._transaction():
            gone = self._db.execute("DELETE FROM tracks WHERE expires_ns <= ?", (self._clock(),)).rowcount
        self._scrub(compact=False)
        return int(gone)

    def _person_for(self, name: str, consent: str) -> str:
        """The id of the person called ``name``, made where new; a consent note replaces the old."""
        row = self._db.execute("SELECT id FROM people WHERE name = ?", (name,)).fetchone()
        if row is not None:
            if consent:
                self._db.execute("UPDATE people SET consent = ? WHERE id = ?", (consent, row[0]))
            return str(row[0])
        self._db.execute("UPDATE state SET people_made = people_made + 1")
        person = f"p{self._db.execute('SELECT people_made FROM state').fetchone()[0]:06d}"
        self._db.execute("INSERT INTO people VALUES (?, ?, ?, ?)", (person, name, consent, self._clock()))
        return person

    def _insert(self, person: str, template: NewTemplate, vector: Vector) -> None:
        """One template; raises GalleryError for a wrong dimension or one too many."""
        model, where = template.model, f"gallery {self.path}"
        row = self._db.execute("SELECT dimension FROM templates WHERE model = ? LIMIT 1", (model,)).fetchone()
        if row is not None and row[0] != vector.size:
            what = f"a template has {vector.size} numbers"
            raise GalleryError(what, where=where, wanted=f"{row[0]}, as this model's others")
        query = "SELECT count(*) FROM templates WHERE person = ? AND model = ?"
        if self._db.execute(query, (person, model)).fetchone()[0] >= MAX_TEMPLATES:
            fix = "Remove the person and enrol anew with the best clips"
            raise GalleryError(f"more than {MAX_TEMPLATES} templates for one person", where=where, fix=fix)
        self._db.execute(
            "INSERT INTO templates (person, model, dimension, vector, samples, quality, source, view_degrees,"
            " created_ns) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(person, model, vector.size, rows.stored(vector), template.samples, template.quality),
                *(template.source, template.view_degrees, self._clock()),
            ),
        )

    @contextlib.contextmanager
    def _change(self, action: str) -> Iterator[_Change]:
        """One transaction that ends with epoch + 1 and one audit row, or with nothing."""
        change = _Change()
        with one_line(self.path), self._transaction():
            yield change
            self._db.execute("UPDATE state SET epoch = epoch + 1")
            last = self._db.execute("SELECT chain FROM audit ORDER BY epoch DESC LIMIT 1").fetchone()
            row = AuditRow(rows.epoch(self._db), self._clock(), action, change.person, change.detail, "")
            chained = rows.chained(row, last[0] if last else "")
            self._db.execute("INSERT INTO audit VALUES (?, ?, ?, ?, ?, ?)", _fields(chained))

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        """All or nothing."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    def _scrub(self, *, compact: bool) -> None:
        """Empty the write-ahead log into the database, where removed bytes are overwritten."""
        with one_line(self.path):
            self._checkpoint()
            if compact:
                self._db.execute("VACUUM")
                self._checkpoint()

    def _checkpoint(self) -> None:
        busy = self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        if busy:
            what = "the change is made, but a reader keeps old pages on the disk"
            fix = "Close it; the next change or start clears them"
            raise GalleryError(what, where=f"gallery {self.path}", fix=fix)


def _fields(record: TrackRecord | AuditRow) -> tuple[object, ...]:
    """A record's values, in the order of its table's columns."""
    return tuple(getattr(record, name) for name in record.__struct_fields__)
