"""``run_pipeline.py run``: the pipeline on cameras, files, folders or addresses, until they end or Ctrl-C."""

from __future__ import annotations

import argparse
from pathlib import Path

import msgspec

from commands.checkpoints import left_off
from commands.cli import add_config_arguments, add_json_argument, print_json, teller
from commands.config import CameraConfig, PipelineConfig, check_camera_name, load_config
from commands.pipeline import Finished, new_plan, run_plan
from commands.recordings import begin_recording
from stream.errors import ConfigError
from stream.events import read_events
from stream.logs import start_logging
from stream.sources import SourceOptions


def configure(parser: argparse.ArgumentParser) -> None:
    """Sources, results, and how recordings are played."""
    add_config_arguments(parser)
    add_json_argument(parser)
    parser.add_argument(
        "--source",
        action="append",
        default=[],
        metavar="[NAME=]SOURCE",
        help="a file, a folder, rtsp://..., http://..., usb:0 or walkers:seed=3,people=4; instead of the "
        "cameras in pipeline.yaml; may be repeated",
    )
    parser.add_argument(
        "--realtime", action="store_true", help="play recordings at the speed they were taken"
    )
    parser.add_argument(
        "--out", type=Path, default=Path("out/run"), metavar="DIR", help="results (default out/run)"
    )
    parser.add_argument(
        "--id", default="", metavar="NAME", help="name of this pipeline (default: a fresh one)"
    )
    parser.add_argument(
        "--threads", action="store_true", help="stages as threads of one process instead of processes"
    )
    parser.add_argument(
        "--record", type=Path, metavar="DIR", help="keep every frame looked at, for `replay DIR`; holds faces"
    )
    parser.add_argument(
        "--resume",
        action="store_true",
        help="go on with the run that was left off in --out (after a crash); without one, start",
    )
    parser.add_argument(
        "--traces", action="store_true", help="keep what perceive, track and embed sent, in --out"
    )


def run(arguments: argparse.Namespace) -> int:
    """Run until the recordings end or Ctrl-C; 0 only when every frame is accounted for."""
    config = _configured(arguments)
    start_logging(config.logs)
    tell = teller(config.logs)
    earlier = left_off(arguments.out) if arguments.resume else None
    name = arguments.id or (earlier.pipeline if earlier else "")
    plan = new_plan(config, arguments.out, traces=arguments.traces, pipeline=name)
    if arguments.record is not None:
        plan = msgspec.structs.replace(plan, record=str(arguments.record.resolve()))
        begin_recording(plan)
    if not arguments.json:
        tell(f"events: {plan.event_log} and {config.events.endpoint}; stop with Ctrl-C")
    finished = run_plan(plan, resume=arguments.resume)
    if arguments.json:
        print_json(summary(finished))
    else:
        tell(str(finished.outcome.report))
    if finished.outcome.error is not None:
        raise finished.outcome.error
    return finished.outcome.exit_status


def _configured(arguments: argparse.Namespace) -> PipelineConfig:
    config = load_config(arguments.config, arguments.overrides)
    if arguments.source:
        config = msgspec.structs.replace(config, cameras=_cameras(arguments.source))
    if arguments.realtime:
        cameras = {
            name: CameraConfig(camera.source, msgspec.structs.replace(camera.options, realtime=True))
            for name, camera in config.cameras.items()
        }
        config = msgspec.structs.replace(config, cameras=cameras)
    if arguments.threads:
        config = msgspec.structs.replace(
            config, stream=msgspec.structs.replace(config.stream, transport="inproc")
        )
    return config


def _cameras(sources: list[str]) -> dict[str, CameraConfig]:
    """``hall=a.mp4`` names its camera; unnamed ones are called cam1, cam2, ..."""
    cameras: dict[str, CameraConfig] = {}
    for number, text in enumerate(sources, start=1):
        name, equals, source = text.partition("=")
        if not equals or ":" in name or "/" in name or "." in name:
            name, source = f"cam{number}", text
        check_camera_name(name, "--source")
        if name in cameras:
            raise ConfigError(
                f"two cameras are called {name!r}", where="--source", fix="Name them NAME=SOURCE"
            )
        cameras[name] = CameraConfig(source, SourceOptions())
    return cameras


def summary(finished: Finished) -> dict[str, object]:
    """What ``--json`` prints of a run."""
    report, log = finished.outcome.report, finished.plan.event_log
    return {
        "pipeline": finished.plan.pipeline,
        "events": sum(1 for _ in read_events(log)) if log.exists() else 0,
        "event_log": str(log),
        "ledger": msgspec.to_builtins(report),
        "ok": finished.outcome.exit_status == 0,
        "error": str(finished.outcome.error) if finished.outcome.error else None,
    }
