"""The search: every person stands in a tile that shows them, changes are seen, and entries get a region."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from engines.search import LAG, ChangeWatch, Plan, entering, tile_around
from tests.engines.fake_nets import draw

sizes = st.tuples(st.integers(120, 2000), st.integers(120, 2000))


@given(sizes, st.integers(40, 200), st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_everyone_stands_whole_in_a_tile_that_shows_them(
    size: tuple[int, int], smallest: int, across: float, down: float, tall: float
) -> None:
    width, height = size
    assume(max(size) <= 3 * min(size))
    high = smallest + tall * (height - smallest)
    assume(smallest <= high <= min(height, width))
    wide = 0.4 * high
    left, top = across * max(width - wide, 0), down * (height - high)
    plan = Plan.of(width, height, smallest)

    def shows(tile: tuple[float, float, float, float]) -> bool:
        # The body's middle two thirds must be inside: the detector finds people who are cut a little.
        inside = tile[0] <= left + wide / 6 and left + wide * 5 / 6 <= tile[2]
        inside &= tile[1] <= top + high / 6 and top + high * 5 / 6 <= tile[3]
        return inside and high >= 0.2 * (tile[2] - tile[0])

    assert any(shows(tile.box) for tile in plan.tiles)


def test_a_round_visits_every_tile_once_and_mixes_the_levels() -> None:
    plan = Plan.of(1280, 720, 60)
    count = len(plan.tiles)
    assert set(plan.round(0, count)) == set(plan.tiles)
    assert plan.round(5, 3) == plan.round(5 + count, 3)
    assert len({tile.side for tile in plan.round(0, count // 2)}) == len({tile.side for tile in plan.tiles})
    assert plan.round(0, 10_000) == plan.round(0, count)


@pytest.mark.parametrize("size", [(1, 1), (7, 5), (64, 2000)])
def test_odd_frames_have_a_plan(size: tuple[int, int]) -> None:
    assert Plan.of(*size, 60).tiles


def test_change_is_seen_where_it_is_and_not_where_it_is_explained() -> None:
    watch = ChangeWatch()
    for x in (300, 306, 312, 318):
        places = watch.places(draw((640, 360), [(4, x, 180, 150)]), [])
    assert len(places) >= 1
    assert all(250 < (box[0] + box[2]) / 2 < 370 for box in places)
    assert watch.places(draw((640, 360), [(4, 324, 180, 150)]), [(260, 90, 380, 270)]) == []


def test_a_still_picture_and_a_first_frame_have_no_change() -> None:
    watch = ChangeWatch()
    frame = draw((640, 360), [(0, 200, 180, 150)])
    assert all(watch.places(frame, []) == [] for _ in range(LAG + 2))


def test_noise_is_no_change() -> None:
    watch = ChangeWatch()
    rng = np.random.default_rng(1)
    still = np.full((360, 640, 3), 100.0)
    for _ in range(LAG + 2):
        noisy = np.clip(still + rng.normal(0, 4, still.shape), 0, 255).astype(np.uint8)
        assert watch.places(noisy, []) == []


def test_a_frame_of_another_size_starts_anew() -> None:
    watch = ChangeWatch()
    watch.places(draw((640, 360), []), [])
    assert watch.places(draw((320, 180), [(4, 100, 90, 100)]), []) == []


def test_who_enters_is_expected_partly_outside() -> None:
    region = entering((0, 100, 30, 300), 640, 360)
    assert region is not None
    assert region.x == pytest.approx(0)
    assert region.side == pytest.approx(260)
    right = entering((610, 100, 640, 300), 640, 360)
    assert right is not None
    assert right.x == pytest.approx(640)


@pytest.mark.parametrize("box", [(200, 100, 230, 300), (0, 100, 640, 300), (0, 350, 30, 360)])
def test_no_entry_in_the_middle_across_all_or_as_low_as_a_shadow(box: tuple[float, ...]) -> None:
    assert entering((box[0], box[1], box[2], box[3]), 640, 360) is None


def test_a_tile_around_a_place_is_neither_tiny_nor_larger_than_the_frame() -> None:
    plan = Plan.of(640, 360, 60)
    assert tile_around((10, 10, 12, 12), plan).side == plan.smallest / 2
    assert tile_around((0, 0, 640, 360), plan).side == 640
