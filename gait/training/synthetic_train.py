"""Train a net on walkers towards what they are: the training loop as it is, with losses of its own.

The losses are taken after the neck: before it all vectors share a large mean, which a last matrix without a
bias takes thousands of steps to turn away. To those of the config comes the distance to each walker's own
direction, ``synthetic_targets``; of a few hundred steps it makes most::

    python -m gait.training.synthetic_train configs/silskeletongait_synthetic.yaml
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import Final

import msgspec
import torch
import yaml
from torch import Tensor
from torch.nn import functional

from gait.data.joined import opened
from gait.models.family import Features
from gait.training.build import arithmetic
from gait.training.config import LossSection, TrainingConfig
from gait.training.loop import Run
from gait.training.objective import BatchLoss, Objective
from gait.training.parallel import joined
from gait.training.people import Source
from gait.training.synthetic_targets import targets
from stream.errors import ConfigError, GaitwayError

TARGET_WEIGHT: Final = 4.0
"""Times 1 minus the cosine, which falls from 1 to about a half; contrast falls from 5.7 to about 4."""
PLACE_WEIGHT, PLACE_SCALE = 1.0, 20.0
"""Cosines to other walkers' places spread by about 0.1, so 20 of them are 2."""
LIKENESS_WEIGHT, LIKENESS_TEMPERATURE = 0.5, 0.07


class WalkerObjective(Objective):
    """The config's losses after the neck, and where each walker belongs.

    ``target``: the distance to that place, strip by strip. ``place``: which of all walkers' places the whole
    vector points to. ``likeness``: contrast of whole vectors, by the mean strip cosine by which people are
    told apart in life; of it strips learn to know different things.
    """

    def __init__(self, section: LossSection, towards: Tensor) -> None:
        super().__init__(section)
        self.towards = towards

    def __call__(self, features: Features, labels: Tensor) -> BatchLoss:
        """Raises MessageError for a batch of one person."""
        found = super().__call__(replace(features, embed_1=features.embed_2), labels)
        unit = functional.normalize(features.embed_2.float(), dim=1)
        off = 1 - (unit * self.towards[labels]).sum(dim=1).mean()
        whole = unit.flatten(1) / unit.shape[2] ** 0.5
        places = self.towards.flatten(1) / unit.shape[2] ** 0.5
        where = functional.cross_entropy(PLACE_SCALE * whole @ places.T, labels)
        alike = mixed_up(whole @ whole.T / LIKENESS_TEMPERATURE, labels)
        total = found.total + TARGET_WEIGHT * off + PLACE_WEIGHT * where + LIKENESS_WEIGHT * alike
        told = {"target": off, "place": where, "likeness": alike}
        return BatchLoss(total, found.parts | {name: float(part.detach()) for name, part in told.items()})


def mixed_up(scores: Tensor, labels: Tensor) -> Tensor:
    """Minus the mean log share of one's own among all others, by ``scores`` (N, N)."""
    itself = torch.eye(len(labels), dtype=torch.bool, device=labels.device)
    own = (labels[:, None] == labels[None, :]) & ~itself
    shares = scores - torch.logsumexp(scores.masked_fill(itself, -torch.inf), dim=1, keepdim=True)
    count = own.sum(dim=1)
    mean = torch.where(own, shares, 0.0).sum(dim=1) / count.clamp_min(1)
    return -mean[count > 0].sum() / max(int((count > 0).sum()), 1)


def train(config: TrainingConfig, data: Source, out: Path, *, resume: bool = False) -> None:
    """As ``gait.training.loop.train``, with the losses after the neck."""
    with (
        joined(config.trainer.device) as processes,
        arithmetic(processes.device, config.trainer.threads, deterministic=config.trainer.deterministic),
    ):
        run = Run(config, data, out, processes, None)
        strips, numbers = run.net.vector_shape
        towards = torch.from_numpy(targets(run.split.people, strips, numbers)).to(processes.device)
        run.stepper.objective = WalkerObjective(config.losses, towards)
        run.begin(resume=resume)
        run.go_on()
        run.hand_over()


def main(argv: list[str]) -> int:
    """0 when trained; 1, with the reason, where it cannot be."""
    parser = argparse.ArgumentParser(prog="gait.training.synthetic_train")
    parser.add_argument("config", type=Path, help="a YAML file of configs/")
    parser.add_argument("--data", default="", help="the prepared walkers, instead of the config's data.root")
    parser.add_argument("--out", type=Path, default=None, help="where the run is kept (default: runs/NAME)")
    parser.add_argument("--from", dest="start", default="", help="weights to begin with")
    parser.add_argument("--resume", action="store_true", help="go on with the run that is there")
    arguments = parser.parse_args(argv)
    try:
        config = read_config(arguments.config, arguments.start)
        data = opened(arguments.data or config.data.root, () if arguments.data else config.data.also)
        train(config, data, arguments.out or Path("runs") / arguments.config.stem, resume=arguments.resume)
    except GaitwayError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def read_config(path: Path, start: str) -> TrainingConfig:
    """A config of ``configs/`` that begins with the weights ``start``, if any; raises ConfigError."""
    try:
        config = msgspec.convert(yaml.safe_load(path.read_text(encoding="utf-8")), TrainingConfig)
    except (OSError, yaml.YAMLError, msgspec.ValidationError) as error:
        raise ConfigError(f"no training config ({error})", where=str(path)) from error
    if not start:
        return config
    return msgspec.structs.replace(config, model=msgspec.structs.replace(config.model, weights=start))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
