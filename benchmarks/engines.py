"""Bench ``engines``: a gait net's window graph in each runtime and precision, beside torch eager in f32.

Sequences of T = 30 frames, batch 1 and 32. Beside each rate stand the relative error against torch eager in
f32, the share of the rate at which the device multiplies large matrices in that precision, and, of trained
weights, the rank-1 between two visits of rendered people. On an NVIDIA GPU torch runs eagerly, compiled and
as CUDA graphs, in f32, f16 and bf16, and TensorRT beside them. SkeletonGait++ 1441 takes 181 GFLOP a
sequence: `--turns 1` is a quarter of an hour on two cores, `--shipped` half a minute.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.report import BenchResult, usable_cores
from gait.models.weights import SHIPPED
from stream.errors import ConfigError, ResourceError


def configure(parser: argparse.ArgumentParser) -> None:
    """Which net, which batches."""
    parser.add_argument("--family", default="skeletongait++", help="which family (default skeletongait++)")
    parser.add_argument("--size", default="1441", help="its size (default 1441, the published one)")
    parser.add_argument("--weights", type=Path, help="a .safetensors of ours instead")
    parser.add_argument(
        "--shipped", action="store_const", dest="weights", const=SHIPPED, help="the net in the box instead"
    )
    parser.add_argument(
        "--people", type=int, help="rendered people who judge rank-1 (default 20 of trained weights, else 0)"
    )
    parser.add_argument(
        "--batch",
        type=int,
        action="append",
        default=[],
        help="sequences at once; may be repeated (default 1 and 32)",
    )
    parser.add_argument("--turns", type=int, default=3, help="turns of each contestant (default 3)")
    parser.add_argument("--threads", type=int, default=0, help="cores to use (default all)")


def run(arguments: argparse.Namespace) -> BenchResult:
    """Every contestant in turn, for every batch."""
    if arguments.people is None:
        arguments.people = 20 if arguments.weights else 0
    if arguments.turns < 1 or arguments.people < 0 or any(batch < 1 for batch in arguments.batch):
        raise ConfigError("a bench of nothing", wanted="--turns and --batch of 1 or more")
    try:
        from benchmarks.engines_race import race  # noqa: PLC0415 - the run-time install has no torch
    except ModuleNotFoundError as error:
        raise ResourceError(
            f"{error.name} is not installed", where="bench engines", fix="Install the extra `train`"
        ) from error
    threads = arguments.threads or usable_cores()
    figures, values = race(arguments, arguments.batch or [1, 32], threads)
    return BenchResult.of("engines", figures, values)
