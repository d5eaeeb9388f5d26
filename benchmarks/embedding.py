"""Bench ``embedding``: what a new answer at every hop costs, and whether it is exact.

A person-frame through the streaming embedder (drawing its input, the trunk, merging, an answer at every hop)
is set against the trunk alone on one frame, and against running a 30-frame window again at every hop of 5.
Then random tracks with gaps, cuts and hops are compared with one forward of the net in torch. Times are of
processor time on one thread, in turns, so that other work on the machine does not count.
"""

from __future__ import annotations

import argparse

from benchmarks.report import BenchResult
from commands.cli import whole
from stream.errors import ResourceError


def configure(parser: argparse.ArgumentParser) -> None:
    """Which net, how much."""
    parser.add_argument(
        "--family", default="silskeletongait", help="a max-pooled one (default silskeletongait)"
    )
    parser.add_argument("--size", default="tiny", help="of the timed net (default tiny, the real-time size)")
    parser.add_argument("--tracks", type=whole(1), default=1000, help="random tracks compared (default 1000)")
    parser.add_argument("--turns", type=whole(1), default=7, help="turns of each contestant (default 7)")
    parser.add_argument("--seed", type=whole(0), default=0, help="of tracks and weights")


def run(arguments: argparse.Namespace) -> BenchResult:
    """Time, then compare."""
    try:
        from benchmarks.embedding_race import compare, race  # noqa: PLC0415 - the run-time install has no torch
    except ModuleNotFoundError as error:
        raise ResourceError(
            f"{error.name} is not installed", where="bench embedding", fix="Install the extra `train`"
        ) from error
    timed = race(arguments.family, arguments.size, arguments.turns, arguments.seed)
    compared = compare(arguments.family, arguments.tracks, arguments.seed)
    values = {
        "cost_over_trunk": float(timed["ms_per_person_frame"]) / float(timed["ms_trunk_alone"]),
        "cheaper_than_window": float(timed["ms_window_rerun"]) / float(timed["ms_per_person_frame"]),
        "largest_error": float(compared["largest_error"]),
    }
    return BenchResult.of("embedding", timed | compared, values)
