"""``run_pipeline.py enrol``: add a person to the gallery, from clips of them walking or a finished track."""

from __future__ import annotations

import argparse
from pathlib import Path

from commands.cli import add_config_arguments, add_json_argument, print_json, say
from commands.config import PipelineConfig, load_config
from commands.counter import ask_gallery
from commands.observe import observe
from gait.gallery.desk import enrol_request
from gait.gallery.enrol import clip_tracks, enrol_one
from gait.gallery.records import NewTemplate
from stream.errors import ConfigError


def configure(parser: argparse.ArgumentParser) -> None:
    """Clips or a track, and a name."""
    add_config_arguments(parser)
    add_json_argument(parser)
    parser.add_argument(
        "clips", nargs="*", metavar="CLIP", help="video files or folders with this one person walking"
    )
    parser.add_argument("--name", required=True, help="what to call the person")
    parser.add_argument(
        "--track", metavar="ID", help="a finished track instead of clips (see: gallery tracks)"
    )
    parser.add_argument(
        "--consent", default="", metavar="NOTE", help="how and when they agreed; kept with the person"
    )


def run(arguments: argparse.Namespace) -> int:
    """Make the templates, hand them to whoever holds the gallery."""
    config = load_config(arguments.config, arguments.overrides)
    if bool(arguments.clips) == bool(arguments.track):
        raise ConfigError("enrol needs clips or a track", wanted="either CLIP ... or --track ID, not both")
    if arguments.track:
        request = enrol_request(arguments.name, track=arguments.track, consent=arguments.consent)
    else:
        templates = _templates(config, arguments.clips)
        request = enrol_request(arguments.name, templates, consent=arguments.consent)
    result = ask_gallery(config, request)
    if arguments.json:
        print_json(result)
        return 0
    person = result["person"]
    count = len(person["templates"])
    say(f"{person['name']} ({person['id']}) has {count} template(s); epoch {result['epoch']}")
    return 0


def _templates(config: PipelineConfig, clips: list[str]) -> tuple[NewTemplate, ...]:
    found: list[NewTemplate] = []
    for clip in clips:
        seen = observe(config, clip)
        found.extend(enrol_one(clip_tracks(seen.embedded), Path(clip).name))
    return tuple(found)
