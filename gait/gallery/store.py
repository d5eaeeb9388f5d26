"""The gallery: the record of who is known, and every change that can be made to it.

Finished tracks are kept beside it for a while without touching the epoch: they answer nothing until somebody
enrols them. See ``writer`` for what one change is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec

from gait.gallery import rows
from gait.gallery.kept_tracks import TrackKeeper
from gait.gallery.records import (
    MAX_ALIASES,
    TRACK_SOURCE,
    Card,
    Enrolment,
    IfKnown,
    NewTemplate,
    Origin,
    PersonRecord,
    checked_name,
    checked_note,
)
from gait.gallery.schema import one_line
from gait.gallery.writer import Change
from stream.errors import GalleryError

__all__ = ["TRACK_SOURCE", "Expired", "Gallery"]


@dataclass(frozen=True)
class Expired:
    """How much had expired and is gone."""

    people: int
    templates: int
    sequences: int
    tracks: int

    @property
    def any(self) -> bool:
        """Whether anything was."""
        return bool(self.people or self.templates or self.sequences or self.tracks)


class Gallery(TrackKeeper):
    """One gallery, open for its one writer."""

    def enrol(
        self,
        name: str,
        templates: Sequence[NewTemplate],
        consent: str = "",
        *,
        expires_ns: int | None = None,
        walks: Sequence[bytes] = (),
    ) -> PersonRecord:
        """Keep ``templates`` (and packed ``walks``) for the person called ``name``, who is made where new."""
        (person,) = self.enrol_many([Enrolment(name, tuple(templates), consent, expires_ns, tuple(walks))])
        return self.person(person)

    def enrol_many(
        self,
        people: Sequence[Enrolment],
        action: str = "enrol",
        if_known: IfKnown = "join",
        detail: str = "",
    ) -> tuple[str, ...]:
        """Enrol several people in one change, all or nobody; the ids of those who were, in order."""
        if not people:
            raise GalleryError("nobody to enrol", wanted="at least one person")
        with self._change(action) as change:
            chosen = people if if_known == "join" else [one for one in people if self._known(one) is None]
            if len(chosen) < len(people) and if_known == "refuse":
                what = f"{len(people) - len(chosen)} of {len(people)} people are known already"
                fix = "Add to them with --if-known join, or leave them as they are with --if-known skip"
                raise GalleryError(what, where=f"gallery {self.path}", fix=fix)
            ids = tuple(self._enrol(change, asked) for asked in chosen)
            count = sum(len(asked.templates) for asked in chosen)
            change.detail = f"{len(ids)} people, {count} templates" if len(ids) != 1 else f"{count} templates"
            change.detail += f", {detail}" if detail else ""
        return ids

    def _known(self, asked: Enrolment) -> str | None:
        """The id of somebody who has one of these names."""
        names = map(checked_name, (asked.name, *asked.aliases))
        return next(filter(None, (rows.person_id(self._db, self.vault, name) for name in names)), None)

    def _enrol(self, change: Change, asked: Enrolment) -> str:
        name, consent = checked_name(asked.name), checked_note(asked.consent)
        if not asked.templates:
            raise GalleryError(f"nothing to enrol for {name}", wanted="at least one template")
        if asked.walks and not consent:
            fix = "Say how they agreed: --consent NOTE"
            raise GalleryError(f"walks of {name} may not be kept without consent", fix=fix)
        checked = [(template, template.checked()) for template in asked.templates]
        person = rows.person_id(self._db, self.vault, name)
        if person is None:
            aliases = _aliases([checked_name(alias) for alias in asked.aliases])
            card = Card(name, consent, checked_note(asked.note, "note"), aliases)
            person = self._make_person(change, card, asked.expires_ns)
        else:
            self._update(change, person, asked)
        for template, vector in checked:
            self._add_template(person, template, vector, consent)
        for walk in asked.walks:
            self._add_walk(person, walk, Origin(asked.templates[0].source, consent))
        self._check_count(person)
        return person

    def _update(self, change: Change, person: str, asked: Enrolment) -> None:
        """A later enrolment's consent note and expiry replace the earlier ones, where given."""
        self._note_before(change, person)
        card = rows.opened_card(self.vault, person, self._card_blob(person))
        if asked.consent and asked.consent != card.consent:
            self._write_card(change, person, msgspec.structs.replace(card, consent=asked.consent))
        if asked.expires_ns is not None:
            self._db.execute("UPDATE people SET expires_ns = ? WHERE id = ?", (asked.expires_ns, person))

    def _card_blob(self, person: str) -> bytes:
        return bytes(self._db.execute("SELECT card FROM people WHERE id = ?", (person,)).fetchone()[0])

    def enrol_track(self, tracklet: str, name: str, consent: str = "") -> PersonRecord:
        """Enrol the templates of a finished track that has not expired."""
        templates = self.track_templates(tracklet)
        if not templates:
            fix = "See them with `gallery tracks`"
            raise GalleryError(f"no recent track {tracklet[:80]!r}", where=f"gallery {self.path}", fix=fix)
        return self.enrol(name, templates, consent)

    def promote(self, cluster: str, name: str, consent: str = "", *, limit: int = 16) -> PersonRecord:
        """Give an unknown person a name: enrol the best of every track that was taken for them."""
        with one_line(self.path):
            query = "SELECT tracklet FROM tracks WHERE cluster = ? AND expires_ns > ? ORDER BY tracklet"
            found = [row[0] for row in self._db.execute(query, (cluster, self._clock()))]
        templates = [template for tracklet in found for template in self.track_templates(tracklet)]
        if not templates:
            fix = "See them with `gallery tracks`; their tracks expire"
            raise GalleryError(f"no unknown person {cluster[:40]!r}", where=f"gallery {self.path}", fix=fix)
        best = sorted(templates, key=lambda t: (t.quality * t.samples, t.source), reverse=True)[:limit]
        return self.enrol(name, best, consent)

    def rename(self, who: str, name: str, why: str = "asked") -> PersonRecord:
        """Call a person something else; the id stays."""
        return self._recarded(
            "rename", who, why, lambda card: msgspec.structs.replace(card, name=checked_name(name))
        )

    def annotate(self, who: str, note: str, why: str = "asked") -> PersonRecord:
        """Write a note on a person's card, in place of the one that was there."""
        clean = checked_note(note, "note")
        return self._recarded("note", who, why, lambda card: msgspec.structs.replace(card, note=clean))

    def alias(self, who: str, alias: str, *, drop: bool = False, why: str = "asked") -> PersonRecord:
        """Let a person be found by another name too, or no longer."""
        clean = checked_name(alias)

        def changed(card: Card) -> Card:
            others = tuple(name for name in card.aliases if name != clean)
            if drop and len(others) == len(card.aliases):
                raise GalleryError(
                    f"{card.name} has no alias {clean}", wanted=", ".join(card.aliases) or "none"
                )
            if drop or clean == card.name:
                return msgspec.structs.replace(card, aliases=others)
            return msgspec.structs.replace(card, aliases=_aliases((*others, clean)))

        return self._recarded("alias", who, why, changed)

    def _recarded(self, action: str, who: str, why: str, changed: Callable[[Card], Card]) -> PersonRecord:
        person = self.person(who)
        with self._change(action, why) as change:
            card = rows.opened_card(self.vault, person.id, self._card_blob(person.id))
            self._write_card(change, person.id, changed(card))
        return self.person(person.id)

    def set_expiry(self, who: str, expires_ns: int | None, why: str = "asked") -> PersonRecord:
        """When a person's data end by themselves; None: not."""
        person = self.person(who)
        with self._change("expiry", why) as change:
            self._note_before(change, person.id)
            self._db.execute("UPDATE people SET expires_ns = ? WHERE id = ?", (expires_ns, person.id))
        return self.person(person.id)

    def merge(self, into: str, other: str, why: str = "asked") -> PersonRecord:
        """Two people are one: all that was the other's becomes the first's, the other's names aliases."""
        kept, gone = self.person(into), self.person(other)
        if kept.id == gone.id:
            raise GalleryError(f"{kept.name} cannot be merged with themselves", wanted="two people")
        with self._change("merge", why) as change:
            self._note_before(change, kept.id)
            self._note_before(change, gone.id)
            change.detail = f"{gone.tag[:8]} into {kept.tag[:8]}"
            self._move("templates", self._ids("templates", gone.id), kept.id)
            self._move("sequences", self._ids("sequences", gone.id), kept.id)
            self._db.execute("DELETE FROM people WHERE id = ?", (gone.id,))
            self._db.execute("UPDATE tracks SET person = ? WHERE person = ?", (kept.id, gone.id))
            card = rows.opened_card(self.vault, kept.id, self._card_blob(kept.id))
            names = _aliases((*card.aliases, gone.name, *gone.aliases))
            self._write_card(change, kept.id, msgspec.structs.replace(card, aliases=names))
            self._check_count(kept.id)
        return self.person(kept.id)

    def split(self, who: str, templates: Sequence[int], name: str, why: str = "asked") -> PersonRecord:
        """Some of a person's templates are somebody else's, called ``name``."""
        person, clean = self.person(who), checked_name(name)
        chosen = _chosen(person, templates)
        with self._change("split", why) as change:
            self._note_before(change, person.id)
            if rows.person_id(self._db, self.vault, clean) is not None:
                fix = "Choose a new name; move templates to somebody known with split and then merge"
                raise GalleryError(f"somebody is called {clean} already", fix=fix)
            other = self._make_person(change, Card(clean, person.consent), person.expires_ns)
            change.detail = f"{len(chosen)} templates"
            self._move("templates", chosen, other)
        return self.person(other)

    def drop(self, who: str, templates: Sequence[int], why: str = "mistake") -> PersonRecord:
        """Remove some of a person's templates for good."""
        person = self.person(who)
        chosen = _chosen(person, templates)
        with self._change("drop", why) as change:
            self._note_before(change, person.id)
            change.final, change.detail = True, f"{len(chosen)} templates"
            self._forget_undo([person.id])
            self._db.executemany("DELETE FROM templates WHERE id = ?", [(number,) for number in chosen])
        self._scrub(compact=True)
        return self.person(person.id)

    def remove(self, who: str, why: str = "asked") -> PersonRecord:
        """Remove a person, all that is theirs, and the finished tracks that were theirs: no byte stays."""
        person = self.person(who)
        with self._change("remove", why) as change:
            self._note_before(change, person.id)
            change.final, change.detail = True, f"{len(person.templates)} templates"
            self._erase(person)
        self._scrub(compact=True)
        return person

    def _erase(self, person: PersonRecord) -> None:
        """Within a change: every row that is about a person, and what could bring them back."""
        sources = {template.source for template in person.templates}
        tracks = sorted(s.removeprefix(TRACK_SOURCE) for s in sources if s.startswith(TRACK_SOURCE))
        self._forget_undo([person.id])
        self._db.execute("DELETE FROM people WHERE id = ?", (person.id,))
        self._db.execute("DELETE FROM tracks WHERE person = ?", (person.id,))
        self._db.executemany("DELETE FROM tracks WHERE tracklet = ?", [(track,) for track in tracks])

    def expire(self) -> Expired:
        """Let go of all that has expired: people, single templates, sequences, finished tracks."""
        now = self._clock()
        with one_line(self.path):
            due = self._due(now)
        if due:
            with self._change("expire", "expired") as change:
                change.final = True
                found = self._expire_rows(change, due, now)
                change.detail = f"{found.people} people, {found.templates} templates"
        else:
            found = Expired(0, 0, 0, 0)
        with one_line(self.path), self._transaction():
            gone = self._db.execute("DELETE FROM tracks WHERE expires_ns <= ?", (now,)).rowcount
        found = Expired(found.people, found.templates, found.sequences, int(gone))
        if found.any:
            self._scrub(compact=bool(due))
        return found

    def _due(self, now: int) -> tuple[str, ...]:
        """Whom anything has expired of."""
        query = (
            "SELECT id FROM people WHERE expires_ns <= :now"
            " UNION SELECT person FROM templates WHERE expires_ns <= :now"
            " UNION SELECT person FROM sequences WHERE expires_ns <= :now ORDER BY 1"
        )
        return tuple(row[0] for row in self._db.execute(query, {"now": now}))

    def _expire_rows(self, change: Change, due: Sequence[str], now: int) -> Expired:
        people, counts = 0, {"templates": 0, "sequences": 0}
        for person in due:
            self._note_before(change, person)
            for table in counts:
                query = f"DELETE FROM {table} WHERE person = ? AND expires_ns <= ?"
                counts[table] += self._db.execute(query, (person, now)).rowcount
            record = self.people_of([person])[0]
            over = record.expires_ns is not None and record.expires_ns <= now
            if over or not record.templates:  # nobody stays of whom nothing is known
                people += 1
                self._erase(record)
        self._forget_undo(due)
        return Expired(people, counts["templates"], counts["sequences"], 0)

    def people_of(self, ids: Sequence[str]) -> tuple[PersonRecord, ...]:
        """The people of these ids."""
        with one_line(self.path):
            return rows.people(self._db, self.vault, ids)


def _aliases(names: Sequence[str]) -> tuple[str, ...]:
    """The names once each; raises GalleryError for too many."""
    once = tuple(dict.fromkeys(names))
    if len(once) > MAX_ALIASES:
        raise GalleryError(f"{len(once)} aliases for one person", wanted=f"at most {MAX_ALIASES}")
    return once


def _chosen(person: PersonRecord, templates: Sequence[int]) -> tuple[int, ...]:
    """Some of a person's templates, but not all; raises GalleryError otherwise."""
    chosen, theirs = set(templates), {template.id for template in person.templates}
    if not chosen or not chosen < theirs:
        what = f"templates {sorted(chosen)} of {person.name}"
        wanted = f"some of {sorted(theirs)}, not all"
        raise GalleryError(
            what, wanted=wanted, fix="See them with `gallery show`; all of them: `gallery remove`"
        )
    return tuple(sorted(chosen))
