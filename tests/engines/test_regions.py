"""Regions: the crop's transform, its inverse, and where the landmark net's points say a body is."""

import math

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.regions import MARGIN, Region, apply, chain, crop, inverse
from stream.messages import IDENTITY

numbers = st.floats(-2000, 2000)
regions = st.builds(Region, numbers, numbers, st.floats(2, 3000), st.floats(-math.pi, math.pi))


@given(regions, st.integers(2, 512))
def test_the_middle_of_the_crop_is_the_middle_of_the_region(region: Region, size: int) -> None:
    middle = np.full((1, 2), (size - 1) / 2)
    assert apply(region.to_image(size), middle)[0] == pytest.approx((region.x, region.y), abs=1e-2)


@given(regions, numbers, numbers)
def test_a_point_goes_to_the_crop_and_back(region: Region, x: float, y: float) -> None:
    there = region.to_image(256)
    back = chain(there, inverse(there))
    assert np.allclose(back, IDENTITY, atol=1e-6)
    point = np.array([[x, y]])
    assert np.allclose(
        apply(there, apply(inverse(there), point)), point, atol=0.02 * max(region.side / 256, 1)
    )


@given(numbers, numbers, st.floats(1, 1000), st.floats(-3, 3))
def test_around_is_undone_by_the_points_it_was_made_from(
    x: float, y: float, radius: float, lean: float
) -> None:
    circle = np.array([x + radius * math.sin(lean), y - radius * math.cos(lean)])
    region = Region.around(np.array([x, y]), circle)
    assert region.side == pytest.approx(2 * radius * MARGIN, rel=1e-4)
    assert region.angle == pytest.approx(lean, abs=1e-3)
    up = apply(region.to_image(256), np.array([[127.5, 127.5 - 128 / MARGIN]]))[0]
    assert up == pytest.approx(circle, abs=0.05)


def test_a_crop_of_the_whole_picture_is_the_picture() -> None:
    frame = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    assert np.array_equal(crop(frame, Region(31.5, 31.5, 64.0), 64), frame)


def test_a_turned_crop_stands_the_body_up() -> None:
    frame = np.zeros((200, 200, 3), np.uint8)
    cv2.circle(frame, (180, 100), 6, (0, 255, 0), -1)  # a head to the right of the hips
    upright = crop(frame, Region.around(np.array([120.0, 100.0]), np.array([180.0, 100.0])), 128)
    row, column = np.argwhere(upright[..., 1] == 255).mean(axis=0)
    assert column == pytest.approx(63.5, abs=1)
    assert row < 20


def test_outside_the_frame_a_crop_is_grey() -> None:
    corner = crop(np.full((50, 50, 3), 7, np.uint8), Region(0, 0, 40), 40)
    assert (corner[:19] == 128).all()
    assert (corner[21:, 21:] == 7).all()
