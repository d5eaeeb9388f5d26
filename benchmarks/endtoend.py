"""The whole pipeline against the floor: what decoding and the nets alone cost for the same frames.

The floor is the time one process needs to decode the clip and to run the very net calls that perception makes
on it, one after the other, and nothing else: no crops, no masks, no tracking, no messages. The pipeline is
timed from its first captured frame to its last published one; starting processes and compiling nets is not
counted on either side. ``--curve`` adds how both hold up with more people and more cameras.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.endtoend_curve import curve
from benchmarks.pipeline_clock import run_timed
from benchmarks.report import BenchResult, Figure
from commands.cli import add_config_arguments, progress, whole
from commands.config import CameraConfig, PipelineConfig, load_config
from engines.perceive import PerceiveStage, Perception, load_nets
from engines.runtimes.net import Arrays, Net, NetInfo, TensorSpec
from gait.walkers.clip import write_clip
from gait.walkers.scenes import endtoend_scene
from stream.messages import FrameRef, FrameToken
from stream.sources import open_source
from stream.sources.base import Image

CAMERA: Final = "bench"


def configure(parser: argparse.ArgumentParser) -> None:
    """Which walkers, for how long, or which clip."""
    add_config_arguments(parser)
    parser.add_argument("--seed", type=whole(0), default=1, help="picks the three walkers (default 1)")
    parser.add_argument(
        "--seconds", type=float, default=12.0, help="length of the rendered clip (default 12)"
    )
    parser.add_argument("--clip", type=Path, help="measure on this recording instead of rendered walkers")
    parser.add_argument(
        "--repeat", type=whole(1), default=3, help="runs of pipeline and floor in turn (default 3)"
    )
    parser.add_argument(
        "--curve",
        action="store_true",
        help="also 1 to 12 people and 1 to 8 cameras: frames a second, delays (ten minutes on two cores)",
    )
    parser.add_argument(
        "--curve-seconds", type=float, default=6.0, help="length of the curve's clips (default 6)"
    )


def run(arguments: argparse.Namespace) -> BenchResult:
    """Pipeline and floor in turn; medians."""
    config = load_config(arguments.config, arguments.overrides)
    with tempfile.TemporaryDirectory(prefix="gaitway-") as name:
        folder = Path(name)
        clip = arguments.clip or _rendered(arguments.seed, arguments.seconds, folder)
        calls, frames, people = net_calls(config, clip)
        floors, ours = [], []
        for turn in range(arguments.repeat):
            floors.append(decode_seconds(clip) + nets_seconds(config, calls))
            cameras = {CAMERA: CameraConfig(str(clip))}
            ours.append(run_timed(config, cameras, folder / str(turn)).seconds)
        more = curve(config, arguments.seed, arguments.curve_seconds, folder) if arguments.curve else {}
    floor_s, ours_s = float(np.median(floors)), float(np.median(ours))
    figures: dict[str, Figure] = {
        "frames": frames,
        "people_per_frame": people / frames,
        "detector_runs_per_frame": sum(c.runs for c in calls if c.net == 0) / frames,
        "landmark_runs_per_frame": sum(c.runs for c in calls if c.net == 1) / frames,
        "fps": frames / ours_s,
        "floor_fps": frames / floor_s,
        "precision": config.perceive.nets.precision,
        "transport": config.stream.transport,
        **more,
    }
    return BenchResult.of("endtoend", figures, {"share_of_floor": floor_s / ours_s})


def _rendered(seed: int, seconds: float, folder: Path) -> Path:
    clip, scene = folder / "clip.mp4", endtoend_scene(seed, seconds)
    with progress("rendering the clip", scene.frame_count) as step:
        write_clip(scene, clip, progress=step.set)
    return clip


@dataclass(frozen=True)
class Call:
    """One call of one net (0 detector, 1 landmarks) with ``runs`` inferences."""

    net: int
    runs: int


@dataclass
class CountingNet:
    """A net that notes how it is called."""

    net: Net
    number: int
    calls: list[Call] = field(default_factory=list)

    @property
    def inputs(self) -> Mapping[str, TensorSpec]:
        """The net's own."""
        return self.net.inputs

    @property
    def outputs(self) -> Mapping[str, TensorSpec]:
        """The net's own."""
        return self.net.outputs

    def describe(self) -> NetInfo:
        """The net's own."""
        return self.net.describe()

    def run(self, arrays: Arrays) -> dict[str, NDArray[Any]]:
        """Note and run."""
        self.calls.append(Call(self.number, 1))
        return self.net.run(arrays)

    def run_each(self, batches: Sequence[Arrays]) -> list[dict[str, NDArray[Any]]]:
        """Note and run."""
        if batches:
            self.calls.append(Call(self.number, len(batches)))
        return self.net.run_each(batches)


class OneFrame:
    """The picture in hand, where a stage looks for its pixels."""

    def __init__(self) -> None:
        self.image: Image = np.zeros((0, 0, 3), np.uint8)

    @contextmanager
    def lease(self, token: FrameToken) -> Iterator[Image]:
        """The picture, whatever the token says."""
        del token
        yield self.image


def net_calls(config: PipelineConfig, clip: Path) -> tuple[list[Call], int, int]:
    """Every net call that perception makes on the clip, the frames, and the people seen in all."""
    calls: list[Call] = []
    detector, landmarks = (
        CountingNet(net, i, calls) for i, net in enumerate(load_nets(config.perceive.nets))
    )
    frames, people, held = 0, 0, OneFrame()
    stage = PerceiveStage(held, Perception(detector, landmarks, config.perceive))
    source = open_source(str(clip), CAMERA)
    try:
        for picture in source.frames():
            height, width = picture.image.shape[:2]
            held.image = picture.image
            frame = FrameRef(CAMERA, source.run, picture.number, picture.captured_ns, 0, width, height)
            for message in stage.handle(FrameToken(frame, "held", 0, 0)):
                people += len(getattr(message, "people", ()))
            frames += 1
    finally:
        source.close()
    return calls, frames, people


def nets_seconds(config: PipelineConfig, calls: Sequence[Call]) -> float:
    """The time of those calls alone, inputs ready."""
    nets = load_nets(config.perceive.nets)
    rng = np.random.default_rng(0)
    inputs = [{name: _noise(rng, spec) for name, spec in net.inputs.items()} for net in nets]
    for net, arrays in zip(nets, inputs, strict=True):
        net.run(arrays)
    began = time.perf_counter()
    for call in calls:
        nets[call.net].run_each([inputs[call.net]] * call.runs)
    return time.perf_counter() - began


def _noise(rng: np.random.Generator, spec: TensorSpec) -> NDArray[Any]:
    if spec.dtype == "uint8":
        return rng.integers(0, 256, spec.shape, np.uint8)
    return rng.random(spec.shape).astype(spec.dtype)


def decode_seconds(clip: Path) -> float:
    """The time to decode every picture to BGR, as the source does."""
    source = open_source(str(clip), CAMERA)
    try:
        began = time.perf_counter()
        for _ in source.frames():
            pass
        return time.perf_counter() - began
    finally:
        source.close()
