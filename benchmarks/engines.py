"""Bench ``engines``: a gait net's window graph in each runtime and precision, beside torch eager in f32.

Sequences of T = 30 frames, batch 1 and more. Beside each rate stands the relative error against torch, and
the share of the rate at which this machine multiplies large matrices. On an NVIDIA GPU torch runs eagerly,
compiled and as CUDA graphs, in f32, f16 and bf16. What precision costs in rank-1: ``calibrate precision``.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.report import BenchResult, usable_cores
from stream.errors import ConfigError, ResourceError


def configure(parser: argparse.ArgumentParser) -> None:
    """Which net, which batches."""
    parser.add_argument("--family", default="skeletongait++", help="which family (default skeletongait++)")
    parser.add_argument("--size", default="1441", help="its size (default 1441, the published one)")
    parser.add_argument("--weights", type=Path, help="a .safetensors of ours instead, as the shipped model's")
    parser.add_argument(
        "--batch",
        type=int,
        action="append",
        default=[],
        help="sequences at once; may be repeated (default 1)",
    )
    parser.add_argument("--turns", type=int, default=3, help="turns of each contestant (default 3)")
    parser.add_argument("--threads", type=int, default=0, help="cores to use (default all)")


def run(arguments: argparse.Namespace) -> BenchResult:
    """Every contestant in turn, for every batch."""
    if arguments.turns < 1 or any(batch < 1 for batch in arguments.batch):
        raise ConfigError("a bench of nothing", wanted="--turns and --batch of 1 or more")
    try:
        from benchmarks.engines_race import race  # noqa: PLC0415 - the run-time install has no torch
    except ModuleNotFoundError as error:
        raise ResourceError(
            f"{error.name} is not installed", where="bench engines", fix="Install the extra `train`"
        ) from error
    threads = arguments.threads or usable_cores()
    figures, values = race(arguments, arguments.batch or [1], threads)
    return BenchResult.of("engines", figures, values)
