"""``run_pipeline.py evaluate``: how well a net or a simple recogniser does on a data set, by a protocol."""

from __future__ import annotations

import argparse
import os
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from commands.cli import add_json_argument, out, print_json, progress, say
from commands.evaluation_report import write_report
from commands.extras import needing_extra
from gait.evaluation import submission
from gait.evaluation.baselines import BASELINES, baseline
from gait.evaluation.bootstrap import Estimate
from gait.evaluation.controls import CONTROLS
from gait.evaluation.embedding import Subject
from gait.evaluation.protocols import PROTOCOLS, plan
from gait.evaluation.result import Evaluation, Group
from gait.evaluation.run import evaluate
from gait.evaluation.sources import open_walks
from gait.inputs import InputSpec, Walk, prepare
from stream.errors import ConfigError, MessageError

# The test clip of the published protocols: the whole sequence, at most this long.
LONGEST: Final = 720


def configure(parser: argparse.ArgumentParser) -> None:
    """What is judged, on what, and how."""
    judged = parser.add_mutually_exclusive_group(required=True)
    judged.add_argument(
        "--weights", type=Path, metavar="FILE", help="a net that `train` or `models import` wrote"
    )
    judged.add_argument("--baseline", choices=tuple(BASELINES), help="a simple recogniser instead of a net")
    parser.add_argument(
        "--data",
        metavar="DIR",
        help="a prepared data set, or USF's or UCalgary's own files (default: the set of that protocol below"
        " the folder that GAITWAY_DATA names)",
    )
    parser.add_argument("--protocol", required=True, metavar="NAME", help=", ".join(PROTOCOLS))
    parser.add_argument("--metric", choices=("euclidean", "cosine"), default="euclidean")
    parser.add_argument(
        "--control", choices=tuple(CONTROLS), default="", help="take something away from every walk first"
    )
    parser.add_argument("--out", type=Path, metavar="HTML", help="write a report with curves and pictures")
    parser.add_argument("--submission", type=Path, metavar="CSV", help="write GREW's 20 nearest per probe")
    add_json_argument(parser)


def run(arguments: argparse.Namespace) -> int:
    """Judge, print, and write what was asked for."""
    subject = baseline(arguments.baseline) if arguments.baseline else net_subject(arguments.weights)
    walks = open_walks(data_folder(arguments.data, arguments.protocol))
    trials = plan(arguments.protocol, walks.entries, walks.partition)
    needed = len(np.unique(np.concatenate([part for t in trials for part in (t.probes, t.gallery)])))
    with progress("walks", needed) as step:
        outcome = evaluate(
            walks, subject, arguments.protocol, arguments.metric, arguments.control, step.advance
        )
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


KNOWN_FOLDERS: Final = {"usf": "usf17", "leave-run-out": "ucalgary_kinect"}


def net_subject(weights: Path) -> Subject:
    """A net behind the evaluation's door: its feature before the neck, strip by strip, in float32."""
    checkpoints = needing_extra("gait.models.checkpoints")
    input_spec = needing_extra("gait.models.input_spec")
    torch = needing_extra("torch")
    net = checkpoints.load(weights)
    spec = input_spec.spec_of(net)
    longest = min(LONGEST, net.config.frames) if net.family == "siamesegait" else LONGEST

    def features(walk: Walk) -> NDArray[Any]:
        frames = _middle(prepare(spec, with_what_it_needs(spec, walk)), longest)
        with torch.inference_mode():
            found = net(torch.from_numpy(frames)[None]).embed_1
        return np.asarray(found[0].T.float().numpy())

    return Subject(f"{net.family} ({weights.name})", features)


def with_what_it_needs(spec: InputSpec, walk: Walk) -> Walk:
    """The walk as ``prepare`` takes it; raises MessageError for a part that the net needs and the data lacks.

    A data set gives a part that it lacks as an empty array; a net of silhouettes alone needs no joints.
    """
    if spec.kind not in ("joints", "branches", "maps") and not walk.silhouettes.size:
        raise MessageError("the walk has no silhouettes", wanted=f"silhouettes for a net of {spec.kind}")
    if spec.kind != "joints" and not walk.joints_2d.size:
        if spec.kind != "silhouette":
            raise MessageError("the walk has no 2D joints", wanted=f"joints_2d for a net of {spec.kind}")
        return replace(walk, joints_2d=np.zeros((*walk.joints_2d.shape[:2], 3), np.float32))
    return walk


def _middle(frames: NDArray[np.float32], longest: int) -> NDArray[np.float32]:
    start = max(0, (len(frames) - longest) // 2)
    return np.ascontiguousarray(frames[start : start + longest])


def _made_by(arguments: argparse.Namespace) -> dict[str, str]:
    given = {
        "protocol": arguments.protocol,
        "weights": arguments.weights and arguments.weights.name,
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
