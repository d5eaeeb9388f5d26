"""``evaluate --protocol mot``: how well MOTChallenge result files follow people, sequence by sequence."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
from rich.table import Table
from scipy.optimize import linear_sum_assignment

from commands.cli import out, print_json, progress
from gait.evaluation.mot import MATCH_IOU, MotCounts, MotScores, count, frames_of, overlaps, scores
from stream.errors import ConfigError, GaitwayError
from trackers.mot import PEDESTRIAN, MotRow, read_mot

PROTOCOL: Final = "mot"
DISTRACTORS: Final = frozenset({2, 7, 8, 12})
"""MOT16 and 17: people in vehicles, standing still, dummies and reflections, which may be found or not."""
TRUTHS: Final = ("gt/gt.txt", "gt.txt", "truth.txt")
COLUMNS: Final = ("hota", "deta", "assa", "idf1", "mota", "motp")
COUNTS: Final = {"false_positives": "FP", "false_negatives": "FN", "switches": "IDSW", "people": "people"}


@dataclass(frozen=True)
class Pairing:
    """One sequence: its name, its truth and what is to be judged."""

    name: str
    truth: Path
    result: Path


def run_mot(arguments: argparse.Namespace) -> int:
    """Score each sequence and all of them together; print a table or JSON."""
    given = arguments.data or arguments.folder
    if not given or not arguments.result:
        raise ConfigError(
            "evaluate --protocol mot needs truth and results",
            wanted="--data TRUTH --result FILE",
            fix="TRUTH is a gt.txt, a sequence's folder or a folder of sequences; FILE a result, or a folder "
            "with SEQUENCE.txt for each",
        )
    pairings = find_pairings(Path(given), arguments.result)
    found: dict[str, MotCounts] = {}
    with progress("sequences", len(pairings)) as step:
        for pairing in pairings:
            found[pairing.name] = judge(pairing)
            step.advance()
    told = {name: scores(counts) for name, counts in found.items()}
    if len(found) > 1:
        told["all"] = scores(sum(found.values(), MotCounts()))
    if arguments.json:
        print_json({"protocol": PROTOCOL, "sequences": msgspec.to_builtins(told)})
    else:
        _print(told)
    return 0


def find_pairings(truth: Path, result: Path) -> list[Pairing]:
    """The sequences below ``truth`` and the results that go with them; raises ConfigError for a lone one."""
    if truth.is_file():
        return [Pairing(_name(truth), truth, _result_of(_name(truth), result))]
    own = _truth_in(truth)
    if own is not None:
        return [Pairing(truth.name, own, _result_of(truth.name, result))]
    below = sorted(path for path in truth.iterdir() if path.is_dir()) if truth.is_dir() else []
    known = {path.name: file for path in below if (file := _truth_in(path)) is not None}
    if not known:
        raise ConfigError(
            "no truth", where=str(truth), wanted=f"one of {', '.join(TRUTHS)}, or folders of them"
        )
    return [Pairing(name, file, _result_of(name, result)) for name, file in known.items()]


def _truth_in(folder: Path) -> Path | None:
    return next((folder / name for name in TRUTHS if (folder / name).is_file()), None)


def _name(truth: Path) -> str:
    """A truth file is named for its sequence's folder, as MOTChallenge lays them out."""
    folder = truth.parent.parent if truth.parent.name == "gt" else truth.parent
    return folder.name if truth.name in {Path(name).name for name in TRUTHS} else truth.stem


def _result_of(name: str, result: Path) -> Path:
    if result.is_dir():
        result = result / f"{name}.txt"
    if not result.is_file():
        raise ConfigError(f"no result for {name}", where=str(result), wanted="a MOTChallenge result file")
    return result


def judge(pairing: Pairing) -> MotCounts:
    """The counts of one sequence; raises GaitwayError for files that no figure can be made of."""
    truth, result = read_mot(pairing.truth), read_mot(pairing.result)
    for rows, where in ((truth, pairing.truth), (result, pairing.result)):
        _refuse_doubles(rows, where)
    people = [row for row in truth if row.kind == PEDESTRIAN and row.score > 0]
    if not people:
        raise GaitwayError("the truth holds nobody", where=str(pairing.truth), wanted="rows of class 1")
    left = without_distractors(truth, result)
    return count(frames_of(_plain(people), _plain(left)))


def _refuse_doubles(rows: tuple[MotRow, ...], where: Path) -> None:
    seen: set[tuple[int, int]] = set()
    for row in rows:
        if row.person < 0:
            raise GaitwayError(
                f"frame {row.frame} has a box of nobody", where=str(where), wanted="an id from 0 on each row"
            )
        if (row.frame, row.person) in seen:
            raise GaitwayError(
                f"id {row.person} stands twice in frame {row.frame}", where=str(where), wanted="once a frame"
            )
        seen.add((row.frame, row.person))


def without_distractors(truth: tuple[MotRow, ...], result: tuple[MotRow, ...]) -> list[MotRow]:
    """The results less those on boxes that may be found or not; people are matched first and keep theirs."""
    if not any(row.kind in DISTRACTORS for row in truth):
        return list(result)
    kept: list[MotRow] = []
    everyone, found = _by_frame(truth), _by_frame(result)
    for frame, rows in found.items():
        there = everyone.get(frame, [])
        boxes = [np.array([row.box for row in side]).reshape(-1, 4) for side in (there, rows)]
        similar = overlaps(*boxes)
        pairs = zip(
            *linear_sum_assignment(np.where(similar >= MATCH_IOU, similar, 0.0), maximize=True), strict=True
        )
        dropped = {
            int(b) for a, b in pairs if similar[a, b] >= MATCH_IOU and there[int(a)].kind in DISTRACTORS
        }
        kept += [row for place, row in enumerate(rows) if place not in dropped]
    return kept


def _by_frame(rows: tuple[MotRow, ...]) -> dict[int, list[MotRow]]:
    found: dict[int, list[MotRow]] = {}
    for row in rows:
        found.setdefault(row.frame, []).append(row)
    return found


def _plain(rows: list[MotRow]) -> list[tuple[int, int, Any]]:
    return [(row.frame, row.person, row.box) for row in rows]


def _print(told: dict[str, MotScores]) -> None:
    table = Table(title="tracks by mot: percent, then counts", title_justify="left", box=None, pad_edge=False)
    table.add_column("sequence", no_wrap=True)
    for heading in (*(column.upper() for column in COLUMNS), *COUNTS.values()):
        table.add_column(heading, justify="right", no_wrap=True)
    for name, one in told.items():
        shares = [f"{getattr(one, column):.1f}" for column in COLUMNS]
        table.add_row(name, *shares, *(str(getattr(one, column)) for column in COUNTS))
    out.print(table)
