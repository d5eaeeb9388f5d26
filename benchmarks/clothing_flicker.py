"""How steady clothes are over a track: the variance of their area and colour, over that of the original's."""

from __future__ import annotations

from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from gait.inputs import Walk
from gait.training.clothing.body_parts import FOREARM, HEAD, SHANK, parse
from gait.training.clothing.dressed import outfit_of
from gait.training.clothing.outline import Track, painted
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
    return {"outline_area_variance": float(np.mean(ratios))}, told


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
