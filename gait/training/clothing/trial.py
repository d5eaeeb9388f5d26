"""Does it help? Nets trained without coats and bags, with and without other clothes, met by both.

Training walkers wear ordinary clothes and carry nothing; test walkers, whom no training has seen, come in
ordinary clothes, with a bag, and in a coat. Masks and joints err as our perception does.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray

from gait.data.prepare import Progress, prepare
from gait.data.records import Entry, Partition
from gait.data.source import Found, Listing, Loaded
from gait.data.store import DataSet
from gait.inputs import prepare as inputs
from gait.models import checkpoints
from gait.models.input_spec import spec_of
from gait.training.batches import finite
from gait.training.config import (
    AugmentSection,
    ClipSection,
    ContrastSection,
    CrossEntropySection,
    DataSection,
    LossSection,
    ModelSection,
    OptimizerSection,
    SamplerSection,
    ScheduleSection,
    TrainerSection,
    TrainingConfig,
)
from gait.training.loop import MODEL
from gait.training.people import Source
from gait.training.synthetic import TESTED_WITH, TestWalkers, WalkerSet, walk_of
from gait.training.synthetic_train import train
from gait.walkers.conditions import LIKELY, sample_conditions
from gait.walkers.person import sample_person
from gait.walkers.population import STREET
from gait.walkers.seeds import stream
from gait.walkers.views import sample_view

EVERYDAY: Final = ("trousers", "shoes", "tired", "slow", "fast")
"""What training walkers may have about them: nothing that is worn over the rest, and nothing in the hands."""
TRAINED_FROM: Final = 30_000_000
TESTED_FROM: Final = 95_000_000
"""Seeds of the first walkers: no other training, bench or calibration uses these."""


@dataclass(frozen=True)
class EverydayWalkers:
    """A ``Preparation``: people in ordinary clothes, from any direction, all to train on."""

    chosen: WalkerSet
    parallel: bool = True

    def find(self) -> Listing:
        """Sequences 0 to ``sequences`` of everybody."""
        first, count = self.chosen.first, self.chosen.people
        return Listing(
            tuple(
                Found(Entry(str(person), "everyday", "any", 0, str(number)), (Path(str(person)),))
                for person in range(first, first + count)
                for number in range(self.chosen.sequences)
            )
        )

    def load(self, found: Found) -> Loaded:
        """The walk as perception would hand it on."""
        seed, number = int(found.entry.person), int(found.entry.name)
        rng = stream(seed, "everyday", number)
        kinds = ["normal", *(kind for kind in EVERYDAY if rng.random() < LIKELY[kind])]
        person = sample_person(seed, outfit=number // 2, population=STREET)
        worn = person.under(sample_conditions(seed, number, kinds))
        return Loaded(walk_of(worn, sample_view(seed, number), number, self.chosen, rng))

    def partition(self, people: frozenset[str]) -> Partition:
        """All to train on."""
        return Partition(train=tuple(sorted(people)))


def everyday(folder: Path, people: int, progress: Progress | None = None) -> DataSet:
    """Walkers to train on, four sequences of each."""
    chosen = WalkerSet(
        people=people, first=TRAINED_FROM, sequences=4, frames=24, outline=(1.0, 2.0), joints=(0.8, 1.3)
    )
    preparation = EverydayWalkers(chosen)
    prepare("everyday", preparation, folder, settings=_told(chosen), workers=1, progress=progress)
    return DataSet.open(folder)


def strangers(folder: Path, people: int, progress: Progress | None = None) -> DataSet:
    """Walkers to test with: normal twice, with a bag, in a coat, in eight views."""
    chosen = msgspec.structs.replace(TESTED_WITH, people=people, first=TESTED_FROM, frames=24)
    prepare("strangers", TestWalkers(chosen), folder, settings=_told(chosen), workers=1, progress=progress)
    return DataSet.open(folder)


def recipe(data: Path, steps: int, seed: int) -> TrainingConfig:
    """The shipped net's recipe on a smaller net, without its changes of thickness, which are clothes too."""
    return TrainingConfig(
        model=ModelSection(
            family="silskeletongait",
            size="tiny",
            config={"channels": [8, 16, 32, 32], "blocks": [1, 1, 1, 1], "embedding": 16, "stem_stride": 2},
        ),
        data=DataSection(root=str(data), validation_share=0.0),
        sampler=SamplerSection(people=16, clips=4, clip=ClipSection(kind="ordered", frames=4)),
        augment=AugmentSection(
            mirror=0.5, rotation=0.2, rotation_degrees=5, perspective=0.2, perspective_px=5, joint_drop=0.1
        ),
        losses=LossSection(
            supervised_contrastive=ContrastSection(weight=0.3, temperature=0.1),
            cross_entropy=CrossEntropySection(weight=0.05, scale=16, smoothing=0.1),
        ),
        optimizer=OptimizerSection(kind="adamw", rate=0.003, weight_decay=0.0005, clip_norm=5.0),
        schedule=ScheduleSection(kind="warmup_cosine", warmup_steps=20),
        trainer=TrainerSection(
            steps=steps, seed=seed, threads=1, ema=0.95, log_every=10, checkpoint_every=50, device="cpu"
        ),
    )


def trained(data: DataSet, out: Path, steps: int, seed: int) -> Path:
    """The weights of a run on that data; one that was begun goes on, one that is done is not repeated."""
    model = out / MODEL
    if not model.exists():
        train(recipe(data.folder, steps, seed), data, out, resume=True)
    return model


@torch.no_grad()
def vectors(model: Path, data: Source) -> NDArray[np.float32]:
    """(N, D) an embedding of each sequence, after the neck, where the losses were taken; of unit strips."""
    net = checkpoints.load(str(model))
    spec = spec_of(net)
    found = []
    for entry in data.entries:
        frames = torch.from_numpy(finite(inputs(spec, data.read(entry)), entry))[None]
        found.append(net.vector(net(frames), "embed_2")[0].numpy())
    return np.stack(found)


def _told(chosen: WalkerSet) -> str:
    return msgspec.json.encode(chosen).decode()
