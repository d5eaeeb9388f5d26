"""Clothes on silhouettes: where they lie, that they move with the body, that joints stay on it."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gait.data.errors import DataError
from gait.skeleton import GAITWAY16
from gait.training.clothing.figure import ANKLES, HIPS, NECK
from gait.training.clothing.outfits import Bag, Outfit, draw_outfit
from gait.training.clothing.outline import Track, dressed, painted
from gait.training.clothing.swing import draped, pendulum
from tests.gait.training.clothing.walking import side_on

COAT = Outfit(padding=0.012, sleeves=0.008, coat=0.6, flare=0.1)


def added(track: Track, outfit: Outfit) -> np.ndarray:
    return (painted(track, outfit) > 0) & (track.canvas.masks == 0)


def rows_of(track: Track, share: float) -> np.ndarray:
    """(T,) the canvas row that far down from the hips (0) to the lower ankle (1)."""
    joints = track.figure.joints
    hip = joints[:, HIPS, 1].mean(axis=1)
    return hip + share * (joints[:, ANKLES, 1].max(axis=1) - hip)


def test_a_coat_closes_the_gap_between_the_legs_down_to_its_hem_and_not_below() -> None:
    track = Track.of(side_on())
    new = added(track, COAT)
    wide = np.abs(track.figure.joints[:, ANKLES[0], 0] - track.figure.joints[:, ANKLES[1], 0]).argmax()
    above, below = (round(rows_of(track, share)[wide]) for share in (0.5, 0.8))
    assert new[wide, above].sum() > 8
    assert not new[wide, below:].any()


@pytest.mark.parametrize("seed", range(12))
def test_cloth_only_adds_and_changes_every_frame(seed: int) -> None:
    track = Track.of(side_on(45.0))
    outfit = draw_outfit(np.random.default_rng(seed))
    masks = painted(track, outfit)
    assert ((masks > 0) | (track.canvas.masks == 0)).all()
    changed = added(track, outfit).sum(axis=(1, 2))
    # A handbag may hide behind the body; whatever is worn shows in most frames.
    assert (changed > 0).mean() > 0.5
    assert changed.max() < 0.8 * (track.canvas.masks > 0).sum(axis=(1, 2)).min()


@pytest.mark.parametrize(("view", "behind"), [(90.0, -1), (270.0, 1)])
@pytest.mark.parametrize("metres", [True, False], ids=["with 3D", "2D alone"])
def test_a_pack_is_on_the_back_whichever_way_they_walk(view: float, behind: int, metres: bool) -> None:
    walk = side_on(view)
    track = Track.of(walk if metres else replace(walk, joints_3d=None))
    new = added(track, Outfit(bags=(Bag("backpack", "left", 1.0),)))
    for frame, mask in enumerate(new):
        columns = np.nonzero(mask)[1]
        assert np.sign(np.median(columns) - track.figure.joints[frame, NECK, 0]) == behind


def test_a_hood_makes_the_body_taller_and_the_joints_go_along() -> None:
    walk = side_on()
    hooded = dressed(Track.of(walk), Outfit(hood="up", padding=0.01))
    neck, ankle = walk.joints_2d[:, NECK, 1], walk.joints_2d[:, ANKLES, 1].max(axis=1)
    lower = hooded.joints_2d[:, NECK, 1] - neck
    assert 0.3 < lower.mean() < 4
    assert np.abs(hooded.joints_2d[:, ANKLES, 1].max(axis=1) - ankle).max() < 1.0
    assert (hooded.silhouettes > 127)[:, 0].any(axis=1).all()
    assert (hooded.silhouettes > 127)[:, -1].any(axis=1).all()
    np.testing.assert_array_equal(hooded.joints_3d, walk.joints_3d)


def test_without_anything_to_see_the_silhouettes_hardly_change() -> None:
    walk = side_on(0.0)
    same = dressed(Track.of(walk), Outfit(sleeves=1e-6))
    differ = np.abs(same.silhouettes.astype(int) - walk.silhouettes)
    assert (differ > 100).mean() < 0.003
    assert np.abs(same.joints_2d - walk.joints_2d).max() < 0.8


def test_binary_silhouettes_stay_binary_and_missing_joints_missing() -> None:
    walk = side_on()
    joints = walk.joints_2d.copy()
    joints[3:6, GAITWAY16.index("left_knee")] = 0
    binary = replace(
        walk, silhouettes=np.where(walk.silhouettes > 127, 255, 0).astype(np.uint8), joints_2d=joints
    )
    out = dressed(Track.of(binary), COAT)
    assert set(np.unique(out.silhouettes)) == {0, 255}
    assert not out.joints_2d[3:6, GAITWAY16.index("left_knee")].any()


def test_masks_of_full_size_are_drawn_on_where_they_are() -> None:
    walk = side_on()
    large = np.kron(walk.silhouettes > 127, np.ones((1, 4, 4))).astype(np.uint8) * 255
    masks = np.pad(large, ((0, 0), (30, 20), (40, 25)))
    joints = walk.joints_2d.copy()
    joints[..., :2] = (joints[..., :2] + 0.5) * 4 - 0.5 + (40, 30)
    out = dressed(Track.of(replace(walk, silhouettes=masks, joints_2d=joints)), COAT)
    assert out.silhouettes.shape == masks.shape
    assert (out.silhouettes >= masks).all()
    np.testing.assert_array_equal(out.joints_2d, joints)


def test_metres_alone_are_enough() -> None:
    walk = side_on()
    bare = replace(walk, joints_2d=np.zeros((30, 16, 0), np.float32))
    track = Track.of(bare)
    assert added(track, COAT).any(axis=(1, 2)).all()
    assert dressed(track, COAT).joints_2d.shape == (30, 16, 0)


def without(joint: str) -> np.ndarray:
    joints = side_on().joints_2d.copy()
    joints[:, GAITWAY16.index(joint)] = 0
    return joints


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"silhouettes": np.zeros((30, 0, 0), np.uint8)}, "no silhouettes to dress"),
        ({"silhouettes": np.zeros((30, 64, 44), np.uint8)}, "nobody is in any"),
        ({"joints_2d": np.zeros((30, 16, 0), np.float32), "joints_3d": None}, "no joints to hang clothes on"),
        ({"joints_2d": without("left_knee")}, "no left knee in any frame"),
        ({"joints_2d": side_on().joints_2d * (5, 5, 1)}, "joints lie outside the body's box"),
    ],
)
def test_what_cannot_be_dressed_says_why(changes: dict[str, object], told: str) -> None:
    with pytest.raises(DataError, match=told):
        Track.of(replace(side_on(), **changes))


def test_a_skirt_does_not_flicker() -> None:
    """Bar 2 on one track: area over its mean varies no more than the clothes' own did, times 1.2."""
    track = Track.of(side_on())
    before = (track.canvas.masks > 0).sum(axis=(1, 2))
    for outfit in (COAT, Outfit(skirt=0.7, flare=0.2, loose=0.6)):
        after = (painted(track, outfit) > 0).sum(axis=(1, 2))
        assert (after / after.mean()).var() <= 1.2 * (before / before.mean()).var()


@given(st.floats(0.3, 3), st.floats(0.1, 1.5), st.floats(-50, 50))
@settings(deadline=None, max_examples=30)
def test_what_hangs_from_something_still_hangs_still(turns_hz: float, damping: float, at: float) -> None:
    np.testing.assert_allclose(pendulum(np.full(40, at), turns_hz, damping), at)


def test_what_hangs_follows_late() -> None:
    at = 10 * np.sin(2 * np.pi * np.arange(100) / 50)
    out = pendulum(at, 1.0, 0.6)
    shifts = [float((at[: 100 - lag] * out[lag:]).mean()) for lag in range(20)]
    assert 1 <= int(np.argmax(shifts)) <= 15
    assert np.abs(out).max() < 20


@given(st.lists(st.floats(0, 30), min_size=2, max_size=30), st.floats(0.05, 0.95))
@settings(deadline=None)
def test_cloth_is_never_inside_the_leg_and_falls_back(reach: list[float], fall: float) -> None:
    pushed = np.array(reach)
    out = draped(pushed, fall)
    assert (out >= pushed - 1e-9).all()
    assert out.max() <= pushed.max() + 1e-9
