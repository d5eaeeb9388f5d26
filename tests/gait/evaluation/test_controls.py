"""Each control takes away what it says and nothing else."""

import numpy as np
import pytest

from gait.evaluation.controls import CONTROLS, _outwards, control
from gait.inputs import Walk
from gait.skeleton import COCO17, GAITWAY16, KINECT18
from stream.errors import ConfigError


def walk(frames: int = 9) -> Walk:
    rng = np.random.default_rng(frames)
    return Walk(
        rng.integers(0, 256, (frames, 8, 4)).astype(np.uint8),
        rng.random((frames, 16, 3)).astype(np.float32),
        rng.random((frames, 16, 3)).astype(np.float32),
    )


def test_shuffling_keeps_every_frame_and_moves_all_parts_together() -> None:
    given, made = walk(), control("shuffle")(walk())
    order = [
        int(np.flatnonzero((given.silhouettes == frame).all(axis=(1, 2)))[0]) for frame in made.silhouettes
    ]
    assert sorted(order) == list(range(9)) != order
    np.testing.assert_array_equal(made.joints_2d, given.joints_2d[order])
    np.testing.assert_array_equal(made.joints_3d, given.joints_3d[order])
    np.testing.assert_array_equal(control("shuffle")(walk()).silhouettes, made.silhouettes)


def test_a_single_frame_is_the_middle_one_throughout() -> None:
    made = control("single-frame")(walk())
    assert (made.silhouettes == walk().silhouettes[4]).all()
    assert (made.joints_3d == walk().joints_3d[4]).all()


def test_shape_alone_does_not_move_and_passes_over_missing_joints() -> None:
    given = walk()
    given.joints_3d[2, 5] = np.nan
    given.joints_3d[:, 6] = np.nan
    made = control("shape-only")(given)
    for part in (made.silhouettes, made.joints_2d, made.joints_3d):
        np.testing.assert_array_equal(part, np.repeat(part[:1], 9, axis=0))
    assert np.isfinite(made.joints_3d[0, 5]).all()
    assert np.isnan(made.joints_3d[0, 6]).all()


def test_one_modality_alone_leaves_the_other_empty() -> None:
    silhouettes, skeleton = control("silhouette-only")(walk()), control("skeleton-only")(walk())
    assert not silhouettes.joints_2d.any()
    assert not silhouettes.joints_3d.any()
    np.testing.assert_array_equal(silhouettes.silhouettes, walk().silhouettes)
    assert not skeleton.silhouettes.any()
    np.testing.assert_array_equal(skeleton.joints_2d, walk().joints_2d)


@pytest.mark.parametrize("name", CONTROLS)
@pytest.mark.parametrize("frames", [1, 2])
def test_controls_take_short_walks_and_walks_that_lack_a_part(name, frames) -> None:
    bare = Walk(np.zeros((frames, 0, 0), np.uint8), np.zeros((frames, 16, 0), np.float32))
    for given in (walk(frames), bare):
        made = control(name)(given)
        assert made.silhouettes.shape == given.silhouettes.shape
        assert made.joints_2d.shape == given.joints_2d.shape
        assert made.silhouettes.dtype == np.uint8


def test_no_control_changes_what_it_is_given() -> None:
    for name in CONTROLS:
        given = walk()
        control(name)(given)
        np.testing.assert_array_equal(given.silhouettes, walk().silhouettes)
        np.testing.assert_array_equal(given.joints_3d, walk().joints_3d)


def test_an_unknown_control_is_named_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match="Did you mean shuffle"):
        control("shufle")
    given = walk()
    assert control("")(given) is given


@pytest.mark.parametrize("layout", [KINECT18, COCO17, GAITWAY16], ids=lambda layout: layout.name)
def test_shape_alone_keeps_the_lengths_of_a_body_that_turns_and_travels(layout) -> None:
    """Of the bones it walks along from the root: a ring's last bone only closes it."""
    rng = np.random.default_rng(4)
    rest = rng.normal(size=(layout.size, 3))
    angles = np.linspace(-0.6, 0.6, 21)
    turn = np.array([[[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]] for a in angles])
    joints = (rest @ turn + np.linspace(0, 5, 21)[:, None, None]).astype(np.float32)
    given = Walk(np.zeros((21, 0, 0), np.uint8), np.zeros((21, layout.size, 0), np.float32), joints, layout)
    made = control("shape-only")(given).joints_3d
    edges = np.array(_outwards(layout))
    assert len(edges) == layout.size - 1
    lengths = [np.linalg.norm(j[:, edges[:, 1]] - j[:, edges[:, 0]], axis=-1) for j in (joints, made)]
    np.testing.assert_allclose(lengths[1], lengths[0], rtol=1e-4)
