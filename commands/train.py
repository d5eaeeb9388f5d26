"""``run_pipeline.py train``: a gait net from prepared data, resumable at any moment."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from rich.live import Live
from rich.text import Text

from commands.cli import add_json_argument, add_override_argument, err, print_json, progress, say
from commands.extras import needing_extra
from commands.settings import load_settings
from gait.data.joined import Joined, opened
from gait.data.kinds import preparation_of
from gait.data.opengait import SILHOUETTES
from gait.data.prepare import prepare
from gait.data.records import INDEX
from gait.data.source import Options
from gait.data.store import DataSet
from stream.errors import ConfigError

if TYPE_CHECKING:
    from gait.training.foreign_config import Translated
    from gait.training.log import StepLine, ValidationLine
    from gait.training.loop import Watch
    from gait.training.report import TrainingReport


def configure(parser: argparse.ArgumentParser) -> None:
    """A config, and where the run is kept."""
    parser.add_argument(
        "config", type=Path, metavar="CONFIG", help="a YAML file; see configs/, or one of the known framework"
    )
    parser.add_argument(
        "--data", metavar="FOLDER", help="the prepared data, instead of the config's data.root"
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FOLDER",
        help="where the run is kept (default: runs/ and the config's name)",
    )
    parser.add_argument("--resume", action="store_true", help="go on with the run that is there, to the bit")
    add_override_argument(parser, "trainer.steps=1000")
    add_json_argument(parser)


def run(arguments: argparse.Namespace) -> int:
    """Train to the end, a live line meanwhile; one process in several speaks."""
    loop = needing_extra("gait.training.loop")
    leads = os.environ.get("RANK", "0") == "0"
    found = read_config(arguments.config, arguments.overrides, warn=leads)
    out = arguments.out or Path("runs") / arguments.config.stem
    data = open_data(found, arguments, out)
    with live(shown=leads and not arguments.json) as watch:
        try:
            report: TrainingReport = loop.train(found.config, data, out, resume=arguments.resume, watch=watch)
        except KeyboardInterrupt:
            say(f"stopped; go on with: run_pipeline.py train {arguments.config} --out {out} --resume")
            return 130
    if leads:
        print_json(msgspec.to_builtins(report)) if arguments.json else _say(report, out)
    return 0


def read_config(path: Path, overrides: list[str], *, warn: bool = True) -> Translated:
    """The file, translated where it is the known framework's; raises ConfigError."""
    settings = needing_extra("gait.training.config")
    foreign = needing_extra("gait.training.foreign_config")
    if not path.is_file():
        raise ConfigError(
            "is not a file",
            where=str(path),
            wanted="a training config",
            fix="configs/ has one for each family and data set",
        )
    plain = load_settings(path, dict[str, Any], [])
    found: Translated
    if not foreign.is_foreign(plain):
        found = foreign.Translated(load_settings(path, settings.TrainingConfig, overrides))
        return found
    if overrides:
        raise ConfigError(
            "--set is for our own settings", where=str(path), fix="Change the file, or write one of ours"
        )
    found = foreign.translate(plain)
    if warn:
        for key in found.unknown:
            say(f"{path}: not known here and left out: {key}")
    return found


def open_data(found: Translated, arguments: argparse.Namespace, out: Path) -> DataSet | Joined:
    """The prepared data; a tree that a foreign config names is prepared below ``out`` first."""
    root = arguments.data or found.config.data.root
    if not root:
        raise ConfigError(
            "names no data", where=str(arguments.config), fix="Set data.root, or pass --data FOLDER"
        )
    if (Path(root) / INDEX).exists() or not found.partition:
        return opened(root, () if arguments.data else found.config.data.also)
    if os.environ.get("WORLD_SIZE", "1") != "1":
        raise ConfigError(
            "several processes cannot prepare one data set", where=root, fix="Run `prepare` first"
        )
    kind = "silskeleton" if (Path(root) / SILHOUETTES).is_dir() else "opengait"
    options = Options(data_in_use=found.data_in_use if kind == "opengait" else ())
    partition = Path(found.partition)
    if not partition.exists():
        partition = arguments.config.parent / partition
    with progress(f"preparing {root}", None) as step:
        prepare(
            kind,
            preparation_of(kind, Path(root), options),
            out / "data",
            partition_file=partition,
            progress=step.set,
        )
    return DataSet.open(out / "data")


@contextmanager
def live(*, shown: bool) -> Iterator[Watch]:
    """A line that is rewritten while a terminal watches; validations stay."""
    if not shown:
        yield lambda _: None
        return
    with Live(console=err, transient=True, auto_refresh=False) as live:

        def watch(line: StepLine | ValidationLine) -> None:
            if not line.passing:
                say(str(line))
            elif err.is_terminal:
                live.update(Text(str(line)), refresh=True)

        yield watch


def _say(report: TrainingReport, out: Path) -> None:
    say(f"{out / report.weights}: {report.family}, {report.chosen}, step {report.step} of {report.steps}")
    if report.score is not None:
        held_out = len(report.validation_people)
        say(f"rank-1 among {held_out} held-out people {report.score:.3f}; no test person was read")
    say(f"loss {report.loss:.4f}; peak memory {report.peak_memory_mib:.0f} MiB; {report.seconds:.0f} s")
    for name in report.left_out:
        say(f"not taken from the weights given: {name}")
