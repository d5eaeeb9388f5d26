"""``run_pipeline.py export``: a gait model as compiled graphs, with the proof that they compute the same."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import msgspec
from rich.table import Table

from commands.cli import add_json_argument, out, print_json, say
from commands.extras import needing_extra
from commands.models import FAMILIES

CHECKED_SEQUENCES = 2


def configure(parser: argparse.ArgumentParser) -> None:
    """A family, its weights, and where to write."""
    parser.add_argument("name", metavar="NAME", help=f"one of {', '.join(FAMILIES)}")
    parser.add_argument("--weights", type=Path, help="a .safetensors of ours (default: fresh random weights)")
    parser.add_argument("--size", default="tiny", help="without --weights: which size (default tiny)")
    parser.add_argument("--format", choices=("onnx",), default="onnx", help="what to write (default onnx)")
    parser.add_argument("--frames", type=int, help="frames of the window's graph (default: the family's)")
    parser.add_argument("--out", type=Path, metavar="STEM", help="path without ending (out/export/NAME)")
    parser.add_argument(
        "--embedding", choices=("embed_1", "embed_2"), default="embed_1", help="before or after the neck"
    )
    parser.add_argument("--no-check", action="store_true", help="skip the comparison with torch")
    add_json_argument(parser)


def run(arguments: argparse.Namespace) -> int:
    """Write the graphs, then run them beside torch; 1 if they differ by more than the limit."""
    export = needing_extra("engines.export")
    net: Any = _net(arguments)
    stem = arguments.out or Path("out/export") / arguments.name.replace("++", "_pp")
    written = export.export_onnx(net, stem, frames=arguments.frames, which=arguments.embedding)
    parity: tuple[Any, ...] = ()
    if not arguments.no_check:
        torch = needing_extra("torch")
        torch.manual_seed(0)
        frames = export.read_metadata(written.window).frames
        sequences = [net.example(1, frames) for _ in range(CHECKED_SEQUENCES)]
        parity = export.check_parity(net, written, sequences, arguments.embedding)
    good = all(one.ok for one in parity)
    if arguments.json:
        print_json(
            {
                "files": [str(path) for path in written.files],
                "parity": [{**msgspec.to_builtins(one), "ok": one.ok} for one in parity],
                "ok": good,
            }
        )
        return 0 if good else 1
    for path in written.files:
        say(f"wrote {path} ({path.stat().st_size / 1e6:.1f} MB)")
    if parity:
        table = Table(box=None, pad_edge=False)
        for heading in ("runtime", "graph", "against", "error", "limit", ""):
            table.add_column(heading)
        for one in parity:
            verdict = "[green]same[/]" if one.ok else "[red]differs[/]"
            table.add_row(one.runtime, one.form, one.against, f"{one.error:.1e}", f"{one.limit:.0e}", verdict)
        out.print(table)
    return 0 if good else 1


def _net(arguments: argparse.Namespace) -> Any:
    if arguments.weights is None:
        return needing_extra("gait.models.registry").build(arguments.name, arguments.size).eval()
    net = needing_extra("gait.models.checkpoints").load(arguments.weights)
    if net.family != arguments.name:
        say(f"the weights are of {net.family}, not of {arguments.name}; exporting {net.family}")
    return net
