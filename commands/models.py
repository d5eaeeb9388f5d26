"""``run_pipeline.py models``: what a gait model is, whether it works here; foreign checkpoints made ours."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import msgspec
from rich.table import Table

from commands.cli import add_action, add_json_argument, out, print_json, say
from commands.extras import needing_extra

FAMILIES = (
    "silskeletongait",
    "skeletongait",
    "skeletongait++",
    "deepgaitv2",
    "hybridgait",
    "siamesegait",
    "gaitgraph2",
)

DESCRIBED = {
    "list": ("every family, its sizes and what it is", "models list --json"),
    "show": (
        "layers, shapes, parameters, GFLOPs, receptive field",
        "models show skeletongait --size small",
    ),
    "check": ("a sample in, one training step, what was seen", "models check silskeletongait"),
    "import": (
        "turn a known checkpoint (.pt) into ours: safetensors + JSON",
        "models import SkeletonGait-60000.pt --out skeletongait.safetensors",
    ),
}
"""Action -> what it does, and an example."""


def configure(parser: argparse.ArgumentParser) -> None:
    """list, show, check and import."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    listed, show, check, bring = (
        add_action(actions, name, text, example) for name, (text, example) in DESCRIBED.items()
    )
    add_json_argument(listed)
    for child in (show, check):
        child.add_argument("name", metavar="NAME", help=f"one of {', '.join(FAMILIES)}")
        child.add_argument("--size", default="tiny", help="see: models list (default tiny)")
        child.add_argument("--frames", type=int, help="frames of the window (default: the family's)")
        add_json_argument(child)
    bring.add_argument("file", type=Path, metavar="FILE", help="the checkpoint; code in it is refused")
    bring.add_argument("--out", type=Path, help="where to write (default: beside it, .safetensors)")
    bring.add_argument(
        "--width", type=int, choices=(44, 64), help="width of the maps, which shapes cannot tell"
    )
    add_json_argument(bring)


def run(arguments: argparse.Namespace) -> int:
    """Do the action."""
    return ACTIONS[arguments.action](arguments)


def _list(arguments: argparse.Namespace) -> int:
    families = needing_extra("gait.models.registry")
    found = {name: families.family(name) for name in families.names()}
    if arguments.json:
        print_json({n: {"sizes": list(f.sizes), "summary": f.summary} for n, f in found.items()})
        return 0
    table = _table("family", "sizes", "what it is")
    for name, family in found.items():
        table.add_row(name, ", ".join(family.sizes), family.summary)
    out.print(table)
    return 0


def _show(arguments: argparse.Namespace) -> int:
    net = needing_extra("gait.models.registry").build(arguments.name, arguments.size)
    found = needing_extra("gait.models.describe").describe(net, arguments.frames)
    if arguments.json:
        print_json(msgspec.to_builtins(found))
        return 0
    table = _table("layer", "kind", "output of one sequence", "parameters")
    for layer in found.layers:
        table.add_row(layer.name, layer.kind, " x ".join(map(str, layer.shape)), f"{layer.parameters:,}")
    out.print(f"{found.family} ({arguments.size}): {found.summary}", markup=False, highlight=False)
    out.print(table)
    strips, numbers = found.vector_shape
    sees = f"{found.receptive_frames} frames" if found.receptive_frames is not None else "the whole window"
    lag = (
        "runs its window again" if found.look_ahead is None else f"streams, {found.look_ahead} frames behind"
    )
    for key, value in (
        ("parameters", f"{found.parameters:,} ({found.deployed_parameters:,} deployed)"),
        ("work", f"{found.gflops:.3f} GFLOPs over {found.frames} frames of {found.frame_shape}"),
        ("embedding", f"{strips} x {numbers}"),
        ("one frame sees", sees),
        ("live", lag),
    ):
        out.print(f"{key:<16}{value}", markup=False, highlight=False)
    return 0


def _check(arguments: argparse.Namespace) -> int:
    frames = {} if arguments.frames is None else {"frames": arguments.frames}
    found = needing_extra("gait.models.check").check(arguments.name, arguments.size, **frames)
    if arguments.json:
        print_json({**msgspec.to_builtins(found), "ok": found.ok})
        return 0 if found.ok else 1
    for key, value in _seen(found).items():
        out.print(f"{key:<16}{value}", markup=False, highlight=False)
    say("good" if found.ok else "something is wrong: a loss is no number, or weights got no gradient")
    return 0 if found.ok else 1


def _seen(found: Any) -> dict[str, str]:
    channels = "; ".join(f"{low:.3g} to {high:.3g}, mean {mean:.3g}" for low, mean, high in found.channels)
    entropy = "none" if found.cross_entropy is None else f"{found.cross_entropy:.4f}"
    return {
        "sample": f"{found.people} people; silhouettes {found.silhouettes}, skeletons {found.skeletons}",
        "batch": f"{found.batch}; channels {channels}",
        "embedding": str(found.embedding),
        "losses": f"triplet {found.triplet:.4f}, cross entropy {entropy}",
        "one step": f"gradient {found.gradient:.4g}, weights moved {found.moved:.4g}",
        "no gradient": ", ".join(found.silent) or "nowhere",
    }


def _import(arguments: argparse.Namespace) -> int:
    target = arguments.out or arguments.file.with_suffix(".safetensors")
    overrides = {} if arguments.width is None else {"width": arguments.width}
    done = needing_extra("gait.models.checkpoints").import_foreign(arguments.file, target, **overrides)
    if arguments.json:
        print_json(msgspec.to_builtins(done, enc_hook=str))
        return 0
    say(f"{done.weights}: {done.family}, {done.used} tensors, digest {done.digest[:16]}")
    for name in done.left_out:
        say(f"left out: {name}")
    return 0


def _table(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table


ACTIONS = {"list": _list, "show": _show, "check": _check, "import": _import}
