"""From changed pictures back to training data: recordings and variants, all through our own perception."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from gait.data.errors import DataError
from gait.data.prepare import REPORT, Progress, Report, prepare
from gait.data.records import Entry, Partition
from gait.data.source import Dropped, Found, Listing, Loaded, Perceive, Preparation
from gait.data.store import DataSet
from gait.data.writer import write_atomically
from gait.training.clothing.looked import (
    LeftOut,
    Look,
    Looked,
    look_at,
    pictures_of,
    recording_of,
    slug,
    write_picture,
)
from gait.training.clothing.shares import Made, Wanted, chosen, is_variant, variant_of, write_ledger
from stream.errors import GaitwayError
from stream.sources.base import Image

WORK: Final = "work"
FRAMES: Final = "frames"
DONE: Final = "done"

# (number of the crop in its track) -> the crop as it becomes, or None where that frame is left out.
Change = Callable[[int], Image | None]


@dataclass(frozen=True)
class Variant:
    """A track to be made: from which recording, its number, and what changes."""

    entry: Entry
    source: Found
    number: int


@dataclass(frozen=True)
class WithVariants:
    """A ``Preparation``: recordings as they are, and folders of changed frames, all perceived alike."""

    recordings: Preparation
    made: tuple[Found, ...]
    perceive: Perceive
    parallel: bool = False  # perception itself uses all cores

    def find(self) -> Listing:
        """Both, in order of key."""
        listing = self.recordings.find()
        found = sorted((*listing.found, *self.made), key=lambda one: one.entry.key)
        return Listing(tuple(found), listing.dropped)

    def load(self, found: Found) -> Loaded:
        """What perception saw of the one person in it."""
        if is_variant(found.entry):
            return Loaded(self.perceive(found.files[0]))
        return self.recordings.load(found)

    def partition(self, people: frozenset[str]) -> Partition:
        """The recordings' own."""
        return self.recordings.partition(people)


def variants_of(recordings: Preparation, wanted: Wanted, method: str) -> list[Variant]:
    """What is to be made: only of people who may be trained on."""
    found = recordings.find().found
    split = recordings.partition(frozenset(one.entry.person for one in found))
    people = set(split.train)
    candidates = [
        one
        for one in found
        if (one.entry.person in people or not (split.train or split.test)) and not is_variant(one.entry)
    ]
    by_key = {one.entry.key: one for one in candidates}
    return [
        Variant(variant_of(entry, method, number), by_key[entry.key], number)
        for entry in chosen([one.entry for one in candidates], wanted)
        for number in range(wanted.variants)
    ]


def look_at_all(
    variants: Sequence[Variant], look: Look, folder: Path, progress: Progress | None = None
) -> tuple[dict[str, Looked], list[Dropped]]:
    """The look stage over every recording that variants are made from; one that cannot be used is told."""
    sources = {slug(variant.source.entry): variant.source for variant in variants}
    tracks: dict[str, Looked] = {}
    dropped: list[Dropped] = []
    frames: list[Dropped] = []
    for number, (name, source) in enumerate(sources.items(), 1):
        try:
            tracks[name] = look_at(source, look, folder / WORK / "look" / name)
            frames += _runs(tracks[name].file.left_out, recording_of(source))
        except GaitwayError as error:
            dropped.append(Dropped(error.where or str(recording_of(source)), _reason(error)))
        if progress is not None:
            progress(number, len(sources))
    return tracks, [*dropped, *frames]


def _runs(left_out: Sequence[LeftOut], where: Path) -> list[Dropped]:
    """Frames one after the other that were left out for the same reason, told in one line."""
    found: list[tuple[int, int, str]] = []
    for frame in left_out:
        first, last, reason = found[-1] if found else (0, -2, "")
        if (frame.number, frame.reason) == (last + 1, reason):
            found[-1] = (first, frame.number, reason)
        else:
            found.append((frame.number, frame.number, frame.reason))
    return [
        Dropped(f"{where}, frame {first}" if first == last else f"{where}, frames {first} to {last}", reason)
        for first, last, reason in found
    ]


def write_frames(variant: Variant, track: Looked, change: Change, folder: Path) -> Found:
    """The variant's frames, each whole; those that are there already are not made again."""
    out = folder / FRAMES / slug(variant.entry)
    done = out / DONE
    if not done.exists():
        out.mkdir(parents=True, exist_ok=True)
        places = {crop.number: place for place, crop in enumerate(track.file.crops)}
        for picture in pictures_of(recording_of(variant.source)):
            place = places.get(picture.number)
            path = out / f"{picture.number:06d}.jpg"
            if place is None or path.exists():
                continue
            changed = change(place)
            if changed is None:
                continue
            crop, whole = track.file.crops[place], picture.image.copy()
            whole[crop.top : crop.top + crop.height, crop.left : crop.left + crop.width] = changed
            write_picture(path, whole)
        write_atomically(done, b"")
    return Found(variant.entry, (out,))


def derive(
    recordings: Preparation,
    made: Sequence[Found],
    folder: Path,
    perceive: Perceive,
    *,
    settings: str,
    method: str,
    dropped: Sequence[Dropped] = (),
    progress: Progress | None = None,
) -> Report:
    """The data set: everything through perception. ``dropped`` is what earlier stages left out."""
    whole = WithVariants(recordings, tuple(made), perceive)
    report = prepare(method, whole, folder, settings=settings, workers=1, progress=progress)
    report = msgspec.structs.replace(report, dropped=(*dropped, *report.dropped))
    write_atomically(folder / REPORT, msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n")
    return report


def record(
    folder: Path,
    variants: Sequence[Variant],
    wearing: Callable[[Variant], dict[str, Any]],
    wanted: Wanted,
    method: str,
) -> int:
    """The ledger of what was made from what."""
    written = {entry.key: entry for entry in DataSet.open(folder).entries}
    return write_ledger(
        folder,
        (
            Made(
                str(variant.entry),
                str(variant.source.entry),
                method,
                variant.number,
                wanted.seed,
                wearing(variant),
                written[variant.entry.key].frames,
            )
            for variant in variants
            if variant.entry.key in written
        ),
    )


def _reason(error: GaitwayError) -> str:
    return f"{error.what}; wanted {error.wanted}" if error.wanted else error.what


def check_same(folder: Path, settings: str) -> None:
    """Raises DataError where the folder's stages were begun with other settings."""
    path = folder / WORK / "settings.json"
    if path.exists():
        if path.read_text(encoding="utf-8") != settings:
            raise DataError(
                "holds stages begun with other settings",
                where=str(folder),
                wanted=settings,
                fix="Augment into an empty folder",
            )
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, settings.encode())
