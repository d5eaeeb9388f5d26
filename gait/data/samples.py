"""A small generated data set in SilSkeletonGait's pair of trees, for trying training without any data."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Final

from gait.data.opengait import PARTITION, SILHOUETTES, SKELETON
from gait.data.partition import write_partition
from gait.data.records import Partition
from gait.data.writer import write_atomically
from gait.fusion_input import RESULT
from gait.sample import sample_walk

PEOPLE: Final = ("001", "002", "003", "004")
CONDITIONS: Final = ("nm-01", "nm-05")
FRAMES: Final = 8
WIDTH: Final = 64
_PROTOCOL: Final = 4


def write_sample(root: Path) -> int:
    """Four generated walkers, two walks each: 001 and 002 to train on; the number of files written.

    The bytes are the same every time.
    """
    count = 0
    for seed, person in enumerate(PEOPLE):
        for number, condition in enumerate(CONDITIONS):
            name = f"{person}-{condition}-090"
            walk = sample_walk(seed, FRAMES, phase=0.3 * number, width=WIDTH)
            for side, value in ((SILHOUETTES, walk.silhouettes), (SKELETON, {RESULT: walk.joints_3d})):
                path = root / side / name / f"{name}.pkl"
                path.parent.mkdir(parents=True, exist_ok=True)
                write_atomically(path, pickle.dumps(value, _PROTOCOL))
                count += 1
    write_partition(root / PARTITION, Partition(PEOPLE[:2], PEOPLE[2:]))
    return count
