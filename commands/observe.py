"""Look at a recording without a gallery: the same stages up to the embeddings, as enrolment needs them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec

from commands.config import CameraConfig, PipelineConfig
from commands.pipeline import Finished, new_plan, run_plan
from stream.messages import Embedded, Message, People, Tracked
from stream.sources import SourceOptions
from stream.trace import read_trace

CAMERA = "clip"
M = TypeVar("M", bound=Message)


@dataclass(frozen=True)
class Observation:
    """What the stages said of a recording, frame by frame."""

    people: tuple[People, ...]
    tracked: tuple[Tracked, ...]
    embedded: tuple[Embedded, ...]


def one_camera(
    config: PipelineConfig, source: str, camera: str = CAMERA, options: SourceOptions | None = None
) -> PipelineConfig:
    """``config`` with ``source`` as its only camera."""
    cameras = {camera: CameraConfig(source, options or SourceOptions())}
    return msgspec.structs.replace(config, cameras=cameras)


def observe(config: PipelineConfig, source: str, expected_frames: int | None = None) -> Observation:
    """Run source, perceive, track and embed over ``source``; raises the error that ended them, if any."""
    with tempfile.TemporaryDirectory(prefix="gaitway-") as folder:
        plan = new_plan(one_camera(config, source), Path(folder), last="embed", traces=True)
        finished = run_plan(plan, expected_frames, what=f"watching {Path(source).name}")
        if finished.outcome.error is not None:
            raise finished.outcome.error
        if finished.outcome.hurried:
            raise KeyboardInterrupt
        return read_observation(finished)


def read_observation(finished: Finished) -> Observation:
    """The traces of a finished run."""
    return Observation(
        tuple(_of(finished, "perceive", People)),
        tuple(_of(finished, "track", Tracked)),
        tuple(_of(finished, "embed", Embedded)),
    )


def _of(finished: Finished, stage: str, kind: type[M]) -> Iterator[M]:
    return (message for message in read_trace(finished.plan.trace(stage)) if isinstance(message, kind))
