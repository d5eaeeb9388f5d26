"""What the net in the box owes to each of its parts: one table, several seeds, everything else alike.

Small nets of the shipped net's form are trained on the same walkers by the same recipe, each with one thing
taken away or added, and meet walkers that none has seen: drawn ones in ordinary clothes, with a bag and in a
coat, across views; and ones in colour through our perception, two passes in the same clothes. What is taken
away is absent in training and in the test. Folders are kept, so a bench that was stopped goes on.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np

from benchmarks.clothing import interval, rank_1
from benchmarks.recognition import SHOWN, second_among_first
from benchmarks.report import BenchResult, Figure
from calibration.perceived_walkers import PerceivedSet, PerceivedWalkers
from commands.cli import progress, say, whole
from gait.data.joined import Joined
from gait.data.prepare import prepare
from gait.data.records import Entry, Partition
from gait.data.source import Preparation
from gait.data.store import DataSet, Frames
from gait.evaluation.controls import silhouette_only, skeleton_only
from gait.inputs import Walk
from gait.training.clothing import dressed, trial
from gait.training.clothing.shares import Wanted
from gait.training.loop import MODEL
from gait.training.people import Source
from gait.training.synthetic import TrainingWalkers, WalkerSet
from gait.training.synthetic_train import train

TRAINED_FROM: Final = 40_000_000
SEEN_FROM, SEEN_TESTED_FROM = 41_000_000, 97_000_000
"""Seeds of the first walkers: no other training, bench or calibration uses these."""
SEEN_SHARE: Final = 0.2
"""So many people in colour beside those that are drawn, where perception is in the loop."""
PERCEIVED: Final = "perceived"
Change = Callable[[Walk], Walk]


def no_depth(walk: Walk) -> Walk:
    """All joints as far away as the pelvis."""
    if walk.joints_3d is None:
        return walk
    flat = walk.joints_3d.copy()
    flat[..., 2] = np.where(np.isfinite(flat[..., 2]), 0, flat[..., 2])
    return replace(walk, joints_3d=flat)


@dataclass(frozen=True)
class Arm:
    """A line of the table: what differs from the first one.

    ``change`` is made of every walk; ``net``: fields of the net's config; ``share`` of the people is trained
    on; ``seen``: also on walkers in colour as perceived; ``dressed``: on outlines in other clothes too.
    """

    change: Change | None = None
    net: Mapping[str, Any] = field(default_factory=dict)
    share: float = 1.0
    seen: bool = False
    dressed: bool = False


ARMS: Final[dict[str, Arm]] = {
    "fused": Arm(),
    "silhouettes only": Arm(change=silhouette_only),
    "skeletons only": Arm(change=skeleton_only),
    "without depth": Arm(change=no_depth),
    "reference maps": Arm(net={"rasteriser": "single_pixel"}),
    "perception in the loop": Arm(seen=True),
    "a third of the people": Arm(share=1 / 3),
    "other clothes added": Arm(dressed=True),
}


@dataclass(frozen=True)
class Changed:
    """A data set with ``change`` made of every walk, of the ``first`` people alone where that is given."""

    source: Source
    change: Change | None = None
    first: int | None = None

    @property
    def entries(self) -> tuple[Entry, ...]:
        """Of the people who are left."""
        kept = set(self.partition.train) | set(self.partition.test)
        return tuple(entry for entry in self.source.entries if entry.person in kept)

    @property
    def partition(self) -> Partition:
        """The same for the people who are left."""
        whole = self.source.partition
        return Partition(train=whole.train[: self.first], test=whole.test)

    def read(self, entry: Entry, indices: Frames = None) -> Walk:
        """Those frames, changed."""
        walk = self.source.read(entry, indices)
        return walk if self.change is None else self.change(walk)


def configure(parser: argparse.ArgumentParser) -> None:
    """How many, how long, which, where."""
    parser.add_argument("--people", type=whole(2), default=300, help="walkers to train on (default 300)")
    parser.add_argument("--tested", type=whole(2), default=24, help="walkers to test with (default 24)")
    parser.add_argument("--steps", type=whole(1), default=400, help="of training, in every arm (default 400)")
    parser.add_argument("--seeds", type=whole(1), default=3, help="trainings of each arm (default 3)")
    parser.add_argument(
        "--arms", nargs="+", choices=ARMS, default=list(ARMS), metavar="ARM", help="only these"
    )
    parser.add_argument(
        "--folder", type=Path, default=Path("out/ablations"), help="where data and nets are kept"
    )


def run(arguments: argparse.Namespace) -> BenchResult:
    """Make, train, test."""
    folder: Path = arguments.folder
    drawn = walkers(folder, arguments.people)
    tests = trial.strangers(folder / f"strangers-{arguments.tested}", arguments.tested)
    seen_tests = perceived(folder, SEEN_TESTED_FROM, arguments.tested)
    found: dict[str, list[dict[str, float]]] = {name: [] for name in arguments.arms}
    for seed in range(arguments.seeds):
        for name in arguments.arms:
            arm = ARMS[name]
            out = folder / f"run-{arguments.people}-{arguments.steps}-{name.replace(' ', '-')}-{seed}"
            model = trained(arm, _data(arm, drawn, folder, arguments.people), out, arguments.steps, seed)
            told = rank_1(model, Changed(tests, arm.change)) | seen_again(
                model, Changed(seen_tests, arm.change)
            )
            found[name].append(told)
            say(f"{name}, seed {seed}: " + ", ".join(f"{what} {value:.1f}" for what, value in told.items()))
    figures: dict[str, Figure] = {
        "people": arguments.people,
        "tested": arguments.tested,
        "steps": arguments.steps,
    }
    for name, seeds in found.items():
        for what in (*SHOWN.values(), PERCEIVED):
            figures[f"{name}, rank-1 {what}"] = interval([one[what] for one in seeds])
    return BenchResult("ablations", figures)


def walkers(folder: Path, people: int) -> DataSet:
    """Drawn walkers to train on, four passes of each, in any clothes and from anywhere."""
    chosen = WalkerSet(people=people, first=TRAINED_FROM, sequences=4, frames=24)
    return _prepared("walkers", TrainingWalkers(chosen), folder / f"walkers-{people}", chosen)


def perceived(folder: Path, first: int, people: int) -> DataSet:
    """Walkers in colour as our perception sees them, two passes of each in the same clothes."""
    chosen = PerceivedSet(people=people, first=first, sequences=2)
    return _prepared("perceived", PerceivedWalkers(chosen), folder / f"perceived-{first}-{people}", chosen)


def _prepared(kind: str, maker: Preparation, folder: Path, chosen: msgspec.Struct) -> DataSet:
    with progress(f"{kind} walkers", None) as step:
        settings = msgspec.json.encode(chosen).decode()
        prepare(kind, maker, folder, settings=settings, workers=1, progress=step.set)
    return DataSet.open(folder)


def _data(arm: Arm, drawn: DataSet, folder: Path, people: int) -> Source:
    source: Source = drawn
    if arm.dressed:
        out = folder / f"dressed-{people}"
        with progress("dressing", None) as step:
            dressed.dress(drawn.folder, out, Wanted(), workers=1, progress=step.set)
        source = DataSet.open(out)
    if arm.seen:
        also = perceived(folder, SEEN_FROM, max(2, round(SEEN_SHARE * people)))
        source = Joined((drawn, also))
    first = None if arm.share == 1 else max(2, round(arm.share * people))
    return Changed(source, arm.change, first)


def trained(arm: Arm, data: Source, out: Path, steps: int, seed: int, people: int = 16) -> Path:
    """The weights of a run of ``people`` a batch; one that was begun goes on, one that is done is kept."""
    model = out / MODEL
    if not model.exists():
        usual = trial.recipe(out, steps, seed)
        net = msgspec.structs.replace(usual.model, config={**usual.model.config, **arm.net})
        sampler = msgspec.structs.replace(usual.sampler, people=people)
        train(msgspec.structs.replace(usual, model=net, sampler=sampler), data, out, resume=True)
    return model


def seen_again(model: Path, tests: Source) -> dict[str, float]:
    """In percent: whose second pass is most like their own first one, of those that perception saw twice."""
    people, passes = (
        np.array([getattr(entry, part) for entry in tests.entries]) for part in ("person", "name")
    )
    return {PERCEIVED: second_among_first(trial.vectors(model, tests)[:, None], people, passes, "cosine")}
