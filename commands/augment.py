"""``run_pipeline.py augment SRC DST``: the same walks in other clothes, to train on."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from commands.augment_chain import add_chain_arguments, diffusion
from commands.cli import add_config_arguments, add_json_argument, print_json, progress, say
from commands.config import PipelineConfig, load_config
from commands.observe import observe
from commands.prepare import perception
from gait.data.errors import DataError
from gait.data.kinds import KINDS, preparation_of
from gait.data.prepare import REPORT, Report
from gait.data.source import Options
from gait.data.store import DataSet
from gait.training.clothing import dressed, recoloured
from gait.training.clothing.looked import Look
from gait.training.clothing.picture_sheets import write_picture_sheets
from gait.training.clothing.shares import LEDGER, Wanted, is_variant, source_of
from stream.messages import People

METHODS: Final = {
    "outline": "silhouettes and joints of a prepared data set: coats, skirts, trousers, bags, hoods",
    "recolour": "recordings: clothes re-dyed and re-textured, then perceived again",
    "diffusion": "recordings: other people's outfits, by published models that you bring",
}
KIND: Final = "videos"
_TOLD: Final = 10


def configure(parser: argparse.ArgumentParser) -> None:
    """What is dressed, where it goes, how much of it."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    listed = "\n".join(f"  {name:<12}{text}" for name, text in METHODS.items())
    parser.description = f"{parser.description or ''}\n\nmethods:\n{listed}"
    parser.add_argument("source", type=Path, metavar="SRC", help="what `prepare` wrote; else recordings")
    parser.add_argument("folder", type=Path, metavar="DST", help="where to write; taken up again if begun")
    parser.add_argument("--method", choices=METHODS, default="outline", help="how (default outline)")
    parser.add_argument(
        "--share", type=float, default=0.25, metavar="SHARE", help="of the training tracks (default 0.25)"
    )
    parser.add_argument("--variants", type=int, default=10, metavar="N", help="of each of them (default 10)")
    parser.add_argument("--seed", type=int, default=0, help="the same seed, the same clothes (default 0)")
    parser.add_argument(
        "--kind",
        choices=[name for name, kind in KINDS.items() if kind.perceives],
        default=KIND,
        help=f"of recordings: as `prepare` names them (default {KIND}: PERSON/*.mp4)",
    )
    parser.add_argument("--sheets", action="store_true", help="write contact sheets to look at")
    parser.add_argument("--workers", type=int, metavar="N", help="processes that draw (default: the cores)")
    add_chain_arguments(parser)
    add_config_arguments(parser)
    add_json_argument(parser)


def run(arguments: argparse.Namespace) -> int:
    """Dress, say what was left out and why."""
    if arguments.source.resolve() == arguments.folder.resolve():
        raise DataError("SRC and DST are the same folder", where=str(arguments.folder))
    if arguments.workers is not None and arguments.workers < 1:
        raise DataError(f"--workers {arguments.workers}", wanted="1 or more")
    wanted = Wanted(arguments.share, arguments.variants, arguments.seed)
    report = _MADE[arguments.method](arguments, wanted)
    if report is None:
        return 0
    if arguments.sheets:
        with progress("sheets", None) as step:
            sheets = dressed.write_sheets if arguments.method == "outline" else write_picture_sheets
            count = sheets(arguments.folder, progress=step.set)
        say(f"{count} contact sheets in {arguments.folder / dressed.SHEETS}")
    _tell(arguments, report)
    return 0


def _outline(arguments: argparse.Namespace, wanted: Wanted) -> Report:
    with progress("dressing", None) as step:
        return dressed.dress(
            arguments.source, arguments.folder, wanted, workers=arguments.workers, progress=step.set
        )


def _recolour(arguments: argparse.Namespace, wanted: Wanted) -> Report:
    config = load_config(arguments.config, arguments.overrides)
    perceive = perception(config)
    recordings = preparation_of(arguments.kind, arguments.source, Options(perceive=perceive))
    with progress("dyeing", None) as step:
        return recoloured.recolour(
            recordings, arguments.folder, wanted, looking(config), perceive, progress=step.set
        )


def _diffusion(arguments: argparse.Namespace, wanted: Wanted) -> Report | None:
    config = load_config(arguments.config, arguments.overrides)
    perceive = perception(config)
    recordings = preparation_of(arguments.kind, arguments.source, Options(perceive=perceive))
    return diffusion(arguments, wanted, recordings, looking(config), perceive)


def looking(config: PipelineConfig) -> Look:
    """Perception frame by frame, as the methods on pictures are handed it."""

    def look(path: Path) -> tuple[People, ...]:
        return observe(config, str(path)).people

    return look


_MADE: Final[dict[str, Callable[[argparse.Namespace, Wanted], Report | None]]] = {
    "outline": _outline,
    "recolour": _recolour,
    "diffusion": _diffusion,
}


def _tell(arguments: argparse.Namespace, report: Report) -> None:
    made = [entry for entry in DataSet.open(arguments.folder).entries if is_variant(entry)]
    if arguments.json:
        print_json({**msgspec.to_builtins(report), "made": len(made), "folder": str(arguments.folder)})
        return
    sources = {source_of(entry) for entry in made}
    kept = report.sequences - len(made)
    say(
        f"{len(made)} tracks in new clothes, made from {len(sources)}, beside {kept} as they were; "
        f"{arguments.folder / LEDGER} says what is worn in each"
    )
    for dropped in report.dropped[:_TOLD]:
        say(f"left out {dropped.where}: {dropped.reason}")
    if report.dropped:
        say(f"{len(report.dropped)} left out in all, tracks or frames: see {arguments.folder / REPORT}")
