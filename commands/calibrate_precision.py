"""``run_pipeline.py calibrate precision``: an exported net in narrower numbers, and what each costs."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, Final

import msgspec
from rich.table import Table

from commands.cli import add_json_argument, out, print_json, progress, say
from commands.extras import needing_extra
from stream.errors import ConfigError, ResourceError

PRECISIONS: Final = ("bf16", "f16", "int8")


def configure(parser: argparse.ArgumentParser) -> None:
    """The net, the people who judge, which precisions."""
    parser.add_argument("stem", type=Path, metavar="STEM", help="of STEM.trunk.onnx and STEM.head.onnx")
    parser.add_argument("--people", type=int, default=60, help="rendered people who judge (default 60)")
    parser.add_argument(
        "--only",
        choices=PRECISIONS,
        action="append",
        default=[],
        help="this one; may be repeated (default all)",
    )
    add_json_argument(parser)


def run(arguments: argparse.Namespace) -> int:
    """Make them, judge them, and leave the figures in STEM.precision.json."""
    if arguments.people < 2:
        raise ConfigError(f"--people {arguments.people}", wanted="2 or more")
    precision: Any = needing_extra("calibration.precision")
    wanted = arguments.only or list(PRECISIONS)
    with progress("judging precisions", 1 + len(wanted)) as bar:
        judged = precision.judge(arguments.stem, arguments.people, wanted, bar.set)
    chosen = precision.fastest_fit(judged)
    result = {
        "stem": str(arguments.stem),
        "people": arguments.people,
        "judged": [{**msgspec.to_builtins(one), "fit": one.fit} for one in judged],
        "chosen": chosen.precision,
    }
    target = Path(f"{arguments.stem}.precision.json")
    try:
        target.write_bytes(msgspec.json.format(msgspec.json.encode(result)) + b"\n")
    except OSError as error:
        raise ResourceError(f"cannot write it ({error.strerror})", where=str(target)) from error
    if arguments.json:
        print_json(result)
        return 0
    out.print(_table(judged))
    say(f"fastest within {precision.MOST_LOSS} points: {chosen.precision}; figures in {target}")
    return 0


def _table(judged: list[Any]) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in ("precision", "rank-1 %", "loss", "cosine to f32", "ms a frame", "MB", "kept in f32", ""):
        table.add_column(heading, justify="left" if heading == "precision" else "right")
    for one in judged:
        table.add_row(
            one.precision,
            f"{one.rank1:.1f}",
            f"{one.loss_points:+.1f}",
            f"{one.similarity:.5f}",
            f"{one.ms_per_frame:.2f}",
            f"{one.megabytes:.1f}",
            str(len(one.kept_f32)) if one.precision == "int8" else "",
            "[green]fit[/]" if one.fit else "[red]unfit[/]",
        )
    return table
