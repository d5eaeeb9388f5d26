"""``run_pipeline.py enrol``: add people to the gallery, from clips, tracks or events."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from commands import gallery_shown as shown
from commands.cli import add_config_arguments, add_json_argument, print_json, say
from commands.config import PipelineConfig, load_config
from commands.counter import ask_gallery
from commands.durations import expiry_ns
from commands.observe import Observation, observe
from gait.gallery import requests as ask
from gait.gallery.enrol import clip_tracks, enrol_one
from gait.gallery.records import NewTemplate
from gait.gallery.sequences import pack_walk
from stream.errors import ConfigError, GalleryError
from stream.events import read_events
from stream.messages import Sample

VIDEOS: Final = (".mp4", ".avi", ".mov", ".mkv", ".webm", ".mpg", ".m4v", ".ts")
Arguments = argparse.Namespace


@dataclass(frozen=True)
class Material:
    """What clips gave for one person: templates, and walks where they are to be kept."""

    templates: tuple[NewTemplate, ...]
    walks: tuple[bytes, ...]


def configure(parser: argparse.ArgumentParser) -> None:
    """Where somebody walks, and what to call them."""
    add_config_arguments(parser)
    add_json_argument(parser)
    parser.add_argument(
        "clips", nargs="*", metavar="CLIP", help="video files or folders with this one person walking"
    )
    parser.add_argument("--name", default="", help="what to call the person")
    parser.add_argument(
        "--people", type=Path, metavar="DIR", help="enrol many: DIR/NAME/*.mp4 and DIR/NAME.mp4"
    )
    parser.add_argument(
        "--track", metavar="ID", default="", help="a finished or live track (see: gallery tracks)"
    )
    parser.add_argument("--event", metavar="ID", default="", help="the track of an event in --log")
    parser.add_argument(
        "--log", type=Path, default=Path("out/run/events.jsonl"), help="(default %(default)s)"
    )
    parser.add_argument(
        "--consent", default="", metavar="NOTE", help="how and when they agreed; kept with the person"
    )
    parser.add_argument(
        "--expires", type=expiry_ns, metavar="WHEN", help="30d, 2027-01-31: when their data end"
    )
    parser.add_argument(
        "--keep-walks",
        action="store_true",
        help="keep silhouettes and joints too, for `gallery re-embed`; needs --consent",
    )
    parser.add_argument(
        "--keep-outliers", action="store_true", help="keep templates that do not seem to be this person's"
    )


def run(arguments: Arguments) -> int:
    """Make the templates, hand them to whoever holds the gallery."""
    config = load_config(arguments.config, arguments.overrides)
    _check(arguments)
    if arguments.people:
        return _many(config, arguments)
    if arguments.clips:
        result = _from_clips(config, arguments, arguments.name, arguments.clips)
    else:
        track = arguments.track or _track_of(arguments.log, arguments.event)
        asked = ask.Enrol(
            arguments.name, track=track, consent=arguments.consent, expires_ns=arguments.expires
        )
        result = ask_gallery(config, ask.request("enrol", asked))
    if arguments.json:
        print_json(result)
    else:
        _tell(result)
    return 0


def _check(arguments: Arguments) -> None:
    ways = [arguments.clips, arguments.track, arguments.event, arguments.people]
    if sum(map(bool, ways)) != 1:
        wanted = "one of CLIP ..., --track ID, --event ID, --people DIR"
        raise ConfigError("enrol needs clips or a track", wanted=wanted)
    if bool(arguments.name) == bool(arguments.people):
        fix = "--people names them by their folders" if arguments.people else "Add --name NAME"
        raise ConfigError("who is it?", wanted="--name, or --people without it", fix=fix)
    if arguments.keep_walks and not arguments.consent:
        fix = "Say how they agreed: --consent NOTE"
        raise ConfigError("walks may not be kept without consent", where="--keep-walks", fix=fix)


def _tell(result: dict[str, Any]) -> None:
    person = result["person"]
    count = len(person["templates"])
    say(f"{person['name']} ({person['id']}) has {count} template(s); epoch {result['epoch']}")


def _from_clips(config: PipelineConfig, arguments: Arguments, name: str, clips: list[str]) -> dict[str, Any]:
    """Enrol one person from clips; templates that do not fit are shown, and kept only if that is wanted."""
    material = _watched(config, clips, keep_walks=arguments.keep_walks)
    templates = _fitting(config, name, material.templates, keep=arguments.keep_outliers)
    asked = ask.Enrol(
        name,
        templates,
        consent=arguments.consent,
        expires_ns=arguments.expires,
        walks=material.walks,
    )
    return ask_gallery(config, ask.request("enrol", asked))


def _watched(config: PipelineConfig, clips: list[str], *, keep_walks: bool) -> Material:
    templates: list[NewTemplate] = []
    walks: list[bytes] = []
    for clip in clips:
        seen = observe(config, clip)
        templates.extend(enrol_one(clip_tracks(seen.embedded), Path(clip).name))
        if keep_walks:
            walks.append(pack_walk(_main_walk(seen)))
    return Material(tuple(templates), tuple(walks))


def _main_walk(seen: Observation) -> list[Sample]:
    """The samples of the track that has most of them."""
    walks: dict[str, list[Sample]] = {}
    for message in seen.tracked:
        for sample in message.samples:
            walks.setdefault(str(sample.tracklet), []).append(sample)
    return max(walks.values(), key=len)


def _fitting(
    config: PipelineConfig, name: str, templates: tuple[NewTemplate, ...], *, keep: bool
) -> tuple[NewTemplate, ...]:
    """The templates without those that do not fit, unless they are to be kept all the same."""
    preview = ask.request("preview", ask.Preview(name, templates))
    found = ask_gallery(config, preview)["doubts"]
    if not found:
        return templates
    shown.doubts(found, [template.source for template in templates])
    if keep or _wanted(len(found)):
        return templates
    out = {doubt["place"] for doubt in found}
    fitting = tuple(template for place, template in enumerate(templates) if place not in out)
    if not fitting:
        fix = "Use other clips, or --keep-outliers if you are sure"
        raise GalleryError(f"no template of {name} fits; nothing was enrolled", fix=fix)
    say(f"{len(out)} template(s) left out; --keep-outliers keeps them")
    return fitting


def _wanted(count: int) -> bool:
    if not sys.stdin.isatty():
        return False
    return input(f"Keep these {count} template(s) all the same? [y/N] ").strip().lower() in ("y", "yes")


def _many(config: PipelineConfig, arguments: Arguments) -> int:
    """Enrol everybody in a folder of people; who is refused is named, and the others are enrolled."""
    enrolled: dict[str, int] = {}
    refused: dict[str, str] = {}
    for name, clips in _folder(arguments.people):
        try:
            result = _from_clips(config, arguments, name, clips)
            enrolled[name] = len(result["person"]["templates"])
            say(f"{name}: {enrolled[name]} template(s)")
        except GalleryError as error:
            refused[name] = str(error)
            say(f"{name} is refused: {error}")
    if arguments.json:
        print_json({"enrolled": enrolled, "refused": refused})
    else:
        say(f"{len(enrolled)} enrolled, {len(refused)} refused")
    return 1 if refused else 0


def _folder(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """(name, clips) of everybody in DIR/NAME/*.mp4 and DIR/NAME.mp4; raises ConfigError where nobody is."""
    people: dict[str, list[str]] = {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        clips = sorted(path.iterdir()) if path.is_dir() else [path]
        found = [str(clip) for clip in clips if clip.suffix.lower() in VIDEOS]
        if found:
            people.setdefault(path.name if path.is_dir() else path.stem, []).extend(found)
    if not people:
        wanted = f"folders or files named for people, with {', '.join(VIDEOS)}"
        raise ConfigError("nobody is there", where=str(folder), wanted=wanted)
    yield from people.items()


def _track_of(log: Path, event_id: str) -> str:
    """The tracklet of the event of this id, or of the only one whose id begins so."""
    found = {event.id: event.tracklet for event in read_events(log) if event.id.startswith(event_id)}
    if len(found) != 1:
        what = "no event" if not found else f"{len(found)} events"
        raise ConfigError(
            f"{what} of id {event_id[:40]!r}", where=str(log), wanted="one", fix="Name it whole"
        )
    (tracklet,) = found.values()
    if tracklet is None:
        raise ConfigError(f"event {event_id[:40]} is about no track", where=str(log))
    return tracklet
