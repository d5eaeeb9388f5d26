"""The published skeleton maps, step by step, against a slow reading of the steps."""

import time

import cv2
import numpy as np
import pytest

from gait.reference_maps import LIMBS, reference_maps, single_pixel_maps
from gait.skeleton import COCO17, COCO18, GAITWAY16, convert
from stream.errors import MessageError

STANDING = np.array(
    [
        *([0, 0], [2, -2], [-2, -2], [4, 0], [-4, 0], [10, 14], [-10, 14], [13, 30], [-13, 30]),
        *([14, 45], [-14, 45], [7, 48], [-7, 48], [8, 70], [-8, 70], [8, 95], [-8, 95]),
    ],
    float,
)


def people(frames: int = 3, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    places = STANDING + rng.normal(size=(frames, 17, 2)) + 300
    return np.concatenate([places, rng.uniform(0.5, 1, (frames, 17, 1))], axis=-1)


def slow(frame: np.ndarray) -> np.ndarray:
    """Centre, scale, draw, grey, crop and resize one complete frame, one stroke at a time."""
    xy, sure = frame[:, :2], frame[:, 2]
    xy = (xy - (xy[11] + xy[12]) / 2) * 85 / (xy[:, 1].max() - xy[:, 1].min()) + 64
    row, column = np.mgrid[:128, :128].astype(float)
    canvas = np.zeros((2, 128, 128))
    strokes = [(0, a, b) for a, b in LIMBS] + [(1, k, k) for k in range(17)]
    for channel, a, b in strokes:
        along = xy[b] - xy[a]
        share = ((column - xy[a, 0]) * along[0] + (row - xy[a, 1]) * along[1]) / max(along @ along, 1e-12)
        share = np.clip(share, 0, 1)
        square = (xy[a, 0] + share * along[0] - column) ** 2 + (xy[a, 1] + share * along[1] - row) ** 2
        heat = np.exp(-square / 128) * min(sure[a], sure[b])
        for axis, place in ((0, column), (1, row)):
            heat[
                (place < min(xy[a, axis], xy[b, axis]) - 25) | (place > max(xy[a, axis], xy[b, axis]) + 25)
            ] = 0
        canvas[channel] = np.maximum(canvas[channel], heat)
    grey = (canvas * 255).astype(np.uint8)
    rows = np.flatnonzero(grey.any(axis=(0, 2)))
    cut = grey[:, rows[0] : rows[-1] + 1]
    half = cut.shape[1] // 2
    return np.stack(
        [cv2.resize(part[:, 64 - half : 64 + half], (64, 64), interpolation=cv2.INTER_AREA) for part in cut]
    )


def test_maps_equal_the_slow_steps() -> None:
    """Within two grey levels of 255 everywhere (the last fraction of a pixel at a stroke's cut)."""
    points = people()
    maps = reference_maps(points, width=64) * 255
    for frame, found in zip(points, maps, strict=True):
        assert np.abs(found - slow(frame)).max() <= 4
        assert np.abs(found - slow(frame)).mean() < 0.3


def test_the_limbs_are_seventeen_and_the_shoulders_hang_on_the_nose() -> None:
    assert len(LIMBS) == 17
    assert {(0, 5), (0, 6)} <= set(LIMBS)


def test_the_body_fills_the_middle_rows_only() -> None:
    """The known weakness: from eyes to ankles it spans about rows 10 to 53 of 64."""
    points = people(8)
    points[..., 2] = 1
    strong = reference_maps(points, width=64)[:, 1].max(axis=2) > 0.95
    for rows in strong:
        found = np.flatnonzero(rows)
        assert abs(found[0] - 10) <= 3
        assert abs(found[-1] - 53) <= 3


def test_where_a_person_stands_and_how_near_does_not_matter() -> None:
    points = people()
    moved = points.copy()
    moved[..., :2] = points[..., :2] * 2.5 + (40, -90)
    assert np.abs(reference_maps(points) - reference_maps(moved)).max() <= 2 / 255


def test_openpose_points_give_the_same_maps() -> None:
    points = people()
    as_18 = convert(points, COCO17, COCO18).points
    assert np.abs(reference_maps(as_18, COCO18) - reference_maps(points)).max() <= 1 / 255


def test_a_missing_point_comes_from_like_frames() -> None:
    """A wrist lost in one of many equal frames is drawn where the others have it."""
    points = np.repeat(people(1), 6, axis=0)
    lost = points.copy()
    lost[2, 9, :2] = 0
    np.testing.assert_array_equal(reference_maps(lost)[2], reference_maps(points)[2])


def test_joints_that_no_frame_has_do_not_stretch_the_body() -> None:
    """Sixteen joints have no face: the rest is scaled by what is there."""
    points = people(2)
    maps = reference_maps(convert(points, COCO17, GAITWAY16).points, GAITWAY16)
    assert maps[:, 1].max() > 0.5
    assert (maps[:, 1].max(axis=(1, 2)) > 0.4).all()


@pytest.mark.parametrize("value", [0.0, np.nan, 7.0, 1e30])
def test_frames_without_a_person_are_empty(value) -> None:
    """Nothing, nonsense, or everything in one place."""
    maps = reference_maps(np.full((2, 17, 3), value))
    assert maps.shape == (2, 2, 64, 44)
    assert not maps.any()


def test_no_frames_give_no_maps() -> None:
    assert reference_maps(np.zeros((0, 17, 3))).shape == (0, 2, 64, 44)


def test_a_width_beyond_the_crop_is_refused() -> None:
    with pytest.raises(MessageError, match="100 wide"):
        reference_maps(people(), width=100)


def test_the_fusion_references_rasteriser_by_hand() -> None:
    """Each axis stretched by itself, one pixel a joint, the nearest joint's depth equal to background."""
    joints = np.zeros((1, 16, 3))
    joints[0, 0] = (0, 0, 2)
    joints[0, 1] = (1, 4, 3)
    joints[0, 2:] = (0.5, 2, 4)
    maps = single_pixel_maps(joints)[0] * 255
    assert maps[0].sum() == pytest.approx(3)
    assert maps[:, 0, 0].tolist() == [1, 0]
    assert maps[0, 63, 43] == 1
    assert maps[1, 63, 43] == pytest.approx(0.5)


def test_a_frame_costs_about_its_arithmetic() -> None:
    """Under two hundred passes over the limbs' windows: no loop over pixels."""
    points = people(2)
    pixels = np.ones((17, 64 * 80), np.float32)
    best = {"draw": float("inf"), "pass": float("inf")}
    for _ in range(30):
        start = time.process_time()
        reference_maps(points)
        best["draw"] = min(best["draw"], (time.process_time() - start) / 2)
        start = time.process_time()
        for _ in range(10):
            np.multiply(pixels, pixels, out=pixels)
        best["pass"] = min(best["pass"], (time.process_time() - start) / 10)
    assert best["draw"] < 300 * best["pass"]
