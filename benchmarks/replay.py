"""Is the same recording answered with the same bytes? Twice as processes, once as threads, once over tcp."""

from __future__ import annotations

import argparse
import hashlib
import tempfile
from pathlib import Path
from typing import Final, Literal

import msgspec

from benchmarks.endtoend import CAMERA
from benchmarks.report import BenchResult, Figure
from commands.cli import add_config_arguments, progress, whole
from commands.config import GalleryConfig, PipelineConfig, load_config
from commands.observe import one_camera
from commands.pipeline import new_plan, run_plan
from gait.walkers.clip import write_clip
from gait.walkers.scenes import demo_scenes

RUNS: Final[tuple[tuple[str, Literal["inproc", "ipc", "tcp"]], ...]] = (
    ("processes", "ipc"),
    ("processes_again", "ipc"),
    ("threads", "inproc"),
    ("tcp", "tcp"),
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Which walkers, or which clip."""
    add_config_arguments(parser)
    parser.add_argument("--seed", type=whole(0), default=1, help="picks the walkers (default 1)")
    parser.add_argument("--clip", type=Path, help="use this recording instead of rendered walkers")


def run(arguments: argparse.Namespace) -> BenchResult:
    """Run each way, compare the logs byte for byte."""
    config = load_config(arguments.config, arguments.overrides)
    with tempfile.TemporaryDirectory(prefix="gaitway-") as name:
        folder = Path(name)
        clip = arguments.clip or folder / "clip.mp4"
        if arguments.clip is None:
            scene = demo_scenes(arguments.seed).probe
            with progress("rendering the clip", scene.frame_count) as step:
                write_clip(scene, clip, progress=step.set)
        logs = {way: _log(config, clip, folder / way, transport) for way, transport in RUNS}
    first = logs["processes"]
    figures: dict[str, Figure] = {
        "events": first.count(b"\n"),
        "bytes": len(first),
        **{f"sha256_{way}": hashlib.sha256(log).hexdigest()[:16] for way, log in logs.items()},
    }
    same = sum(log == first for log in logs.values()) / len(logs)
    return BenchResult.of("replay", figures, {"identical_logs": same if first else 0.0})


def _log(
    config: PipelineConfig, clip: Path, folder: Path, transport: Literal["inproc", "ipc", "tcp"]
) -> bytes:
    folder.mkdir()
    config = msgspec.structs.replace(
        one_camera(config, str(clip), CAMERA),
        gallery=GalleryConfig(str(folder / "gallery.sqlite")),
        events=msgspec.structs.replace(config.events, endpoint=f"ipc://{folder}/events.sock", repair=""),
        stream=msgspec.structs.replace(config.stream, transport=transport),
    )
    finished = run_plan(new_plan(config, folder), what=f"watching ({transport})")
    if finished.outcome.error is not None:
        raise finished.outcome.error
    return finished.plan.event_log.read_bytes()
