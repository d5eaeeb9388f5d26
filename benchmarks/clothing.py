"""Do other clothes in training help with coats and bags never trained on? And does what is drawn flicker?

A small net is trained on walkers in ordinary clothes, as they are and with ``augment --method outline``; as
many steps in each arm, three seeds. Walkers that no arm has seen come in ordinary clothes, with a bag, and in
a coat. Folders are kept, so a bench that was stopped goes on.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from benchmarks.clothing_flicker import flicker
from benchmarks.recognition import SHOWN, cross_view
from benchmarks.report import BenchResult
from commands.cli import progress, say
from gait.data.store import DataSet
from gait.evaluation.distances import distances
from gait.training.clothing import dressed, trial
from gait.training.clothing.shares import Wanted

ARMS: Final = ("as they are", "outline")
T_95: Final = {2: 12.71, 3: 4.303, 4: 3.182, 5: 2.776}
"""Student's t for a two-sided interval of 95 % over so many seeds."""


def configure(parser: argparse.ArgumentParser) -> None:
    """How many, how long, where."""
    parser.add_argument("--people", type=int, default=300, help="walkers to train on (default 300)")
    parser.add_argument("--tested", type=int, default=30, help="walkers to test with (default 30)")
    parser.add_argument("--steps", type=int, default=400, help="of training, in every arm (default 400)")
    parser.add_argument("--seeds", type=int, default=3, help="trainings of each arm (default 3)")
    parser.add_argument(
        "--folder", type=Path, default=Path("out/clothing"), help="where data and nets are kept"
    )


def run(arguments: argparse.Namespace) -> BenchResult:
    """Make, dress, train, test."""
    folder: Path = arguments.folder
    with progress("walkers", None) as step:
        plain = trial.everyday(folder / f"everyday-{arguments.people}", arguments.people, step.set)
        tests = trial.strangers(folder / f"strangers-{arguments.tested}", arguments.tested, step.set)
    worn = folder / f"outline-{arguments.people}"
    with progress("dressing", None) as step:
        dressed.dress(plain.folder, worn, Wanted(), workers=1, progress=step.set)
    sets = dict(zip(ARMS, (plain, DataSet.open(worn)), strict=True))
    found: dict[str, list[dict[str, float]]] = {arm: [] for arm in ARMS}
    for seed in range(arguments.seeds):
        for arm, data in sets.items():
            out = folder / f"run-{arguments.people}-{arguments.steps}-{arm.replace(' ', '-')}-{seed}"
            model = trial.trained(data, out, arguments.steps, seed)
            found[arm].append(_rank_1(model, tests))
            say(f"{arm}, seed {seed}: {found[arm][-1]}")
    figures: dict[str, int | float | str] = {
        "people": arguments.people,
        "tested": arguments.tested,
        "steps": arguments.steps,
        "tracks as they are": len(plain),
        "tracks with outline": len(sets["outline"]),
    }
    figures |= _told(found)
    values = {
        "points_gained_coat": float(np.mean(_gains(found, "outline", "coat"))),
        "points_gained_bag": float(np.mean(_gains(found, "outline", "bag"))),
    }
    steady, of_flicker = flicker()
    return BenchResult.of("clothing", {**figures, **of_flicker}, {**values, **steady})


def _rank_1(model: Path, tests: DataSet) -> dict[str, float]:
    features = trial.vectors(model, tests)
    apart = distances(features[:, None], features[:, None], "cosine")
    people, conditions, views = (
        np.array([getattr(entry, part) for entry in tests.entries])
        for part in ("person", "condition", "view")
    )
    return {name: cross_view(apart, people, conditions, views, probe) for probe, name in SHOWN.items()}


def _gains(found: Mapping[str, Sequence[Mapping[str, float]]], arm: str, worn: str) -> list[float]:
    """Points of rank-1 over the arm without, seed by seed."""
    return [one[worn] - none[worn] for one, none in zip(found[arm], found[ARMS[0]], strict=True)]


def _told(found: Mapping[str, Sequence[Mapping[str, float]]]) -> dict[str, str]:
    told = {}
    for arm, seeds in found.items():
        for worn in SHOWN.values():
            told[f"{arm}, rank-1 {worn}"] = interval([seed[worn] for seed in seeds])
            if arm != ARMS[0]:
                told[f"{arm}, points gained {worn}"] = interval(_gains(found, arm, worn))
    return told


def interval(values: Sequence[float]) -> str:
    """The mean, and 95 % of where it would be in other runs by Student's t; the values themselves."""
    each = ", ".join(f"{value:.1f}" for value in values)
    if len(values) not in T_95:
        return f"{np.mean(values):.1f} ({each})"
    half = T_95[len(values)] * float(np.std(values, ddof=1)) / math.sqrt(len(values))
    return f"{np.mean(values):.1f} ± {half:.1f} ({each})"
