"""The aligned silhouette fills its height, sits on its median column, and knows where it came from."""

import time

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gait.silhouette import Aligned, align, align_box, cut_width, transform_points
from stream.errors import MessageError


def blob(height: int, width: int, top: int, left: int, rows: int, columns: int) -> np.ndarray:
    mask = np.zeros((height, width), bool)
    mask[top : top + rows, left : left + columns] = True
    return mask


def found(aligned: Aligned | None) -> Aligned:
    assert aligned is not None
    return aligned


@given(
    top=st.integers(0, 60),
    left=st.integers(0, 90),
    rows=st.integers(2, 120),
    columns=st.integers(1, 100),
    width=st.sampled_from([44, 64]),
)
@settings(max_examples=80, deadline=None)
def test_any_body_fills_the_height_and_is_centred(top, left, rows, columns, width) -> None:
    """Whatever its size and place, a rectangle reaches the first and last row, its middle in the middle."""
    image = found(align(blob(200, 200, top, left, rows, columns), width=width)).image
    assert image.shape == (64, width)
    assert image.dtype == np.uint8
    assert image[0].any()
    assert image[-1].any()
    weights = image.sum(axis=0, dtype=float)
    middle = (weights @ np.arange(width)) / weights.sum()
    # The window is whole source columns, so the middle is true to half of one, and to half a pixel's width.
    assert abs(middle - (width - 1) / 2) <= 0.5 + 0.51 * width / round(rows * width / 64)


@given(st.integers(8, 100), st.integers(8, 100), st.integers(0, 40), st.integers(0, 40))
@settings(max_examples=40, deadline=None)
def test_the_transform_lands_where_the_picture_does(rows, columns, top, left) -> None:
    """A body drawn again through the transform lies on the aligned picture."""
    mask = blob(150, 150, top, left, rows, columns)
    aligned = found(align(mask))
    matrix = np.array(aligned.transform).reshape(2, 3)
    again = cv2.warpAffine(mask.astype(np.uint8) * 255, matrix, (44, 64), flags=cv2.INTER_LINEAR)
    assert np.abs(again.astype(int) - aligned.image).mean() < 12


def test_points_go_with_the_pixels() -> None:
    """The corner pixels of a 128 x 88 body go to the corners of the silhouette, further channels stay."""
    aligned = found(align(blob(200, 200, 30, 40, 128, 88)))
    points = transform_points(np.array([[40.0, 30.0, 0.5], [127.0, 157.0, 0.25]]), aligned.transform)
    np.testing.assert_allclose(points, [[-0.25, -0.25, 0.5], [43.25, 63.25, 0.25]], atol=1e-5)


def test_a_mirrored_body_gives_the_mirrored_silhouette() -> None:
    """The median is taken within columns, so left and right are treated alike."""
    rng = np.random.default_rng(1)
    mask = np.zeros((128, 88), bool)
    for row in range(128):
        left, right = np.sort(rng.integers(10, 78, 2))
        mask[row, left : right + 1] = True
    plain, mirrored = found(align(mask)).image, found(align(mask[:, ::-1])).image
    best = min(
        np.abs(np.roll(mirrored[:, ::-1], shift, axis=1).astype(int) - plain).mean() for shift in (-1, 0, 1)
    )
    assert best < 1


@pytest.mark.parametrize("shape", [(0, 5), (5, 0), (20, 20)])
def test_an_empty_mask_has_no_silhouette(shape) -> None:
    assert align(np.zeros(shape, bool)) is None


def test_any_nonzero_value_is_foreground() -> None:
    """0/1, 0/255 and bool masks give the same picture."""
    mask = blob(90, 70, 5, 20, 70, 25)
    as_bool = found(align(mask)).image
    np.testing.assert_array_equal(as_bool, found(align(mask.astype(np.uint8))).image)
    np.testing.assert_array_equal(as_bool, found(align(mask.astype(np.uint8) * 255)).image)


def test_a_box_keeps_neighbours_out() -> None:
    """Only what lies in the box is aligned, and the transform is still from image pixels."""
    scene = blob(200, 300, 20, 30, 128, 40) | blob(200, 300, 10, 200, 180, 60)
    alone = found(align(blob(200, 300, 20, 30, 128, 40)))
    boxed = found(align_box(scene, (25.0, 15.0, 80.0, 155.0)))
    np.testing.assert_array_equal(boxed.image, alone.image)
    np.testing.assert_allclose(boxed.transform, alone.transform, atol=1e-9)


@pytest.mark.parametrize("box", [(-1e9, -1e9, 1e9, 1e9), (50.0, 50.0, 20.0, 20.0), (500.0, 0.0, 900.0, 50.0)])
def test_a_box_beyond_the_image_is_cut_to_it(box) -> None:
    whole = align_box(blob(100, 100, 10, 10, 80, 30), box)
    assert (whole is None) == (box[0] > 0)


@pytest.mark.parametrize(
    "mask", [np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4), np.float32), np.zeros(4, bool)]
)
def test_what_is_no_mask_is_refused(mask) -> None:
    with pytest.raises(MessageError, match="bool or uint8"):
        align(mask)


def test_a_box_that_is_no_number_is_refused() -> None:
    with pytest.raises(MessageError, match="not finite"):
        align_box(np.ones((5, 5), bool), (0.0, float("nan"), 4.0, 4.0))


def test_cutting_the_width_keeps_the_middle() -> None:
    images = np.arange(64)[None, None].repeat(2, 0)
    np.testing.assert_array_equal(cut_width(images)[0, 0], np.arange(10, 54))
    with pytest.raises(MessageError, match="40 wide"):
        cut_width(images[..., :40])


def test_aligning_costs_little_beside_one_pass_over_the_mask() -> None:
    """Under sixty copies of the 256 x 256 mask, best of many."""
    mask = blob(256, 256, 20, 80, 220, 90)
    best = {name: float("inf") for name in ("align", "copy")}
    for _ in range(30):
        for name, work in (("align", lambda: align(mask)), ("copy", mask.copy)):
            start = time.process_time()
            for _ in range(5):
                work()
            best[name] = min(best[name], time.process_time() - start)
    assert best["align"] < 60 * best["copy"]
