"""Silhouettes as grids over boxes: where they lie, how they overlap, what has none."""

import math

import numpy as np
import pytest

from stream.messages import IDENTITY, Affine, Box, Mask
from trackers.motion import Floats
from trackers.outline import COLUMNS, ROWS, empty, grid_of, grid_overlap

BOX: Box = (100.0, 50.0, 160.0, 170.0)


def corners(*boxes: Box) -> Floats:
    return np.array(boxes, dtype=np.float64)


def half_mask() -> Mask:
    """The left half of ``BOX``, two image pixels to the mask's one."""
    bits = np.zeros((60, 30), np.bool_)
    bits[:, :15] = True
    return Mask.of(bits, (2.0, 0.0, BOX[0], 0.0, 2.0, BOX[1]))


def test_a_mask_is_read_where_it_lies_in_the_image() -> None:
    grid = grid_of(half_mask(), BOX)
    assert grid.shape == (ROWS, COLUMNS)
    assert grid[:, : COLUMNS // 2].all()
    assert not grid[:, COLUMNS // 2 :].any()


def test_a_turned_crop_is_turned_back() -> None:
    """A crop whose columns run down the image: its left half is the box's upper half."""
    bits = np.zeros((30, 60), np.bool_)
    bits[:, :30] = True
    grid = grid_of(Mask.of(bits, (0.0, 2.0, BOX[0], 2.0, 0.0, BOX[1])), BOX)
    assert grid[: ROWS // 2].all()
    assert not grid[ROWS // 2 :].any()


@pytest.mark.parametrize(
    "to_image",
    [(0.0, 0.0, 0.0, 0.0, 0.0, 0.0), (math.nan, 0.0, 0.0, 0.0, 1.0, 0.0), (1.0, 0.0, 1e9, 0.0, 1.0, 0.0)],
)
def test_a_mask_that_lies_nowhere_covers_nothing(to_image: Affine) -> None:
    assert not grid_of(Mask.of(np.ones((4, 4), np.bool_), to_image), BOX).any()
    assert not grid_of(None, BOX).any()


def test_overlap_is_that_of_the_areas() -> None:
    full = np.ones((1, ROWS, COLUMNS), np.bool_)
    left = grid_of(half_mask(), BOX)[None]
    here, aside = corners(BOX), corners((130.0, 50.0, 190.0, 170.0))
    assert grid_overlap(full, here, full, here)[0] == pytest.approx(1.0)
    assert grid_overlap(full, here, left, here)[0] == pytest.approx(0.5)
    assert grid_overlap(full, here, full, aside)[0] == pytest.approx(1.0 / 3.0)
    assert grid_overlap(left, here, left, aside)[0] == pytest.approx(0.0)


def test_who_has_no_silhouette_has_no_overlap() -> None:
    full, here = np.ones((1, ROWS, COLUMNS), np.bool_), corners(BOX)
    assert math.isnan(grid_overlap(empty(1), here, full, here)[0])
    assert math.isnan(grid_overlap(full, here, empty(1), here)[0])


def test_an_empty_box_divides_by_nothing() -> None:
    full, here = np.ones((1, ROWS, COLUMNS), np.bool_), corners(BOX)
    point = corners((10.0, 10.0, 10.0, 10.0))
    assert grid_overlap(full, point, full, here)[0] == pytest.approx(0.0, abs=1e-6)
    assert grid_of(Mask.of(np.ones((4, 4), np.bool_), IDENTITY), (1.0, 1.0, 1.0, 1.0)).all()
