"""The box filter: independent reference, real time steps, camera motion."""

import numpy as np
import pytest

from trackers.config import MotionConfig
from trackers.motion import BoxFilter, centred, cornered

BOX = np.array([[100.0, 200.0, 80.0, 240.0]])
ROW = np.zeros(1, dtype=np.intp)
SURE = np.ones(1)


def started(config: MotionConfig | None = None) -> BoxFilter:
    box_filter = BoxFilter(config or MotionConfig())
    box_filter.append(BOX.copy())
    return box_filter


def test_corners_and_centres_are_each_others_inverse() -> None:
    corners = np.array([[1.0, 2.0, 5.0, 10.0], [-3.0, 0.0, 1.0, 1.0]])
    assert np.array_equal(cornered(centred(corners)), corners)


def test_it_agrees_with_a_textbook_kalman_filter_of_one_axis() -> None:
    config = MotionConfig()
    box_filter = started(config)
    height = BOX[0, 3]
    noise = (config.centre_noise * height) ** 2
    state = np.array([BOX[0, 0], 0.0])
    covariance = np.diag([noise, (config.start_speed * height) ** 2])
    for dt_s, seen in ((0.04, 104.0), (0.5, 150.0), (0.1, 163.0)):
        move = np.array([[1.0, dt_s], [0.0, 1.0]])
        grow = np.array([[dt_s**3 / 3, dt_s**2 / 2], [dt_s**2 / 2, dt_s]])
        covariance = move @ covariance @ move.T + (config.centre_agility * height) ** 2 * grow
        state = move @ state
        gain = covariance[:, 0] / (covariance[0, 0] + noise)
        state = state + gain * (seen - state[0])
        covariance = covariance - np.outer(gain, covariance[0])

        box_filter.predict(dt_s)
        box_filter.rate[:, 2:] = 0.0
        box_filter.box[:, 2:] = BOX[:, 2:]
        box_filter.update(ROW, np.array([[seen, 200.0, 80.0, 240.0]]), SURE)
        assert box_filter.box[0, 0] == pytest.approx(state[0])
        assert box_filter.rate[0, 0] == pytest.approx(state[1])
        assert box_filter.box_variance[0, 0] == pytest.approx(covariance[0, 0])
        assert box_filter.rate_variance[0, 0] == pytest.approx(covariance[1, 1])


def test_one_long_step_is_as_unsure_as_many_short_ones() -> None:
    long, short = started(), started()
    long.predict(0.5)
    for _ in range(50):
        short.predict(0.01)
    assert np.allclose(long.box, short.box)
    assert np.allclose(long.box_variance[:, :2], short.box_variance[:, :2])


def test_a_steady_walk_is_learned_in_pixels_per_second_whatever_the_frame_rate() -> None:
    for step_s in (0.1, 0.04, 1 / 30):
        box_filter = started()
        for i in range(1, round(2.0 / step_s)):
            box_filter.predict(step_s)
            box_filter.update(ROW, BOX + np.array([[120.0 * step_s * i, 0, 0, 0]]), SURE)
        assert box_filter.rate[0, 0] == pytest.approx(120.0, rel=0.02)


def test_a_low_score_moves_the_track_less() -> None:
    trusting, doubting = started(), started()
    seen = BOX + np.array([[30.0, 0.0, 0.0, 0.0]])
    for box_filter, score in ((trusting, 1.0), (doubting, 0.2)):
        box_filter.predict(0.04)
        box_filter.update(ROW, seen, np.array([score]))
    assert 100.0 < doubting.box[0, 0] < trusting.box[0, 0] < 130.0


def test_an_unseen_size_stops_changing() -> None:
    box_filter = started()
    box_filter.rate[0, 3] = -200.0
    for _ in range(100):
        box_filter.predict(0.04)
    assert box_filter.box[0, 3] > 150.0


def test_the_camera_turning_carries_positions_speeds_and_sizes() -> None:
    box_filter = started()
    box_filter.rate[0, :2] = (10.0, 0.0)
    box_filter.warp((0.0, -2.0, 7.0, 2.0, 0.0, 1.0))
    assert box_filter.box[0].tolist() == [-393.0, 201.0, 160.0, 480.0]
    assert box_filter.rate[0, :2].tolist() == [0.0, 20.0]


def test_variances_never_become_negative() -> None:
    box_filter = started()
    rng = np.random.default_rng(0)
    for _ in range(2000):
        box_filter.predict(float(rng.uniform(0.001, 0.7)))
        box_filter.update(ROW, BOX + rng.normal(0, 3, (1, 4)), rng.uniform(0, 1, 1))
        assert (box_filter.box_variance > 0).all()
        assert (box_filter.rate_variance > 0).all()
