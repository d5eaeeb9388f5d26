"""Recordings with their clothes re-dyed: what ``augment --method recolour`` makes."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec

from gait.data.prepare import Progress, Report
from gait.data.records import Key
from gait.data.source import Dropped, Found, Perceive, Preparation
from gait.training.clothing import rederived
from gait.training.clothing.dyes import Dye, draw_dye
from gait.training.clothing.looked import Look, Looked, slug
from gait.training.clothing.recolour import Dyer
from gait.training.clothing.rederived import Variant
from gait.training.clothing.shares import Wanted
from gait.walkers.seeds import stream
from stream.errors import GaitwayError

METHOD: Final = "recolour"
VERSION: Final = 1


def dye_of(seed: int, key: Key, number: int) -> Dye:
    """What track ``key`` is dyed in its variant ``number``."""
    return draw_dye(stream(seed, "dye", *key, number))


def recolour(
    recordings: Preparation,
    folder: Path,
    wanted: Wanted,
    look: Look,
    perceive: Perceive,
    progress: Progress | None = None,
) -> Report:
    """Look, dye, perceive again: the data set of the recordings and their variants in ``folder``."""
    wanted.check()
    settings = msgspec.json.encode(
        {"augment": METHOD, "version": VERSION, **msgspec.to_builtins(wanted)}
    ).decode()
    rederived.check_same(folder, settings)
    variants = rederived.variants_of(recordings, wanted, METHOD)
    tracks, dropped = rederived.look_at_all(variants, look, folder)
    made, worse = _dye_all(variants, tracks, folder, wanted, progress)
    report = rederived.derive(
        recordings, made, folder, perceive, settings=settings, method=METHOD, dropped=[*dropped, *worse]
    )
    rederived.record(
        folder,
        variants,
        lambda one: msgspec.to_builtins(dye_of(wanted.seed, one.source.entry.key, one.number)),
        wanted,
        METHOD,
    )
    return report


def _dye_all(
    variants: list[Variant],
    tracks: dict[str, Looked],
    folder: Path,
    wanted: Wanted,
    progress: Progress | None,
) -> tuple[list[Found], list[Dropped]]:
    made: list[Found] = []
    dropped: list[Dropped] = []
    dyers: dict[str, Dyer] = {}
    for done, variant in enumerate(variants, 1):
        name = slug(variant.source.entry)
        if name in tracks:
            try:
                if name not in dyers:
                    dyers = {name: Dyer(tracks[name])}
                made.append(_dyed(variant, dyers[name], folder, wanted))
            except GaitwayError as error:
                dropped.append(Dropped(error.where or str(variant.entry), error.what))
        if progress is not None:
            progress(done, len(variants))
    return made, dropped


def _dyed(variant: Variant, dyer: Dyer, folder: Path, wanted: Wanted) -> Found:
    dye = dye_of(wanted.seed, variant.source.entry.key, variant.number)
    return rederived.write_frames(variant, dyer.track, lambda place: dyer.dyed(place, dye), folder)
