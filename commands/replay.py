"""``run_pipeline.py replay DIR``: a run made with ``run --record DIR`` once more, its drops included."""

from __future__ import annotations

import argparse
from pathlib import Path

import msgspec

from commands.cli import add_config_arguments, add_json_argument, print_json, say
from commands.config import CameraConfig, load_config
from commands.pipeline import new_plan, run_plan
from commands.recordings import replay_config
from commands.run import summary
from stream.recorder import RecordedFrame, read_order
from stream.sources.replayed import PREFIX as RECORDING
from stream.sources.replayed import camera_of


def configure(parser: argparse.ArgumentParser) -> None:
    """The recording, and where the results go."""
    add_config_arguments(parser)
    add_json_argument(parser)
    parser.add_argument("recording", type=Path, metavar="DIR", help="a folder made by run --record")
    parser.add_argument(
        "--out", type=Path, default=Path("out/replay"), metavar="DIR", help="results (default out/replay)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Play it; the same answers in the same order, whatever this machine's speed."""
    order = read_order(arguments.recording)
    own = load_config(arguments.config, arguments.overrides)
    config = replay_config(arguments.recording, arguments.out, own)
    there = sorted({camera_of(line) for line in order} | config.cameras.keys())  # attached ones too
    cameras = {name: CameraConfig(f"{RECORDING}{arguments.recording}#{name}") for name in there}
    config = msgspec.structs.replace(config, cameras=cameras)
    plan = msgspec.structs.replace(new_plan(config, arguments.out), replay=str(arguments.recording.resolve()))
    frames = sum(isinstance(line, RecordedFrame) for line in order)
    finished = run_plan(plan, frames, what="replaying")
    if arguments.json:
        print_json(summary(finished))
    else:
        say(f"events: {plan.event_log}")
        say(str(finished.outcome.report))
    if finished.outcome.error is not None:
        raise finished.outcome.error
    return finished.outcome.exit_status
