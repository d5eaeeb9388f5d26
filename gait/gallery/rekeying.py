"""Another key for a gallery: everything is sealed anew in one change, and nothing of the old stays."""

from __future__ import annotations

from collections.abc import Callable

from gait.gallery import rows
from gait.gallery.undoing import UndoingWriter
from gait.gallery.vault import Vault


class RekeyingWriter(UndoingWriter):
    """A writer that can change its key."""

    def rekey(self, key: bytes | None, *, cancelable: bool = False, why: str = "upkeep") -> None:
        """Seal everything by ``key`` (None: leave it open), vectors rotated anew where ``cancelable``.

        What could be undone cannot be afterwards. A kill leaves the gallery under one key or the other.
        """
        fresh = Vault.fresh(key, cancelable=cancelable)
        with self._change("rekey", why) as change:
            change.final = change.anew = True
            change.detail = "sealed" if fresh.encrypted else "open"
            self._db.execute("DELETE FROM undo")
            self._rekey_people(fresh)
            self._rekey_table(fresh, "templates", "person", rows.about_template)
            self._rekey_table(fresh, "sequences", "person", lambda person, _: rows.about_walk(person))
            self._rekey_table(fresh, "track_templates", "tracklet", lambda track, _: rows.about_track(track))
            locks = fresh.locks()
            query = "UPDATE state SET salt = ?, key_check = ?, turn = ?"
            self._db.execute(query, (locks.salt, locks.check, locks.turn))
        self.vault = fresh
        self._scrub(compact=True)

    def _rekey_people(self, fresh: Vault) -> None:
        self._db.execute("DELETE FROM names")
        for person, blob in self._db.execute("SELECT id, card FROM people").fetchall():
            card = rows.opened_card(self.vault, person, blob)
            sealed = rows.sealed_card(fresh, person, card)
            self._db.execute("UPDATE people SET card = ? WHERE id = ?", (sealed, person))
            names = [(fresh.digest(name), person) for name in (card.name, *card.aliases)]
            self._db.executemany("INSERT INTO names VALUES (?, ?)", names)

    def _rekey_table(self, fresh: Vault, table: str, owner: str, about: Callable[[str, str], str]) -> None:
        """Seal a table's blobs anew, a row at a time: a large gallery need not fit into memory twice."""
        data = "walk" if table == "sequences" else "vector"
        model = "''" if table == "sequences" else "model"
        origin = "origin" if table != "track_templates" else "NULL"
        numbers = [row[0] for row in self._db.execute(f"SELECT rowid FROM {table}")]
        for number in numbers:
            query = f"SELECT {owner}, {model}, {origin}, {data} FROM {table} WHERE rowid = ?"
            whose, made_by, source, blob = self._db.execute(query, (number,)).fetchone()
            place = about(whose, made_by)
            if data == "vector":
                sealed = fresh.seal_vector(self.vault.open_vector(blob, place), place)
            else:
                sealed = fresh.seal(self.vault.open(blob, place), place)
            self._db.execute(f"UPDATE {table} SET {data} = ? WHERE rowid = ?", (sealed, number))
            if source is not None:
                opened = rows.opened_origin(self.vault, whose, source)
                again = rows.sealed_origin(fresh, whose, opened)
                self._db.execute(f"UPDATE {table} SET origin = ? WHERE rowid = ?", (again, number))
