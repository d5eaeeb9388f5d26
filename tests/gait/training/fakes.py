"""A small data set in memory: generated walkers, read as a prepared one is."""

from dataclasses import replace

import msgspec
import numpy as np

from gait.data.store import Entry, Partition
from gait.inputs import Walk
from gait.sample import sample_walk
from gait.training.config import TrainingConfig

EVERYBODY = Partition()


class FakeSource:
    """``people`` walkers with ``sequences`` walks of ``frames`` frames each; keeps whom it was asked for."""

    def __init__(self, people=6, sequences=3, frames=12, partition=EVERYBODY) -> None:
        self.entries = tuple(
            Entry(f"p{person:02d}", f"nm-{walk:02d}", "090", frames)
            for person in range(people)
            for walk in range(sequences)
        )
        self.partition = partition
        self.asked: set[str] = set()
        self.walks = {
            entry.key: sample_walk(
                int(entry.person[1:]), frames=frames, phase=0.13 * int(entry.condition[3:]), width=44
            )
            for entry in self.entries
        }

    def read(self, entry, indices=None) -> Walk:
        self.asked.add(entry.person)
        walk = self.walks[entry.key]
        chosen = slice(None) if indices is None else indices
        space = walk.joints_3d
        return replace(
            walk,
            silhouettes=walk.silhouettes[chosen],
            joints_2d=walk.joints_2d[chosen],
            joints_3d=None if space is None else space[chosen],
        )

    def spoil(self, entry: Entry) -> None:
        """Joints of one sequence are no numbers."""
        walk = self.walks[entry.key]
        broken = np.full_like(walk.joints_2d, np.nan)
        self.walks[entry.key] = replace(walk, joints_2d=broken)


# A net of 4 channels trains a step in some milliseconds.
SMALL_CONV = {"channels": [4, 4, 4, 4], "blocks": [1, 1, 1, 1], "embedding": 4}
SMALL_GRAPH = {"branch_widths": [8, 8], "widths": [8], "embedding": 8}


def config(family="gaitgraph2", **sections) -> TrainingConfig:
    """A run of seconds; ``sections`` replace fields of the sections so named."""
    graph = family == "gaitgraph2"
    fields = {
        "model": {"family": family, "config": SMALL_GRAPH if graph else SMALL_CONV},
        "sampler": {"people": 3, "clips": 2, "clip": {"kind": "ordered", "frames": 6}},
        "losses": {"triplet": {}} if graph else {"triplet": {}, "cross_entropy": {}},
        "optimizer": {"rate": 0.05},
        "schedule": {"kind": "warmup_cosine", "warmup_steps": 2},
        "trainer": {"steps": 8, "checkpoint_every": 3, "log_every": 1, "device": "cpu"},
        "data": {"validation_share": 0.4},
        "augment": {"joint_drop": 0.3, "jitter": 0.5, "reversal": 0.5},
    }
    for name, more in sections.items():
        fields[name] = {**fields.get(name, {}), **more}
    return msgspec.convert(fields, TrainingConfig)
