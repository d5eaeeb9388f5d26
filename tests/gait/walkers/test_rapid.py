"""The quick renderer tells the same truth as the full one."""

import cv2
import numpy as np
import pytest

from gait.skeleton import BLAZEPOSE33, BUILT_IN, GAITWAY16, Layout, convert
from gait.walkers.background import sample_light
from gait.walkers.camera import Camera
from gait.walkers.landmarks import landmarks
from gait.walkers.motion import Walk
from gait.walkers.path import Path
from gait.walkers.person import sample_person
from gait.walkers.population import STREET
from gait.walkers.rapid import MASK_PX, Sight, aligned, pass_by, see
from gait.walkers.render import draw_person
from gait.walkers.views import path_past, sample_view

CAMERA = Camera(480, 360, focal=330.0, height=1.3, pitch=0.05)
TIMES = np.arange(0.4, 1.6, 0.04)


def walk(seed: int, view_deg: float) -> Walk:
    return Walk(sample_person(seed), path_past(CAMERA, view_deg, distance_m=4.0, length_m=3.0))


def sight(seed: int, view_deg: float, mask_px: float = MASK_PX) -> Sight:
    moving = walk(seed, view_deg)
    return see(moving.person, moving.pose(TIMES), CAMERA, mask_px)


def in_picture(seen: Sight, number: int, finer: int) -> np.ndarray:
    """A mask laid into the camera's picture, ``finer`` times enlarged."""
    scale, left, top = seen.to_image[number] * finer
    matrix = np.array([[scale, 0, left + scale / 2 - 0.5], [0, scale, top + scale / 2 - 0.5]])
    return cv2.warpAffine(seen.masks[number], matrix, (CAMERA.width * finer, CAMERA.height_px * finer)) >= 128


@pytest.mark.parametrize("view_deg", [0, 50, 90, 140, 200, 290])
def test_masks_agree_with_the_full_renderers(view_deg: float) -> None:
    for seed in (3, 4, 8):
        seen, moving = sight(seed, view_deg, mask_px=256), walk(seed, view_deg)
        for number in (2, 11, 23):
            drawn = draw_person(moving.person, moving.pose(float(TIMES[number])), CAMERA, sample_light(1))
            assert drawn is not None
            layer = drawn.layer
            cover = np.zeros((3 * CAMERA.height_px, 3 * CAMERA.width), np.uint8)
            matrix = np.array([[3.0, 0, 3 * layer.left + 1], [0, 3.0, 3 * layer.top + 1]])
            cv2.warpAffine(layer.cover, matrix, cover.shape[::-1], cover)
            mine, full = in_picture(seen, number, 3), cover >= 128
            assert (mine & full).sum() / (mine | full).sum() >= 0.95


def test_boxes_and_joints_are_the_full_renderers() -> None:
    seen, moving = sight(5, 70), walk(5, 70)
    pose = moving.pose(float(TIMES[7]))
    drawn = draw_person(moving.person, pose, CAMERA, sample_light(1))
    assert drawn is not None
    assert np.abs(seen.boxes[7] - drawn.box).max() < 1.5
    mine = convert(seen.joints_3d[7], BLAZEPOSE33, GAITWAY16, confidence=False).points
    truth = CAMERA.to_camera(pose.joints)
    limbs = [1, 2, 3, 4, 5, 6, 10, 11, 12, 13, 14, 15]
    assert np.allclose(mine[limbs], truth[limbs], atol=1e-5)
    assert np.linalg.norm(mine[9] - truth[9]) < 0.08


def test_a_batch_of_instants_is_the_same_as_one_by_one() -> None:
    moving = walk(6, 30)
    together = see(moving.person, moving.pose(TIMES), CAMERA)
    for number in (0, 9, 20):
        alone = see(moving.person, moving.pose(TIMES[number : number + 1]), CAMERA)
        wide = alone.masks.shape[2]
        assert np.array_equal(alone.masks[0], together.masks[number][:, :wide])
        assert not together.masks[number][:, wide:].any()
        assert np.allclose(alone.joints_2d[0], together.joints_2d[number])


def test_masks_are_binary_fill_their_height_and_keep_off_the_border() -> None:
    seen = sight(2, 90)
    assert set(np.unique(seen.masks)) == {0, 255}
    assert not seen.masks[:, [0, -1]].any()
    assert not seen.masks[:, :, 0].any()
    rows = seen.masks.any(axis=2).sum(axis=1)
    assert rows.min() >= MASK_PX - 9
    assert seen.whole.all()


@pytest.mark.parametrize("layout", BUILT_IN.values(), ids=str)
def test_every_layout_comes_aligned_with_the_silhouettes(layout: Layout) -> None:
    fed = aligned(sight(1, 90), layout)
    assert fed.silhouettes.shape == (TIMES.size, 64, 44)
    assert fed.silhouettes.dtype == np.uint8
    placed = fed.joints_2d[..., 2] > 0
    assert placed.sum(axis=1).min() >= 14
    inside = (fed.joints_2d[..., :2] > -6) & (fed.joints_2d[..., :2] < (50, 70))
    assert inside.all()
    assert fed.joints_3d is not None


def test_joints_lie_on_the_aligned_silhouette() -> None:
    fed = aligned(sight(7, 100), GAITWAY16)
    for joint in (1, 2, 3, 4, 5, 6, 10, 13):
        x, y = np.clip(np.round(fed.joints_2d[:, joint, :2]).astype(int), 0, (43, 63)).T
        assert (fed.silhouettes[np.arange(TIMES.size), y, x] > 0).mean() > 0.95, joint


def test_landmarks_stand_where_anatomy_has_them() -> None:
    moving = walk(3, 0)
    points = landmarks(moving.person, moving.pose(TIMES))
    name = {joint: points[:, i] for i, joint in enumerate(BLAZEPOSE33.joints)}
    assert points.shape == (TIMES.size, 33, 3)
    forward = moving.path.at(0.0).forward
    left = np.array([-forward[1], forward[0], 0.0])
    for part in ("eye", "ear", "mouth", "shoulder", "hip"):
        assert (((name[f"left_{part}"] - name[f"right_{part}"]) @ left) > 0.03).all()
    assert ((name["nose"] - name["left_ear"]) @ forward > 0.05).all()
    assert ((name["left_foot_index"] - name["left_heel"]) @ forward > 0.05).all()
    height = [
        points[:, BLAZEPOSE33.index(j), 2].mean() for j in ("nose", "left_shoulder", "left_hip", "left_heel")
    ]
    assert height == sorted(height, reverse=True)


def test_someone_behind_the_camera_has_no_mask_and_is_not_whole() -> None:
    moving = Walk(sample_person(1), Path.line((0.0, -4.0), (0.0, -2.0)))
    seen = see(moving.person, moving.pose(np.array([0.2, 0.4])), CAMERA)
    assert not seen.masks.any()
    assert not seen.whole.any()
    fed = aligned(seen)
    assert not fed.silhouettes.any()
    assert not fed.joints_2d[..., 2].any()


def test_whole_is_told_from_cut_by_the_border() -> None:
    edge = CAMERA.width / 2 / CAMERA.focal * 4.0
    moving = Walk(sample_person(1), Path.line((edge, 4.0), (0.0, 4.0)))
    times = np.arange(0.0, moving.timing.seconds, 0.1)
    whole = see(moving.person, moving.pose(times), CAMERA).whole
    assert not whole[0]
    assert whole[-1]


@pytest.mark.parametrize(("view_deg", "way"), [(0, (0, -1)), (90, (1, 0)), (180, (0, 1)), (270, (-1, 0))])
def test_views_name_the_way_somebody_passes(view_deg: float, way: tuple[int, int]) -> None:
    path = path_past(CAMERA, view_deg, 5.0, bend_m=0.4)
    middle = path.at(path.length / 2)
    assert np.allclose(middle.forward[:2], way, atol=0.02)
    assert np.allclose(middle.at, (0.0, 5.0), atol=0.02)


def test_a_pass_is_walked_in_view_and_comes_again() -> None:
    person = sample_person(5, population=STREET)
    whole = []
    for number in range(12):
        view = sample_view(5, number, view_deg=45.0 * number)
        first, again = (pass_by(person, view, 20, visit=number, phase=0.3) for _ in range(2))
        assert first.masks.shape[0] == 20
        assert np.array_equal(first.masks, again.masks)
        assert first.masks.any(axis=(1, 2)).all()
        assert np.abs((view.view_deg - 45 * number + 180) % 360 - 180) < 8
        travelled = np.linalg.norm(first.joints_3d[-1, 24] - first.joints_3d[0, 24])
        assert travelled == pytest.approx(person.gait.speed * 19 / 25, rel=0.2)
        whole.append(first.whole.mean())
    assert np.mean(whole) > 0.75


def test_passes_views_and_phases_make_different_sequences_of_one_person() -> None:
    person = sample_person(5, population=STREET)
    view = sample_view(5, 1, view_deg=90)
    base = aligned(pass_by(person, view, 10, visit=0)).silhouettes
    others = (
        pass_by(person, view, 10, visit=1),
        pass_by(person, view, 10, visit=0, phase=0.4),
        pass_by(person, sample_view(5, 2, view_deg=90), 10, visit=0),
    )
    for other in others:
        assert (aligned(other).silhouettes != base).mean() > 0.01


def test_views_hold_every_direction_and_low_and_high_cameras() -> None:
    views = [sample_view(seed) for seed in range(200)]
    counts, _ = np.histogram([view.view_deg for view in views], bins=6, range=(0, 360))
    assert counts.min() > 15
    assert np.ptp([view.camera.height for view in views]) > 2
    assert 0.2 < np.mean([view.bend != 0 for view in views]) < 0.5
