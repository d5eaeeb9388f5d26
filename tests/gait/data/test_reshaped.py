"""Averages are means of their own frames; a changed size keeps every joint on its own pixel."""

import numpy as np
import pytest

from gait.data.errors import DataError
from gait.data.records import Entry, Partition
from gait.data.reshaped import Reshaped, averaged, fitted
from gait.data.source import Found, Listing, Loaded, make_walk
from gait.skeleton import GAITWAY16


class Fixed:
    """A preparation of one sequence."""

    parallel = False

    def __init__(self, walk) -> None:
        self.walk = walk

    def find(self) -> Listing:
        return Listing((Found(Entry("a", "", "", 0), ()),))

    def load(self, found: Found) -> Loaded:
        del found
        return Loaded(self.walk, 3)

    def partition(self, people: frozenset[str]) -> Partition:
        return Partition(test=tuple(people))


def images(frames: int, height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (frames, height, width), np.uint8)


def test_each_run_of_frames_becomes_its_mean_the_last_one_shorter() -> None:
    walk = images(5, 4, 6)
    means = averaged(walk, 2)
    assert means.shape == (3, 4, 6)
    assert np.array_equal(means[0], np.rint(walk[:2].mean(axis=0)))
    assert np.array_equal(means[2], walk[4])


@pytest.mark.parametrize("size", [(32, 24), (64, 44), (16, 20)])
def test_a_joint_stays_on_its_pixel(size) -> None:
    """A lone bright block is found around where its joint goes, whatever the size and the cut."""
    walk = np.zeros((1, 32, 22), np.uint8)
    walk[0, 8:12, 6:10] = 255
    points = np.zeros((1, 16, 3), np.float32)
    points[0, 0] = (7.5, 9.5, 1)
    made, moved = fitted(walk, points, size)
    assert made.shape == (1, *size)
    rows, columns = np.nonzero(made[0] > 127)
    assert moved[0, 0] == pytest.approx((columns.mean(), rows.mean(), 1), abs=0.26)
    assert not moved[0, 1:].any(), "a missing joint stays missing"


def test_the_same_height_is_not_resampled() -> None:
    walk = images(2, 32, 22)
    made, _ = fitted(walk, np.zeros((2, 16, 0), np.float32), (32, 24))
    assert np.array_equal(made[:, :, 1:-1], walk)
    assert not made[:, :, [0, -1]].any()


def test_averages_have_no_joints_and_everything_else_is_the_whole_s() -> None:
    points = np.ones((4, 16, 3), np.float32)
    given = make_walk(images(4, 8, 8), points, points, GAITWAY16)
    reshaped = Reshaped(Fixed(given), average=4, size=(16, 16))
    (found,) = reshaped.find().found
    loaded = reshaped.load(found)
    assert loaded.walk.silhouettes.shape == (1, 16, 16)
    assert loaded.walk.joints_2d.size == 0
    assert loaded.walk.joints_3d is None
    assert loaded.lost == 3
    assert reshaped.partition(frozenset("a")).test == ("a",)


def test_a_walk_of_skeletons_alone_is_refused_by_name() -> None:
    bare = make_walk(joints_3d=np.ones((4, 16, 3), np.float32))
    reshaped = Reshaped(Fixed(bare), average=2)
    with pytest.raises(DataError, match="a: has no silhouettes"):
        reshaped.load(reshaped.find().found[0])
