"""Where a gallery lies, what seals it and what searches it; and how it is opened so."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec

from gait.gallery.keys import read_key
from gait.gallery.reader import Clock
from gait.gallery.store import Gallery


class GalleryConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The gallery's file and its key.

    ``key`` names where the key is (``file:PATH``, ``env:NAME``, ``keyring:NAME``), never the key itself;
    empty, nothing is encrypted. ``cancelable``: a gallery that is made with a key also rotates its vectors.
    """

    path: str = "gallery.sqlite"
    key: str = ""
    cancelable: bool = False

    def open(self, *, endpoint: str = "", clock: Clock = time.time_ns) -> Gallery:
        """The gallery, open for writing; raises GalleryError or ConfigError for a bad file or key."""
        return Gallery(
            Path(self.path),
            endpoint=endpoint,
            key=read_key(self.key),
            cancelable=self.cancelable,
            clock=clock,
        )
