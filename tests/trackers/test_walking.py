"""Telling walking from standing, and counting gait cycles."""

import numpy as np
import pytest

from stream.messages import Array
from tests.trackers.makers import SECOND, person, walker
from trackers.config import WindowConfig
from trackers.walking import Gait, ankle_separation


def walk(
    gait: Gait, seconds: float, fps: float, cycles_per_s: float, noise: float = 0.0, speed: float = 0.0
) -> None:
    rng = np.random.default_rng(0)
    for i in range(round(seconds * fps)):
        at_s = i / fps
        across = 0.2 * np.sin(2 * np.pi * cycles_per_s * at_s) + rng.normal(0, noise)
        gait.observe(round(at_s * SECOND), (float(across), float(rng.normal(0, noise))), speed)


@pytest.mark.parametrize("fps", [10.0, 25.0, 30.0])
def test_cycles_are_counted_at_any_frame_rate(fps: float) -> None:
    gait = Gait(WindowConfig())
    walk(gait, 10.0, fps, cycles_per_s=0.9, noise=0.01)
    assert gait.walking
    assert gait.cycles == pytest.approx(9.0, abs=0.75)


def test_counting_starts_again_with_a_window() -> None:
    gait = Gait(WindowConfig())
    walk(gait, 5.0, 25.0, cycles_per_s=1.0)
    gait.restart()
    assert gait.cycles == 0.0


def test_a_person_who_stands_is_not_walking() -> None:
    gait = Gait(WindowConfig())
    walk(gait, 5.0, 25.0, cycles_per_s=0.0, noise=0.01)
    assert not gait.walking


def test_a_walker_who_stops_is_noticed_within_two_seconds() -> None:
    gait = Gait(WindowConfig())
    walk(gait, 4.0, 25.0, cycles_per_s=0.9, speed=0.6)
    assert gait.walking
    for i in range(50):
        gait.observe(4 * SECOND + i * SECOND // 25, (0.02, 0.0), 0.0)
    assert not gait.walking


def test_walking_on_the_spot_counts_and_so_does_moving_without_ankles() -> None:
    treadmill, distant = Gait(WindowConfig()), Gait(WindowConfig())
    walk(treadmill, 3.0, 25.0, cycles_per_s=0.9)
    for i in range(50):
        distant.observe(i * SECOND // 25, None, 0.7)
    assert treadmill.walking
    assert distant.walking
    assert distant.cycles == 0.0


def test_ankles_are_read_in_heights_and_only_where_sure() -> None:
    apart = ankle_separation(walker(1 / 3.6), 240.0)
    assert apart is not None
    assert apart[0] == pytest.approx(0.4, abs=0.01)
    unsure = Array.of(np.zeros((17, 3), np.float32))
    assert ankle_separation(person(keypoints=unsure), 240.0) is None
    assert ankle_separation(person(), 240.0) is None
    nan = Array.of(np.full((17, 3), np.nan, np.float32))
    assert ankle_separation(person(keypoints=nan), 240.0) is None
