"""Real sequences for the tracking bench: TUD with real detections, MOT17-09's truth with seeded faults.

They lie in the folder named by the environment variable GAITWAY_DATA (``mot/``); where it is absent these
parts are skipped, saying so.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.tracking_scenes import EPOCH_NS
from stream.messages import People
from trackers.mot import PEDESTRIAN, MotRow, Recording, people_of, read_mot


@dataclass(frozen=True)
class RealSequence:
    """One sequence: what a detector said, and the truth to score against."""

    name: str
    people: tuple[People, ...]
    truth: tuple[MotRow, ...]


@dataclass(frozen=True)
class Faults:
    """What is done to true boxes to make them look like a detector's; shares and heights.

    A person is found with probability ``found`` times what is visible of them; scores fall with visibility.
    """

    box_noise: float = 0.03
    found: float = 0.95
    least_visible: float = 0.3
    false_boxes: float = 0.5
    seed: int = 20170917


def data_folder() -> Path | None:
    """Where the real sequences lie, or None."""
    named = os.environ.get("GAITWAY_DATA")
    folder = Path(named) / "mot" if named else None
    return folder if folder and folder.is_dir() else None


def tud_sequences(folder: Path) -> list[RealSequence]:
    """TUD-Campus and TUD-Stadtmitte (25 fps, 640x480) on the detections that came with them."""
    return [
        RealSequence(
            name,
            _as_people(name, read_mot(folder / "tud" / "detections" / f"{name}.txt"), 25.0, (640, 480)),
            read_mot(folder / "tud" / name / "gt.txt"),
        )
        for name in ("TUD-Campus", "TUD-Stadtmitte")
    ]


def mot17_09(folder: Path, faults: Faults | None = None) -> RealSequence:
    """MOT17-09 (30 fps, 1080p): its truth, and detections made from it by seeded faults."""
    truth = read_mot(folder / "MOT17-09" / "gt.txt")
    found = _with_faults(truth, faults or Faults())
    return RealSequence("MOT17-09", _as_people("MOT17-09", found, 30.0, (1920, 1080)), truth)


def _with_faults(truth: tuple[MotRow, ...], faults: Faults) -> tuple[MotRow, ...]:
    rng = np.random.default_rng(faults.seed)
    persons = [row for row in truth if row.kind == PEDESTRIAN and row.score > 0]
    found: list[MotRow] = []
    for row in persons:
        seen = row.visibility
        if seen < faults.least_visible or rng.random() > faults.found * min(1.0, 0.6 + 0.6 * seen):
            continue
        height = row.box[3] - row.box[1]
        noise = faults.box_noise * height * (2.0 - seen)
        left, top, right, bottom = (np.array(row.box) + rng.normal(0.0, noise, 4)).tolist()
        score = float(np.clip(0.3 + 0.6 * seen + rng.normal(0.0, 0.08), 0.05, 0.99))
        found.append(MotRow(row.frame, -1, (left, top, right, bottom), score))
    for frame in sorted({row.frame for row in persons}):
        for _ in range(int(rng.poisson(faults.false_boxes))):
            height = float(rng.uniform(80.0, 400.0))
            left, top = float(rng.uniform(0, 1800)), float(rng.uniform(200, 700))
            score = float(rng.uniform(0.1, 0.75))
            found.append(MotRow(frame, -1, (left, top, left + 0.4 * height, top + height), score))
    return tuple(sorted(found, key=lambda row: row.frame))


def _as_people(name: str, rows: tuple[MotRow, ...], fps: float, size: tuple[int, int]) -> tuple[People, ...]:
    return tuple(people_of(rows, Recording(name, fps, *size, EPOCH_NS)))
