"""How steady clothes are over a track: the variance of their area and colour, over that of the original's."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from benchmarks.clothing_recordings import scene_of, true_people
from gait.data.records import Entry
from gait.data.source import Found
from gait.inputs import Walk
from gait.training.clothing.body_parts import FOREARM, HEAD, SHANK, parse
from gait.training.clothing.dressed import outfit_of
from gait.training.clothing.dyes import Dye
from gait.training.clothing.looked import look_at, write_picture
from gait.training.clothing.outline import Track, painted
from gait.training.clothing.recolour import Dyer, to_lab
from gait.training.clothing.recoloured import dye_of
from gait.training.synthetic import TESTED_WITH, walk_of
from gait.walkers.person import sample_person
from gait.walkers.population import STREET
from gait.walkers.seeds import stream
from gait.walkers.views import sample_view

SEED: Final = 96_000_000
VIEWS: Final = (0.0, 45.0, 90.0, 225.0)
PEOPLE: Final = 3
OUTFITS: Final = 6
FRAMES: Final = 50
DYED: Final = 3
DYES: Final = 4
FRAMES_IN_COLOUR: Final = 20
GARMENTS_END: Final = 0.92
"""Hands and feet begin here, as shares of the forearm and the shin."""


def flicker() -> tuple[dict[str, float], dict[str, float]]:
    """The value of the bar, and what is told beside it."""
    ratios, steps, carried = [], [], []
    for person in range(SEED, SEED + PEOPLE):
        for view in VIEWS:
            track = Track.of(_walk(person, view))
            before = _areas(track, track.canvas.masks)
            for number in range(OUTFITS):
                outfit = outfit_of(0, (str(person), "", str(view), ""), number)
                clothes = msgspec.structs.replace(outfit, bags=())
                if clothes != msgspec.structs.replace(type(outfit)(), loose=outfit.loose):
                    after = _areas(track, painted(track, clothes))
                    ratios.append(_spread(after) / _spread(before))
                    steps.append(
                        _spread(np.diff(after), after.mean()) / _spread(np.diff(before), before.mean())
                    )
                if outfit.bags:
                    carried.append(_spread(_areas(track, painted(track, outfit))) / _spread(before))
    worst = float(np.quantile(ratios, 0.95))
    told = {
        "outline, area variance over the original's, mean": float(np.mean(ratios)),
        "outline, area variance over the original's, 95th percentile": worst,
        "outline, frame to frame, mean": float(np.mean(steps)),
        "outline with bags, which hide behind the body, mean": float(np.mean(carried)),
    }
    colours = _colours()
    told["recolour, colour variance over the original's, worst"] = float(np.max(colours))
    values = {
        "outline_area_variance": float(np.mean(ratios)),
        "recolour_colour_variance": float(np.mean(colours)),
    }
    return values, told


def _colours() -> list[float]:
    """Of each dye: the variance of the garments' mean colours over a track, over the original's."""
    found = []
    for person in range(SEED, SEED + DYED):
        with tempfile.TemporaryDirectory(prefix="gaitway-") as folder:
            dyer = _dyer(person, Path(folder))
            before = _colour_spread(dyer, None)
            found += [
                _colour_spread(dyer, dye_of(0, (str(person), "", "", ""), number)) / before
                for number in range(DYES)
            ]
    return found


def _dyer(person: int, folder: Path) -> Dyer:
    """A rendered recording, looked at without errors."""
    scene, clip = scene_of(person, 0), folder / "clip"
    clip.mkdir()
    seen = []
    for number in range(FRAMES_IN_COLOUR):
        rendered = scene.frame(number)
        write_picture(clip / f"{number:06d}.png", rendered.image)
        seen.append(true_people(rendered))
    found = Found(Entry(str(person), "walk", "", 0, "clip"), (clip,))
    return Dyer(look_at(found, lambda _: tuple(seen), folder / "look"))


def _colour_spread(dyer: Dyer, dye: Dye | None) -> float:
    means = []
    for number, crop in enumerate(dyer.track.file.crops):
        lab = to_lab(dyer.track.image(crop) if dye is None else dyer.dyed(number, dye))
        regions = dyer.regions(number)
        pixels = lab[regions.rows, regions.columns]
        means.append([pixels[own].mean(axis=0) for own in (regions.upper, regions.lower)])
    return float(np.var(means, axis=0).sum())


def _walk(person: int, view: float) -> Walk:
    rng = stream(person, "flicker", str(view))
    who = sample_person(person, population=STREET)
    chosen = msgspec.structs.replace(TESTED_WITH, frames=FRAMES)
    return walk_of(who, sample_view(person, 1, view), 1, chosen, rng)


def _areas(track: Track, masks: NDArray[np.uint8]) -> NDArray[np.float64]:
    """(T,) pixels of clothing: all but head, hands and feet, as the parse has them."""
    areas = []
    for mask, joints in zip(masks, track.figure.joints, strict=True):
        parts = parse(mask, joints, track.figure.stature)
        bare = parts.of(HEAD) | (parts.of(FOREARM, SHANK) & (parts.along > GARMENTS_END))
        areas.append(np.count_nonzero(~bare))
    return np.array(areas, np.float64)


def _spread(values: NDArray[np.float64], mean: float | None = None) -> float:
    """The variance of values in units of their mean."""
    return float((values / (values.mean() if mean is None else mean)).var())
