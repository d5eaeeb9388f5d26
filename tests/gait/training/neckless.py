"""Two steps of a net whose neck no loss uses: ``python -m tests.gait.training.neckless OUT``."""

import sys
from pathlib import Path

import msgspec
import torch

from gait.training.loop import train
from tests.gait.training.fakes import FakeSource, config


def main(out: Path) -> None:
    torch.set_num_threads(1)
    wanted = config("deepgaitv2", trainer={"steps": 2})
    triplet_alone = config("gaitgraph2").losses
    report = train(msgspec.structs.replace(wanted, losses=triplet_alone), FakeSource(), out)
    sys.stdout.write(report.digest)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
