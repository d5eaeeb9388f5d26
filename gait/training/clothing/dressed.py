"""A prepared data set as itself and in other clothes: what ``augment --method outline`` prepares."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Final

import cv2
import msgspec
import numpy as np

from gait.data.prepare import Progress, Report, prepare
from gait.data.records import INDEX, Entry, Key, Partition
from gait.data.sheets import contact_sheet
from gait.data.source import Found, Listing, Loaded
from gait.data.store import DataSet
from gait.data.writer import write_atomically
from gait.training.clothing.outfits import Outfit, draw_outfit
from gait.training.clothing.outline import Track, dressed
from gait.training.clothing.shares import (
    Made,
    Wanted,
    chosen,
    is_variant,
    source_of,
    variant_of,
    write_ledger,
)
from gait.walkers.seeds import stream

METHOD: Final = "outline"
SHEETS: Final = "sheets"
MOST_SHEETS: Final = 50
VERSION: Final = 1
"""Of the shapes: raised when the same seed gives other clothes, so that no data set mixes two."""


@dataclass(frozen=True)
class Dressed:
    """A ``Preparation``: every track of a data set, and the chosen ones' variants.

    Only people that may be trained on are dressed; where the set has no split, everybody.
    """

    root: Path
    wanted: Wanted
    parallel: bool = True
    _made: dict[Key, tuple[Key, int]] = field(init=False, repr=False, compare=False, default_factory=dict)

    @cached_property
    def _data(self) -> DataSet:
        return DataSet.open(self.root)

    def __reduce__(self) -> tuple[type[Dressed], tuple[Path, Wanted]]:
        return Dressed, (self.root, self.wanted)

    def find(self) -> Listing:
        """Everything that was there, then everything that will be made, in order of key."""
        entries = [*self._data.entries, *(made for made, _, _ in self.made())]
        return Listing(
            tuple(
                Found(entry, (self.root / str(entry),)) for entry in sorted(entries, key=lambda one: one.key)
            )
        )

    def made(self) -> Iterator[tuple[Entry, Entry, int]]:
        """Each variant, the track it is made from, and its number."""
        split = self._data.partition
        open_to_all = not (split.train or split.test)
        people = frozenset(split.train)
        candidates = [
            entry
            for entry in self._data.entries
            if (open_to_all or entry.person in people) and not is_variant(entry)
        ]
        for entry in chosen(candidates, self.wanted):
            for number in range(self.wanted.variants):
                yield variant_of(entry, METHOD, number), entry, number

    def load(self, found: Found) -> Loaded:
        """The track as it was, or in its new clothes; raises DataError where it cannot be dressed."""
        if not self._made:
            self._made.update((made.key, (entry.key, number)) for made, entry, number in self.made())
        source = self._made.get(found.entry.key)
        if source is None:
            return Loaded(self._data.read(found.entry), found.entry.lost)
        key, number = source
        track = _track(self.root, key)
        return Loaded(dressed(track, outfit_of(self.wanted.seed, key, number)), found.entry.lost)

    def partition(self, people: frozenset[str]) -> Partition:
        """As it was."""
        del people
        return self._data.partition


def outfit_of(seed: int, key: Key, number: int) -> Outfit:
    """What track ``key`` wears in its variant ``number``."""
    return draw_outfit(stream(seed, "outfit", *key, number))


def dress(
    root: Path, folder: Path, wanted: Wanted, *, workers: int | None = None, progress: Progress | None = None
) -> Report:
    """Fill ``folder`` with the data set of ``root`` and its variants; taken up again where it was stopped."""
    wanted.check()
    preparation = Dressed(root, wanted)
    told = {
        "augment": METHOD,
        "version": VERSION,
        **msgspec.to_builtins(wanted),
        "of": zlib.crc32((DataSet.open(root).folder / INDEX).read_bytes()),
    }
    settings = msgspec.json.encode(told).decode()
    report = prepare(METHOD, preparation, folder, settings=settings, workers=workers, progress=progress)
    written = {entry.key: entry for entry in DataSet.open(folder).entries}
    write_ledger(
        folder,
        (
            Made(
                str(made),
                str(entry),
                METHOD,
                number,
                wanted.seed,
                msgspec.to_builtins(outfit_of(wanted.seed, entry.key, number)),
                written[made.key].frames,
            )
            for made, entry, number in preparation.made()
            if made.key in written
        ),
    )
    return report


def write_sheets(folder: Path, progress: Progress | None = None) -> int:
    """A picture for each of the first tracks that were dressed: as it was, then every variant."""
    data = DataSet.open(folder)
    known = {entry.key: entry for entry in data.entries}
    groups: dict[Key, list[Entry]] = {}
    for entry in data.entries:
        key = source_of(entry)
        if key in known:
            groups.setdefault(key, [known[key]]).append(entry)
    (folder / SHEETS).mkdir(parents=True, exist_ok=True)
    shown = list(groups.items())[:MOST_SHEETS]
    for number, (key, entries) in enumerate(shown, 1):
        image = np.ascontiguousarray(contact_sheet(data, tuple(entries)))
        name = "_".join(part.replace("/", "-") for part in key if part)
        write_atomically(folder / SHEETS / f"{name}.png", cv2.imencode(".png", image)[1].tobytes())
        if progress is not None:
            progress(number, len(shown))
    return len(shown)


@lru_cache(maxsize=2)
def _track(root: Path, key: Key) -> Track:
    """Variants of a track come one after the other; what they share is worked out once."""
    data = DataSet.open(root)
    return Track.of(data.read(data.entry(key)))
