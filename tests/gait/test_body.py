"""A person becomes an upright silhouette with the joints in its own pixels, however the crop was turned."""

import math

import numpy as np
import pytest

from gait.body import body_of, upright_mask
from gait.silhouette import align
from stream.errors import MessageError
from stream.messages import Affine, Array, Mask, Person, Quality

HEIGHT_PX = 300.0
NOSE, LEFT_HIP, RIGHT_HIP, LEFT_ANKLE = 0, 23, 24, 27


def figure() -> np.ndarray:
    """A body with one arm out to the right of the picture, 300 pixels high in a 400 x 400 picture."""
    picture = np.zeros((400, 400), np.bool_)
    picture[50:110, 180:230] = True
    picture[110:240, 165:245] = True
    picture[130:150, 245:300] = True
    picture[240:350, 175:200] = True
    picture[240:350, 210:235] = True
    return picture


def turned(angle: float, scale: float = 1.0, *, mirrored: bool = False) -> Mask:
    """The figure in a 256 x 256 crop whose axes are turned by ``angle`` about the figure's middle."""
    cosine, sine = scale * 1.5 * math.cos(angle), scale * 1.5 * math.sin(angle)
    a, d = (-cosine, -sine) if mirrored else (cosine, sine)
    to_image = np.array([[a, -sine], [d, cosine]])
    offset = np.array([205.0, 200.0]) - to_image @ np.array([127.5, 127.5])
    rows, columns = np.mgrid[:256, :256]
    at = np.einsum("ij,jyx->iyx", to_image, np.stack([columns, rows]).astype(float)) + offset[:, None, None]
    x, y = np.clip(np.rint(at), 0, 399).astype(int)
    return Mask.of(figure()[y, x], (a, -sine, offset[0], d, cosine, offset[1]))


def person(mask: Mask | None, world: bool = True) -> Person:
    keypoints = np.full((33, 3), 0.9, np.float32)
    keypoints[:, :2] = 200.0
    keypoints[LEFT_ANKLE, :2] = (222.0, 349.0)  # the sole of the right-hand leg in the picture
    keypoints[5, 2] = 0.0
    metres = np.random.default_rng(1).normal(size=(33, 3)).astype(np.float32)
    quality = Quality(HEIGHT_PX)
    joints = Array.of(metres) if world else None
    return Person((165, 50, 300, 350), 0.9, "blazepose33", Array.of(keypoints), quality, joints, mask)


def straight() -> np.ndarray:
    aligned = align(figure())
    assert aligned is not None
    return aligned.image


@pytest.mark.parametrize("angle", [0.0, 0.1, -0.4, 1.2, math.pi / 2, math.pi])
def test_a_turned_crop_gives_the_same_silhouette(angle: float) -> None:
    body = body_of(person(turned(angle)))
    assert body is not None
    image = body.silhouette.numpy()
    assert (image.shape, image.dtype) == ((64, 44), np.uint8)
    difference = np.abs(image.astype(float) - straight()).mean() / 255
    assert difference < 0.02


def test_a_mirrored_crop_is_set_right() -> None:
    body = body_of(person(turned(0.0, mirrored=True)))
    assert body is not None
    assert np.abs(body.silhouette.numpy().astype(float) - straight()).mean() / 255 < 0.02


@pytest.mark.parametrize("angle", [0.0, 0.3])
def test_joints_lie_in_the_silhouettes_own_pixels(angle: float) -> None:
    body = body_of(person(turned(angle)))
    assert body is not None
    joints = body.joints_2d.numpy()
    assert (joints.shape, joints.dtype) == ((16, 3), np.float32)
    x, y = joints[6, :2]  # the left ankle, put on the sole of a leg
    assert y == pytest.approx(63.0, abs=0.7)
    assert body.silhouette.numpy()[round(float(y)), round(float(x))] > 128


def test_a_joint_that_perception_lacks_is_at_no_place() -> None:
    keypoints = np.full((33, 3), 0.9, np.float32)
    keypoints[LEFT_ANKLE, 2] = 0.0
    seen = person(turned(0.2))
    lacking = Person(seen.box, 0.9, seen.layout, Array.of(keypoints), seen.quality, seen.world, seen.mask)
    body = body_of(lacking)
    assert body is not None
    np.testing.assert_array_equal(body.joints_2d.numpy()[6], 0.0)


def test_world_joints_are_centred_on_the_pelvis() -> None:
    body = body_of(person(turned(0.0)))
    assert body is not None
    assert body.joints_3d is not None
    joints = body.joints_3d.numpy()
    assert joints.shape == (16, 3)
    np.testing.assert_array_equal(joints[0], 0.0)
    np.testing.assert_allclose(joints[1] + joints[4], 0.0, atol=1e-6)  # the pelvis is between the hips


def test_without_world_joints_there_are_none() -> None:
    body = body_of(person(turned(0.0), world=False))
    assert body is not None
    assert body.joints_3d is None


def test_world_joints_with_a_hole_are_left_out() -> None:
    seen = person(turned(0.0))
    assert seen.world is not None
    metres = seen.world.numpy().copy()
    metres[LEFT_HIP] = np.nan
    holed = Person(seen.box, 0.9, seen.layout, seen.keypoints, seen.quality, Array.of(metres), seen.mask)
    body = body_of(holed)
    assert body is not None
    assert body.joints_3d is None


@pytest.mark.parametrize("mask", [None, Mask.of(np.zeros((256, 256), np.bool_), (1, 0, 0, 0, 1, 0))])
def test_nobody_without_a_silhouette(mask: Mask | None) -> None:
    assert body_of(person(mask)) is None


def test_a_small_crop_far_away_and_a_huge_one_near_are_both_taken() -> None:
    for scale in (0.05, 40.0):
        upright, _ = upright_mask(turned(0.3, scale))
        assert max(upright.shape) <= 514


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_mask_that_lies_nowhere_is_refused(bad: float) -> None:
    with pytest.raises(MessageError, match="six finite numbers"):
        body_of(person(Mask.of(figure(), (1.0, 0.0, bad, 0.0, 1.0, 0.0))))


@pytest.mark.parametrize("flat", [(0.0, 0.0, 5.0, 0.0, 0.0, 5.0), (1.0, 1.0, 0.0, 1.0, 1.0, 0.0)])
def test_a_mask_without_extent_shows_nobody(flat: Affine) -> None:
    assert body_of(person(Mask.of(figure(), flat))) is None


def test_arrays_that_lie_about_their_shape_are_refused() -> None:
    seen = person(turned(0.0))
    assert seen.mask is not None
    short = Person(seen.box, 0.9, seen.layout, Array("float32", (33, 3), b""), seen.quality, None, seen.mask)
    with pytest.raises(MessageError):
        body_of(short)
    cut = Mask(seen.mask.height, seen.mask.width, seen.mask.bits[:-1], seen.mask.to_image)
    with pytest.raises(MessageError):
        body_of(person(cut))
    with pytest.raises(MessageError):
        body_of(
            Person(
                seen.box,
                0.9,
                "blazepose33",
                Array.of(np.zeros((5, 3), np.float32)),
                seen.quality,
                None,
                seen.mask,
            )
        )
