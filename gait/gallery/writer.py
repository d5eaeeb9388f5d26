"""The one writer of a gallery: transactions, epochs, the audit's chain, and bytes that are really gone.

Every change is one transaction that raises the epoch by one and leaves one audit row; a kill at any moment
leaves the gallery as it was before or after a change, never between.
"""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec

from gait.gallery import rows
from gait.gallery.lock import WriterLock
from gait.gallery.reader import Clock, GalleryReader
from gait.gallery.records import (
    MAX_TEMPLATES,
    AuditRow,
    Card,
    NewTemplate,
    Origin,
    Vector,
    checked_why,
)
from gait.gallery.schema import one_line
from gait.gallery.vault import Vault
from stream.errors import GalleryError

TOUCHED_KEPT: Final = 10_000
"""Changes after which an index that has looked away reads everything again."""
UNDO_KEPT: Final = 100
"""Changes that can be undone."""

_pack = msgspec.msgpack.Encoder().encode


class Before(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a person was before a change: nobody (``card`` None), or their card and what was theirs."""

    person: str
    card: Card | None = None
    tag: str = ""
    created_ns: int = 0
    expires_ns: int | None = None
    templates: tuple[int, ...] = ()
    sequences: tuple[int, ...] = ()


@dataclass
class Change:
    """What is being done: to whom, how they were before, and what the audit says of it.

    ``final``: cannot be undone. ``anew``: an index has to read everything again. ``about``: the tag that the
    audit names.
    """

    detail: str = ""
    about: str = ""
    final: bool = False
    anew: bool = False
    before: dict[str, Before] = field(default_factory=dict)


class GalleryWriter(GalleryReader):
    """One gallery, open for its one writer; ``endpoint`` is the control socket it can be reached by."""

    def __init__(
        self,
        path: Path,
        *,
        endpoint: str = "",
        key: bytes | None = None,
        cancelable: bool = False,
        index: str = "",
        clock: Clock = time.time_ns,
    ) -> None:
        """Open or make ``path``; raises GalleryError where another writer holds it or it is not sound.

        A new gallery is encrypted where a ``key`` is given, and rotates its vectors where ``cancelable``.
        ``index`` names what searches it (see ``remote``); empty, memory does.
        """
        path, self.index = Path(path), index
        with one_line(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._lock: WriterLock | None = WriterLock(path, endpoint)
        try:
            self._open(path, key, clock, Vault.fresh(key, cancelable=cancelable).locks())
            self._epoch = super().epoch
            self._scrub(compact=False)  # a writer that was killed may have left removed bytes in the log
        except BaseException:
            self._lock.release()
            raise

    @property
    def epoch(self) -> int:
        """How many changes the gallery has seen; nobody else can make one, so it need not be read."""
        return self._epoch

    def close(self) -> None:
        """Close the database and let the next writer in; may be called twice."""
        super().close()
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def _note_before(self, change: Change, person: str) -> None:
        """Remember how ``person`` is now, once a change, so that it can be undone and the index told."""
        if person in change.before:
            return
        row = self._db.execute(
            "SELECT card, tag, created_ns, expires_ns FROM people WHERE id = ?", (person,)
        ).fetchone()
        if row is None:
            change.before[person] = Before(person)
            return
        blob, tag, created_ns, expires_ns = row
        card = rows.opened_card(self.vault, person, blob)
        templates, sequences = self._ids("templates", person), self._ids("sequences", person)
        change.before[person] = Before(person, card, tag, created_ns, expires_ns, templates, sequences)
        change.about = change.about or tag

    def _ids(self, table: str, person: str) -> tuple[int, ...]:
        query = f"SELECT id FROM {table} WHERE person = ? ORDER BY id"
        return tuple(row[0] for row in self._db.execute(query, (person,)))

    def _make_person(self, change: Change, card: Card, expires_ns: int | None) -> str:
        """A new person of this card; the id."""
        self._db.execute("UPDATE state SET people_made = people_made + 1")
        person = f"p{self._db.execute('SELECT people_made FROM state').fetchone()[0]:06d}"
        tag = secrets.token_hex(8)
        change.before[person] = Before(person)
        change.about = change.about or tag
        blob = rows.sealed_card(self.vault, person, card)
        self._db.execute(
            "INSERT INTO people VALUES (?, ?, ?, ?, ?)", (person, tag, blob, self._clock(), expires_ns)
        )
        self._name(person, (card.name, *card.aliases))
        return person

    def _write_card(self, change: Change, person: str, card: Card) -> None:
        """Give a person another card."""
        self._note_before(change, person)
        blob = rows.sealed_card(self.vault, person, card)
        self._db.execute("UPDATE people SET card = ? WHERE id = ?", (blob, person))
        self._db.execute("DELETE FROM names WHERE person = ?", (person,))
        self._name(person, (card.name, *card.aliases))

    def _name(self, person: str, names: Iterable[str]) -> None:
        """Make a person known by these names; raises GalleryError where one is somebody else's."""
        for name in names:
            held = rows.person_id(self._db, self.vault, name)
            if held is not None and held != person:
                fix = "Choose another name, or remove or merge one of the two"
                raise GalleryError(
                    f"somebody is called {name} already", where=f"gallery {self.path}", fix=fix
                )
            self._db.execute("INSERT OR IGNORE INTO names VALUES (?, ?)", (self.vault.digest(name), person))

    def _add_template(self, person: str, template: NewTemplate, vector: Vector, consent: str) -> None:
        """One template; raises GalleryError for a wrong dimension."""
        model = template.model
        self._check_dimension(model, vector.size)
        origin = rows.sealed_origin(self.vault, person, Origin(template.source, consent))
        blob = self.vault.seal_vector(vector, rows.about_template(person, model))
        self._db.execute(
            "INSERT INTO templates (person, model, dimension, samples, quality, view_degrees, created_ns,"
            " expires_ns, origin, vector) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(person, model, vector.size, template.samples, template.quality, template.view_degrees),
                *(self._clock(), template.expires_ns, origin, blob),
            ),
        )

    def _add_walk(self, person: str, walk: bytes, origin: Origin) -> None:
        """One packed sequence of samples."""
        self._db.execute(
            "INSERT INTO sequences (person, created_ns, origin, walk) VALUES (?, ?, ?, ?)",
            (
                *(person, self._clock(), rows.sealed_origin(self.vault, person, origin)),
                self.vault.seal(walk, rows.about_walk(person)),
            ),
        )

    def _check_dimension(self, model: str, size: int) -> None:
        query = "SELECT dimension FROM templates WHERE model = ? LIMIT 1"
        row = self._db.execute(query, (model,)).fetchone()
        if row is not None and row[0] != size:
            wanted = f"{row[0]}, as this model's others"
            raise GalleryError(f"a template has {size} numbers", where=f"gallery {self.path}", wanted=wanted)

    def _check_count(self, person: str) -> None:
        """Raises GalleryError where a person has more templates of a model than anybody may."""
        query = "SELECT max(n) FROM (SELECT count(*) AS n FROM templates WHERE person = ? GROUP BY model)"
        if (self._db.execute(query, (person,)).fetchone()[0] or 0) > MAX_TEMPLATES:
            fix = "Drop some with `gallery drop`, or enrol the best clips only"
            what = f"more than {MAX_TEMPLATES} templates for one person"
            raise GalleryError(what, where=f"gallery {self.path}", fix=fix)

    def _move(self, table: str, ids: Sequence[int], to: str) -> None:
        """Give templates or sequences to another person, sealed anew to them."""
        if table == "templates":
            self._move_templates(ids, to)
            return
        for number in ids:
            query = "SELECT person, origin, walk FROM sequences WHERE id = ?"
            person, origin, walk = self._db.execute(query, (number,)).fetchone()
            self._db.execute(
                "UPDATE sequences SET person = ?, origin = ?, walk = ? WHERE id = ?",
                (
                    to,
                    rows.sealed_origin(self.vault, to, rows.opened_origin(self.vault, person, origin)),
                    self.vault.seal(self.vault.open(walk, rows.about_walk(person)), rows.about_walk(to)),
                    number,
                ),
            )

    def _move_templates(self, ids: Sequence[int], to: str) -> None:
        for number in ids:
            query = "SELECT person, model, origin, vector FROM templates WHERE id = ?"
            person, model, origin, blob = self._db.execute(query, (number,)).fetchone()
            data = self.vault.open(blob, rows.about_template(person, model))
            self._db.execute(
                "UPDATE templates SET person = ?, origin = ?, vector = ? WHERE id = ?",
                (
                    to,
                    rows.sealed_origin(self.vault, to, rows.opened_origin(self.vault, person, origin)),
                    self.vault.seal(data, rows.about_template(to, model)),
                    number,
                ),
            )

    @contextlib.contextmanager
    def _change(self, action: str, why: str = "asked") -> Iterator[Change]:
        """One transaction that ends with epoch + 1 and one audit row, or with nothing."""
        change, why = Change(), checked_why(why)
        with one_line(self.path), self._transaction():
            yield change
            self._db.execute("UPDATE state SET epoch = epoch + 1")
            epoch = rows.epoch(self._db)
            last = self._db.execute("SELECT chain FROM audit ORDER BY epoch DESC LIMIT 1").fetchone()
            row = AuditRow(epoch, self._clock(), action, change.about, change.detail, why, "")
            chained = rows.chained(row, last[0] if last else "")
            self._db.execute("INSERT INTO audit VALUES (?, ?, ?, ?, ?, ?, ?)", _fields(chained))
            self._remember(epoch, change)
        self._epoch = epoch

    def _remember(self, epoch: int, change: Change) -> None:
        """Note whom the change was about, and how to undo it; let go of what is too old for either."""
        self._db.executemany(
            "INSERT INTO touched VALUES (?, ?)", [(epoch, person) for person in ("", *change.before)]
        )
        self._db.execute(
            "DELETE FROM touched WHERE epoch <= ?", (epoch if change.anew else epoch - TOUCHED_KEPT,)
        )
        self._db.execute("DELETE FROM undo WHERE epoch <= ?", (epoch - UNDO_KEPT,))
        if not change.final:
            blob = self.vault.seal(_pack(tuple(change.before.values())), f"undo:{epoch}")
            self._db.execute("INSERT INTO undo VALUES (?, ?)", (epoch, blob))

    def _forget_undo(self, people: Iterable[str]) -> None:
        """Let go of everything that could bring these people back."""
        query = "DELETE FROM undo WHERE epoch IN (SELECT epoch FROM touched WHERE person = ?)"
        self._db.executemany(query, [(person,) for person in people])

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


def _fields(record: AuditRow) -> tuple[object, ...]:
    """A record's values, in the order of its table's columns."""
    return tuple(getattr(record, name) for name in record.__struct_fields__)
