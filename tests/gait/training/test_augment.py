"""Changes keep silhouettes and joints registered, mirrors swap sides, and the same source changes alike."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gait.inputs import Walk
from gait.sample import sample_walk
from gait.skeleton import GAITWAY16
from gait.training.augment import CHANGES, augment
from gait.training.config import AugmentSection
from gait.training.warp import rotation_of, warp_images, warp_points

LEFT = [k for k, name in enumerate(GAITWAY16.joints) if name.startswith("left")]
RIGHT = [k for k, name in enumerate(GAITWAY16.joints) if name.startswith("right")]
seeds = st.integers(0, 2**16)


def section(**chances) -> AugmentSection:
    off = dict.fromkeys(CHANGES, 0.0)
    return AugmentSection(**(off | chances))


def dotted(seed: int = 0, frames: int = 4) -> Walk:
    """A picture of its own joints: left ones drawn in 100, right ones in 200, the others in 250."""
    rng = np.random.default_rng(seed)
    images = np.zeros((frames, 64, 64), np.uint8)
    points = np.ones((frames, 16, 3), np.float32)
    cells = rng.permutation(25)[:16]
    grid = np.stack([16 + 8 * (cells % 5), 16 + 8 * (cells // 5)], -1)
    for t in range(frames):
        points[t, :, :2] = grid
        for k, (x, y) in enumerate(grid):
            images[t, y - 2 : y + 3, x - 2 : x + 3] = 100 if k in LEFT else 200 if k in RIGHT else 250
    return Walk(images, points, rng.normal(size=(frames, 16, 3)).astype(np.float32))


def grey_at_joints(walk: Walk) -> np.ndarray:
    x, y = (np.rint(walk.joints_2d[0, :, axis]).astype(int) for axis in (0, 1))
    return walk.silhouettes[0, y, x]


@given(seeds, st.sampled_from(["rotation", "perspective", "stretch"]))
@settings(max_examples=40, deadline=None)
def test_what_moves_the_picture_moves_the_joints(seed: int, name: str) -> None:
    """Every joint is still where its own dot is."""
    walk = dotted(seed)
    changed = augment(walk, section(**{name: 1.0}), np.random.default_rng(seed))
    assert not np.array_equal(changed.silhouettes, walk.silhouettes)
    assert not np.array_equal(changed.joints_2d, walk.joints_2d)
    assert (grey_at_joints(changed) == grey_at_joints(walk)).all()


def test_a_mirror_swaps_the_sides() -> None:
    """The mirrored walker's left joints lie where the right ones' picture went, in metres too."""
    walk = dotted()
    seen = augment(walk, section(mirror=1.0), np.random.default_rng(0))
    assert (grey_at_joints(seen)[LEFT] == 200).all()
    assert (grey_at_joints(seen)[RIGHT] == 100).all()
    assert seen.joints_3d is not None
    assert walk.joints_3d is not None
    swap = list(GAITWAY16.swap)
    assert np.array_equal(seen.joints_3d[..., 1:], walk.joints_3d[:, swap][..., 1:])
    assert np.array_equal(seen.joints_3d[..., 0], -walk.joints_3d[:, swap][..., 0])


def test_a_stretch_leaves_the_head_s_row() -> None:
    """The topmost row keeps its grey, only its columns may move; the lowest row's joints move down or up."""
    walk = dotted()
    walk.silhouettes[:, 0] = 77
    taller = augment(walk, section(stretch=1.0, stretch_height=(1.1, 1.1)), np.random.default_rng(3))
    assert np.median(taller.silhouettes[:, 0]) == 77
    assert np.allclose(taller.joints_2d[..., 1], walk.joints_2d[..., 1] * 1.1)


@pytest.mark.parametrize("seed", range(6))
def test_a_soft_change_of_thickness_lies_between_none_and_all(seed: int) -> None:
    walk = dotted(seed)
    hard = augment(walk, section(thickness=1.0), np.random.default_rng(seed)).silhouettes
    soft = augment(walk, section(thickness=1.0, thickness_soft=True), np.random.default_rng(seed)).silhouettes
    low, high = np.minimum(hard, walk.silhouettes), np.maximum(hard, walk.silhouettes)
    assert ((low <= soft) & (soft <= high)).all()
    assert not np.array_equal(soft, walk.silhouettes)


@pytest.mark.parametrize("seed", range(12))
def test_the_ground_changes_no_more_than_the_lowest_rows(seed: int) -> None:
    """Hidden feet take their joints along; a shadow takes none."""
    walk = dotted(seed)
    walk.silhouettes[:, 56:] = 60
    walk.joints_2d[:, 0, 1] = 63
    changed = augment(walk, section(ground=1.0, ground_height=0.125), np.random.default_rng(seed))
    assert np.array_equal(changed.silhouettes[:, :56], walk.silhouettes[:, :56])
    assert not np.array_equal(changed.silhouettes[:, -1], walk.silhouettes[:, -1])
    assert np.array_equal(changed.joints_2d[:, 1:], walk.joints_2d[:, 1:])
    hidden = not changed.silhouettes[:, -1].any()
    assert changed.joints_2d[:, 0].any() or hidden


def test_rotation_is_about_the_true_centre() -> None:
    """A point in the middle of the picture stays; half a turn puts the picture on its head exactly."""
    walk = dotted()
    turn = rotation_of(np.pi, 64, 64)
    assert np.array_equal(warp_images(walk.silhouettes, turn), walk.silhouettes[:, ::-1, ::-1])
    assert warp_points(np.array([[[31.5, 31.5, 1]]]), turn) == pytest.approx(np.array([[[31.5, 31.5, 1]]]))


@given(seeds, st.sampled_from(sorted(CHANGES)))
@settings(max_examples=60, deadline=None)
def test_every_change_keeps_shapes_and_the_walk_given(seed: int, name: str) -> None:
    walk = sample_walk(seed % 7, frames=6)
    before = (walk.silhouettes.copy(), walk.joints_2d.copy(), walk.joints_3d.copy())
    changed = augment(walk, section(**{name: 1.0}), np.random.default_rng(seed))
    for old, new, kept in zip(
        before,
        (changed.silhouettes, changed.joints_2d, changed.joints_3d),
        (walk.silhouettes, walk.joints_2d, walk.joints_3d),
        strict=True,
    ):
        assert np.array_equal(old, kept)
        assert (new.shape, new.dtype) == (old.shape, old.dtype)
    assert np.isfinite(changed.joints_2d).all()


@pytest.mark.parametrize("name", sorted(CHANGES))
@pytest.mark.parametrize("lacking", ["silhouettes", "joints_2d", "joints_3d"])
def test_a_modality_that_is_absent_is_no_hindrance(name: str, lacking: str) -> None:
    walk = sample_walk(1, frames=5)
    absent = {
        "silhouettes": np.zeros((5, 0, 0), np.uint8),
        "joints_2d": np.zeros((5, 16, 0), np.float32),
        "joints_3d": None,
    }
    walk = replace(walk, **{lacking: absent[lacking]})
    changed = augment(walk, section(**{name: 1.0}), np.random.default_rng(0))
    left = getattr(changed, lacking)
    assert left is None or left.size == 0


def test_reversal_and_speed_take_the_same_frames_of_both() -> None:
    """Frames are told by a grey value and by a coordinate of the same number."""
    frames = 12
    images = np.tile(np.arange(frames, dtype=np.uint8)[:, None, None], (1, 8, 8))
    points = np.ones((frames, 16, 3), np.float32) * np.arange(1, frames + 1, dtype=np.float32)[:, None, None]
    walk = Walk(images, points, points.copy())
    for name in ("reversal", "speed"):
        changed = augment(walk, section(**{name: 1.0}, speed_range=(2.0, 2.0)), np.random.default_rng(0))
        numbers = changed.silhouettes[:, 0, 0].astype(int)
        assert (changed.joints_2d[:, 0, 0] == numbers + 1).all()
        assert (changed.joints_3d[:, 0, 0] == numbers + 1).all()
        if name == "reversal":
            assert numbers.tolist() == list(range(frames))[::-1]
        else:
            assert (np.abs(np.diff(numbers)) <= 2).all()
            assert np.abs(np.diff(numbers)).max() == 2


def test_erasing_hides_the_joints_behind_it_alone() -> None:
    walk = dotted()
    changed = augment(walk, section(erasing=1.0, erasing_area=(0.2, 0.3)), np.random.default_rng(2))
    hidden = changed.joints_2d[0, :, 2] == 0
    assert hidden.any()
    assert not hidden.all()
    assert (grey_at_joints(walk)[hidden] > 0).all()
    x, y = (np.rint(walk.joints_2d[0, :, axis]).astype(int) for axis in (0, 1))
    assert (changed.silhouettes[0, y, x] == 0).tolist() == hidden.tolist()


def test_outlines_change_near_the_outline_alone() -> None:
    """Frayed or in a band thicker: what is further from the edge than the change reaches is as it was."""
    image = np.zeros((2, 64, 44), np.uint8)
    image[:, 10:54, 10:34] = 255
    walk = Walk(image, np.ones((2, 16, 3), np.float32))
    for name in ("edge_noise", "thickness"):
        changed = augment(walk, section(**{name: 1.0}), np.random.default_rng(1)).silhouettes
        assert (changed != image).any()
        assert (changed[:, 14:50, 14:30] == 255).all()
        assert (changed[:, :6] == 0).all()


def test_a_dropped_joint_is_unseen_in_both_skeletons() -> None:
    changed = augment(sample_walk(0, frames=20), section(joint_drop=1.0), np.random.default_rng(0))
    unseen = changed.joints_2d[..., 2] == 0
    assert 0.02 < unseen.mean() < 0.2
    assert np.array_equal(unseen, np.isnan(changed.joints_3d).all(-1))


def test_jitter_is_as_large_as_it_says() -> None:
    """An offset per joint that holds for the clip, in torso lengths."""
    walk = sample_walk(0, frames=10)
    changed = augment(walk, section(jitter=1.0, jitter_joint=0.1, jitter_point=0.0), np.random.default_rng(0))
    moved = changed.joints_3d - walk.joints_3d
    missing = (walk.joints_3d == 0).all(-1)
    steady = moved[:, ~missing.any(0)]
    assert np.abs(steady - steady[0]).max() < 1e-6
    assert 0 < np.abs(steady).max() < 0.1 * 0.6


def test_one_more_change_leaves_the_luck_of_the_others() -> None:
    walk = dotted()
    alone = augment(walk, section(rotation=1.0), np.random.default_rng(3))
    both = augment(walk, section(rotation=1.0, joint_drop=1.0), np.random.default_rng(3))
    assert np.array_equal(alone.silhouettes, both.silhouettes)


def test_a_chance_is_met() -> None:
    walk = sample_walk(0, frames=1)
    rng = np.random.default_rng(0)
    turned = [augment(walk, section(mirror=0.2), rng).silhouettes for _ in range(500)]
    share = np.mean([not np.array_equal(image, walk.silhouettes) for image in turned])
    assert 0.14 < share < 0.26
