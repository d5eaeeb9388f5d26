"""Do other clothes in training help with coats and bags never trained on? And does what is drawn flicker?

A small net is trained on walkers in ordinary clothes, as they are and with ``augment --method outline``; as
many steps in each arm, three seeds. Walkers that no arm has seen come in ordinary clothes, with a bag, and in
a coat. ``--recolour`` does so once more on rendered pictures through perception, with an arm of dyed ones.
Folders are kept, so a bench that was stopped goes on.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from benchmarks.clothing_flicker import flicker
from benchmarks.clothing_recordings import Seer, write_recordings
from benchmarks.recognition import SHOWN, cross_view
from benchmarks.report import BenchResult
from commands.cli import progress, say, whole
from gait.data.preparations.videos import VideoFolders
from gait.data.prepare import prepare
from gait.data.source import Options
from gait.data.store import DataSet
from gait.evaluation.distances import distances
from gait.training.clothing import dressed, trial
from gait.training.clothing.recoloured import recolour
from gait.training.clothing.shares import Wanted, source_of
from gait.training.people import Source

PLAIN, OUTLINE, RECOLOUR = "as they are", "outline", "recolour"
T_95: Final = {2: 12.71, 3: 4.303, 4: 3.182, 5: 2.776}
"""Student's t for a two-sided interval of 95 % over so many seeds."""


def configure(parser: argparse.ArgumentParser) -> None:
    """How many, how long, where."""
    parser.add_argument("--people", type=whole(2), default=300, help="walkers to train on (default 300)")
    parser.add_argument("--tested", type=whole(2), default=30, help="walkers to test with (default 30)")
    parser.add_argument("--steps", type=whole(1), default=400, help="of training, in every arm (default 400)")
    parser.add_argument("--seeds", type=whole(1), default=3, help="trainings of each arm (default 3)")
    parser.add_argument("--share", type=float, default=0.25, help="of the walks dressed (default 0.25)")
    parser.add_argument("--variants", type=int, default=10, help="of each of those (default 10)")
    parser.add_argument(
        "--recolour",
        type=int,
        default=0,
        metavar="PEOPLE",
        help="also on so many rendered walkers in colour, through perception (default: not)",
    )
    parser.add_argument(
        "--folder", type=Path, default=Path("out/clothing"), help="where data and nets are kept"
    )


def run(arguments: argparse.Namespace) -> BenchResult:
    """Make, dress, train, test."""
    folder: Path = arguments.folder
    steady, of_flicker = flicker()
    with progress("walkers", None) as step:
        plain = trial.everyday(folder / f"everyday-{arguments.people}", arguments.people, step.set)
        tests = trial.strangers(folder / f"strangers-{arguments.tested}", arguments.tested, step.set)
    wanted = Wanted(arguments.share, arguments.variants)
    often = "" if wanted == Wanted() else f"-{wanted.share:g}-{wanted.variants}"
    worn = _outlined(plain, folder / f"outline-{arguments.people}{often}", wanted)
    found = _measured(arguments, {PLAIN: plain, OUTLINE: worn}, tests, f"run-{arguments.people}{often}")
    figures: dict[str, int | float | str] = {
        "people": arguments.people,
        "tested": arguments.tested,
        "steps": arguments.steps,
        "share dressed": wanted.share,
        "variants": wanted.variants,
        "tracks as they are": len(plain),
        "tracks with outline": len(worn),
    }
    figures |= _told(found)
    figures |= of_flicker
    if arguments.recolour:
        figures |= _through_perception(arguments, tests)
    values = {
        "points_gained_coat": float(np.mean(_gains(found, OUTLINE, "coat"))),
        "points_gained_bag": float(np.mean(_gains(found, OUTLINE, "bag"))),
    }
    return BenchResult.of("clothing", figures, {**values, **steady})


def _through_perception(arguments: argparse.Namespace, tests: DataSet) -> dict[str, str]:
    """All arms once more on few people, whose pictures went through our perception."""
    folder, people = arguments.folder, arguments.recolour
    with progress("recordings", None) as step:
        root = write_recordings(folder / f"recordings-{people}", people, step.set)
    seer = Seer()
    source = VideoFolders(root, Options(perceive=seer.perceive))
    out = folder / f"perceived-{people}"
    prepare("videos", source, out, workers=1)
    plain = DataSet.open(out)
    dyed = folder / f"recolour-{people}"
    wanted = Wanted(arguments.share, arguments.variants)
    recolour(source, dyed, wanted, seer.look, seer.perceive)
    sets = {
        PLAIN: plain,
        OUTLINE: _outlined(plain, folder / f"perceived-outline-{people}", wanted),
        RECOLOUR: DataSet.open(dyed),
    }
    found = _measured(arguments, sets, tests, f"run-perceived-{people}")
    told = {f"perceived, {name}": value for name, value in _told(found).items()}
    steady = f"{np.mean(list(_areas(sets[RECOLOUR]))):.2f}"
    return {
        "perceived, people": str(people),
        **told,
        "perceived, dyed, area variance over the original's": steady,
    }


def _areas(data: DataSet) -> Iterator[float]:
    """Of every variant: how its silhouettes' area varies over the track, over how the original's does."""
    keys = {entry.key for entry in data.entries}
    for entry in data.entries:
        key = source_of(entry)
        if key in keys:
            made, was = (
                (data.read(one).silhouettes > 127).mean(axis=(1, 2)) for one in (entry, data.entry(key))
            )
            yield float((made / made.mean()).var() / (was / was.mean()).var())


def _outlined(data: DataSet, out: Path, wanted: Wanted) -> DataSet:
    with progress("dressing", None) as step:
        dressed.dress(data.folder, out, wanted, workers=1, progress=step.set)
    return DataSet.open(out)


def _measured(
    arguments: argparse.Namespace, sets: Mapping[str, DataSet], tests: DataSet, name: str
) -> dict[str, list[dict[str, float]]]:
    """Rank-1 of every arm and seed."""
    found: dict[str, list[dict[str, float]]] = {arm: [] for arm in sets}
    for seed in range(arguments.seeds):
        for arm, data in sets.items():
            out = arguments.folder / f"{name}-{arguments.steps}-{arm.replace(' ', '-')}-{seed}"
            found[arm].append(rank_1(trial.trained(data, out, arguments.steps, seed), tests))
            say(f"{arm}, seed {seed}: {found[arm][-1]}")
    return found


def rank_1(model: Path, tests: Source) -> dict[str, float]:
    """In percent, by clothes, the mean over pairs of different views."""
    features = trial.vectors(model, tests)
    apart = distances(features[:, None], features[:, None], "cosine")
    people, conditions, views = (
        np.array([getattr(entry, part) for entry in tests.entries])
        for part in ("person", "condition", "view")
    )
    return {name: cross_view(apart, people, conditions, views, probe) for probe, name in SHOWN.items()}


def _gains(found: Mapping[str, Sequence[Mapping[str, float]]], arm: str, worn: str) -> list[float]:
    """Points of rank-1 over the arm without, seed by seed."""
    return [one[worn] - none[worn] for one, none in zip(found[arm], found[PLAIN], strict=True)]


def _told(found: Mapping[str, Sequence[Mapping[str, float]]]) -> dict[str, str]:
    told = {}
    for arm, seeds in found.items():
        for worn in SHOWN.values():
            told[f"{arm}, rank-1 {worn}"] = interval([seed[worn] for seed in seeds])
            if arm != PLAIN:
                told[f"{arm}, points gained {worn}"] = interval(_gains(found, arm, worn))
    return told


def interval(values: Sequence[float]) -> str:
    """The mean, and 95 % of where it would be in other runs by Student's t; the values themselves."""
    each = ", ".join(f"{value:.1f}" for value in values)
    if len(values) not in T_95:
        return f"{np.mean(values):.1f} ({each})"
    half = T_95[len(values)] * float(np.std(values, ddof=1)) / math.sqrt(len(values))
    return f"{np.mean(values):.1f} ± {half:.1f} ({each})"
