"""What the skeleton nets are fed, against slow loops and against what may not matter."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from gait.pose_features import (
    FARTHEST_TORSOS,
    branches,
    fit_frames,
    inference_views,
    mirrored,
    normalise,
)
from gait.pose_graph import load_graph
from stream.errors import MessageError
from tests.strategies_skeletons import broken_values, frame_counts, pose_walk, seeds, walk

COCO = load_graph("coco17")
KINECT = load_graph("kinect25")


def branches_by_loops(joints: NDArray[np.float32]) -> NDArray[np.float64]:
    """The three branches, one number at a time."""
    frames = len(joints)
    out = np.zeros((frames, 17, 3, 5))
    for t in range(frames):
        for v in range(17):
            x, y, c = (float(part) for part in joints[t, v])
            nose_x, nose_y = (float(part) for part in joints[t, 0, :2])
            out[t, v, 0] = x, y, c, x - nose_x, y - nose_y
            velocity = [0.0, 0.0, c, 0.0, 0.0]
            if t + 2 < frames:
                velocity[0] = float(joints[t + 1, v, 0]) - x
                velocity[1] = float(joints[t + 1, v, 1]) - y
                velocity[3] = float(joints[t + 2, v, 0]) - x
                velocity[4] = float(joints[t + 2, v, 1]) - y
            out[t, v, 1] = velocity
            parent = COCO.parents[v]
            dx, dy = x - float(joints[t, parent, 0]), y - float(joints[t, parent, 1])
            length = math.hypot(dx, dy) + 1e-4
            out[t, v, 2] = dx, dy, c, math.acos(dx / length), math.acos(dy / length)
    return out


def test_branches_equal_slow_loops() -> None:
    joints = normalise(pose_walk(7, 17), COCO)
    assert branches(joints, COCO) == pytest.approx(branches_by_loops(joints), abs=2e-4)


def test_the_released_features_have_confidence_in_the_wrong_place() -> None:
    joints = pose_walk(6, 17)
    right, released = branches(joints, COCO), branches(joints, COCO, as_released=True)
    assert (released[..., 1:, 3] == joints[..., None, 2]).all()
    assert (released[..., 1:, 2] == 0).all()
    kept = [0, 1, 4]
    assert (released[..., kept] == right[..., kept]).all()
    assert (released[..., 0, :] == right[..., 0, :]).all()


@given(seeds, st.floats(0.05, 50.0), st.floats(-300, 300), st.floats(-300, 300))
@settings(max_examples=25, deadline=None)
def test_where_and_how_near_a_person_stood_does_not_matter(
    seed: int, scale: float, right: float, down: float
) -> None:
    joints = pose_walk(5, 17, seed).astype(np.float64)
    moved = joints.copy()
    moved[..., :2] = moved[..., :2] * scale + [right, down]
    assert normalise(moved, COCO) == pytest.approx(normalise(joints, COCO), abs=1e-3)


@given(seeds, frame_counts)
@settings(max_examples=20, deadline=None)
def test_a_mirror_commutes_with_normalising_and_flips_what_points_sideways(seed: int, frames: int) -> None:
    joints = pose_walk(frames, 17, seed)
    through = normalise(mirrored(joints, COCO), COCO)
    assert through == pytest.approx(mirrored(normalise(joints, COCO), COCO), abs=1e-4)
    seen, original = branches(through, COCO), branches(normalise(joints, COCO), COCO)[:, COCO.swap]
    assert seen[..., 0, 0] == pytest.approx(-original[..., 0, 0], abs=1e-4)
    assert seen[..., 1, 4] == pytest.approx(original[..., 1, 4], abs=1e-4)
    assert seen[..., 2, 3] == pytest.approx(math.pi - original[..., 2, 3], abs=5e-3)


@given(
    seeds,
    frame_counts,
    st.lists(st.tuples(st.integers(0, 16), st.integers(0, 2), broken_values), max_size=20),
)
@settings(max_examples=40, deadline=None)
def test_nothing_broken_gets_through(seed: int, frames: int, faults: list[tuple[int, int, float]]) -> None:
    joints = pose_walk(frames, 17, seed)
    for joint, channel, value in faults:
        joints[seed % frames, joint, channel] = value
    given_to_net = branches(normalise(joints, COCO), COCO)
    assert np.isfinite(given_to_net).all()
    assert np.abs(given_to_net).max() <= 2 * FARTHEST_TORSOS


@pytest.mark.parametrize("fill", [0.0, np.nan, 1e38])
def test_a_walk_without_a_single_joint_is_still(fill: float) -> None:
    assert (normalise(np.full((3, 17, 3), fill), COCO) == 0).all()


def test_a_missing_joint_lies_at_the_root_with_confidence_zero() -> None:
    joints = pose_walk(4, 17)
    joints[2, 9] = np.nan
    out = normalise(joints, COCO)
    assert (out[2, 9] == 0).all()
    assert (out[1, 9] != 0).all()


def test_without_hips_the_body_hangs_on_what_is_seen() -> None:
    joints = pose_walk(4, 17)
    joints[:, [11, 12], 2] = 0
    out = normalise(joints, COCO)
    assert out[..., :2].mean() == pytest.approx(0.0, abs=0.1)


def test_metres_without_confidence_are_root_centred_and_one_torso_tall() -> None:
    out = normalise(walk(9, 25, 3), KINECT, missing_last=False)
    assert out.shape == (9, 25, 3)
    assert (out[:, 0] == 0).all()
    assert np.median(np.linalg.norm(out[:, 20], axis=-1)) == pytest.approx(1.0, abs=1e-5)


def test_a_walk_that_is_pelvis_centred_already_is_the_same_walk() -> None:
    """Its pelvis lies at the very origin, which elsewhere means lost."""
    joints = walk(6, 25, 3).astype(np.float64)
    centred = joints - joints[:, :1]
    expected = normalise(joints, KINECT, missing_last=False)
    assert normalise(centred, KINECT, missing_last=False) == pytest.approx(expected, abs=1e-5)


def test_a_joint_that_a_sensor_put_at_the_origin_is_missing() -> None:
    joints = walk(6, 25, 3)
    joints[3, 7] = 0
    assert (normalise(joints, KINECT, missing_last=False)[3, 7] == 0).all()


def test_views_are_as_it_is_reversed_and_swapped() -> None:
    joints = pose_walk(5, 17)
    as_it_is, reverse, swapped = inference_views(joints, COCO)
    assert (as_it_is == joints).all()
    assert (reverse[0] == joints[-1]).all()
    assert (swapped[:, 5] == joints[:, 6]).all()
    assert (swapped[:, 0] == joints[:, 0]).all()


@given(frame_counts, st.integers(1, 20))
def test_any_length_fits_and_each_step_is_to_a_neighbour(have: int, want: int) -> None:
    joints = np.arange(have, dtype=np.float32)[:, None, None]
    order = fit_frames(joints, want)[:, 0, 0]
    assert len(order) == want
    assert (np.abs(np.diff(order)) <= 1).all()
    if have >= want:
        assert (np.diff(order) == 1).all()


@pytest.mark.parametrize("shape", [(0, 17, 3), (4, 16, 3), (4, 17), (4, 17, 1)])
def test_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(MessageError, match="coco17"):
        normalise(np.zeros(shape), COCO)
