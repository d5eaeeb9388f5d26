"""A scene as a video file with its truth beside it."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import msgspec

from gait.walkers.happenings import happenings
from gait.walkers.scene import Scene
from gait.walkers.truth import (
    ClipTruth,
    FrameRecord,
    PersonRecord,
    Rendered,
    mot_path,
    truth_path,
)
from stream.errors import ConfigError, ResourceError

Options = dict[str, object]
Progress = Callable[[int, int], None]
"""(frames done, frames in all)."""
MPEG4: Options = {"qscale": "3"}
X264: Options = {"crf": "20", "preset": "veryfast", "x264-params": "mbtree=0"}
"""Visually clean, about 0.1 MB a second at 720p; with mbtree x264 gives other bytes now and then."""


def write_clip(scene: Scene, path: Path, progress: Progress | None = None) -> ClipTruth:
    """Write ``path`` (.mp4: H.264, else MPEG-4 part 2), its truth as JSON and as MOT; return the truth.

    Raises ConfigError for another name, ResourceError where the file cannot be written or encoded.
    """
    if path.suffix.lower() != ".mp4":
        raise ConfigError("not a name for a clip", where=str(path), wanted="a name that ends in .mp4")
    rate = Fraction(scene.fps).limit_denominator(1001)
    frames: list[FrameRecord] = []
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with av.open(str(path), "w") as container:
            stream = _video_stream(container, scene, rate)
            for rendered in scene.frames():
                for packet in stream.encode(_picture(rendered, rate)):
                    container.mux(packet)
                frames.append(record(rendered))
                if progress is not None:
                    progress(len(frames), scene.frame_count)
            for packet in stream.encode(None):
                container.mux(packet)
        truth = clip_truth(scene, tuple(frames))
        truth_path(path).write_bytes(msgspec.json.encode(truth))
        mot_path(path).write_text(truth.mot(), encoding="ascii")
    except (OSError, av.FFmpegError) as error:
        raise ResourceError(
            f"cannot write the clip ({error})",
            where=str(path),
            wanted="a folder with free space that may be written to",
        ) from error
    return truth


def clip_truth(scene: Scene, frames: tuple[FrameRecord, ...]) -> ClipTruth:
    """The truth of a scene's ``frames``."""
    people = {walker.person.name: walker.person for walker in scene.walkers}
    size, who = (scene.camera.width, scene.camera.height_px), tuple(people.values())
    plain = ClipTruth(*size, scene.fps, scene.seed, tuple(people), frames, people=who)
    return msgspec.structs.replace(plain, events=happenings(scene, plain))


def record(rendered: Rendered) -> FrameRecord:
    """A frame's truth as it is stored."""
    people = tuple(PersonRecord.of(person) for person in rendered.truth)
    return FrameRecord(rendered.number, round(rendered.time_s, 6), people)


def _video_stream(container: av.container.OutputContainer, scene: Scene, rate: Fraction) -> av.VideoStream:
    """The encoder, on one thread: the same scene gives the same bytes."""
    names = [name for name in ("libx264", "mpeg4") if name in av.codecs_available]
    if not names:
        raise ResourceError("this build of PyAV has no video encoder", wanted="libx264 or mpeg4")
    stream = container.add_stream(names[0], rate=rate)
    stream.width, stream.height = scene.camera.width, scene.camera.height_px
    stream.pix_fmt = "yuv420p"
    stream.time_base = 1 / rate
    stream.codec_context.thread_count = 1
    stream.options = dict(X264 if names[0] == "libx264" else MPEG4)
    return stream


def _picture(rendered: Rendered, rate: Fraction) -> av.VideoFrame:
    frame = av.VideoFrame.from_ndarray(rendered.image, format="bgr24")
    frame.pts, frame.time_base = rendered.number, 1 / rate
    return frame
