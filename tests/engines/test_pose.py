"""The landmark net's answer in image pixels and camera axes."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.heat import refined
from engines.pose import HEAT, LANDMARKS, MASK, PRESENCE, WORLD, PoseNet, read, sigmoid, turned
from engines.regions import Region, apply
from tests.engines.fake_nets import FakeLandmarks, draw

PIXELS = np.zeros((256, 256, 3), np.uint8)


def outputs(landmarks: np.ndarray, heat: np.ndarray | None = None) -> dict[str, np.ndarray]:
    return {
        LANDMARKS: landmarks.reshape(1, -1).astype(np.float32),
        PRESENCE: np.array([[0.8]], np.float32),
        MASK: np.zeros((1, 256, 256, 1), np.float32),
        HEAT: np.full((1, 64, 64, 39), -20.0, np.float32) if heat is None else heat[None],
        WORLD: np.arange(117, dtype=np.float32).reshape(1, -1),
    }


@given(st.floats(-1.2, 1.2), st.floats(20, 900))
def test_points_and_the_next_region_lie_where_the_region_puts_them(angle: float, side: float) -> None:
    region = Region(300, 200, side, angle)
    landmarks = np.full((39, 5), 128.0)
    landmarks[0, :2] = (10, 250)
    landmarks[34, :2] = (128, 128 - 256 / 2.5)
    pose = read(outputs(landmarks), region, PIXELS)
    assert pose.keypoints[0, :2] == pytest.approx(
        apply(region.to_image(256), np.array([[9.5, 249.5]]))[0], abs=0.01
    )
    assert pose.following.x == pytest.approx(300, abs=0.01)
    assert pose.following.side == pytest.approx(side, rel=1e-3)
    assert pose.following.angle == pytest.approx(angle, abs=1e-3)
    assert pose.sound


def test_confidence_is_the_lesser_of_visibility_and_presence() -> None:
    landmarks = np.full((39, 5), 128.0)
    landmarks[0, 3:] = (-3.0, 5.0)
    landmarks[1, 3:] = (500.0, -500.0)
    pose = read(outputs(landmarks), Region(0, 0, 256), PIXELS)
    assert pose.keypoints[0, 2] == pytest.approx(1 / (1 + math.exp(3)), abs=1e-6)
    assert pose.keypoints[1, 2] == pytest.approx(0.0, abs=1e-6)


def test_the_world_turns_back_with_the_region() -> None:
    up_in_crop = np.array([[0.0, -1.0, 0.5]], np.float32)
    quarter = turned(up_in_crop, math.pi / 2)  # the crop's up is the image's right
    assert quarter[0] == pytest.approx((1.0, 0.0, 0.5), abs=1e-6)


@pytest.mark.parametrize("where", [(33, 0), (0, 1), (34, 1)])
def test_an_answer_with_nan_is_not_sound(where: tuple[int, int]) -> None:
    landmarks = np.full((39, 5), 128.0)
    landmarks[34, 1] = 20
    landmarks[where] = np.nan
    assert not read(outputs(landmarks), Region(10, 10, 100), PIXELS).sound


def test_a_region_that_shrinks_to_nothing_is_not_sound() -> None:
    assert not read(outputs(np.full((39, 5), 128.0)), Region(10, 10, 100), PIXELS).sound


def test_people_are_answered_in_order() -> None:
    frame = draw((640, 360), [(0, 100, 180, 120), (1, 400, 180, 160)])
    poses = PoseNet(FakeLandmarks()).look(frame, [Region(400, 180, 200), Region(100, 180, 150)])
    assert [round(pose.following.x / 10) for pose in poses] == [40, 10]


def test_sigmoid_does_not_overflow() -> None:
    assert sigmoid(np.array([-1e9, 0, 1e9], np.float32)) == pytest.approx([0, 0.5, 1], abs=1e-9)


def by_hand(point: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """The published rule for one landmark, cell by cell."""
    rows, columns = heat.shape
    if not (0 <= point[0] < 1 and 0 <= point[1] < 1):
        return point
    column, row = int(point[0] * columns), int(point[1] * rows)
    weight = total_x = total_y = warmest = 0.0
    for y in range(max(row - 3, 0), min(row + 4, rows)):
        for x in range(max(column - 3, 0), min(column + 4, columns)):
            warm = 1 / (1 + math.exp(-heat[y, x]))
            weight, total_x, total_y = weight + warm, total_x + warm * x, total_y + warm * y
            warmest = max(warmest, warm)
    return np.array([total_x / weight / columns, total_y / weight / rows]) if warmest >= 0.5 else point


@given(st.integers(0, 2**32 - 1))
def test_heat_moves_a_landmark_to_the_centre_of_what_is_warm_around_it(seed: int) -> None:
    rng = np.random.default_rng(seed)
    points = rng.uniform(-0.2, 1.2, (39, 2)).astype(np.float32)
    heat = rng.normal(-3, 3, (64, 64, 39)).astype(np.float32)
    heat[..., ::3] -= 20  # cold maps leave their landmark where it is
    wanted = [by_hand(point, heat[..., k]) for k, point in enumerate(points)]
    assert refined(points, heat) == pytest.approx(np.array(wanted), abs=1e-5)


def test_a_pose_lies_where_its_heat_does() -> None:
    heat = np.full((64, 64, 39), -20.0, np.float32)
    heat[20, 33, 5] = 6.0
    pose = read(outputs(np.full((39, 5), 128.0), heat), Region(300, 200, 256), PIXELS)
    assert pose.keypoints[4, :2] == pytest.approx((300, 200), abs=0.01)
    # Beyond the reach of the landmark's own cell (32, 32) nothing is weighed.
    assert pose.keypoints[5, :2] == pytest.approx((300, 200), abs=0.01)
    heat[30, 33, 5] = 6.0
    pose = read(outputs(np.full((39, 5), 128.0), heat), Region(300, 200, 256), PIXELS)
    assert pose.keypoints[5, :2] == pytest.approx((304, 192), abs=0.01)
