"""Training speed: reading clips, preparing them for a net, and a step of each family beside the floor.

The floor is the time that a step's multiplications and additions would take at the rate at which this machine
multiplies large float32 matrices in the same run: three times the forward pass's, for the backward pass is
two such. Eager, bf16, compiled and the floor take turns; figures are medians. ``loader_over_step`` says
how many times faster one process prepares a family's clips than the net is trained on them.
"""

from __future__ import annotations

import argparse

from benchmarks.report import BenchResult, usable_cores
from commands.cli import whole
from stream.errors import ResourceError


def configure(parser: argparse.ArgumentParser) -> None:
    """Which families, how large, how often."""
    parser.add_argument("--size", choices=("tiny", "published"), default="tiny", help="of the nets")
    parser.add_argument(
        "--family", action="append", default=[], help="measure this one alone; may be repeated (default all)"
    )
    parser.add_argument("--clips", type=whole(2), default=4, help="in a batch, of two people (default 4)")
    parser.add_argument("--turns", type=whole(1), default=3, help="turns of every way (default 3)")
    parser.add_argument("--threads", type=int, default=0, help="cores to use (default all)")
    parser.add_argument(
        "--compiled",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="the compiled step too; compiling takes a minute for each family and needs a C++ compiler",
    )


def run(arguments: argparse.Namespace) -> BenchResult:
    """The loader, then every family; raises ResourceError without torch."""
    try:
        from benchmarks.training_steps import Ways, measure_all  # noqa: PLC0415 - the run-time install has no torch
    except ModuleNotFoundError as error:
        raise ResourceError(
            f"{error.name} is not installed", where="bench training", fix="Install the extra `train`"
        ) from error
    ways = Ways(
        size=arguments.size,
        clips=max(4, arguments.clips // 2 * 2),
        turns=arguments.turns,
        threads=arguments.threads or usable_cores(),
        compiled=arguments.compiled,
    )
    figures, values = measure_all(arguments.family, ways)
    return BenchResult.of("training", figures, values)
