"""Skeletons drawn into the silhouette's crop: against a slow drawing, symmetric, bounded, quick."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gait.maps import (
    MapConfig,
    body_and_depth_maps,
    fuse,
    limb_and_joint_maps,
    orthographic,
    relative_depths,
)
from gait.reference_maps import reference_maps
from gait.sample import sample_walk
from gait.skeleton import GAITWAY16, mirror, normalise, swap_sides
from stream.errors import MessageError

LINKS = GAITWAY16.edges


def random_points(seed: int, frames: int = 2) -> np.ndarray:
    rng = np.random.default_rng(seed)
    places = rng.uniform((-5, -5), (49, 69), (frames, 16, 2))
    return np.concatenate([places, rng.uniform(0.2, 1, (frames, 16, 1))], axis=-1)


def segment(x: float, y: float, a: np.ndarray, b: np.ndarray) -> tuple[float, float]:
    """Squared distance of a pixel to a segment, and where on it the nearest point lies, by hand."""
    along = b - a
    share = float(np.clip(np.dot((x, y) - a, along) / max(np.dot(along, along), 1e-12), 0, 1))
    return float(((a + share * along - (x, y)) ** 2).sum()), share


def slow_maps(points: np.ndarray, depths: np.ndarray, sigma: float = 2.5) -> np.ndarray:
    """One pixel at a time: limbs, joints, and the heat-weighted mean depth of the limbs."""
    out = np.zeros((3, 64, 44))
    for y in range(64):
        for x in range(44):
            heats, levels = [], []
            for i, j in LINKS:
                square, share = segment(x, y, points[i, :2], points[j, :2])
                heats.append(np.exp(-square / (2 * sigma**2)) * min(points[i, 2], points[j, 2]))
                levels.append(depths[i] + share * (depths[j] - depths[i]))
            joints = np.exp(-((points[:, :2] - (x, y)) ** 2).sum(1) / (2 * sigma**2)) * points[:, 2]
            total = sum(heats)
            depth = np.dot(heats, levels) / total if total > 1e-10 else 0.0
            out[:, y, x] = max(heats), joints.max(), depth
    return out


def test_maps_equal_a_slow_drawing() -> None:
    """Limbs, joints, body and depth against one pixel and one bone at a time."""
    points, depths = random_points(0, 1), np.random.default_rng(1).uniform(-1, 1, (1, 16))
    limbs, joints, depth = slow_maps(points[0], depths[0])
    fast = limb_and_joint_maps(points)[0]
    np.testing.assert_allclose(fast[0], limbs, atol=2e-5)
    np.testing.assert_allclose(fast[1], joints, atol=2e-5)
    body = np.maximum(limbs, joints)
    both = body_and_depth_maps(points, depths * 1.5)[0]
    np.testing.assert_allclose(both[0], body, atol=2e-5)
    np.testing.assert_allclose(both[1], 0.5 + 0.5 * body * depth, atol=1e-4)


@given(st.integers(0, 1000), st.floats(0.1, 1))
@settings(max_examples=20, deadline=None)
def test_a_mirrored_walk_gives_mirrored_maps(seed, reach) -> None:
    """Mirroring with the sides swapped mirrors every channel; depth keeps its sign."""
    points = random_points(seed)
    depths = np.random.default_rng(seed).uniform(-reach, reach, (2, 16))
    swapped = swap_sides(depths[..., None], GAITWAY16)[..., 0]
    seen = body_and_depth_maps(mirror(points, GAITWAY16, width=44), swapped)
    np.testing.assert_allclose(seen, body_and_depth_maps(points, depths)[..., ::-1], atol=1e-4)


@given(
    st.lists(st.sampled_from([0.0, 1.0, -3.0, 1e30, -1e30, np.nan, np.inf, 22.0]), min_size=48, max_size=48),
    st.sampled_from([0.0, np.nan, 1e30, -np.inf]),
)
@settings(max_examples=40, deadline=None)
def test_no_input_breaks_the_range(values, depth) -> None:
    """Missing, huge, coinciding and broken joints all give numbers in [0, 1]."""
    points = np.array(values).reshape(1, 16, 3)
    maps = body_and_depth_maps(points, np.full((1, 16), depth))
    assert np.isfinite(maps).all()
    assert maps.min() >= 0
    assert maps.max() <= 1
    assert np.isfinite(limb_and_joint_maps(points)).all()


@pytest.mark.filterwarnings("error")
@given(st.integers(0, 10_000))
@settings(max_examples=40, deadline=None)
def test_broken_walks_pass_through_every_step_quietly(seed) -> None:
    """Joints at any scale, missing, NaN or beyond float32: finite pictures, and no warning on the way."""
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(int(rng.integers(1, 5)), 17, 3)) * 10 ** rng.uniform(-3, 6)
    fault = rng.random(points.shape)
    points[fault < 0.1], points[fault > 0.97], points[(fault > 0.94) & (fault < 0.97)] = 0, np.nan, 1e300
    sixteen = points[:, :16]
    drawn = (
        reference_maps(points),
        body_and_depth_maps(sixteen, relative_depths(sixteen)),
        limb_and_joint_maps(orthographic(sixteen)),
    )
    for maps in drawn:
        assert np.isfinite(maps).all()
        assert maps.min() >= 0
        assert maps.max() <= 1.0001
    assert np.isfinite(normalise(np.nan_to_num(sixteen), GAITWAY16).points).all()


def test_a_missing_joint_draws_nothing() -> None:
    """With no confidence at all the body is empty and depth is at rest."""
    points = random_points(2)
    points[..., 2] = 0
    maps = body_and_depth_maps(points, np.ones((2, 16)))
    assert not maps[:, 0].any()
    np.testing.assert_array_equal(maps[:, 1], np.float32(0.5))


def test_a_bone_seen_end_on_is_a_point() -> None:
    """All joints in one place: the limb map is one Gaussian, not the whole picture."""
    points = np.tile([22.0, 32.0, 1.0], (1, 16, 1))
    limbs, joints = limb_and_joint_maps(points)[0]
    np.testing.assert_allclose(limbs, joints, atol=1e-5)
    assert limbs[32, 22] == pytest.approx(1)
    assert limbs[0, 0] < 1e-6


def test_depth_is_nearer_dark_farther_bright() -> None:
    """A wrist in front of the pelvis darkens its place, one behind brightens it."""
    walk = sample_walk(3, 6)
    assert walk.joints_3d is not None
    depths = np.zeros((6, 16))
    depths[:, GAITWAY16.index("right_wrist")] = -1
    depths[:, GAITWAY16.index("left_wrist")] = 1
    points = walk.joints_2d.copy()
    points[:, GAITWAY16.index("left_wrist"), 0] += 10
    maps = body_and_depth_maps(points, depths)
    for t in range(6):
        for joint, sign in (("right_wrist", -1), ("left_wrist", 1)):
            x, y = np.round(points[t, GAITWAY16.index(joint), :2]).astype(int)
            if 0 <= x < 44 and 0 <= y < 64:
                assert sign * (maps[t, 1, y, x] - 0.5) > 0.05


def test_the_skeleton_lies_on_the_silhouette() -> None:
    """Registered means: most of the limbs' heat falls on the silhouette, and less where it is shifted."""
    walk = sample_walk(1, 10)
    body = walk.silhouettes > 127
    limbs = limb_and_joint_maps(walk.joints_2d)[:, 0]

    def inside(rows: int, columns: int) -> float:
        return float((np.roll(limbs, (rows, columns), axis=(1, 2)) * body).sum() / limbs.sum())

    assert inside(0, 0) > 0.7
    for shift in ((0, 3), (0, -3), (4, 0), (-4, 0)):
        assert inside(*shift) < inside(0, 0)


def test_an_orthographic_walk_lands_near_the_registered_one() -> None:
    """Without image positions the joints come within a few pixels of where the crop has them."""
    walk = sample_walk(1, 25)
    assert walk.joints_3d is not None
    away = orthographic(walk.joints_3d)[..., :2] - walk.joints_2d[..., :2]
    assert np.abs(np.median(away, axis=(0, 1))).max() < 3


def test_depths_are_told_in_torsos_from_the_pelvis() -> None:
    joints = np.zeros((3, 16, 3))
    joints[..., 2] = 4.0
    joints[:, GAITWAY16.index("neck"), 1] = -0.5
    joints[:, 3, 2] = 4.25
    depths = relative_depths(joints)
    np.testing.assert_allclose(depths[:, 3], 0.5, rtol=1e-6)
    assert not np.delete(depths, 3, axis=1).any()
    np.testing.assert_allclose(relative_depths(joints, scale_m=0.25)[:, 3], 1.0, rtol=1e-6)


def test_fusing_needs_equal_lengths_sizes_and_bytes() -> None:
    images, maps = np.zeros((3, 64, 44), np.uint8), np.zeros((3, 2, 64, 44), np.float32)
    images[:] = 255
    fused = fuse(images, maps)
    assert fused.shape == (3, 3, 64, 44)
    assert fused[:, 0].min() == 1
    for wrong in (lambda: fuse(images[:2], maps), lambda: fuse(images, maps[..., :40])):
        with pytest.raises(MessageError):
            wrong()
    with pytest.raises(MessageError, match="uint8"):
        fuse(images.astype(np.float32), maps)  # type: ignore[arg-type]


@pytest.mark.parametrize("shape", [(16, 3), (2, 17, 3), (2, 16, 2)])
def test_other_skeletons_are_refused(shape) -> None:
    with pytest.raises(MessageError, match="16"):
        limb_and_joint_maps(np.zeros(shape))


@pytest.mark.parametrize("field", ["height", "width", "sigma_px", "depth_reach"])
def test_a_config_that_cannot_draw_is_refused(field) -> None:
    with pytest.raises(ValueError, match=field):
        MapConfig(**{field: 0})


def test_drawing_costs_about_its_arithmetic() -> None:
    """A frame takes under two hundred passes over all limbs' pixels: no loop over pixels, bones or joints."""
    points, depths = random_points(4, 1), np.zeros((1, 16))
    pixels = np.ones((len(LINKS), 64 * 44), np.float32)
    best = {"draw": float("inf"), "pass": float("inf")}
    for _ in range(40):
        start = time.process_time()
        body_and_depth_maps(points, depths)
        best["draw"] = min(best["draw"], time.process_time() - start)
        start = time.process_time()
        for _ in range(10):
            np.multiply(pixels, pixels, out=pixels)
        best["pass"] = min(best["pass"], (time.process_time() - start) / 10)
    assert best["draw"] < 200 * best["pass"]
