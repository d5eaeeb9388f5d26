"""``run_pipeline.py calibrate scores``: from labelled tracks to a map and a threshold."""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterator
from pathlib import Path

import msgspec

from calibration.diagrams import det_curve, reliability_diagram, write_picture
from calibration.fitting import Fitted, fit
from calibration.tracks import LabelledTracks, pooled, read_tracks
from commands.cli import add_config_arguments, add_json_argument, print_json, say
from commands.config import PipelineConfig, load_config
from commands.observe import observe
from commands.recogniser import recogniser
from gait.gallery.enrol import ClipTrack, clip_tracks
from stream.errors import ConfigError, ResourceError


def configure(parser: argparse.ArgumentParser) -> None:
    """What is fitted, on what, and where it goes."""
    add_config_arguments(parser)
    add_json_argument(parser)
    parser.add_argument(
        "labels",
        type=Path,
        help="a .csv of clip,person (one person walks in each clip, each clip is a visit of its own),"
        " or an .npz of vectors, people, visits, samples, model",
    )
    parser.add_argument(
        "--false-alarm-rate", type=float, default=0.01, metavar="SHARE", help="wanted (default %(default)s)"
    )
    parser.add_argument("--about", default="", help="what the tracks are; kept with the map")
    parser.add_argument("--out", type=Path, default=Path("out/calibration"), help="(default %(default)s)")


def run(arguments: argparse.Namespace) -> int:
    """Fit, write the map and its pictures, say how well it holds."""
    config = load_config(arguments.config, arguments.overrides)
    tracks = _tracks(config, arguments.labels)
    fitted = fit(tracks, arguments.false_alarm_rate, arguments.about or arguments.labels.name)
    _write(fitted, arguments.out)
    summary = msgspec.to_builtins(fitted.summary)
    if arguments.json:
        print_json({**summary, "folder": str(arguments.out)})
        return 0
    for name, value in summary.items():
        say(f"{name.replace('_', ' '):<28}{value}")
    say(f"written to {arguments.out}; use it: --set identify.score_map={arguments.out / 'score_map.json'}")
    return 0


def _tracks(config: PipelineConfig, labels: Path) -> LabelledTracks:
    if labels.suffix == ".npz":
        return read_tracks(labels)
    found = []
    for clip, person in _rows(labels):
        track = _longest(clip_tracks(observe(config, str(clip)).embedded))
        if track is None:
            say(f"{clip}: nobody walks long enough; left out")
            continue
        found.append((person, str(clip), track.embeddings))
    half_life_s = config.identify.decision.half_life_s
    return pooled(recogniser(config).model.digest, found, half_life_s)


def _longest(tracks: tuple[ClipTrack, ...]) -> ClipTrack | None:
    return max(tracks, key=lambda track: track.samples, default=None)


def _rows(labels: Path) -> Iterator[tuple[Path, str]]:
    """(clip, person) of each line; a first line that says so is skipped. Raises ConfigError for others."""
    try:
        lines = list(csv.reader(labels.read_text(encoding="utf-8").splitlines()))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"cannot be read ({error})", where=str(labels)) from error
    for number, line in enumerate(lines, start=1):
        if not line or line == ["clip", "person"]:
            continue
        if len(line) != 2 or not all(part.strip() for part in line):
            raise ConfigError(
                f"line {number} is {','.join(line)[:60]!r}", where=str(labels), wanted="clip,person"
            )
        yield labels.parent / line[0].strip(), line[1].strip()


def _write(fitted: Fitted, folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, value in (("score_map.json", fitted.score_map), ("report.json", fitted.summary)):
            (folder / name).write_bytes(msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n")
    except OSError as error:
        raise ResourceError(f"cannot be written ({error.strerror})", where=str(folder)) from error
    summary = fitted.summary
    found = f"error {summary.expected_calibration_error:.3f}, {summary.people} people left out in turn"
    write_picture(
        reliability_diagram(fitted.reliability, f"reliability: {found}"), folder / "reliability.png"
    )
    title = f"DET: equal error {summary.equal_error_rate:.3f}, {summary.people} people"
    write_picture(det_curve(fitted.misses, fitted.alarms, title), folder / "det.png")
