"""``run_pipeline.py prepare``: bring a data set into our form, or write it as other programs read it."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from commands.cli import add_config_arguments, add_json_argument, print_json, progress, say
from commands.config import PipelineConfig, load_config
from commands.observe import observe
from gait.data.chosen import Chosen
from gait.data.errors import DataError
from gait.data.kinds import KINDS, preparation_of
from gait.data.layouts import export_grew, export_opengait
from gait.data.prepare import REPORT, Progress, Report, prepare
from gait.data.reshaped import Reshaped
from gait.data.sheets import write_sheets
from gait.data.source import KEYPOINT_LAYOUTS, Options, Perceive, Preparation
from gait.data.store import DataSet
from gait.data.tracked import one_walk
from gait.inputs import Walk
from gait.skeleton import BUILT_IN, Layout, layout_named, load_layout

LAYOUTS = ("ours", "opengait", "grew")
# Other layouts are written from our form, which stays beside them so that a stopped run can be taken up.
OURS = ".gaitway"
SHEETS = "sheets"
_TOLD = 10
# Walkers are told apart at 64 rows; beyond this a silhouette is a mistake in --size.
_LARGEST = 1024


def configure(parser: argparse.ArgumentParser) -> None:
    """A kind, where it is, and where it goes."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    listed = "\n".join(f"  {name:<16}{kind.reads}" for name, kind in KINDS.items())
    parser.description = f"{parser.description or ''}\n\nkinds:\n{listed}"
    parser.add_argument("kind", choices=KINDS, metavar="KIND", help="what SRC is")
    parser.add_argument("source", type=Path, metavar="SRC", help="the data set's folder")
    parser.add_argument("folder", type=Path, metavar="DST", help="where to write; taken up again if begun")
    parser.add_argument("--layout", choices=LAYOUTS, default="ours", help="how to write it (default ours)")
    parser.add_argument("--partition", type=Path, metavar="JSON", help="a split of TRAIN_SET and TEST_SET")
    _add_source_options(parser)
    parser.add_argument("--conditions", default="", metavar="A,B", help="only these (default: all)")
    parser.add_argument("--views", default="", metavar="A,B", help="only these (default: all)")
    parser.add_argument("--everyone", choices=("train", "test"), default="", help="all people on one side")
    parser.add_argument(
        "--average",
        type=int,
        default=0,
        metavar="N",
        help="each N frames of silhouettes become their mean, a gait energy image (default: as they are)",
    )
    parser.add_argument(
        "--size",
        default="",
        metavar="HxW",
        help="silhouettes of this size, e.g. 32x24 (default: as they are)",
    )
    parser.add_argument("--maps", action="store_true", help="with --layout opengait: heat maps of the joints")
    parser.add_argument("--sheets", action="store_true", help="write GEIs and contact sheets to look at")
    parser.add_argument("--workers", type=int, metavar="N", help="processes that read (default: the cores)")
    add_config_arguments(parser)
    add_json_argument(parser)


def _add_source_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--keypoints",
        choices=tuple(KEYPOINT_LAYOUTS),
        default="openpose18",
        help="oumvlp-pose: whose key points (default openpose18)",
    )
    parser.add_argument(
        "--joints",
        default="gaitway16",
        metavar="LAYOUT",
        help=f"skeletons: {', '.join(BUILT_IN)}, or a file that describes one (default gaitway16)",
    )
    parser.add_argument(
        "--data-in-use",
        default="",
        metavar="true,false,...",
        help="opengait: which modalities, in the order of their file names (default: all understood)",
    )
    parser.add_argument("--poses", type=Path, metavar="FOLDER", help="prepared: its joints beside SRC's own")


def run(arguments: argparse.Namespace) -> int:
    """Prepare, write the layout and the sheets asked for, say what was dropped and why."""
    _check(arguments)
    options = _options(arguments)
    ours = arguments.folder if arguments.layout == "ours" else arguments.folder / OURS
    preparation = _chosen(arguments, preparation_of(arguments.kind, arguments.source, options))
    report = _watched(
        "reading",
        # Perception has a bar of its own for every video.
        lambda show: prepare(
            arguments.kind,
            preparation,
            ours,
            settings=_settings(arguments, options),
            partition_file=arguments.partition,
            workers=arguments.workers,
            progress=show,
        ),
        quiet=KINDS[arguments.kind].perceives,
    )
    _write_layout(arguments, DataSet.open(ours))
    if arguments.sheets:
        sheets = arguments.folder / SHEETS
        count = _watched("sheets", lambda show: write_sheets(DataSet.open(ours), sheets, progress=show))
        say(f"{count} contact sheets in {sheets}")
    _tell(report, ours, as_json=arguments.json)
    return 0


def _check(arguments: argparse.Namespace) -> None:
    if arguments.maps and arguments.layout != "opengait":
        raise DataError("--maps belongs to --layout opengait: our own nets draw their maps as they train")
    if arguments.workers is not None and arguments.workers < 1:
        raise DataError(f"--workers {arguments.workers}", wanted="1 or more")
    if arguments.average < 0:
        raise DataError(f"--average {arguments.average}", wanted="1 or more frames")
    source, folder = arguments.source.resolve(), arguments.folder.resolve()
    if source == folder:
        raise DataError("SRC and DST are the same folder", where=str(arguments.folder))


def _options(arguments: argparse.Namespace) -> Options:
    return Options(
        keypoints=arguments.keypoints,
        joints=_layout(arguments.joints),
        data_in_use=_booleans(arguments.data_in_use),
        poses=arguments.poses,
        perceive=perception(load_config(arguments.config, arguments.overrides))
        if KINDS[arguments.kind].perceives
        else None,
    )


def _layout(name: str) -> Layout:
    return load_layout(name) if Path(name).suffix in (".yaml", ".yml", ".json") else layout_named(name)


def _booleans(text: str) -> tuple[bool, ...]:
    known = {"true": True, "false": False}
    words = [word.strip().lower() for word in text.strip("[] ").split(",") if word.strip()]
    if any(word not in known for word in words):
        raise DataError(f"--data-in-use {text}", wanted="true and false, with commas between them")
    return tuple(known[word] for word in words)


def perception(config: PipelineConfig) -> Perceive:
    """The pipeline's own perception of a recording with one person in it."""

    def perceive(path: Path) -> Walk:
        return one_walk(observe(config, str(path)).tracked, str(path))

    return perceive


def _chosen(arguments: argparse.Namespace, whole: Preparation) -> Preparation:
    conditions, views = _words(arguments.conditions), _words(arguments.views)
    if conditions or views or arguments.everyone:
        whole = Chosen(whole, conditions, views, arguments.everyone)
    if arguments.average or arguments.size:
        whole = Reshaped(whole, arguments.average, _size(arguments.size))
    return whole


def _size(text: str) -> tuple[int, int] | None:
    if not text:
        return None
    told = re.fullmatch(r"(\d{1,4})x(\d{1,4})", text)
    if told is None or not all(1 <= int(side) <= _LARGEST for side in told.groups()):
        raise DataError(f"--size {text}", wanted=f"HEIGHTxWIDTH of 1 to {_LARGEST} pixels, such as 64x44")
    return int(told[1]), int(told[2])


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _settings(arguments: argparse.Namespace, options: Options) -> str:
    """What must be the same when a stopped run is taken up again."""
    kind = arguments.kind
    told: dict[str, Any] = {"kind": kind}
    for name in ("conditions", "views", "everyone", "average", "size"):
        if getattr(arguments, name):
            told[name] = getattr(arguments, name)
    if kind == "oumvlp-pose":
        told["keypoints"] = options.keypoints
    if kind == "skeletons":
        told["joints"] = options.joints.name
    if options.data_in_use:
        told["data_in_use"] = options.data_in_use
    if options.poses is not None:
        told["poses"] = options.poses.name
    return json.dumps(told)


def _watched(what: str, work: Callable[[Progress], Any], *, quiet: bool = False) -> Any:
    """``work`` with a bar for its progress; ``quiet`` where it shows bars of its own."""
    if quiet:
        return work(lambda done, total: say(f"{what}: {done} of {total}"))
    with progress(what, None) as step:
        return work(step.set)


def _write_layout(arguments: argparse.Namespace, data: DataSet) -> None:
    if arguments.layout == "opengait":
        _watched(
            "writing",
            lambda show: export_opengait(data, arguments.folder, maps=arguments.maps, progress=show),
        )
    elif arguments.layout == "grew":
        _watched("writing", lambda show: export_grew(data, arguments.folder, progress=show))


def _tell(report: Report, ours: Path, *, as_json: bool) -> None:
    if as_json:
        print_json({**msgspec.to_builtins(report), "folder": str(ours)})
        return
    lost = f", {report.lost_frames} frames without anybody left out" if report.lost_frames else ""
    say(f"{report.sequences} sequences of {report.people} people, {report.frames} frames{lost}")
    for dropped in report.dropped[:_TOLD]:
        say(f"dropped {dropped.where}: {dropped.reason}")
    if len(report.dropped) > _TOLD:
        say(f"dropped {len(report.dropped) - _TOLD} more: all are in {ours / REPORT}")
