"""Reading a gallery, beside a running writer or without one."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

from gait.gallery import rows
from gait.gallery.records import AuditRow, Origin, PersonRecord, TrackRecord, Vector
from gait.gallery.schema import connect, explained, one_line
from gait.gallery.vault import Locks, Vault, vault_for
from gait.gallery.verify import faults
from stream.errors import GalleryError

Clock = Callable[[], int]


class GalleryReader:
    """One gallery, open for reading; ``clock`` tells expiry in wall-clock nanoseconds."""

    def __init__(self, path: Path, *, key: bytes | None = None, clock: Clock = time.time_ns) -> None:
        """Open ``path``; raises GalleryError where it is missing, foreign, damaged, sealed by another key."""
        self._open(Path(path), key, clock, fresh=None)

    def _open(self, path: Path, key: bytes | None, clock: Clock, fresh: Locks | None) -> None:
        self.path, self._clock = path, clock
        self._db = connect(path, read_only=fresh is None, fresh=fresh)
        try:
            with one_line(path):
                self.vault: Vault = vault_for(rows.locks(self._db), key, f"gallery {path}")
        except BaseException:
            self._db.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the database; may be called twice."""
        self._db.close()

    @property
    def epoch(self) -> int:
        """How many changes the gallery has seen."""
        try:  # looked at with every search: a plain try is half the price of a context
            return rows.epoch(self._db)
        except sqlite3.Error as error:
            raise explained(error, self.path) from error

    def people(self) -> tuple[PersonRecord, ...]:
        """Everybody, by id."""
        with one_line(self.path):
            return rows.people(self._db, self.vault)

    def person(self, who: str) -> PersonRecord:
        """The person of this id, name or alias; raises GalleryError where there is none."""
        wanted = " ".join(who.split())
        with one_line(self.path):
            found = rows.person_id(self._db, self.vault, wanted)
            if found is not None:
                return rows.people(self._db, self.vault, [found])[0]
        fix = "See the names with `gallery list`"
        raise GalleryError(f"nobody is called {wanted[:40]!r}", where=f"gallery {self.path}", fix=fix)

    def names(self) -> dict[str, str]:
        """Everybody's name, by id."""
        with one_line(self.path):
            return rows.names(self._db, self.vault)

    def name_of(self, person: str) -> str | None:
        """The name of the person of this id; None where there is none."""
        with one_line(self.path):
            row = self._db.execute("SELECT card FROM people WHERE id = ?", (person,)).fetchone()
            return None if row is None else rows.opened_card(self.vault, person, row[0]).name

    def vectors(self, model: str, person: str | None = None) -> Iterator[tuple[rows.StoredVector, Vector]]:
        """Every template of one model, or one person's, as it was enrolled; other models' stay apart."""
        with one_line(self.path):
            for row in rows.vectors(self._db, model, person):
                yield row, self.vault.open_vector(row.blob, rows.about_template(row.person, model))

    def known_vectors(self, who: str) -> set[tuple[str, bytes]]:
        """(model, bytes) of every template of the person of this id or name; none where there is nobody."""
        with one_line(self.path):
            person = rows.person_id(self._db, self.vault, " ".join(who.split()))
            if person is None:
                return set()
            models = [row[0] for row in self._db.execute(rows.MODELS_OF, (person,))]
        return {(model, vector.tobytes()) for model in models for _, vector in self.vectors(model, person)}

    def stored_vectors(
        self, model: str, person: str | None = None
    ) -> Iterator[tuple[rows.StoredVector, bytes]]:
        """The same as the index holds them: opened, and still rotated where the gallery rotates."""
        with one_line(self.path):
            for row in rows.vectors(self._db, model, person):
                yield row, self.vault.open(row.blob, rows.about_template(row.person, model))

    def walks(self, person: str) -> Iterator[tuple[Origin, bytes]]:
        """Where each of a person's stored sequences came from, and its packed samples."""
        with one_line(self.path):
            query = "SELECT origin, walk FROM sequences WHERE person = ? ORDER BY id"
            for origin, walk in self._db.execute(query, (person,)):
                yield (
                    rows.opened_origin(self.vault, person, origin),
                    self.vault.open(walk, rows.about_walk(person)),
                )

    def touched_since(self, epoch: int) -> tuple[str, ...] | None:
        """Whom the changes after ``epoch`` were about; None where everything has to be read again."""
        if epoch < 0:
            return None
        with one_line(self.path):
            return rows.touched_since(self._db, epoch)

    def people_with(self, model: str) -> int:
        """How many people have a template of this model."""
        with one_line(self.path):
            query = "SELECT count(DISTINCT person) FROM templates WHERE model = ?"
            return int(self._db.execute(query, (model,)).fetchone()[0])

    def spread(self, model: str, count: int) -> frozenset[str]:
        """About ``count`` people with a template of this model, from the first enrolled to the last."""
        with one_line(self.path):
            step = max(1, rows.models(self._db).get(model, 0) // count)
            query = "SELECT DISTINCT person FROM templates WHERE model = ? AND id % ? = 0"
            return frozenset(person for (person,) in self._db.execute(query, (model, step)))

    def models(self) -> dict[str, int]:
        """How many templates there are of each model."""
        with one_line(self.path):
            return rows.models(self._db)

    def recent_tracks(self) -> tuple[TrackRecord, ...]:
        """Finished tracks that may still be enrolled, latest first."""
        with one_line(self.path):
            return rows.tracks(self._db, self._clock())

    def audit(self) -> tuple[AuditRow, ...]:
        """Every change, oldest first."""
        with one_line(self.path):
            return rows.audit(self._db)

    def places(self) -> tuple[tuple[str, str], ...]:
        """(path, kind) of every event log and trace that runs on this gallery have written."""
        with one_line(self.path):
            return tuple(self._db.execute("SELECT path, kind FROM places ORDER BY path"))

    def verify(self) -> tuple[str, ...]:
        """What is wrong with the gallery, one line each; nothing where it is sound."""
        with one_line(self.path):
            return faults(self._db, self.vault)
