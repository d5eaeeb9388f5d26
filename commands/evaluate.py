"""``run_pipeline.py evaluate``: how well a net or a simple recogniser does on a data set, by a protocol."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Final

import msgspec
from rich.table import Table

from commands.cli import add_json_argument, add_override_argument, out, print_json, progress, say
from commands.evaluation_report import write_report
from commands.kth import PROTOCOL as KTH
from commands.kth import run_kth
from commands.mot import PROTOCOL as MOT
from commands.mot import run_mot
from commands.subjects import subject_of
from gait.evaluation import submission
from gait.evaluation.baselines import BASELINES
from gait.evaluation.bootstrap import Estimate
from gait.evaluation.controls import CONTROLS
from gait.evaluation.embedding import Subject, Taught
from gait.evaluation.protocols import PROTOCOLS, plan
from gait.evaluation.result import Evaluation, Group
from gait.evaluation.run import Outcome, evaluate, needed_by
from gait.evaluation.sources import open_walks
from gait.evaluation.trials import Walks
from stream.errors import ConfigError

# More nets than this have never been worth their time.
MOST_NETS: Final = 64


def configure(parser: argparse.ArgumentParser) -> None:
    """What is judged, on what, and how."""
    parser.add_argument("folder", nargs="?", metavar="DIR", help="the same as --data")
    judged = parser.add_mutually_exclusive_group()
    judged.add_argument(
        "--weights",
        type=Path,
        nargs="+",
        metavar="FILE",
        help="a net that `train` or `models import` wrote; of several the distances are averaged",
    )
    judged.add_argument(
        "--train",
        type=Path,
        nargs="+",
        metavar="CONFIG",
        help="train a net by this config on each gallery of the protocol alone, and judge that one",
    )
    judged.add_argument("--baseline", choices=tuple(BASELINES), help="a simple recogniser instead of a net")
    parser.add_argument(
        "--data",
        metavar="DIR",
        help="a prepared data set, or USF's or UCalgary's own files (default: the set of that protocol below"
        " the folder that GAITWAY_DATA names)",
    )
    parser.add_argument("--protocol", required=True, metavar="NAME", help=", ".join((*PROTOCOLS, KTH, MOT)))
    parser.add_argument(
        "--result",
        type=Path,
        metavar="FILE",
        help="for mot, whose --data is a truth: the tracks to judge, as `track` writes them, or their folder",
    )
    parser.add_argument("--metric", choices=("euclidean", "cosine"), default="euclidean")
    parser.add_argument(
        "--control", choices=tuple(CONTROLS), default="", help="take something away from every walk first"
    )
    parser.add_argument(
        "--feature",
        choices=("embed_1", "embed_2"),
        default="embed_1",
        help="of nets: before the neck, as is usual, or after its batch norm (default embed_1)",
    )
    parser.add_argument(
        "--lda",
        action="store_true",
        help="of nets: PCA and LDA of their vectors, fitted to each gallery alone",
    )
    parser.add_argument(
        "--nets", type=int, default=1, metavar="N", help="with --train: so many by each config, averaged"
    )
    parser.add_argument(
        "--runs", type=Path, metavar="FOLDER", help="with --train: where the nets are kept (default runs)"
    )
    add_override_argument(parser, "trainer.steps=1000")
    parser.add_argument("--out", type=Path, metavar="HTML", help="write a report with curves and pictures")
    parser.add_argument("--submission", type=Path, metavar="CSV", help="write GREW's 20 nearest per probe")
    add_json_argument(parser)


def run(arguments: argparse.Namespace) -> int:
    """Judge, print, and write what was asked for."""
    if arguments.protocol == MOT:
        return run_mot(arguments)
    _check(arguments)
    folder = data_folder(arguments.data or arguments.folder, arguments.protocol)
    if arguments.protocol == KTH:
        return run_kth(arguments, folder)
    walks = open_walks(folder)
    subject = subject_of(arguments, walks)
    outcome = _evaluated(arguments, walks, subject)
    if arguments.submission:
        submission.write(outcome.studied[0], arguments.metric, arguments.submission)
        say(f"wrote {arguments.submission}")
    if arguments.out:
        write_report(outcome, walks, arguments.out, _lines(outcome.evaluation.groups), _made_by(arguments))
        say(f"wrote {arguments.out}")
    if arguments.json:
        print_json(msgspec.to_builtins(outcome.evaluation))
    else:
        _print(outcome.evaluation)
    return 0


def _evaluated(arguments: argparse.Namespace, walks: Walks, subject: Subject | Taught) -> Outcome:
    told = (walks, subject, arguments.protocol, arguments.metric, arguments.control)
    if isinstance(subject, Taught):
        # Training has a live line of its own, and two at once would write over each other.
        return evaluate(*told)
    needed = len(needed_by(plan(arguments.protocol, walks.entries, walks.partition)))
    with progress("walks", needed) as step:
        return evaluate(*told, step.advance)


def _check(arguments: argparse.Namespace) -> None:
    if not (arguments.weights or arguments.train or arguments.baseline or arguments.protocol == KTH):
        raise ConfigError(
            "evaluate was not told what to judge", wanted="--weights FILE, --train CONFIG or --baseline NAME"
        )
    if not arguments.train and (arguments.nets != 1 or arguments.runs or arguments.overrides):
        raise ConfigError("--nets, --runs and --set belong to --train", where="evaluate")
    if not 1 <= arguments.nets <= MOST_NETS:
        raise ConfigError(f"--nets {arguments.nets}", where="evaluate", wanted=f"1 to {MOST_NETS}")


def data_folder(given: str | None, protocol: str) -> Path:
    """Where the data is; raises ConfigError where nobody says."""
    if given:
        return Path(given)
    root, folder = os.environ.get("GAITWAY_DATA", ""), KNOWN_FOLDERS.get(protocol, "")
    if not root or not folder:
        raise ConfigError(
            "evaluate does not know where the data is",
            wanted="--data DIR" + (f", or GAITWAY_DATA with {folder} in it" if folder else ""),
        )
    return Path(root) / folder


KNOWN_FOLDERS: Final = {"usf": "usf17", "leave-run-out": "ucalgary_kinect", KTH: "kth_walking"}


def _made_by(arguments: argparse.Namespace) -> dict[str, str]:
    given = {
        "protocol": arguments.protocol,
        "weights": ", ".join(path.name for path in arguments.weights or ()),
        "trained by": ", ".join(path.name for path in arguments.train or ()),
        "nets by each config": arguments.nets if arguments.train else "",
        "feature": "" if arguments.baseline else arguments.feature,
        "LDA on": "each gallery" if arguments.lda else "",
        "baseline": arguments.baseline,
        "metric": arguments.metric,
        "control": arguments.control,
    }
    return {key: str(value) for key, value in given.items() if value}


def _print(evaluation: Evaluation) -> None:
    control = "" if evaluation.control == "none" else f", control {evaluation.control}"
    table = Table(
        title=f"{evaluation.embedder} by {evaluation.protocol}, {evaluation.metric}{control}",
        title_justify="left",
    )
    for column in ("", *(group.name for group in evaluation.groups)):
        table.add_column(column)
    for name, cells in _lines(evaluation.groups):
        table.add_row(name, *cells)
    out.print(table)
    for note in evaluation.notes:
        out.print(note, style="dim")


def _lines(groups: tuple[Group, ...]) -> list[tuple[str, list[str]]]:
    def row(name: str, figures: list[Estimate]) -> tuple[str, list[str]]:
        return name, [percent(figure) for figure in figures]

    first = groups[0]
    return [
        ("searches (people)", [f"{g.searches} ({g.people})" for g in groups]),
        *(row(f"rank-{k}", [g.rank[k] for g in groups]) for k in first.rank),
        row("mAP", [g.mean_average_precision for g in groups]),
        row("mINP", [g.mean_inverse_penalty for g in groups]),
        row("accuracy of pairs", [g.verification.accuracy for g in groups]),
        row("EER", [g.verification.eer for g in groups]),
        row("AUC", [g.verification.auc for g in groups]),
        *(
            row(f"TAR at FAR {float(f):.1%}", [g.verification.tar[f] for g in groups])
            for f in first.verification.tar
        ),
        *(
            row(f"DIR at FPIR {float(f):.1%}", [g.open_set.dir[f] for g in groups])
            for f in first.open_set.dir
        ),
    ]


def percent(figure: Estimate) -> str:
    """A share and its interval, as people read them."""
    if figure.value is None:
        return "–"
    if figure.low is None or figure.high is None:
        return f"{figure.value:.1%}"
    return f"{figure.value:.1%} ({figure.low * 100:.1f}–{figure.high * 100:.1f})"
