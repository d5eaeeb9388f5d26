"""Sequences a second for each gait family in torch, ONNX Runtime and OpenVINO, beside the arithmetic floor.

The floor is the time that a net's multiplications and additions would take at the rate at which this machine,
in the same run and on the same cores, multiplies large float32 matrices. Runtimes and floor take turns, so
that a busy moment hits them alike; figures are medians. Everything is float32, one sequence at a time.
"""

from __future__ import annotations

import argparse

from benchmarks.report import BenchResult, usable_cores
from commands.cli import whole
from stream.errors import ResourceError


def configure(parser: argparse.ArgumentParser) -> None:
    """Which families, how large, how often."""
    parser.add_argument(
        "--size",
        choices=("tiny", "published"),
        default="tiny",
        help="of the nets (default tiny, the real-time size)",
    )
    parser.add_argument(
        "--family", action="append", default=[], help="measure this one alone; may be repeated (default all)"
    )
    parser.add_argument("--turns", type=whole(1), default=5, help="turns of every runtime (default 5)")
    parser.add_argument("--threads", type=int, default=0, help="cores to use (default all)")


def run(arguments: argparse.Namespace) -> BenchResult:
    """Every family in every runtime, and the floor, in turn."""
    try:
        from benchmarks.models_race import race  # noqa: PLC0415 - the run-time install has no torch
    except ModuleNotFoundError as error:
        raise ResourceError(
            f"{error.name} is not installed", where="bench models", fix="Install the extra `train`"
        ) from error
    threads = arguments.threads or usable_cores()
    return BenchResult("models", race(arguments.family, arguments.size, threads, arguments.turns))
