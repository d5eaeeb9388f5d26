"""Joint motion by hand, and the maps of it: signs, bounds, mirrors and missing joints."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gait.delta_maps import FULL_SCALE_TORSOS, delta_joints, delta_maps
from stream.errors import MessageError
from tests.strategies_skeletons import broken_values, seeds


def points(*rows: tuple[float, float]) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """One joint over time, sure."""
    return np.array([[(x, y, 1.0)] for x, y in rows], dtype=np.float32)


def test_motion_by_hand_with_ends_replicated() -> None:
    motion = delta_joints(points((0, 0), (2, 1), (6, -3), (6, -3)))[:, 0]
    assert motion.tolist() == [[1.0, 0.5], [3.0, -1.5], [2.0, -2.0], [0.0, 0.0]]


def test_motion_needs_both_neighbours_and_not_the_joint_itself() -> None:
    track = points((0, 0), (2, 0), (4, 0), (6, 0))
    track[2, 0, 2] = 0
    assert delta_joints(track)[:, 0, 0].tolist() == [1.0, 0.0, 2.0, 0.0]


def test_a_pixel_shows_its_joints_motion_by_gaussian() -> None:
    """Full scale to the right at the joint's own pixel; exp(-1/2) of it one sigma away; nothing past three."""
    torso = 10.0
    step = FULL_SCALE_TORSOS * torso
    track = points((20 - step, 30), (20, 30), (20 + step, 30))
    still = delta_maps(track, torso, sigma_px=2.0)[1]
    assert still[0, 30, 20] == pytest.approx(1.0, abs=1e-6)
    assert still[0, 32, 20] == pytest.approx(np.exp(-0.5), abs=1e-6)
    assert still[0, 37, 20] == 0
    assert (still[1] == 0).all()


@given(seeds)
@settings(max_examples=20, deadline=None)
def test_a_mirror_flips_the_maps_and_the_sign_of_sideways_motion(seed: int) -> None:
    source = np.random.default_rng(seed)
    track = source.uniform(0, 43, (4, 5, 3)).astype(np.float32)
    track[..., 2] = source.uniform(0.1, 1, (4, 5))
    flipped = track.copy()
    flipped[..., 0] = 43 - flipped[..., 0]
    seen, expected = delta_maps(flipped, 12.0), delta_maps(track, 12.0)[..., ::-1]
    assert np.abs(seen[:, 0] + expected[:, 0]).max() < 1e-4
    assert np.abs(seen[:, 1] - expected[:, 1]).max() < 1e-4


@given(seeds, st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2), broken_values), max_size=9))
@settings(max_examples=30, deadline=None)
def test_maps_are_bounded_whatever_comes(seed: int, faults: list[tuple[int, int, float]]) -> None:
    track = np.random.default_rng(seed).uniform(-90, 90, (3, 3, 3)).astype(np.float32)
    for joint, channel, value in faults:
        track[seed % 3, joint, channel] = value
    maps = delta_maps(track, 15.0)
    assert maps.shape == (3, 2, 64, 44)
    assert np.isfinite(maps).all()
    assert np.abs(maps).max() <= 1


def test_joints_at_one_place_share_it_whatever_their_order() -> None:
    track = np.concatenate([points((8, 9), (10, 9), (12, 9)), points((10, 7), (10, 9), (10, 11))], axis=1)
    assert delta_maps(track, 15.0)[1] == pytest.approx(delta_maps(track[:, ::-1], 15.0)[1], abs=1e-6)


@pytest.mark.parametrize("torso", [0.0, -1.0, float("nan"), float("inf")])
def test_a_torso_without_length_is_refused(torso: float) -> None:
    with pytest.raises(MessageError, match="a positive length"):
        delta_maps(points((1, 1)), torso)


def test_another_shape_is_refused() -> None:
    with pytest.raises(MessageError, match="at least a frame"):
        delta_maps(np.zeros((0, 16, 3), np.float32), 15.0)
