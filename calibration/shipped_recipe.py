"""The nets in the box from nothing, in one command: walkers, seven trainings, the files that ship.

::

    python -m calibration.shipped_recipe

About nine hours of one core. What is there already is not made again and a training that was stopped goes
on, so the same command takes it up. docs/MODEL_CARD.md says what each part is for.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Final

import msgspec

from calibration.perceived_walkers import PERCEIVED, PerceivedWalkers
from calibration.shipped_net import generate, ship, tell
from gait.data.joined import opened
from gait.models.weights import LARGER, STEM
from gait.training.config import TrainingConfig
from gait.training.loop import MODEL
from gait.training.synthetic import TRAINED_ON, TrainingWalkers
from gait.training.synthetic_train import read_config, train
from stream.errors import GaitwayError

CONFIGS: Final = Path(__file__).parents[1] / "configs"
PARTS: Final = tuple(
    f"silskeletongait_synthetic{part}"
    for part in ("", "_runs", "_perceived", "_longer", "_far", "_front", "_colour")
)
"""Each begins with the net of the one before."""
FAR: Final = msgspec.structs.replace(TRAINED_ON, people=1500, first=14_000_000, far_share=0.7)
FRONT: Final = msgspec.structs.replace(
    TRAINED_ON, people=1500, first=16_000_000, side_share=0.25, front_share=0.4, far_share=0.5
)
DRAWN: Final = {"walkers": TRAINED_ON, "walkers_far": FAR, "walkers_front": FRONT}
SEEN: Final = {
    "perceived": PERCEIVED,
    "perceived_more": msgspec.structs.replace(PERCEIVED, first=12_500_000),
}


def main(argv: list[str]) -> int:
    """0 when the files are written; 1, with the reason, where they cannot be."""
    parser = argparse.ArgumentParser(prog="python -m calibration.shipped_recipe", description=__doc__)
    parser.add_argument(
        "--folder", type=Path, default=Path(), help="where data/ and runs/ lie (default: here)"
    )
    parser.add_argument("--people", type=int, default=0, help="fewer walkers, to try it out")
    parser.add_argument("--steps", type=int, default=0, help="fewer steps of each part, to try it out")
    parser.add_argument(
        "--stem", type=Path, default=STEM, help="what is written (default: the net in the box)"
    )
    arguments = parser.parse_args(argv)
    try:
        walkers(arguments.folder / "data", arguments.people)
        last, stem = trainings(arguments.folder, arguments.steps), arguments.stem
        ship(last, stem)
        ship(last, stem.with_name(LARGER.name.replace(STEM.name, stem.name)), larger=True)
    except GaitwayError as error:
        tell(str(error))
        return 1
    return 0


def walkers(folder: Path, people: int = 0) -> None:
    """Drawn ones, near and far and from the front, and those that perception saw."""
    for name, chosen in DRAWN.items():
        wanted = msgspec.structs.replace(chosen, people=people or chosen.people)
        generate(TrainingWalkers(wanted), wanted, "walkers", folder / name)
    for name, seen in SEEN.items():
        some = msgspec.structs.replace(seen, people=people or seen.people)
        generate(PerceivedWalkers(some), some, "perceived", folder / name)


def trainings(folder: Path, steps: int = 0) -> Path:
    """The run of the last part; parts that are done are left as they are."""
    start, out = "", folder
    for part in PARTS:
        out = folder / "runs" / part
        if not (out / MODEL).exists():
            config = _placed(read_config(CONFIGS / f"{part}.yaml", start), folder, steps)
            train(config, opened(config.data.root, config.data.also), out, resume=out.exists())
        start = str(out / MODEL)
    return out


def _placed(config: TrainingConfig, folder: Path, steps: int) -> TrainingConfig:
    """The part with its data in ``folder``, and of ``steps`` where given."""
    data = msgspec.structs.replace(
        config.data,
        root=str(folder / config.data.root),
        also=tuple(str(folder / other) for other in config.data.also),
    )
    trainer = msgspec.structs.replace(config.trainer, steps=steps or config.trainer.steps)
    return msgspec.structs.replace(config, data=data, trainer=trainer)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
