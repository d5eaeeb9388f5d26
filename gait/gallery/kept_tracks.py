"""Finished tracks, kept for a while so that they can be enrolled, and where runs have left their files.

Neither touches the epoch: they answer nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from gait.gallery import rows
from gait.gallery.records import TRACK_SOURCE, NewTemplate, TrackRecord
from gait.gallery.rekeying import RekeyingWriter
from gait.gallery.schema import one_line
from stream.messages import Array

NANOSECONDS: Final = 1_000_000_000


class TrackKeeper(RekeyingWriter):
    """A writer that keeps finished tracks until they expire."""

    def keep_track(self, track: TrackRecord, templates: Sequence[NewTemplate]) -> None:
        """Keep a finished track until it expires, and let go of those that have; the epoch stays."""
        checked = [(template, template.checked()) for template in templates]
        about = rows.about_track(track.tracklet)
        with one_line(self.path), self._transaction():
            gone = (self._clock(), track.tracklet)
            self._db.execute("DELETE FROM tracks WHERE expires_ns <= ? OR tracklet = ?", gone)
            self._db.execute(
                "INSERT INTO tracks VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    *(track.tracklet, track.camera, track.first_ns, track.last_ns, track.answer),
                    *(track.person, track.expires_ns, track.cluster),
                ),
            )
            self._db.executemany(
                "INSERT INTO track_templates VALUES (?, ?, ?, ?, ?, ?, ?)",
                [
                    (
                        *(track.tracklet, place, t.model, v.size, t.samples, t.quality),
                        self.vault.seal_vector(v, about),
                    )
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

    def track_templates(self, tracklet: str) -> tuple[NewTemplate, ...]:
        """What a finished track that has not expired would be enrolled with."""
        with one_line(self.path):
            query = (
                "SELECT vector, model, samples, quality FROM track_templates JOIN tracks USING (tracklet)"
                " WHERE tracklet = ? AND expires_ns > ? ORDER BY position"
            )
            kept = self._db.execute(query, (tracklet, self._clock())).fetchall()
        about, source = rows.about_track(tracklet), TRACK_SOURCE + tracklet
        return tuple(
            NewTemplate(Array.of(self.vault.open_vector(blob, about)), model, samples, quality, source)
            for blob, model, samples, quality in kept
        )

    def note_place(self, path: Path, kind: str) -> None:
        """Remember a file that names people or holds their vectors, so that a removal reaches it."""
        with one_line(self.path), self._transaction():
            query = "INSERT INTO places VALUES (?, ?) ON CONFLICT (path) DO UPDATE SET kind = excluded.kind"
            self._db.execute(query, (str(path.resolve()), kind))

    def compact(self) -> int:
        """Give back the room of what is gone; how many bytes that was."""
        before = self.path.stat().st_size
        self._scrub(compact=True)
        return before - self.path.stat().st_size
