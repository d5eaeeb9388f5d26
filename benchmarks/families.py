"""All families on the same walkers by the same short recipe: one table, to choose by and not to boast with.

Each family's small net is trained towards what its walkers are, on as many clips, and meets walkers that none
has seen: in ordinary clothes, with a bag, in a coat, across views. Families of single frames take four frames
of a pass, those of sequences all of them. Folders are kept, so a bench that was stopped goes on.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final

import msgspec

from benchmarks.ablations import walkers
from benchmarks.clothing import interval, rank_1
from benchmarks.recognition import SHOWN
from benchmarks.report import BenchResult, Figure
from commands.cli import progress, say, whole
from gait.data.store import DataSet
from gait.models import checkpoints, registry
from gait.training.clothing import trial
from gait.training.config import ClipSection, ModelSection, TrainingConfig
from gait.training.loop import MODEL
from gait.training.synthetic_train import train

OF_SEQUENCES: Final = frozenset({"gaitgraph2", "siamesegait"})
WHOLE: Final = ClipSection(kind="contiguous", frames=24)
GENTLER: Final = 0.001
"""The rate at which attention and graphs learn; the convolutional nets take three times as much."""


def configure(parser: argparse.ArgumentParser) -> None:
    """How many, how long, which, where."""
    parser.add_argument("--people", type=whole(2), default=300, help="walkers to train on (default 300)")
    parser.add_argument("--tested", type=whole(2), default=24, help="walkers to test with (default 24)")
    parser.add_argument("--steps", type=whole(1), default=300, help="of training, each family (default 300)")
    parser.add_argument("--seeds", type=whole(1), default=1, help="trainings of each family (default 1)")
    names = registry.names()
    parser.add_argument(
        "--families", nargs="+", choices=names, default=list(names), metavar="NAME", help="only these"
    )
    parser.add_argument(
        "--folder", type=Path, default=Path("out/ablations"), help="where data and nets are kept"
    )


def run(arguments: argparse.Namespace) -> BenchResult:
    """Make, train, test."""
    folder: Path = arguments.folder
    data = walkers(folder, arguments.people)
    with progress("walkers to test with", None) as step:
        tests = trial.strangers(folder / f"strangers-{arguments.tested}", arguments.tested, step.set)
    figures: dict[str, Figure] = {
        "people": arguments.people,
        "tested": arguments.tested,
        "steps": arguments.steps,
    }
    for name in arguments.families:
        found = []
        for seed in range(arguments.seeds):
            out = folder / f"family-{name}-{arguments.people}-{arguments.steps}-{seed}"
            model = trained(name, data, out, arguments.steps, seed)
            found.append(rank_1(model, tests))
            say(
                f"{name}, seed {seed}: "
                + ", ".join(f"{what} {value:.1f}" for what, value in found[-1].items())
            )
        figures[f"{name}, parameters"] = sum(p.numel() for p in checkpoints.load(str(model)).parameters())
        for what in SHOWN.values():
            figures[f"{name}, rank-1 {what}"] = interval([one[what] for one in found])
    return BenchResult("families", figures)


def recipe(name: str, data: Path, steps: int, seed: int) -> TrainingConfig:
    """The clothing trial's recipe with another net, and clips as the family takes them."""
    usual = trial.recipe(data, steps, seed)
    usual = msgspec.structs.replace(usual, model=ModelSection(family=name, size="tiny"))
    if name not in OF_SEQUENCES:
        return usual
    return msgspec.structs.replace(
        usual,
        sampler=msgspec.structs.replace(usual.sampler, clip=WHOLE),
        augment=msgspec.structs.replace(usual.augment, rotation=0.0, perspective=0.0),
        losses=msgspec.structs.replace(usual.losses, cross_entropy=None),  # the transformer has no classifier
        optimizer=msgspec.structs.replace(usual.optimizer, rate=GENTLER),
    )


def trained(name: str, data: DataSet, out: Path, steps: int, seed: int) -> Path:
    """The weights of a run; one that was begun goes on, one that is done is not repeated."""
    model = out / MODEL
    if not model.exists():
        train(recipe(name, data.folder, steps, seed), data, out, resume=True)
    return model
