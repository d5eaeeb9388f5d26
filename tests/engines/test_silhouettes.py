"""Silhouettes: the right pixels, in the right place, and nobody else's."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.followers import Seen, apart, own_share, same_person, seen_in
from engines.pose import Pose, PoseNet
from engines.regions import Region, apply, crop
from engines.silhouettes import Silhouette, boxes_meet, mask_iou, of_the_body, silhouette
from tests.engines.fake_nets import FakeLandmarks, draw

SIZE = (640, 360)


def pose_of(people: list[tuple[int, float, float, float]], which: int) -> tuple[np.ndarray, Pose]:
    """The fake net's pose of one of ``people``, from a region around them."""
    frame = draw(SIZE, people)
    _, x, y, high = people[which]
    return frame, PoseNet(FakeLandmarks()).look(frame, [Region(x, y, 1.25 * high)])[0]


def seen_of(people: list[tuple[int, float, float, float]], which: int) -> Seen:
    seen = seen_in(*pose_of(people, which))
    assert seen is not None
    return seen


def blank(angle: float = 0.0) -> Pose:
    region = Region(320, 180, 200, angle)
    return Pose(
        region, 1.0, np.zeros((33, 3), np.float32), np.zeros((33, 3), np.float32),
        np.full((256, 256), -9.0, np.float32), np.zeros((256, 256, 3), np.uint8), region,
    )  # fmt: skip


@given(st.floats(80, 560), st.floats(100, 260), st.floats(60, 200))
def test_box_and_area_are_those_of_the_drawn_person(x: float, y: float, high: float) -> None:
    shape = seen_of([(0, x, y, high)], 0).silhouette
    edges = (x - 0.1 * high, max(y - high / 2, 0), x + 0.1 * high, min(y + high / 2, 360))
    assert shape.box == pytest.approx(edges, abs=2.5)
    assert shape.area == pytest.approx((edges[2] - edges[0]) * (edges[3] - edges[1]), rel=0.2)


@given(st.floats(-1.2, 1.2))
def test_a_turned_crop_gives_an_upright_mask_in_the_same_place(angle: float) -> None:
    pose = blank(angle)
    pose.logits[60:200, 110:150] = 8.0
    shape = silhouette(pose, *SIZE)
    assert shape is not None
    rows, columns = np.nonzero(shape.bits)
    middle = apply(shape.to_image, np.array([[columns.mean(), rows.mean()]]))[0]
    assert middle == pytest.approx(apply(pose.region.to_image(256), np.array([[129.5, 129.5]]))[0], abs=1.0)
    assert shape.area == pytest.approx(140 * 40 * (200 / 256) ** 2, rel=0.03)


def test_the_message_holds_the_same_pixels() -> None:
    shape = seen_of([(0, 300, 180, 150)], 0).silhouette
    mask = shape.message()
    bits = mask.numpy()
    assert bits.sum() == shape.bits.sum()
    assert bits[0].any()
    assert bits[:, 0].any()
    left, top, _, _ = shape.box
    assert apply(mask.to_image, np.array([[0.0, 0.0]]))[0] == pytest.approx((left, top), abs=shape.step)


def test_nothing_reaches_beyond_the_frame() -> None:
    shape = seen_of([(0, 10, 340, 150)], 0).silhouette
    left, top, right, bottom = shape.box
    assert left >= 0
    assert top >= 0
    assert right <= SIZE[0]
    assert bottom <= SIZE[1]


@pytest.mark.parametrize("patch", [None, (slice(0, 4), slice(0, 4))])
def test_an_empty_or_tiny_mask_is_none(patch: tuple[slice, slice] | None) -> None:
    pose = blank()
    if patch:
        pose.logits[patch] = 5.0
    assert silhouette(pose, *SIZE) is None


def test_a_mask_wholly_outside_the_frame_is_none() -> None:
    pose = blank()
    pose.logits[:20] = 5.0
    assert silhouette(pose, 640, 80) is None


def test_parts_without_joints_go() -> None:
    bits = np.zeros((100, 100), np.bool_)
    bits[10:90, 20:40] = True
    bits[30:60, 70:95] = True
    joints = np.array([[30, 20], [30, 80], [80, 40]], np.float32)
    assert not of_the_body(bits, joints, np.array([0.9, 0.9, 0.2]))[:, 60:].any()
    assert of_the_body(bits, joints, np.array([0.9, 0.9, 0.9]))[:, 60:].any()


def test_without_sure_joints_the_largest_part_stays() -> None:
    bits = np.zeros((50, 50), np.bool_)
    bits[0:10, 0:10] = True
    bits[20:45, 20:45] = True
    kept = of_the_body(bits, np.zeros((1, 2), np.float32), np.zeros(1, np.float32))
    assert kept.sum() == 25 * 25


def test_overlap_is_that_of_the_rectangles() -> None:
    one, other = seen_of([(0, 200, 180, 150)], 0), seen_of([(0, 215, 180, 150)], 0)
    assert mask_iou(one.silhouette, one.silhouette) == pytest.approx(1.0)
    assert mask_iou(one.silhouette, other.silhouette) == pytest.approx(15 / 45, abs=0.06)
    far = seen_of([(0, 500, 180, 150)], 0)
    assert mask_iou(one.silhouette, far.silhouette) == 0.0


def spread(seen: Seen, columns: int) -> Seen:
    """The same person with a mask that spreads sideways, as nets do where people overlap."""
    shape = seen.silhouette
    wide = np.pad(shape.bits, ((0, 0), (0, columns)), mode="edge")
    logits = np.pad(shape.logits, ((0, 0), (0, columns)), mode="edge")
    return Seen(seen.pose, Silhouette(wide, logits, shape.to_image), seen.agreement)


def test_shared_pixels_go_to_one_person_only() -> None:
    people = [(0, 200.0, 180.0, 150.0), (1, 250.0, 180.0, 120.0)]
    near, far = spread(seen_of(people, 0), 120), seen_of(people, 1)
    assert mask_iou(near.silhouette, far.silhouette) > 0.1
    own_near, own_far = apart([near, far], [])
    assert mask_iou(own_near.silhouette, own_far.silhouette) < 0.02
    assert own_far.silhouette.area > 0.9 * far.silhouette.area
    assert own_near.silhouette.box[2] < 235


def test_who_stands_alone_is_left_as_seen() -> None:
    people = [(0, 100.0, 180.0, 150.0), (1, 500.0, 180.0, 120.0)]
    one, other = (seen_of(people, k) for k in (0, 1))
    assert apart([one, other], []) == [one, other]


def test_beside_somebody_lost_a_mask_keeps_to_its_body() -> None:
    near = spread(seen_of([(0, 200, 180, 150)], 0), 120)
    (own,) = apart([near], [Region(250, 180, 150)])
    assert own.silhouette.box[2] < 245


def test_a_scrap_of_somebody_known_has_no_share_of_its_own() -> None:
    known = seen_of([(0, 200, 180, 200)], 0)
    assert own_share(seen_of([(1, 200, 165, 60)], 0), [known]) < 0.3
    assert own_share(seen_of([(1, 500, 180, 150)], 0), [known]) == 1.0


def test_who_has_no_mask_near_their_own_joints_is_nobody_elses_double() -> None:
    """A soak of an hour met one: joints to one side, the mask on the other."""
    seen = seen_of([(0, 200, 180, 150)], 0)
    aside = seen.pose.keypoints + np.array([150.0, 0.0, 0.0], np.float32)
    stray = Seen(replace(seen.pose, keypoints=aside), seen.silhouette, seen.agreement)
    beside = Seen(replace(seen.pose, keypoints=aside - [30.0, 0.0, 0.0]), seen.silhouette, seen.agreement)
    assert not stray.core.bits.any()
    assert not boxes_meet(stray.core.box, seen.silhouette.box)
    assert not boxes_meet(seen.silhouette.box, stray.core.box)
    assert not same_person(stray, beside)
    assert own_share(stray, [seen]) == 0.0


def test_painting_out_leaves_the_person_behind() -> None:
    people = [(1, 230.0, 180.0, 120.0), (0, 200.0, 180.0, 150.0)]
    frame = draw(SIZE, people)
    near = seen_of(people, 1)
    region = Region(215.0, 180.0, 256.0)
    painted = near.painted_out(crop(frame, region, 256), region.to_image(256))
    behind = PoseNet(FakeLandmarks()).look_at([painted], [region])[0]
    assert behind.presence > 0.9
    assert behind.following.side < 170


@pytest.mark.parametrize(("side", "step"), [(128.0, 0.5), (256.0, 1.0), (430.0, 1.0), (1024.0, 2.0)])
def test_the_grid_is_as_fine_as_the_image_but_at_most_twice_the_nets(side: float, step: float) -> None:
    shape = silhouette(replace(wedge(), region=Region(600, 600, side)), 1200, 1200)
    assert shape is not None
    assert shape.step == step


def test_an_outline_runs_between_the_nets_cells() -> None:
    """Of a slanted edge in a region twice the net's size: the finer grid has it within half its own pixel."""
    shape = silhouette(replace(wedge(), region=Region(600, 600, 512.0)), 1200, 1200)
    assert shape is not None
    rows, columns = np.nonzero(shape.bits)
    points = apply(shape.to_image, np.stack([columns, rows], axis=1))
    edge = [points[points[:, 1] == y, 0].max() for y in np.unique(points[:, 1])[4:-4]]
    slope = np.polynomial.Polynomial.fit(np.unique(points[:, 1])[4:-4], edge, 1)
    assert np.abs(slope(np.unique(points[:, 1])[4:-4]) - edge).max() < 0.75


def wedge() -> Pose:
    """A body whose right edge is slanted, with logits that fall off evenly."""
    y, x = np.mgrid[:256, :256].astype(np.float32)
    logits = np.minimum(np.minimum(x - 90.5, y - 40.5), np.minimum(215.5 - y, 180.25 - x - 0.2 * y))
    return replace(blank(), logits=logits)
