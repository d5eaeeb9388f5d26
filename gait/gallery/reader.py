"""Reading a gallery, beside a running writer or without one."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

from gait.gallery import rows
from gait.gallery.records import AuditRow, PersonRecord, TrackRecord, Vector
from gait.gallery.schema import connect, one_line
from gait.gallery.verify import faults
from stream.errors import GalleryError

Clock = Callable[[], int]


class GalleryReader:
    """One gallery, open for reading; ``clock`` tells expiry in wall-clock nanoseconds."""

    def __init__(self, path: Path, *, read_only: bool = True, clock: Clock = time.time_ns) -> None:
        """Open ``path``; raises GalleryError where it is missing, foreign, damaged or of another release."""
        self.path = Path(path)
        self._clock = clock
        self._db = connect(self.path, read_only=read_only)

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
        with one_line(self.path):
            return rows.epoch(self._db)

    def people(self) -> tuple[PersonRecord, ...]:
        """Everybody, by id."""
        with one_line(self.path):
            return rows.people(self._db)

    def person(self, who: str) -> PersonRecord:
        """The person of this id or name; raises GalleryError where there is none."""
        wanted = " ".join(who.split())
        for person in self.people():
            if wanted in (person.id, person.name):
                return person
        fix = "See the names with `gallery list`"
        raise GalleryError(f"nobody is called {wanted[:40]!r}", where=f"gallery {self.path}", fix=fix)

    def vectors(self, model: str) -> list[tuple[str, str, Vector]]:
        """(person id, name, vector) for every template of one model; templates of others stay apart."""
        with one_line(self.path):
            return [(person, name, rows.loaded(data)) for person, name, data in rows.vectors(self._db, model)]

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

    def verify(self) -> tuple[str, ...]:
        """What is wrong with the gallery, one line each; nothing where it is sound."""
        with one_line(self.path):
            return faults(self._db)
