"""The baselines measure what they say: shape without motion, motion without shape."""

import numpy as np
import pytest

from gait.evaluation.baselines import average_silhouette, baseline, bone_lengths, motion, pca_lda
from gait.inputs import Walk
from gait.skeleton import KINECT18
from stream.errors import ConfigError, MessageError


def skeleton(scale: float = 1.0, cadence: float = 4.0, turn: float = 0.0, frames: int = 120) -> Walk:
    """Arms and legs swing about a still trunk; ``scale`` the body, ``cadence`` swings in all."""
    rng = np.random.default_rng(0)
    rest = rng.normal(0, 0.4, (18, 3))
    rest[KINECT18.index("left_hip")] = (-0.1, 0, 0)
    rest[KINECT18.index("right_hip")] = (0.1, 0, 0)
    phase = np.sin(2 * np.pi * cadence * np.arange(frames) / frames)
    joints = np.repeat(rest[None], frames, axis=0)
    for parent, child in KINECT18.edges:
        bone = rest[child] - rest[parent]
        angle = 0.3 * phase * (child % 3)
        swung = np.stack(
            [
                np.full(frames, bone[0]),
                np.cos(angle) * bone[1] - np.sin(angle) * bone[2],
                np.sin(angle) * bone[1] + np.cos(angle) * bone[2],
            ],
            axis=1,
        )
        if child not in (KINECT18.index("left_hip"), KINECT18.index("right_hip")):
            joints[:, child] = joints[:, parent] + swung
    rotation = np.array([[np.cos(turn), 0, np.sin(turn)], [0, 1, 0], [-np.sin(turn), 0, np.cos(turn)]])
    placed = (scale * joints @ rotation.T + [0, 0, 3]).astype(np.float32)
    return Walk(np.zeros((frames, 0, 0), np.uint8), np.zeros((frames, 18, 0), np.float32), placed, KINECT18)


def test_bone_lengths_grow_with_the_body_and_ignore_its_swing() -> None:
    np.testing.assert_allclose(bone_lengths(skeleton(2.0)), 2 * bone_lengths(skeleton()), rtol=1e-4)
    np.testing.assert_allclose(bone_lengths(skeleton(cadence=7)), bone_lengths(skeleton()), rtol=1e-4)


def test_motion_ignores_size_and_heading_and_sees_the_swing() -> None:
    still = motion(skeleton())
    np.testing.assert_allclose(motion(skeleton(1.7)), still, atol=1e-4)
    np.testing.assert_allclose(motion(skeleton(turn=0.8)), still, atol=1e-4)
    held = skeleton()
    held.joints_3d[:] = held.joints_3d[0]
    assert np.abs(motion(held) - still).max() > 0.05


def test_the_average_silhouette_is_the_mean_frame() -> None:
    frames = np.zeros((4, 2, 2), np.uint8)
    frames[:2, 0, 0] = 255
    np.testing.assert_allclose(average_silhouette(Walk(frames, np.zeros((4, 16, 0)))), [[0.5, 0, 0, 0]])


@pytest.mark.parametrize("name", ["average-silhouette", "pca-lda", "bone-lengths", "motion"])
def test_a_walk_without_the_part_is_refused(name) -> None:
    bare = Walk(np.zeros((3, 0, 0), np.uint8), np.zeros((3, 16, 0), np.float32))
    with pytest.raises(MessageError, match="has no"):
        baseline(name).features(bare)


def test_the_discriminant_finds_the_direction_that_tells_people_apart() -> None:
    """Two people differ in one weak number among nineteen loud ones."""
    rng = np.random.default_rng(1)
    people = ["a", "b"] * 60
    values = rng.normal(0, 1.5, (120, 1, 20))
    values[:, 0, 3] = rng.normal(0, 0.1, 120) + [0.0, 1.0] * 60
    found = pca_lda(values[:80].astype(np.float32), people[:80])(values[80:].astype(np.float32))[:, 0, 0]
    assert len(np.unique(np.sign(found[0::2]))) == 1
    assert np.sign(found[0]) != np.sign(found[1])
    np.testing.assert_allclose(np.abs(found), 1, rtol=1e-5)


@pytest.mark.parametrize(("walks", "people"), [(4, ["a"] * 4), (3, ["a", "b", "c"])])
def test_too_few_people_or_walks_teach_nothing(walks, people) -> None:
    with pytest.raises(MessageError, match="cannot teach a discriminant"):
        pca_lda(np.ones((walks, 1, 5), np.float32), people)


def test_equal_walks_of_two_people_do_not_break_the_discriminant() -> None:
    same = np.ones((6, 1, 5), np.float32)
    assert np.isfinite(pca_lda(same, list("ababab"))(same)).all()


def test_an_unknown_baseline_is_named_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match="Did you mean pca-lda"):
        baseline("pcalda")
