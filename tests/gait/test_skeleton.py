"""Layouts convert by joint names; what cannot be derived is said; normalisation keeps stature."""

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gait.skeleton import (
    BLAZEPOSE33,
    BUILT_IN,
    COCO17,
    COCO18,
    GAITWAY16,
    KINECT18,
    KINECT25,
    body_scale,
    convert,
    impute_missing,
    layout_named,
    load_layout,
    locate,
    mirror,
    normalise,
    swap_sides,
)
from stream.errors import ConfigError, MessageError

NAMES = sorted(BUILT_IN)


def random_points(layout, seed: int = 0, frames: int = 3) -> np.ndarray:
    rng = np.random.default_rng(seed)
    points = rng.uniform(-1, 1, (frames, layout.size, 3)).astype(np.float32)
    points[..., 2] = rng.uniform(0.1, 1, points.shape[:2])
    return points


def test_the_known_sizes_and_bones() -> None:
    """Joint and bone counts of the six layouts; MODELS' edges for COCO-17, the 16 joints and Kinect-25."""
    counts = {name: (layout.size, len(layout.edges)) for name, layout in BUILT_IN.items()}
    assert counts == {
        "blazepose33": (33, 35),
        "coco17": (17, 18),
        "coco18": (18, 17),
        "gaitway16": (16, 15),
        "kinect25": (25, 24),
        "kinect18": (18, 17),
    }
    assert set(GAITWAY16.edges) == {
        *((0, 1), (1, 2), (2, 3), (0, 4), (4, 5), (5, 6), (0, 7), (7, 8), (8, 9)),
        *((8, 10), (10, 11), (11, 12), (8, 13), (13, 14), (14, 15)),
    }
    assert set(COCO17.edges) == {
        *((0, 1), (0, 2), (1, 3), (2, 4), (3, 5), (4, 6), (5, 6), (5, 7), (7, 9), (6, 8), (8, 10)),
        *((5, 11), (6, 12), (11, 12), (11, 13), (13, 15), (12, 14), (14, 16)),
    }
    assert {frozenset(edge) for edge in KINECT25.edges} >= {
        frozenset(e) for e in [(1, 20), (6, 22), (10, 24)]
    }


@pytest.mark.parametrize("name", NAMES)
def test_every_skeleton_hangs_together(name) -> None:
    """A walk along the bones from joint 0 reaches all joints (BlazePose's face stands apart from its body)."""
    layout = BUILT_IN[name]
    reached = {0}
    for _ in layout.edges:
        reached |= {b for a, b in layout.edges if a in reached} | {a for a, b in layout.edges if b in reached}
    free = set(range(layout.size)) - reached
    expected = set(range(9, 33)) if name == "blazepose33" else set()
    assert free == expected


@pytest.mark.parametrize("name", NAMES)
def test_swapping_twice_changes_nothing_and_keeps_the_bones(name) -> None:
    layout = BUILT_IN[name]
    points = random_points(layout)
    np.testing.assert_array_equal(swap_sides(swap_sides(points, name), name), points)
    bones = {frozenset(edge) for edge in layout.edges}
    assert {frozenset(layout.swap[joint] for joint in edge) for edge in bones} == bones


@given(st.sampled_from(NAMES), st.sampled_from(NAMES), st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_shared_joints_are_kept_and_the_rest_is_said(source, target, seed) -> None:
    """A joint by the same name is untouched; every other one is named as derived or missing."""
    points = random_points(layout_named(source), seed)
    result = convert(points, source, target)
    start, end = layout_named(source), layout_named(target)
    for k, joint in enumerate(end.joints):
        if joint in start.joints:
            np.testing.assert_allclose(result.points[:, k], points[:, start.index(joint)], rtol=1e-6)
        elif joint in result.missing:
            assert not result.points[:, k].any()
        else:
            assert joint in result.derived
            assert (result.points[:, k, 2] > 0).all()


@given(st.sampled_from(NAMES), st.sampled_from(NAMES), st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_mirroring_and_converting_commute(source, target, seed) -> None:
    points = random_points(layout_named(source), seed)
    one = convert(mirror(points, source), source, target).points
    other = mirror(convert(points, source, target).points, target)
    np.testing.assert_allclose(one, other, atol=1e-6)


def test_the_sixteen_joints_from_blazepose_by_hand() -> None:
    """Pelvis, neck, spine and head are the middles that their names say, as sure as the less sure end."""
    points = random_points(BLAZEPOSE33)
    result = convert(points, "blazepose33", "gaitway16")
    assert set(result.derived) == {"pelvis", "spine", "neck", "head"}
    assert result.missing == ()
    hips, shoulders, ears = points[:, 23:25], points[:, 11:13], points[:, 7:9]
    np.testing.assert_allclose(result.points[:, 0, :2], hips[..., :2].mean(1), atol=1e-6)
    np.testing.assert_allclose(result.points[:, 8, :2], shoulders[..., :2].mean(1), atol=1e-6)
    middle = (hips[..., :2].mean(1) + shoulders[..., :2].mean(1)) / 2
    np.testing.assert_allclose(result.points[:, 7, :2], middle, atol=1e-6)
    np.testing.assert_allclose(result.points[:, 9, :2], ears[..., :2].mean(1), atol=1e-6)
    np.testing.assert_allclose(result.points[:, 0, 2], hips[..., 2].min(1))


def test_a_face_cannot_be_made_from_sixteen_joints() -> None:
    result = convert(random_points(GAITWAY16), GAITWAY16, COCO17)
    assert result.missing == ("nose", "left_eye", "right_eye", "left_ear", "right_ear")


def test_the_eighteen_openpose_points_become_coco_17_by_dropping_the_neck() -> None:
    """The known reordering of OpenPose's points."""
    points = random_points(COCO18)
    order = [0, 15, 14, 17, 16, 5, 2, 6, 3, 7, 4, 11, 8, 12, 9, 13, 10]
    np.testing.assert_allclose(convert(points, COCO18, COCO17).points, points[:, order])


def test_a_missing_source_makes_its_derived_joint_missing() -> None:
    """Confidence 0 and NaN travel, and nothing else is touched."""
    points = random_points(COCO17)
    points[0, 11, 2] = 0
    points[1, 12, 0] = np.nan
    result = convert(points, COCO17, GAITWAY16).points
    assert not result[0, 0].any()
    assert not result[1, 0].any()
    assert result[2, 0, 2] > 0
    assert np.isfinite(result).all()
    blind = convert(points[..., :2], COCO17, GAITWAY16, confidence=False).points
    assert np.isnan(blind[1, 0]).all()
    assert np.isfinite(blind[0]).all()


@pytest.mark.parametrize("shape", [(3, 15, 3), (16,), (3, 16, 1)])
def test_other_shapes_are_refused(shape) -> None:
    with pytest.raises(MessageError, match="gaitway16"):
        convert(np.zeros(shape), GAITWAY16, COCO17)


def test_an_unknown_layout_or_joint_names_those_there_are() -> None:
    with pytest.raises(ConfigError, match="coco17"):
        layout_named("coco19")
    with pytest.raises(ConfigError, match="left_hip"):
        COCO17.index("tail")
    with pytest.raises(MessageError, match="no nose can be derived"):
        locate(random_points(GAITWAY16), GAITWAY16, "nose")


@given(st.floats(0.5, 3), st.floats(-50, 50), st.integers(0, 20))
@settings(max_examples=30, deadline=None)
def test_normalising_undoes_scale_and_place(scale, shift, seed) -> None:
    """A moved and scaled walk normalises to the same points; the pelvis is the origin in every frame."""
    points = random_points(GAITWAY16, seed, frames=5)
    moved = points.copy()
    moved[..., :2] = points[..., :2] * scale + shift
    one, other = normalise(points, GAITWAY16), normalise(moved, GAITWAY16)
    np.testing.assert_allclose(one.points, other.points, atol=2e-3)
    assert not one.points[:, 0, :2].any()
    assert other.scale == pytest.approx(one.scale * scale, rel=1e-3)


def test_one_scale_for_a_whole_walk_keeps_stature_changes() -> None:
    """The median torso, not each frame's: a frame twice as large stays twice as large."""
    points = np.repeat(random_points(GAITWAY16, frames=1), 5, axis=0)
    points[2, :, :2] *= 2
    lengths = np.linalg.norm(normalise(points, GAITWAY16).points[:, 8, :2], axis=-1)
    np.testing.assert_allclose(lengths, [1, 1, 2, 1, 1], rtol=1e-5)


@pytest.mark.parametrize("value", [np.nan, np.inf, 0.0, 1e30])
def test_normalising_never_divides_by_nothing(value) -> None:
    points = np.full((2, 16, 3), value, np.float32)
    assert body_scale(points, GAITWAY16, confidence=False) > 0
    points[..., 2] = 1
    assert np.isfinite(normalise(np.nan_to_num(points, posinf=0), GAITWAY16).points).all()


def test_a_mirror_leaves_missing_points_at_the_origin() -> None:
    points = random_points(GAITWAY16, frames=1) + 5
    points[0, 1] = 0
    seen = mirror(points, GAITWAY16, width=44)
    assert not seen[0, 4].any()
    np.testing.assert_allclose(seen[0, 1, 0], 43 - points[0, 4, 0])


def test_imputation_by_hand() -> None:
    """Frame 1 lacks x of joint 1; its two nearest frames lie at 1 and 2, so they weigh 2 to 1."""
    rows = np.array([[1.0, 1, 10, 1], [2.0, 1, 0, 1], [4.0, 1, 40, 1], [90.0, 1, 90, 1]])
    filled = impute_missing(rows.reshape(4, 2, 2), neighbours=2).reshape(4, 4)
    assert filled[1, 2] == pytest.approx((10 / 1 + 40 / 2) / (1 / 1 + 1 / 2), rel=1e-5)
    np.testing.assert_array_equal(np.delete(filled.ravel(), 6), np.delete(rows.ravel(), 6))


def test_an_identical_frame_outweighs_all_others() -> None:
    rows = np.array([[1.0, 1, 7, 3], [1.0, 1, 0, 3], [2.0, 1, 9, 3]])
    assert impute_missing(rows.reshape(3, 2, 2)).reshape(3, 4)[1, 2] == 7


def test_imputation_matches_a_slow_reading_of_its_rule() -> None:
    """Per missing number: distances over shared coordinates scaled up, four donors, weights 1/d."""
    rng = np.random.default_rng(3)
    points = rng.uniform(1, 9, (12, 5, 2))
    points[rng.random(points.shape) < 0.2] = 0
    rows = points.reshape(12, 10)
    slow = rows.copy()
    for i, j in zip(*np.nonzero(rows == 0), strict=True):
        donors = []
        for k in range(12):
            shared = (rows[i] != 0) & (rows[k] != 0)
            if rows[k, j] != 0 and shared.any():
                squares = ((rows[i] - rows[k])[shared] ** 2).sum() * 10 / shared.sum()
                donors.append((np.sqrt(squares), rows[k, j]))
        near = sorted(donors)[:4]
        slow[i, j] = sum(v / d for d, v in near) / sum(1 / d for d, _ in near)
    np.testing.assert_allclose(impute_missing(points).reshape(12, 10), slow, rtol=1e-5)


def test_a_joint_that_no_frame_has_stays_missing() -> None:
    points = random_points(COCO17)
    points[:, 4, :2] = 0
    assert not impute_missing(points)[:, 4, :2].any()


def write(folder: Path, text: str) -> Path:
    path = folder / "sensor.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_another_sensors_skeleton_is_a_file(tmp_path) -> None:
    """Names give the sides and the conversion; edges may be written by name."""
    path = write(
        tmp_path,
        "name: stick\njoints: [pelvis, neck, left_hand, right_hand]\n"
        "edges: [[pelvis, neck], [1, left_hand], [1, 3]]\n",
    )
    layout = load_layout(path)
    assert layout.edges == ((0, 1), (1, 2), (1, 3))
    assert layout.swap == (0, 1, 3, 2)
    assert "left_hand" not in convert(np.ones((1, 25, 3)), KINECT25, layout).missing


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("joints: [a]\nedges: []", "name"),
        ("name: x\njoints: []\nedges: []", "0 joints"),
        ("name: x\njoints: [a, a]\nedges: []", "twice"),
        ("name: x\njoints: [a, b]\nedges: [[0, 2]]", "edge"),
        ("name: x\njoints: [a, b]\nedges: [[0, 0]]", "edge"),
        ("name: x\njoints: [a, b]\nedges: [[a, tail]]", "tail|int"),
        ("name: x\njoints: [left_a]\nedges: []", "counterpart"),
        ("name: x\njoints: [a]\nedges: []\ncolour: red", "colour"),
        ("[1, 2", "cannot read"),
        ("", "layout"),
    ],
)
def test_a_wrong_layout_file_says_why(tmp_path, text, why) -> None:
    with pytest.raises(ConfigError, match=why):
        load_layout(write(tmp_path, text))


def test_a_layout_file_that_is_not_there(tmp_path) -> None:
    with pytest.raises(ConfigError, match=r"none\.yaml"):
        load_layout(tmp_path / "none.yaml")


def test_real_kinect_files_have_a_human_shape() -> None:
    """The 18-joint order, on recordings: feet below hips below head, thighs of human length."""
    root = os.environ.get("GAITWAY_DATA")
    files = sorted(Path(root or "/nonexistent").glob("ucalgary_kinect/sub*/*.csv"))
    if not files:
        pytest.skip("GAITWAY_DATA holds no Kinect recordings")
    rows = np.genfromtxt(files[0], delimiter=",", skip_header=1)[:, :54]
    points = rows.reshape(len(rows), 18, 3)
    height = {
        name: np.nanmedian(points[:, KINECT18.index(name), 1]) for name in ("left_foot", "pelvis", "head")
    }
    assert height["left_foot"] < height["pelvis"] < height["head"]
    hip, knee = (points[:, KINECT18.index(f"right_{joint}")] for joint in ("hip", "knee"))
    assert 0.3 < np.nanmedian(np.linalg.norm(hip - knee, axis=-1)) < 0.6
    assert convert(points, KINECT18, GAITWAY16, confidence=False).missing == ()
