"""Where a gallery lies, what seals it and what searches it; and how it is opened so."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec

from gait.gallery.keys import read_key
from gait.gallery.reader import Clock
from gait.gallery.remote import QDRANT
from gait.gallery.store import Gallery


class GalleryConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The gallery's file and its key.

    ``key`` names where the key is (``file:PATH``, ``env:NAME``, ``keyring:NAME``), never the key itself;
    empty, nothing is encrypted. ``cancelable``: a gallery that is made with a key also rotates its vectors.
    ``index``: empty searches in memory; ``qdrant:http://host:6333`` on a Qdrant server, for more templates
    than one machine holds.
    """

    path: str = "gallery.sqlite"
    key: str = ""
    cancelable: bool = False
    index: str = ""

    def __post_init__(self) -> None:
        if self.index and (not self.index.startswith(QDRANT) or self.index == QDRANT):
            raise ValueError("`index` must be empty or qdrant:ADDRESS")

    def open(self, *, endpoint: str = "", clock: Clock = time.time_ns) -> Gallery:
        """The gallery, open for writing; raises GalleryError or ConfigError for a bad file or key."""
        return Gallery(
            Path(self.path),
            endpoint=endpoint,
            key=read_key(self.key),
            cancelable=self.cancelable,
            index=self.index,
            clock=clock,
        )
