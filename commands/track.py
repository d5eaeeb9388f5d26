"""``run_pipeline.py track``: follow the people in a recording; MOTChallenge files and an overlay video.

No gallery and no names: who is who is said by tracklets and by the links between them.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from commands.cli import Step, add_config_arguments, add_json_argument, print_json, progress, say
from commands.config import PipelineConfig, load_config
from commands.followed import LINKED, TRACKS, Followed, described, drawn
from commands.observe import CAMERA, one_camera
from commands.overlay import Image, write_video
from commands.pipeline import new_plan, run_plan
from commands.plan import RunPlan, is_live
from commands.recogniser import recogniser
from gait.score_map import built_in_map
from gait.walkers.source import PREFIX as WALKERS
from gait.walkers.source import open_walkers
from stream.errors import ConfigError, GaitwayError
from stream.messages import Embedded, People, Tracked
from stream.sources import register_source
from stream.trace import read_trace
from trackers.linker import Linker
from trackers.mot import Recording, people_of, read_mot
from trackers.stage import TrackStage

VIDEO: Final = "overlay.mp4"


def configure(parser: argparse.ArgumentParser) -> None:
    """A recording, and the place of the results."""
    add_config_arguments(parser)
    add_json_argument(parser)
    parser.add_argument(
        "file",
        metavar="FILE",
        help="a video, a folder of pictures, walkers:..., or a MOTChallenge detection file (.txt)",
    )
    parser.add_argument(
        "--out", type=Path, default=Path("out/track"), metavar="DIR", help="results (default out/track)"
    )
    parser.add_argument("--no-video", action="store_true", help="write no overlay video")
    parser.add_argument("--fps", type=float, help="of a detection file (default: as its seqinfo.ini says)")
    parser.add_argument("--size", metavar="WxH", help="of a detection file's pictures, in pixels (likewise)")


def run(arguments: argparse.Namespace) -> int:
    """Follow everybody, write what was seen, say what is where."""
    config = load_config(arguments.config, arguments.overrides)
    if arguments.file.endswith(".txt"):
        file = Path(arguments.file)
        recording = described(file, arguments.fps, arguments.size)
        followed = follow_boxes(file, recording, config)
        followed.write(arguments.out, recording)
        video = None
    else:
        video = None if arguments.no_video else arguments.out / VIDEO
        followed = _follow_pixels(arguments.file, config, arguments.out, video)
    _tell(followed, arguments.out, video, as_json=arguments.json)
    return 0


def follow_boxes(file: Path, recording: Recording, config: PipelineConfig) -> Followed:
    """Track the boxes of a detection file; without pixels nobody's gait is known, so nothing is linked."""
    followed, stage = Followed(), TrackStage(lambda _: None, config.track)
    rows = read_mot(file)
    with progress(f"tracking {file.name}", max((row.frame for row in rows), default=0)) as step:
        for people in people_of(rows, recording):
            for answer in stage.handle(people):
                assert isinstance(answer, Tracked)
                followed.take(people, answer)
            step.advance()
    return followed


def _follow_pixels(source: str, config: PipelineConfig, out: Path, video: Path | None) -> Followed:
    """Run the stages up to the embeddings, link, and write everything to ``out``."""
    if is_live(source):
        raise ConfigError("track follows recordings", where=source, fix="Watch cameras with `run`")
    with tempfile.TemporaryDirectory(prefix="gaitway-") as folder:
        plan = new_plan(one_camera(config, source), Path(folder), last="embed", traces=True)
        finished = run_plan(plan, what=f"watching {Path(source).name}")
        if finished.outcome.error is not None:
            raise finished.outcome.error
        if finished.outcome.hurried:
            raise KeyboardInterrupt
        followed, recording = _read(plan, Path(source).stem)
        followed.write(out, recording)
        if video is not None:
            register_source(WALKERS, open_walkers)
            with progress("drawing the overlay", followed.frames) as step:
                pictures = drawn(source, CAMERA, _frames(plan), followed.continued)
                write_video(video, _counted(pictures, step))
    return followed


def _read(plan: RunPlan, name: str) -> tuple[Followed, Recording]:
    """What the traces of a run say."""
    followed = Followed()
    first = last = None
    for people, tracked in _frames(plan):
        followed.take(people, tracked)
        first, last = first or people.frame, people.frame
    if first is None or last is None:
        raise GaitwayError("the recording has no frame", where=name, wanted="a video or pictures")
    linker = Linker(built_in_map(recogniser(plan.config).model.name).evidence, plan.config.track.stitch)
    for message in read_trace(plan.trace("embed")):
        for statement in linker.take(message) if isinstance(message, Embedded) else ():
            followed.note(statement)
    elapsed_s = (last.captured_ns - first.captured_ns) / 1e9
    fps = round((last.number - first.number) / elapsed_s, 3) if elapsed_s > 0 else 25.0
    return followed, Recording(name, fps, first.width, first.height)


def _frames(plan: RunPlan) -> Iterator[tuple[People, Tracked]]:
    """Perception's and the tracker's answer to each frame; at the end the tracker repeats the last."""
    seen = (one for one in read_trace(plan.trace("perceive")) if isinstance(one, People))
    tracked = (one for one in read_trace(plan.trace("track")) if isinstance(one, Tracked))
    return zip(seen, tracked, strict=False)


def _counted(pictures: Iterator[tuple[float, Image]], step: Step) -> Iterator[tuple[float, Image]]:
    for picture in pictures:
        step.advance()
        yield picture


def _tell(followed: Followed, out: Path, video: Path | None, *, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "frames": followed.frames,
                "detections": len(followed.detections),
                "tracklets": followed.ids,
                "links": len(followed.earlier),
                "links_retracted": followed.retracted,
                "people": followed.chains,
                "out": str(out),
                "video": str(video) if video else None,
            }
        )
        return
    say(
        f"{followed.frames} frames, {followed.ids} tracklets, {len(followed.earlier)} link(s): "
        f"{followed.chains} as far as is known"
    )
    say(f"{out / TRACKS} has an id per tracklet, {out / LINKED} one per chain of links")
    if video is not None:
        say(f"{video} shows both")
