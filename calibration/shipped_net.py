"""The data that the net in the box is made of, and, once trained, the files that ship.

::

    python -m calibration.shipped_net walkers data/walkers
    python -m calibration.shipped_net perceived data/perceived
    python -m calibration.shipped_net ship runs/silskeletongait_synthetic_colour
    python -m calibration.shipped_net ship --larger runs/silskeletongait_synthetic_colour

The larger net has the run's net and its mirror image side by side in one of twice the width.
``calibration/shipped_recipe.py`` does all of it, with the trainings, in one command. ``tests`` makes
the walkers that the figures in docs/MODEL_CARD.md are of; ``--first`` chooses other ones.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from calibration.perceived_walkers import PerceivedSet, PerceivedWalkers
from calibration.shipped_scores import write_decision
from engines.export import check_parity, export_onnx
from gait.data.prepare import prepare as prepare_data
from gait.data.source import Preparation
from gait.inputs import Walk
from gait.models import checkpoints
from gait.models.weights import EMBEDDING, LARGER, SHIPPED, STEM
from gait.models.widened import mirrored, widened
from gait.training.synthetic import TRAINED_ON, TestWalkers, TrainingWalkers, WalkerSet
from gait.training.synthetic_box import settle_neck, without_classifier
from stream.errors import GaitwayError, WeightsError

SETTLED_ON: Final = 100
"""People whose walks the neck's statistics are taken of."""
MAKERS: Final[dict[str, Callable[..., Any]]] = {
    "walkers": TrainingWalkers,
    "perceived": PerceivedWalkers,
    "tests": TestWalkers,
}


def main(argv: list[str]) -> int:
    """One of the three jobs; 1 where it cannot be done, with the reason."""
    arguments = _parser().parse_args(argv)
    try:
        if arguments.job == "ship":
            ship(arguments.run, larger=arguments.larger)
        else:
            make = MAKERS[arguments.job]
            usual = make().chosen
            chosen = msgspec.structs.replace(
                usual, people=arguments.people or usual.people, first=arguments.first or usual.first
            )
            generate(make(chosen), chosen, arguments.job, arguments.folder, arguments.workers)
    except GaitwayError as error:
        tell(str(error))
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m calibration.shipped_net", description=__doc__)
    jobs = parser.add_subparsers(dest="job", required=True)
    for job, what in (
        ("walkers", "to train on"),
        ("perceived", "in colour, seen by perception, to train on as well"),
        ("tests", "to test with: 8 views, bags, coats"),
    ):
        make = jobs.add_parser(job, help=f"generate walkers {what}")
        make.add_argument("folder", type=Path)
        make.add_argument("--people", type=int, default=0, help="how many (default: as many as were used)")
        make.add_argument("--first", type=int, default=0, help="the first person's seed")
        make.add_argument("--workers", type=int, default=None)
    box = jobs.add_parser("ship", help="put a finished run into the box")
    box.add_argument("run", type=Path)
    box.add_argument("--larger", action="store_true", help="the net for GPUs that is made of it")
    return parser


def generate(
    preparation: Preparation,
    chosen: WalkerSet | PerceivedSet,
    kind: str,
    folder: Path,
    workers: int | None = None,
) -> None:
    """A prepared data set in ``folder``; a stopped run is taken up again."""
    settings = msgspec.json.encode((kind, chosen)).decode()
    report = prepare_data(
        kind, preparation, folder, settings=settings, workers=workers, progress=_tell_progress
    )
    tell(f"{report.sequences} sequences of {report.people} people, {report.frames} frames in {folder}")


def ship(run: Path, stem: Path | None = None, *, larger: bool = False) -> None:
    """Weights without the classifier, graphs that run, score maps, cohort; raises WeightsError."""
    stem = stem or (LARGER if larger else STEM)
    net = without_classifier(checkpoints.load(run / "model.safetensors"))
    if larger:
        net = widened([net, mirrored(net)])
    settle_neck(net, _whole_walks())
    checkpoints.save(net, stem.with_name(f"{stem.name}{SHIPPED.suffix}"))
    written = export_onnx(net, stem, which=EMBEDDING)
    examples = [net.example(1, 30, seed) for seed in range(2)]
    if not all(one.ok for one in check_parity(net, written, examples, EMBEDDING)):
        raise WeightsError("the exported graphs do not compute what the net does", where=str(stem))
    written.window.unlink()  # the pipeline runs the streaming pair
    write_decision(stem)


def _whole_walks() -> Iterator[Walk]:
    """Walks that were trained on, from end to end."""
    maker = TrainingWalkers(msgspec.structs.replace(TRAINED_ON, people=SETTLED_ON))
    return (maker.load(found).walk for found in maker.find().found)


def _tell_progress(done: int, total: int) -> None:
    if done % 20 == 0 or done == total:
        tell(f"{done} of {total}")


def tell(line: str) -> None:
    """One line to whoever waits."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
