"""Frames and their truth agree, to the pixel."""

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gait.walkers.camera import Camera
from gait.walkers.motion import BONES
from gait.walkers.path import Path
from gait.walkers.person import sample_person
from gait.walkers.scene import Scene, Walker
from gait.walkers.timing import Stop
from gait.walkers.truth import Rendered

CAMERA = Camera(320, 240, focal=330.0)
LIMBS = (1, 2, 3, 4, 5, 6, 8, 11, 12, 14, 15)
"""Joints with flesh all round them (the head's middle and the trunk's lie deeper)."""


def standing(seed: int, x: float, y: float, heading: float = 0.0, name: str = "") -> Walker:
    """Someone who walks on the spot where they are for a moment, then on."""
    way = 0.5 * np.array([np.cos(heading), np.sin(heading)])
    path = Path.line((x - way[0], y - way[1]), (x + way[0], y + way[1]))
    return Walker(sample_person(seed, name), path, stops=(Stop(0.5, 3.0),))


@cache
def three() -> Scene:
    walkers = (
        Walker(sample_person(1, "near"), Path.line((-2.5, 4.0), (2.5, 4.0))),
        Walker(sample_person(2, "middle"), Path.line((2.5, 5.0), (-2.5, 5.0))),
        Walker(sample_person(3, "far"), Path.line((-0.5, 6.0), (0.5, 8.0))),
    )
    return Scene(5, CAMERA, walkers, seconds=4.0, fps=10)


@cache
def frame(number: int) -> Rendered:
    return three().frame(number)


def test_the_same_scene_gives_the_same_pixels_in_any_order() -> None:
    again = Scene(5, CAMERA, three().walkers, seconds=4.0, fps=10)
    backwards = [again.frame(number) for number in (20, 10, 0)]
    for one in backwards:
        assert np.array_equal(one.image, frame(one.number).image)
        for a, b in zip(one.truth, frame(one.number).truth, strict=True):
            assert a.box == b.box
            assert np.array_equal(a.crop.mask, b.crop.mask)


def test_another_seed_gives_another_place() -> None:
    other = Scene(6, CAMERA, three().walkers, seconds=4.0, fps=10)
    assert np.abs(other.frame(0).image.astype(int) - frame(0).image).mean() > 5


def test_a_frame_is_a_bgr_picture_of_the_cameras_size() -> None:
    assert frame(0).image.shape == (240, 320, 3)
    assert frame(0).image.dtype == np.uint8
    assert frame(10).time_s == pytest.approx(1.0)


@pytest.mark.parametrize("number", range(0, 40, 5))
def test_boxes_enclose_masks_tightly(number: int) -> None:
    for person in frame(number).truth:
        mask = person.crop.on(240, 320)
        if person.visible_box is None:
            assert not mask.any()
            continue
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        assert person.visible_box == (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
        left, top, right, bottom = person.box
        assert left - 1 <= columns[0]
        assert columns[-1] <= right + 1
        assert top - 1 <= rows[0]
        assert rows[-1] <= bottom + 1
        if person.visible > 0.99 and left > 0 and right < 320:
            assert np.abs(np.subtract(person.visible_box, person.box)).max() < 2.5


@pytest.mark.parametrize("number", range(0, 40, 5))
def test_no_pixel_belongs_to_two_people(number: int) -> None:
    masks = [person.crop.on(240, 320) for person in frame(number).truth]
    assert len(masks) >= 1
    assert np.sum(masks, axis=0).max() <= 1


@pytest.mark.parametrize("number", range(0, 40, 5))
def test_visible_joints_lie_on_the_mask(number: int) -> None:
    for person in frame(number).truth:
        if person.visible < 0.99:
            continue
        mask = person.crop.on(240, 320)
        for joint in LIMBS:
            x, y = np.floor(person.joints_2d[joint]).astype(int)
            assert mask[max(0, y - 1) : y + 2, max(0, x - 1) : x + 2].any(), joint


def test_where_the_mask_is_the_picture_changed_and_elsewhere_only_shadow_and_noise() -> None:
    alone = Scene(5, CAMERA, (standing(1, 0.0, 4.0),), seconds=2.0, fps=10, noise=0.0)
    empty = Scene(5, CAMERA, (), seconds=2.0, fps=10, noise=0.0)
    change = alone.frame(10).image.astype(int) - empty.frame(10).image
    mask = alone.frame(10).truth[0].crop.on(240, 320)
    assert (np.abs(change).max(axis=2)[mask] > 8).mean() > 0.9
    near = np.lib.stride_tricks.sliding_window_view(np.pad(mask, 1), (3, 3)).any(axis=(2, 3))
    assert change[~near].max() <= 0  # a shadow only takes light away


def test_the_nearer_hides_the_farther() -> None:
    front, behind = standing(1, 0.0, 4.2, name="front"), standing(2, 0.05, 5.0, name="behind")
    both = Scene(5, CAMERA, (behind, front), seconds=2.0, fps=10).frame(10).truth
    assert [person.identity for person in both] == ["front", "behind"]
    assert both[0].visible == 1.0
    assert both[1].visible < 0.6
    assert both[0].depth_m < both[1].depth_m


def test_a_person_cut_by_the_border_is_counted_whole() -> None:
    edge = CAMERA.width / 2 / CAMERA.focal * 4.0
    half = Scene(5, CAMERA, (standing(1, edge, 4.0, np.pi / 2),), seconds=2.0, fps=10).frame(10).truth[0]
    assert 0.3 < half.visible < 0.7
    assert half.box[2] > CAMERA.width
    assert half.visible_box is not None
    assert half.visible_box[2] == CAMERA.width


def test_people_out_of_view_or_behind_the_camera_are_not_there() -> None:
    for x, y in ((9.0, 4.0), (0.0, -3.0), (0.0, 0.1)):
        assert Scene(5, CAMERA, (standing(1, x, y),), seconds=2.0, fps=10).frame(10).truth == ()


def test_people_come_and_go_with_their_paths() -> None:
    walker = Walker(sample_person(1), Path.line((-0.5, 4.0), (0.5, 4.0)), enter_s=1.0)
    scene = Scene(5, CAMERA, (walker,), seconds=4.0, fps=10)
    seen = [bool(scene.frame(number).truth) for number in range(0, 40, 3)]
    inside = [1.0 <= number / 10 <= walker.leave_s for number in range(0, 40, 3)]
    assert seen == inside
    assert any(seen)
    assert not all(seen)


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 5000), st.floats(0, 2 * np.pi), st.floats(3.0, 9.0))
def test_truth_in_metres_and_pixels_is_one_and_the_same(seed: int, heading: float, depth: float) -> None:
    scene = Scene(5, CAMERA, (standing(seed, 0.0, depth, heading),), seconds=1.0, fps=10)
    person = scene.frame(5).truth[0]
    centre = np.array([CAMERA.width, CAMERA.height_px]) / 2
    again = person.joints_3d[:, :2] / person.joints_3d[:, 2:] * CAMERA.focal + centre
    assert np.allclose(again, person.joints_2d)
    body = scene.walkers[0].person.body
    lengths = [np.linalg.norm(person.joints_3d[a] - person.joints_3d[b]) for a, b in BONES]
    assert lengths[1] == pytest.approx(body.thigh)
    assert person.joints_3d[9, 1] < person.joints_3d[0, 1] < person.joints_3d[3, 1]  # y points down
    assert person.depth_m == pytest.approx(person.joints_3d[0, 2])
    tall = CAMERA.focal * body.stature / depth
    assert person.box[3] - person.box[1] == pytest.approx(tall, rel=0.12)


def test_right_and_left_are_the_persons_own() -> None:
    towards, away = -np.pi / 2, np.pi / 2
    for heading, sign in ((towards, -1), (away, 1)):
        person = Scene(5, CAMERA, (standing(1, 0.0, 5.0, heading),), seconds=1.0, fps=10).frame(5).truth[0]
        assert np.sign(person.joints_2d[1, 0] - person.joints_2d[4, 0]) == sign
        assert np.sign(person.joints_2d[13, 0] - person.joints_2d[10, 0]) == sign


def test_the_camera_puts_ground_points_where_it_says() -> None:
    camera = Camera(640, 480, focal=500, x=1.0, y=-2.0, height=2.0, heading=0.7, pitch=0.2)
    x, y = camera.ground(100.0, 6.0)
    (column, _), depth = camera.project(np.array([x, y, 0.0]))
    assert column == pytest.approx(100.0)
    assert depth > 0


def test_scenes_refuse_nonsense() -> None:
    with pytest.raises(IndexError):
        three().frame(40)
    with pytest.raises(ValueError, match="share a name"):
        Scene(1, CAMERA, (standing(1, 0, 4, name="x"), standing(2, 0, 5, name="x")), 1.0)
    with pytest.raises(ValueError, match="frame rate"):
        Scene(1, CAMERA, (), seconds=0.0)
