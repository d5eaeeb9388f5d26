"""`run` with other engines than its own, over a real clip where there is one: every frame through, somebody seen."""

from __future__ import annotations

import os
from pathlib import Path

import av
import pytest

from engines import mediapipe_environment
from gait.walkers.clip import write_clip
from gait.walkers.scenes import endtoend_scene
from stream.events import read_events
from tests.commands.conftest import Run

DATA = Path(os.environ.get("GAITWAY_DATA", "/nonexistent"))
FRAMES = 60


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first frames of a real walker; a rendered one where no data is at hand."""
    real, target = DATA / "video" / "aiog_input_demo1.mp4", tmp_path_factory.mktemp("clip") / "clip.mp4"
    if not real.is_file():
        write_clip(endtoend_scene(1, FRAMES / 25), target)
        return target
    with av.open(str(real)) as source, av.open(str(target), "w") as sink:
        shown = source.streams.video[0]
        stream = sink.add_stream_from_template(shown)
        for number, packet in enumerate(source.demux(shown)):
            if packet.dts is None or number == FRAMES:
                break
            packet.stream = stream
            sink.mux(packet)
    return target


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["detector", "pose"])
def test_a_clip_goes_through_with_another_engine(
    gaitway: Run, clip: Path, engine: str, tmp_path: Path
) -> None:
    yolox = DATA / "models" / "yolox_nano.onnx"
    if engine == "detector" and not yolox.is_file():
        pytest.skip("GAITWAY_DATA holds no yolox_nano.onnx")
    if engine == "pose" and mediapipe_environment.find().python is None:
        pytest.skip(f"mediapipe is not there: {mediapipe_environment.find().reason}")
    value = str(yolox) if engine == "detector" else "mediapipe"
    chosen = ("--set", f"perceive.engines.{engine}={value}")
    done = gaitway("run", "--source", f"hall={clip}", "--out", "out", *chosen, timeout_s=900)
    assert done.returncode == 0, done.stderr
    assert f"hall: {FRAMES} captured = {FRAMES} processed + 0 dropped + 0 lost" in done.stderr
    events = list(read_events(tmp_path / "out" / "events.jsonl"))
    assert any(event.kind == "new" for event in events)
    told = events[0].details
    assert told["pose" if engine == "pose" else "detector"]
