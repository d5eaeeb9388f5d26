"""The contestants of ``bench training``: the half that needs torch."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
import torch

from benchmarks.models_race import matrix_gflop, medians, multiply_matrices, size_of
from benchmarks.report import Figure
from benchmarks.training_loader import loader_rates
from commands.cli import progress
from gait.data.store import DataSet, DataSetWriter, Entry, Frames
from gait.inputs import Walk
from gait.models import registry
from gait.models.describe import describe
from gait.models.family import GaitNet
from gait.sample import sample_walk
from gait.skeleton import KINECT25, convert
from gait.training.batches import Batch, Batches
from gait.training.build import build_net, training_spec
from gait.training.config import Precision, TrainingConfig
from gait.training.objective import Objective
from gait.training.parallel import Processes
from gait.training.people import split
from gait.training.schedules import Pace
from gait.training.stepper import Stepper

PEOPLE: Final = 4
SEQUENCES: Final = 2
SEQUENCE_FRAMES: Final = 100
# A step's arithmetic is the forward pass, and the backward pass to the inputs and to the weights.
PASSES: Final = 3
RATE: Final = 1e-4
# Clips prepared for the loader's rate, half a second's work at least.
PREPARED_BATCHES: Final = 6

Work = Callable[[], object]


@dataclass(frozen=True)
class Ways:
    """What is measured and how."""

    size: str
    clips: int
    turns: int
    threads: int
    compiled: bool


def measure_all(families: list[str], ways: Ways) -> tuple[dict[str, Figure], dict[str, float]]:
    """Figures, and the values that have goals; raises ConfigError for an unknown family."""
    names = [registry.family(name).name for name in families or registry.names()]
    figures: dict[str, Figure] = {"threads": ways.threads, "size": ways.size, "torch": torch.__version__}
    before = torch.get_num_threads()
    torch.set_num_threads(ways.threads)
    try:
        with (
            tempfile.TemporaryDirectory(prefix="gaitway-") as folder,
            progress("training", len(names)) as bar,
        ):
            rates = loader_rates(Path(folder) / "loader")
            figures |= rates.figures()
            data = written_walks(Path(folder) / "walks")
            for name in names:
                figures |= {f"{name}.{key}": value for key, value in measure(name, data, ways).items()}
                bar.advance()
    finally:
        torch.set_num_threads(before)
    slowest = min(float(figures[f"{name}.loader_over_step"]) for name in names)
    return figures, {"loader_over_pickles": rates.times_faster, "loader_over_step": slowest}


def written_walks(folder: Path) -> DataSet:
    """Generated walkers with silhouettes and both skeletons, as a prepared data set."""
    with DataSetWriter(folder) as writer:
        for number in range(PEOPLE * SEQUENCES):
            person, turn = divmod(number, SEQUENCES)
            walk = sample_walk(person, SEQUENCE_FRAMES, phase=0.3 * turn)
            writer.add(Entry(f"{person:02}", f"nm-{turn:02}", "090", SEQUENCE_FRAMES), walk)
        writer.finish()
    return DataSet.open(folder)


def measure(name: str, data: DataSet, ways: Ways) -> dict[str, Figure]:
    """One family: its loader's rate, its step's in each way, and the floor."""
    config = _config(name, ways)
    net, source = _net(config), _Kinect(data) if name == "siamesegait" else data
    batches = Batches(source, split(source, config.data, validating=False), training_spec(net), config)
    batch = batches.batch(0)
    frames = config.sampler.clip.frames
    gflops = describe(net, frames).gflops * PASSES * ways.clips
    works: dict[str, Work] = {"matrix": multiply_matrices()}
    for way, stepper in _steppers(config, ways).items():
        works[way] = _step(stepper, batch)
    seconds = medians(works, ways.turns)
    floor_s = gflops / (matrix_gflop() / seconds["matrix"])
    loader = _loader_rate(batches, ways.clips)
    figures: dict[str, Figure] = {
        "frames": frames,
        "step_gflops": gflops,
        "floor_clips_per_s": ways.clips / floor_s,
        "loader_clips_per_s": loader,
    }
    steps = {way: ways.clips / spent for way, spent in seconds.items() if way != "matrix"}
    for way, rate in steps.items():
        figures[f"{way}_clips_per_s"] = rate
        figures[f"{way}_share_of_floor"] = rate * floor_s / ways.clips
    return figures | {"loader_over_step": loader / max(steps.values())}


def _config(name: str, ways: Ways) -> TrainingConfig:
    """P x K of the size asked for, with the published augmentation and losses of the family."""
    graph = name in ("siamesegait", "gaitgraph2")
    family = registry.family(name)
    return msgspec.convert(
        {
            "model": {"family": name, "size": size_of(name, ways.size)},
            "sampler": {
                "people": 2,
                "clips": ways.clips // 2,
                "clip": {"kind": "contiguous", "frames": family.frames},
            },
            "losses": {"triplet": {}} if graph else {"triplet": {}, "cross_entropy": {}},
        },
        TrainingConfig,
    )


def _net(config: TrainingConfig) -> GaitNet:
    torch.manual_seed(0)
    classes = PEOPLE if config.losses.cross_entropy is not None else 0
    return build_net(config.model, classes)[0].train()


def _steppers(config: TrainingConfig, ways: Ways) -> dict[str, Stepper]:
    """A net of its own for each way, so that none warms the other's."""
    kinds: dict[str, tuple[Precision, bool]] = {
        "eager": ("float32", False),
        "bf16": ("bfloat16", False),
    }
    if ways.compiled:
        kinds["compiled"] = ("float32", True)
    found: dict[str, Stepper] = {}
    for way, (precision, compiled) in kinds.items():
        trainer = msgspec.structs.replace(config.trainer, precision=precision, compiled=compiled)
        settings = msgspec.structs.replace(config, trainer=trainer)
        alone = Processes(torch.device("cpu"))
        found[way] = Stepper(_net(settings), Objective(settings.losses), settings, alone)
    return found


def _step(stepper: Stepper, batch: Batch) -> Work:
    return lambda: stepper.take(batch, Pace(RATE), 0)


def _loader_rate(batches: Batches, clips: int) -> float:
    """Clips a second that one process reads, changes and prepares."""
    started = time.perf_counter()
    for step in range(PREPARED_BATCHES):
        batches.batch(step)
    return PREPARED_BATCHES * clips / (time.perf_counter() - started)


class _Kinect:
    """The same walks as 25 joints in metres, as the Siamese net takes them."""

    def __init__(self, data: DataSet) -> None:
        self.entries, self.partition = data.entries, data.partition
        self._data = data

    def read(self, entry: Entry, indices: Frames = None) -> Walk:
        """Those frames, their skeletons of another layout; joints that it lacks lie at the pelvis."""
        walk = self._data.read(entry, indices)
        assert walk.joints_3d is not None, "the generated walks have metres"
        joints = convert(walk.joints_3d, walk.layout, KINECT25, confidence=False).points
        points = np.zeros((len(joints), KINECT25.size, 0), np.float32)
        return Walk(walk.silhouettes, points, np.nan_to_num(joints), KINECT25)
