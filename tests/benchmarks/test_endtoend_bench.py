"""The curve of the end-to-end bench: a clip played slower is the same clip, and a point measures what it says."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from benchmarks.endtoend_curve import FPS, point, slowed
from benchmarks.pipeline_clock import Timed
from commands.config import load_config
from engines.weights import POSE_LANDMARKS, ensure
from gait.walkers.clip import write_clip
from gait.walkers.scenes import endtoend_scene
from stream.errors import WeightsError


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("endtoend") / "clip.mp4"
    write_clip(endtoend_scene(1, 1.2), path)
    return path


def pictures(path: Path) -> tuple[list[float], list[np.ndarray]]:
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
        return [frame.time for frame in frames], [frame.to_ndarray(format="rgb24") for frame in frames]


def test_a_slowed_clip_has_the_same_pictures_further_apart(clip: Path, tmp_path: Path) -> None:
    times, images = pictures(clip)
    slower, same = pictures(slowed(clip, tmp_path / "slow.mp4", 2.5))
    assert np.diff(slower) == pytest.approx(2.5 * np.diff(times), abs=1e-3)
    assert all(np.array_equal(one, other) for one, other in zip(images, same, strict=True))
    assert slowed(clip, tmp_path / "none.mp4", 1.0) == clip


def test_delays_are_counted_from_each_cameras_first_frame() -> None:
    timed = Timed({"a": 5_000_000_000, "b": 4_000_000_000}, 9_000_000_000, 100, [0.1, 0.2, 0.3])
    assert timed.seconds == 5.0
    assert timed.delay_ms(50) == pytest.approx(200)
    assert np.isnan(Timed().delay_ms(99))


@pytest.mark.slow
def test_a_point_of_two_cameras_counts_the_frames_of_both(clip: Path, tmp_path: Path) -> None:
    try:
        ensure(POSE_LANDMARKS)
    except WeightsError as error:
        pytest.skip(f"weights cannot be had here: {error}")
    found = point(load_config(None, ["stream.heartbeat_s=120"]), clip, 2, tmp_path)
    assert found["fps"] == pytest.approx(2 * found["fps_a_camera"])
    assert 0 < found["played_fps"] <= FPS
    if found["events"]:
        assert 0 < found["delay_p50_ms"] <= found["delay_p99_ms"]
