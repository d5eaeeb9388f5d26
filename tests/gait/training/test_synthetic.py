"""Walkers to train on: the same from the same seed, whole, and off the truth by as much as was asked for."""

import msgspec
import numpy as np
import pytest

from gait.skeleton import GAITWAY16
from gait.training.synthetic import TESTED_WITH, TestWalkers, TrainingWalkers, WalkerSet, overlooked, walk_of
from gait.training.synthetic_noise import (
    FITTED_FAR,
    ar1,
    fitted,
    lost_limbs,
    perceived_joints,
    perceived_masks,
    perceived_world,
)
from gait.walkers.conditions import Conditions
from gait.walkers.person import sample_person
from gait.walkers.population import STREET
from gait.walkers.seeds import stream
from gait.walkers.views import sample_view

FEW = WalkerSet(people=2, sequences=3, frames=12)
QUIET = msgspec.structs.replace(
    fitted(), outline_bias=0.0, bias_spread=0.0, outline_walk=0.0, outline_frame=0.0, blur=(0.001, 0.002)
)


def disc(radius: int, count: int = 3) -> np.ndarray:
    y, x = np.mgrid[:100, :100]
    return np.repeat(((((x - 50) ** 2 + (y - 50) ** 2) < radius**2) * 255).astype(np.uint8)[None], count, 0)


def standing(count: int) -> np.ndarray:
    """Joints (T, 16, 3) of somebody 100 pixels tall."""
    at = {"pelvis": (50, 50), "spine": (50, 38), "neck": (50, 25), "head": (50, 15)}
    for side, x in (("right", 45.0), ("left", 55.0)):
        at |= {f"{side}_{joint}": (x, y) for joint, y in (("hip", 50), ("knee", 72), ("ankle", 95))}
        at |= {f"{side}_{joint}": (x, y) for joint, y in (("shoulder", 26), ("elbow", 40), ("wrist", 55))}
    frame = np.array([(*at[joint], 1.0) for joint in GAITWAY16.joints], np.float32)
    return np.repeat(frame[None], count, axis=0)


def in_place(count: int) -> np.ndarray:
    """Every joint taken for what it is."""
    return np.tile(np.arange(16), (count, 1))


def test_a_sequence_is_a_function_of_its_seed_and_number() -> None:
    listing = TrainingWalkers(FEW).find().found
    assert len(listing) == 6
    first, again, other = (TrainingWalkers(FEW).load(listing[k]).walk for k in (0, 0, 1))
    assert first.silhouettes.shape == (12, 64, 44)
    assert first.joints_3d is not None
    np.testing.assert_array_equal(first.silhouettes, again.silhouettes)
    np.testing.assert_array_equal(first.joints_2d, again.joints_2d)
    assert not np.array_equal(first.silhouettes, other.silhouettes)


def test_every_sequence_is_whole_and_finite() -> None:
    for found in TrainingWalkers(FEW).find().found:
        walk = TrainingWalkers(FEW).load(found).walk
        assert (walk.silhouettes.max(axis=(1, 2)) > 200).all()
        assert np.isfinite(walk.joints_2d).all()
        assert ((walk.joints_2d[..., 2] > 0) & (walk.joints_2d[..., 2] <= 1)).all()
        assert walk.joints_3d is not None
        assert np.isfinite(walk.joints_3d).all()
        np.testing.assert_array_equal(walk.joints_3d[:, 0], 0.0)


def test_nobody_is_both_trained_on_and_tested() -> None:
    trained = {one.entry.person for one in TrainingWalkers().find().found}
    tested = TestWalkers()
    listing = tested.find().found
    people = {one.entry.person for one in listing}
    assert not trained & people
    assert len(listing) == TESTED_WITH.people * 4 * 8
    assert tested.partition(frozenset(people)).test == tuple(sorted(people))


@pytest.mark.parametrize("bias", [-0.01, 0.01])
def test_the_outline_moves_by_the_bias(bias: float) -> None:
    noise = msgspec.structs.replace(QUIET, outline_bias=bias, blur=(0.02, 0.02))
    moved = perceived_masks(disc(30), 100.0, noise, np.random.default_rng(0))
    radius = np.sqrt((moved[0] > 0).sum() / np.pi)
    assert radius == pytest.approx(30 + 100 * bias, abs=0.4)


def test_without_errors_the_mask_is_the_truth() -> None:
    truth = disc(30)
    np.testing.assert_array_equal(perceived_masks(truth, 100.0, QUIET, np.random.default_rng(0)), truth)


def test_joints_err_as_much_as_they_are_told_to() -> None:
    noise = msgspec.structs.replace(
        fitted(), joint_walk=(0.0,) * 16, joint_frame=(0.02,) * 16, legs_swapped=0.0
    )
    truth = standing(2000)
    seen, _ = perceived_joints(truth, 100.0, np.zeros((2000, 16)), noise, np.random.default_rng(0))
    assert (seen - truth)[..., :2].std() == pytest.approx(2.0, rel=0.1)
    noise = msgspec.structs.replace(noise, joint_frame=(0.0,) * 16)
    seen, _ = perceived_joints(truth, 100.0, np.zeros((2000, 16)), noise, np.random.default_rng(0))
    np.testing.assert_allclose(seen[..., :2], truth[..., :2], atol=1e-4)


def test_the_far_side_is_less_sure() -> None:
    depths = np.zeros((50, 16))
    depths[:, [4, 5, 6, 10, 11, 12]] = 0.35  # the left side is farther from the camera
    seen, _ = perceived_joints(standing(50), 100.0, depths, fitted(), np.random.default_rng(0))
    assert seen[:, 14, 2].mean() > seen[:, 11, 2].mean() + 0.2


def test_the_pelvis_stays_the_origin_of_the_world() -> None:
    world = np.random.default_rng(0).normal(size=(9, 16, 3)).astype(np.float32)
    seen = perceived_world(world - world[:, :1], in_place(9), fitted(FITTED_FAR), np.random.default_rng(1))
    np.testing.assert_array_equal(seen[:, 0], 0.0)


def test_sides_taken_for_each_other_are_so_in_pixels_and_in_metres() -> None:
    noise = msgspec.structs.replace(
        fitted(), legs_swapped=0.5, arms_swapped=0.5, joint_walk=(0.0,) * 16, joint_frame=(0.0,) * 16
    )
    truth = standing(400)
    seen, order = perceived_joints(truth, 100.0, np.zeros((400, 16)), noise, np.random.default_rng(2))
    legs, arms = (np.flatnonzero(order[:, side] != side) for side in (2, 14))
    assert 0 < len(legs) < 400
    assert 0 < len(arms) < 400
    np.testing.assert_allclose(seen[legs, 2, :2], truth[legs, 5, :2], atol=1e-4)
    np.testing.assert_allclose(seen[arms, 15, :2], truth[arms, 12, :2], atol=1e-4)
    still = msgspec.structs.replace(noise, world_walk=0.0, world_frame=0.0)
    world = np.random.default_rng(0).normal(size=(400, 16, 3)).astype(np.float32)
    world -= world[:, :1]
    moved = perceived_world(world, order, still, np.random.default_rng(1))
    np.testing.assert_allclose(moved[legs, 5], world[legs, 2], atol=1e-6)


def test_joints_of_the_world_err_each_as_it_does() -> None:
    shares = (0.0,) * 15 + (2.0,)
    bias = ((0.0, 0.0, 0.0),) * 15 + ((0.0, -0.5, 0.0),)
    noise = msgspec.structs.replace(
        fitted(), world_walk=0.0, world_frame=0.1, world_shares=shares, world_bias=bias
    )
    seen = perceived_world(
        np.zeros((3000, 16, 3), np.float32), in_place(3000), noise, np.random.default_rng(1)
    )
    np.testing.assert_array_equal(seen[:, :15], 0.0)
    assert seen[:, 15].std(axis=0) == pytest.approx(np.full(3, 0.2), rel=0.15)
    assert seen[:, 15].mean(axis=0) == pytest.approx([0.0, -0.5, 0.0], abs=0.05)


def test_numbers_for_other_skeletons_are_refused() -> None:
    for field, value in (("joint_walk", (0.1,) * 15), ("world_shares", (1.0,) * 17)):
        with pytest.raises(ValueError, match="16"):
            msgspec.structs.replace(fitted(), **{field: value}).__post_init__()


def test_before_far_cameras_bags_may_be_overlooked_and_nothing_is_put_on() -> None:
    carried = Conditions(right_bag="hand", bag_size=1.2, load=0.05, backpack=1.0, coat=0.3)
    seen = [overlooked(carried, stream(k, "test")) for k in range(40)]
    assert {one.right_bag for one in seen} == {"hand", "none"}
    assert {one.backpack for one in seen} == {0.0, 1.0}
    assert {(one.coat, one.load) for one in seen} == {(0.3, 0.05)}
    assert {overlooked(Conditions(), stream(k, "test")) for k in range(9)} == {Conditions()}


def test_far_cameras_err_more() -> None:
    person, chosen = sample_person(5, population=STREET), WalkerSet(frames=20, limbs=0.0)
    exact = msgspec.structs.replace(chosen, outline=(0.01, 0.01), joints=(0.01, 0.01))
    usual = msgspec.structs.replace(chosen, outline=(1.0, 1.0), joints=(1.0, 1.0))

    def off(chosen: WalkerSet, *, far: bool) -> float:
        apart = []
        for k in range(8):
            made = [
                walk_of(
                    person,
                    sample_view(5, k, 90.0),
                    0,
                    which,
                    stream(5, "test", k),
                    far=which is not exact and far,
                )
                for which in (chosen, exact)
            ]
            apart.append(np.abs(made[0].joints_3d - made[1].joints_3d).mean())
        return float(np.mean(apart))

    assert off(usual, far=True) > 1.2 * off(usual, far=False)


def test_lost_limbs_never_open_the_trunk() -> None:
    noise = msgspec.structs.replace(fitted(), limb_lost=0.9)
    masks = np.full((40, 100, 100), 255, np.uint8)
    left = lost_limbs(masks, standing(40), noise, np.random.default_rng(3))
    assert (left[:, 30:48, 47:54] == 255).all()
    assert (left < 255).any()


def test_a_limb_that_is_lost_leaves_the_one_before_it() -> None:
    noise = msgspec.structs.replace(fitted(), limb_lost=0.0, limb_whole=0.4)
    masks = np.full((60, 100, 100), 255, np.uint8)
    apart, crossed = standing(60), standing(60)
    crossed[:, [2, 3], 0] = crossed[:, [5, 6], 0]
    left = lost_limbs(masks, apart, noise, np.random.default_rng(3))
    knees = left[:, 76, [45, 55]] == 0
    assert knees.any()
    assert (knees.sum(axis=1) == 1).any()
    left = lost_limbs(masks, crossed, noise, np.random.default_rng(3))
    assert (left[:, 76] == 255).all()


def test_errors_fade_from_frame_to_frame() -> None:
    series = ar1(5000, (), np.random.default_rng(0))
    assert series.std() == pytest.approx(1.0, rel=0.1)
    assert np.corrcoef(series[1:], series[:-1])[0, 1] == pytest.approx(0.8, abs=0.05)
