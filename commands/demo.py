"""``run_pipeline.py demo``: the main job with known truth, from pixels to events.

Two clips are rendered. In the first some people are enrolled, through the same perception and tracker that
watch the second, in which they come again with a stranger among them.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from benchmarks.report import BenchResult
from commands.bench import show
from commands.cli import add_config_arguments, add_json_argument, print_json, progress, say, whole
from commands.config import EventsConfig, GalleryConfig, PipelineConfig, load_config
from commands.demo_report import Told, print_table, write_pictures
from commands.judging import Boxes, LinkVerdict, Verdict, judge, judge_links, owners
from commands.observe import Observation, observe, one_camera, read_observation
from commands.pipeline import Finished, new_plan, run_plan
from commands.plan import forget_traces
from gait.gallery.enrol import clip_tracks, enrol_named
from gait.gallery.store import Gallery
from gait.walkers.clip import write_clip
from gait.walkers.scene import Scene
from gait.walkers.scenes import DemoScenes, demo_scenes
from gait.walkers.truth import ClipTruth
from stream.events import read_events
from stream.messages import Event, Tracked, TrackletId
from stream.sinks.config import SinksConfig

CAMERA = "demo"
VISIBLE = 0.3  # people at least this visible count as there


@dataclass(frozen=True)
class DemoRun:
    """One seed's run: who was there, what was said, and where it all lies."""

    seed: int
    folder: Path
    verdicts: tuple[Verdict, ...]
    events: tuple[Event, ...]
    seen: Observation
    finished: Finished
    links: tuple[LinkVerdict, ...] = ()


def configure(parser: argparse.ArgumentParser) -> None:
    """Seeds and the place of the results."""
    add_config_arguments(parser)
    add_json_argument(parser)
    parser.add_argument(
        "--seed", type=whole(0), default=1, help="picks people, clothes and paths (default 1)"
    )
    parser.add_argument(
        "--seeds", type=whole(1), metavar="N", help="run N seeds from --seed on and print rates; no pictures"
    )
    parser.add_argument(
        "--changed", action="store_true", help="in the second clip with other clothes, bags and ways across"
    )
    parser.add_argument(
        "--out", type=Path, default=Path("out/demo"), metavar="DIR", help="results (default out/demo)"
    )


def run(arguments: argparse.Namespace) -> int:
    """One seed with pictures, or many with rates."""
    config = load_config(arguments.config, arguments.overrides)
    if arguments.seeds is not None:
        return _many(arguments, config)
    demo = run_seed(config, arguments.seed, arguments.out, arguments.changed)
    if demo.finished.outcome.hurried:
        return demo.finished.outcome.exit_status
    told = Told(demo.verdicts, demo.links, demo.events)
    write_pictures(demo.folder, told, demo.seen, demo.finished, CAMERA)
    forget_traces(demo.finished.plan)
    if arguments.json:
        print_json(_result([demo]).as_dict())
    else:
        print_table(demo.verdicts, demo.links, demo.folder)
    return demo.finished.outcome.exit_status


def _many(arguments: argparse.Namespace, config: PipelineConfig) -> int:
    runs: list[DemoRun] = []
    for seed in range(arguments.seed, arguments.seed + arguments.seeds):
        demo = run_seed(config, seed, arguments.out / f"seed-{seed}", arguments.changed)
        if demo.finished.outcome.hurried:  # a clip cut short is no measurement
            say(f"stopped after {len(runs)} of {arguments.seeds} seeds")
            break
        runs.append(demo)
        wrong = [f"{v.person}: {v.text}" for v in demo.verdicts if not v.right]
        say(f"seed {seed}: {'all right' if not wrong else '; '.join(wrong)}")
        if wrong:
            say(f"kept to look at: {demo.folder}")
        else:
            shutil.rmtree(demo.folder)
    if runs and arguments.json:
        print_json(_result(runs).as_dict())
    elif runs:
        show(_result(runs))
    return demo.finished.outcome.exit_status


def _result(runs: list[DemoRun]) -> BenchResult:
    enrolled = [v for demo in runs for v in demo.verdicts if v.enrolled]
    right = sum(v.right for v in enrolled)
    named = [any(v.named for v in demo.verdicts if not v.enrolled) for demo in runs]
    figures = {
        "seeds": len(runs),
        "first_seed": runs[0].seed,
        "enrolled": len(enrolled),
        "named_right": right,
        "named_wrong": sum(bool(set(v.named) - {v.person}) for v in enrolled),
        "never_named": sum(not v.named for v in enrolled),
        "strangers_named": sum(named),
        "links": sum(link.taken_back_s is None for demo in runs for link in demo.links),
        "links_wrong": sum(link.wrong for demo in runs for link in demo.links),
    }
    values = {
        "named_right": right / max(1, len(enrolled)),
        "seeds_with_a_stranger_named": float(sum(named)),
    }
    return BenchResult.of("demo", figures, values)


def run_seed(config: PipelineConfig, seed: int, folder: Path, changed: bool = False) -> DemoRun:
    """Render, enrol, watch and judge one seed; raises the error that ended a run early."""
    shutil.rmtree(folder, ignore_errors=True)
    scenes = demo_scenes(seed, changed=changed)
    gallery_clip, probe_clip = folder / "gallery.mp4", folder / "probe.mp4"
    gallery_truth = _render(scenes.gallery, gallery_clip)
    probe_truth = _render(scenes.probe, probe_clip)
    config = msgspec.structs.replace(
        config,
        gallery=GalleryConfig(str(folder / "gallery.sqlite")),
        events=_private(config.events, folder),
        sinks=SinksConfig(),  # a demo tells nobody else
    )
    _enrol(config, scenes, gallery_clip, gallery_truth)
    watched = one_camera(config, str(probe_clip), CAMERA)
    finished = run_plan(
        new_plan(watched, folder, traces=True), scenes.probe.frame_count, "watching the probe clip"
    )
    if finished.outcome.error is not None:
        raise finished.outcome.error
    seen = read_observation(finished)
    events = tuple(read_events(finished.plan.event_log))
    there = visible_boxes(probe_truth)
    verdicts = judge(seen.tracked, events, there, scenes.enrolled)
    links = judge_links(seen.tracked, events, there)
    return DemoRun(seed, folder, tuple(verdicts), events, seen, finished, links)


def _private(events: EventsConfig, folder: Path) -> EventsConfig:
    """Endpoints in the demo's own folder, so that it never meets a running pipeline's."""
    base = f"ipc://{folder.resolve()}"
    return msgspec.structs.replace(events, endpoint=f"{base}/events.sock", repair="")


def _render(scene: Scene, clip: Path) -> ClipTruth:
    with progress(f"rendering the {scene.name} clip", scene.frame_count) as step:
        return write_clip(scene, clip, progress=step.set)


def _enrol(config: PipelineConfig, scenes: DemoScenes, clip: Path, truth: ClipTruth) -> None:
    """Everyone the truth names in the gallery clip, from the tracks that perception and tracker gave."""
    seen = observe(config, str(clip), scenes.gallery.frame_count)
    names = _tracklet_names(seen.tracked, owners(seen.tracked, visible_boxes(truth)))
    gallery = Gallery(Path(config.gallery.path))
    try:
        found = enrol_named(clip_tracks(seen.embedded), names, clip.name)
        for name, templates in found.kept.items():
            gallery.enrol(name, templates, consent="rendered: nobody to ask")
        for name, why in found.refused.items():
            say(f"{name} is not enrolled: {why}")
    finally:
        gallery.close()


def _tracklet_names(tracked: Iterable[Tracked], owner: Mapping[str, str]) -> dict[TrackletId, str]:
    ids = {track.tracklet for message in tracked for track in message.tracks}
    return {tracklet: owner[str(tracklet)] for tracklet in ids if str(tracklet) in owner}


def visible_boxes(truth: ClipTruth) -> Boxes:
    """Frame -> person -> box of what can be seen, for people at least ``VISIBLE`` visible."""
    return {
        frame.number: {
            person.identity: person.visible_box
            for person in frame.people
            if person.visible_box is not None and person.visible >= VISIBLE
        }
        for frame in truth.frames
    }
