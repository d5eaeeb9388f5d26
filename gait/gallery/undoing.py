"""Undoing a change: everybody it was about becomes as they were before it."""

from __future__ import annotations

import msgspec

from gait.gallery import rows
from gait.gallery.records import Card
from gait.gallery.schema import one_line
from gait.gallery.writer import Before, Change, GalleryWriter
from stream.errors import GalleryError

_decoder = msgspec.msgpack.Decoder(tuple[Before, ...])


class UndoingWriter(GalleryWriter):
    """A writer that can take back its changes, the last one of each person first."""

    def undo(self, epoch: int | None = None, why: str = "mistake") -> str:
        """Undo the last change that can be, or that of ``epoch``; what it was.

        Raises GalleryError where it cannot be undone: a removal, one too old, one that others followed.
        """
        with one_line(self.path):
            epoch = self._last_undoable() if epoch is None else epoch
            row = self._db.execute("SELECT before FROM undo WHERE epoch = ?", (epoch,)).fetchone()
            audited = self._db.execute("SELECT action FROM audit WHERE epoch = ?", (epoch,)).fetchone()
        if row is None or audited is None:
            fix = "Removal, expiry, and what a removal was about are final; see `gallery audit`"
            raise GalleryError(f"change {epoch} cannot be undone", where=f"gallery {self.path}", fix=fix)
        before = _decoder.decode(self.vault.open(row[0], f"undo:{epoch}"))
        self._check_last(epoch, [one.person for one in before])
        action = str(audited[0])
        with self._change("undo", why) as change:
            change.final, change.detail = True, f"{action} of epoch {epoch}"
            self._restore(change, before)
            self._db.execute("DELETE FROM undo WHERE epoch = ?", (epoch,))
        self._scrub(compact=True)
        return action

    def _last_undoable(self) -> int:
        row = self._db.execute("SELECT max(epoch) FROM undo").fetchone()
        if row[0] is None:
            fix = "Removal and expiry are final; see `gallery audit`"
            raise GalleryError("there is nothing to undo", where=f"gallery {self.path}", fix=fix)
        return int(row[0])

    def _check_last(self, epoch: int, people: list[str]) -> None:
        """Raises GalleryError where a later change that still stands was about the same people."""
        query = (
            "SELECT max(touched.epoch) FROM touched JOIN undo USING (epoch)"
            " WHERE touched.person = ? AND touched.epoch > ?"
        )
        for person in people:
            later = self._db.execute(query, (person, epoch)).fetchone()[0]
            if later is not None:
                fix = f"Undo that first: gallery undo --epoch {later}"
                what = f"change {later} came after change {epoch} for the same person"
                raise GalleryError(what, where=f"gallery {self.path}", fix=fix)

    def _restore(self, change: Change, before: tuple[Before, ...]) -> None:
        """Everybody as they were: first those who were there, so that what is theirs has somewhere to go."""
        for one in before:
            self._note_before(change, one.person)
            self._db.execute("DELETE FROM names WHERE person = ?", (one.person,))
        for one in before:
            if one.card is not None:
                self._restore_person(one, one.card)
        for one in before:
            for table, ids in (("templates", one.templates), ("sequences", one.sequences)):
                self._move(table, self._still_there(table, ids), one.person)
        kept = {
            table: {i for one in before for i in getattr(one, table)} for table in ("templates", "sequences")
        }
        for one in before:
            if one.card is None:
                self._db.execute("DELETE FROM people WHERE id = ?", (one.person,))
                continue
            for table, before_it in kept.items():
                added = [(i,) for i in self._ids(table, one.person) if i not in before_it]
                self._db.executemany(f"DELETE FROM {table} WHERE id = ?", added)

    def _restore_person(self, one: Before, card: Card) -> None:
        blob = rows.sealed_card(self.vault, one.person, card)
        self._db.execute(
            "INSERT INTO people VALUES (?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE"
            " SET card = excluded.card, expires_ns = excluded.expires_ns",
            (one.person, one.tag, blob, one.created_ns, one.expires_ns),
        )
        self._name(one.person, (card.name, *card.aliases))

    def _still_there(self, table: str, ids: tuple[int, ...]) -> list[int]:
        """Those that have not been removed since."""
        query = f"SELECT 1 FROM {table} WHERE id = ?"
        return [number for number in ids if self._db.execute(query, (number,)).fetchone()]
