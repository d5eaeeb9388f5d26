"""A run in a process of its own, to be killed: ``python -m tests.gait.training.child OUT [--ranks]``."""

import json
import sys
from pathlib import Path

import torch

from gait.training.loop import train
from tests.gait.training.fakes import FakeSource, config


def settings():
    return config(
        trainer={"steps": 30, "checkpoint_every": 2, "validate_every": 5, "ema": 0.9, "keep_every": 7}
    )


def main(out: Path) -> None:
    torch.set_num_threads(1)
    report = train(settings(), FakeSource(), out, resume=True)
    sys.stdout.write(json.dumps({"digest": report.digest, "processes": report.processes}) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
