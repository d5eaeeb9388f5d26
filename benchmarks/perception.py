"""Bench ``perception``: people found, masks and joints against rendered truth; ``--clips`` shows real ones.

Scenes of 1 to 6 walkers, 60 to 600 px tall, who cross and enter while the clip runs; perception gets pixels
alone. Whoever is visible to 30 % or more counts; a match is a box IoU of 0.5 with the visible box. Answers on
people who are hidden deeper than that are neither right nor wrong.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import numpy as np

from benchmarks.perception_clips import LastFrame, show_clips
from benchmarks.perception_judge import Tally
from benchmarks.perception_scenes import Clip, clips, frames
from benchmarks.perception_trace import Trace
from benchmarks.report import BenchResult, Figure
from commands.cli import whole
from engines.config import NetConfig, PerceiveConfig
from engines.perceive import PerceiveStage, Perception
from stream.messages import EndOfStream, People

FPS: Final = 25.0


def configure(parser: argparse.ArgumentParser) -> None:
    """The bench's own flags."""
    parser.add_argument("--seed", type=whole(0), default=0, help="chooses people, places and paths")
    parser.add_argument("--rounds", type=whole(1), default=1, help="scenes of each count of walkers, 1 to 6")
    parser.add_argument("--seconds", type=float, default=6.0, help="length of a scene")
    parser.add_argument("--precision", choices=("f32", "bf16"), default="f32", help="of the nets")
    parser.add_argument("--clips", nargs="+", type=Path, metavar="PATH", help="real clips to show instead")
    parser.add_argument("--sheet", type=Path, default=Path("out/perception.png"), help="where --clips draws")
    parser.add_argument(
        "--keep", type=Path, metavar="DIR", help="where rendered scenes are kept for next time"
    )
    parser.add_argument(
        "--trace", type=Path, metavar="FILE", help="write why each was missed, a line of JSON each"
    )
    parser.add_argument("--frames", type=whole(1), default=300, help="of each clip, at most")


def run(options: argparse.Namespace) -> BenchResult:
    """Measure on rendered scenes, or count people on real clips."""
    config = PerceiveConfig(nets=NetConfig(precision=options.precision))
    perception = Perception.load(config)
    setting: dict[str, Figure] = {"precision": options.precision, "threads": perception.nets[0].threads}
    if options.clips:
        shown = show_clips(perception, options.clips, options.sheet, options.frames)
        return BenchResult("perception", setting | shown)
    tally, trace = Tally(), Trace()
    chosen = clips(options.seed, options.rounds, options.seconds)
    measure(perception, chosen, tally, trace, options.keep)
    if options.trace:
        trace.write(options.trace)
    values = {
        "recall": tally.recall,
        "precision": tally.precision,
        "mask_iou": float(np.mean(tally.mask_ious)) if tally.mask_ious else 0.0,
    }
    faults: dict[str, Figure] = {f"faults: {reason}": count for reason, count in trace.counts().items()}
    return BenchResult.of("perception", setting | figures(tally, options.seed) | faults, values)


def measure(
    perception: Perception, chosen: Iterable[Clip], tally: Tally, trace: Trace, keep: Path | None = None
) -> None:
    """Run perception over rendered clips and judge every frame."""
    held = LastFrame()
    stage = PerceiveStage(held, perception)
    for clip in chosen:
        count = 0
        for rendered in frames(clip, keep):
            token = held.hold(rendered.image, clip.name, rendered.number, FPS)
            started = time.perf_counter()
            (people,) = stage.handle(token)
            tally.perceive_s.append(time.perf_counter() - started)
            assert isinstance(people, People)
            trace.add(clip.name, people, rendered.truth, tally.add(people, rendered.truth))
            count += 1
        stage.finish(EndOfStream("bench", clip.name, count, 0))


def figures(tally: Tally, seed: int) -> dict[str, Figure]:
    """What is reported beside the bars."""
    return {
        "seed": seed,
        "frames": tally.frames,
        "people_to_find": tally.right + tally.missed,
        "missed": tally.missed,
        "wrong": tally.wrong,
        "joint_error_mm": float(np.mean(tally.joint_mm)) if tally.joint_mm else float("nan"),
        "mask_iou_5th_percentile": float(np.percentile(tally.mask_ious, 5)) if tally.mask_ious else 0.0,
        "ms_per_frame": 1e3 * float(np.mean(tally.perceive_s)),
    }
