"""Lenses and grounds of known cameras are found again, and doubted where they should be."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from calibration.camera import Board, Finder, covered, draw_lens, find_views, fit_lens
from calibration.ground import Sights, draw_ground, fit_people, fit_points
from engines.camera_model import (
    CameraModel,
    Ground,
    Lens,
    Straightener,
    assumed_lens,
    read_camera,
    write_camera,
)
from gait.walkers.camera import Camera
from gait.walkers.path import Path as WalkedPath
from gait.walkers.person import sample_person
from gait.walkers.scene import Scene, Walker
from stream.errors import ConfigError

LENS = Lens(640, 480, 520.0, 525.0, 330.0, 236.0, (-0.25, 0.08, 0.001, -0.0005, 0.0))
BOARD = Board(8, 5, 0.03)


def picture_of(board: Board, lens: Lens, turn: tuple, shift: tuple) -> np.ndarray:
    """A chessboard as the lens sees it: every pixel's ray undistorted and met with the board."""
    y, x = np.mgrid[: lens.height, : lens.width]
    points = lens.straightened(np.stack([x.ravel(), y.ravel()], axis=1))
    rays = lens.rays(points)
    rotation = cv2.Rodrigues(np.array(turn, float))[0]
    normal, place = rotation[:, 2], np.array(shift, float)
    hits = rays * ((normal @ place) / (rays @ normal))[:, None]
    local = (hits - place) @ rotation / board.square_m
    column, row = np.floor(local[:, 0] + 1), np.floor(local[:, 1] + 1)
    on = (column >= 0) & (column <= board.columns) & (row >= 0) & (row <= board.rows)
    margin = (
        (local[:, 0] > -2)
        & (local[:, 0] < board.columns + 1)
        & (local[:, 1] > -2)
        & (local[:, 1] < board.rows + 1)
    )
    grey = np.where(on & ((column + row) % 2 == 0), 20, np.where(margin, 235, 110))
    picture = grey.reshape(lens.height, lens.width).astype(np.uint8)
    return cv2.cvtColor(cv2.GaussianBlur(picture, (0, 0), 0.7), cv2.COLOR_GRAY2BGR)


def views(count: int, lens: Lens = LENS, *, tilt: float = 0.5) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    pictures = []
    for k in range(count):
        turn = (*rng.uniform(-tilt, tilt, 2), rng.uniform(-0.2, 0.2))
        shift = (-0.105 + 0.11 * (k % 3 - 1), -0.06 + 0.08 * (k // 3 % 3 - 1), rng.uniform(0.38, 0.5))
        pictures.append(picture_of(BOARD, lens, turn, shift))
    return pictures


@pytest.fixture(scope="module")
def pictures() -> list[np.ndarray]:
    return views(12)


def test_a_known_lens_is_found_again(pictures: list[np.ndarray]) -> None:
    found, size, last = find_views(pictures, BOARD)
    fit = fit_lens(found, size, BOARD)
    assert fit.lens.fx == pytest.approx(LENS.fx, rel=0.01)
    assert fit.lens.fy == pytest.approx(LENS.fy, rel=0.01)
    assert (fit.lens.cx, fit.lens.cy) == pytest.approx((LENS.cx, LENS.cy), abs=5)
    assert fit.lens.error_px < 0.3
    corners = np.array([[5, 5], [635, 5], [320, 470], [600, 400]], float)
    away = np.linalg.norm(fit.lens.straightened(corners) - LENS.straightened(corners), axis=1)
    assert away.max() < 6
    assert max(fit.errors_px) < 0.6
    assert not any("pixels off" in doubt for doubt in fit.doubts)
    assert draw_lens(last, fit).shape == last.shape
    assert not np.array_equal(draw_lens(last, fit), last)


def test_a_board_held_still_is_one_view(pictures: list[np.ndarray]) -> None:
    found, size, _ = find_views([pictures[0]] * 5, BOARD)
    assert len(found) == 1
    with pytest.raises(ConfigError, match="1 different places"):
        fit_lens(found, size, BOARD)


def test_few_views_in_a_corner_are_doubted() -> None:
    straight = Lens(640, 480, 520.0, 520.0, 319.5, 239.5)
    flat = [picture_of(BOARD, straight, (0, 0, 0.02), (-0.12 + 0.045 * k, -0.06, 0.8)) for k in range(6)]
    fit = fit_lens(*find_views(flat, BOARD)[:2], BOARD)
    text = " ".join(fit.doubts)
    assert "different views" in text
    assert "of the picture" in text
    assert "never tilted" in text
    assert covered(list(fit.views), 640, 480) < 0.5


def test_a_charuco_board_is_found_by_its_markers() -> None:
    board = Board(6, 4, 0.03, "DICT_4X4_50")
    dictionary = cv2.aruco.getPredefinedDictionary(cv2.aruco.DICT_4X4_50)
    picture = cv2.aruco.CharucoBoard((7, 5), 0.03, 0.0225, dictionary).generateImage(
        (560, 400), marginSize=20
    )
    view = Finder(board).find(picture)
    assert view is not None
    assert len(view.numbers) == 24
    half = picture.copy()
    half[:, :200] = 128
    assert 6 <= len(Finder(board).find(half).numbers) < 24


@pytest.mark.parametrize(
    "wrong", [lambda: Board(2, 5, 0.1), lambda: Board(8, 5, 0), lambda: Finder(Board(8, 5, 0.1, "DICT_NONE"))]
)
def test_boards_that_are_none_are_refused(wrong) -> None:
    with pytest.raises(ConfigError):
        wrong()


def test_pictures_without_a_board_or_of_several_sizes() -> None:
    blank = np.zeros((480, 640, 3), np.uint8)
    assert find_views([blank], BOARD)[0] == []
    with pytest.raises(ConfigError, match="0 different places"):
        fit_lens([], (640, 480), BOARD)
    with pytest.raises(ConfigError, match="one size"):
        find_views([views(1)[0], blank[:100]], BOARD)


def test_undistorting_makes_a_bent_line_straight(pictures: list[np.ndarray]) -> None:
    straight = Straightener(LENS)(pictures[0])
    corners = Finder(BOARD).find(straight).corners.reshape(5, 8, 2)

    def bend(rows: np.ndarray) -> float:
        return max(float(np.linalg.svd(row - row.mean(axis=0), compute_uv=False)[1]) for row in rows)

    assert bend(corners) < 0.5 * bend(Finder(BOARD).find(pictures[0]).corners.reshape(5, 8, 2))
    with pytest.raises(ConfigError, match="a picture of 640x100"):
        Straightener(LENS)(pictures[0][:100])


def lens_of(camera: Camera) -> Lens:
    return Lens(
        camera.width, camera.height_px, camera.focal, camera.focal, camera.width / 2, camera.height_px / 2
    )


@pytest.fixture(scope="module")
def walked() -> tuple[Scene, np.ndarray, list[int], np.ndarray]:
    """Four rendered walkers who come and go: their boxes, whose they are, and where their pelvises really were."""
    camera = Camera(height=2.3, pitch=0.16, focal=900.0)
    lanes = [
        ((-2.5, 13.0), (-0.6, 4.5)),
        ((1.0, 5.0), (3.0, 12.0)),
        ((0.4, 12.0), (0.6, 5.0)),
        ((-1.5, 5.0), (1.5, 10.0)),
    ]
    walkers = tuple(Walker(sample_person(40 + k), WalkedPath.line(*lane)) for k, lane in enumerate(lanes))
    scene = Scene(3, camera, walkers, 7.0)
    boxes, whose, places = [], [], []
    names = [walker.person.name for walker in walkers]
    for number in range(0, scene.frame_count, 8):
        for person in scene.frame(number).truth:
            if person.visible > 0.7:
                boxes.append(person.box)
                whose.append(names.index(person.identity))
                x, y, z = person.joints_3d[0]
                del y
                places.append((x, z))
    return scene, np.array(boxes), whose, np.array(places)


def test_the_ground_is_found_from_people_walking(walked) -> None:
    scene, boxes, whose, places = walked
    camera = scene.camera
    lens = lens_of(camera)
    sights = Sights.of_boxes(boxes, whose, camera.width, camera.height_px)
    fit = fit_people(sights, lens)
    assert fit.ground.pitch == pytest.approx(camera.pitch, abs=np.radians(1.5))
    assert fit.ground.roll == pytest.approx(0, abs=np.radians(1.5))
    assert fit.ground.height_m == pytest.approx(camera.height, rel=0.1)
    assert fit.ground.error_px < 0.05 * np.median(boxes[:, 3] - boxes[:, 1])
    assert fit.doubts == (
        "the lens was assumed, not measured: distances are as uncertain as its angle of view",
    )
    model = CameraModel(lens, fit.ground)
    found = model.positions(np.stack([boxes[:, [0, 2]].mean(axis=1), boxes[:, 3]], axis=1))
    off = np.linalg.norm(found - places, axis=1) / np.linalg.norm(places, axis=1)
    assert np.median(off) < 0.12
    picture = scene.frame(0).image
    drawn = draw_ground(picture, model, sights, fit.statures_m)
    assert not np.array_equal(drawn, picture)


def test_metric_positions_are_those_of_the_rendered_world() -> None:
    camera = Camera(height=2.2, pitch=0.18)
    model = CameraModel(lens_of(camera), Ground(2.2, 0.18))
    ahead = np.array([[np.cos(camera.heading), np.sin(camera.heading)]])
    aside = np.array([[np.sin(camera.heading), -np.cos(camera.heading)]])
    for right, far in ((0.0, 4.0), (1.5, 7.0), (-2.0, 12.0)):
        place = right * aside + far * ahead
        pixel = camera.project(np.array([[place[0, 0], place[0, 1], 0.0]]))[0]
        assert model.positions(pixel)[0] == pytest.approx((right, far), abs=1e-6)
        head = camera.project(np.array([[place[0, 0], place[0, 1], 1.7]]))[0]
        assert model.pixels(np.array([[right, far]]), 1.7)[0] == pytest.approx(head[0], abs=1e-6)
    assert np.isnan(model.positions(np.array([[640.0, 0.0]]))).all()  # the sky
    assert np.isnan(CameraModel(lens_of(camera)).positions(np.array([[640.0, 700.0]]))).all()


@pytest.mark.parametrize("roll", [0.0, 0.1, -0.07])
def test_the_ground_is_found_from_clicked_points(roll: float) -> None:
    lens = lens_of(Camera())
    truth = CameraModel(lens, Ground(2.6, 0.3, roll))
    places = np.array([[-1.0, 4.0], [1.5, 4.2], [2.0, 8.0], [-1.8, 7.0], [0.3, 5.5]])
    pixels = truth.pixels(places)
    for axes in (places, places @ np.array([[0.0, 1.0], [-1.0, 0.0]]) + 3.0, places * [1.0, -1.0]):
        fit = fit_points(pixels, axes, lens)
        assert fit.ground.height_m == pytest.approx(2.6, rel=1e-3)
        assert fit.ground.pitch == pytest.approx(0.3, abs=1e-3)
        assert fit.ground.roll == pytest.approx(roll, abs=1e-3)
        assert fit.ground.error_px < 0.01
        assert fit.doubts == ()
    assert "four points" in fit_points(pixels[:4], places[:4], lens).doubts[0]
    assert any("pixels off" in doubt for doubt in fit_points(pixels + np.eye(5, 2) * 60, places, lens).doubts)


def test_a_camera_that_leans_right_has_the_world_lean_left() -> None:
    """The roll's sign: a pole to the picture's middle has its top left of its foot."""
    model = CameraModel(lens_of(Camera()), Ground(1.5, 0.05, 0.1))
    foot, top = model.pixels(np.array([[0.0, 5.0]]))[0], model.pixels(np.array([[0.0, 5.0]]), 2.0)[0]
    assert top[0] < foot[0]


def test_too_little_or_senseless_input_is_said(walked) -> None:
    lens = lens_of(Camera())
    few = Sights.of_boxes(np.array([[100, 100, 200, 400.0]] * 5), [0] * 5, 1280, 720)
    with pytest.raises(ConfigError, match="5 sights"):
        fit_people(few, lens)
    with pytest.raises(ConfigError, match=r"to 2.5"):
        fit_people(few, lens, 17.0)
    cut = Sights.of_boxes(
        np.array([[0, 100, 200, 400.0], [10, 0, 20, 30], [1, 2, np.nan, 4]]), [0] * 3, 1280, 720
    )
    assert len(cut.feet) == 0
    with pytest.raises(ConfigError, match="four or more"):
        fit_points(np.zeros((3, 2)), np.zeros((3, 2)), lens)
    with pytest.raises(ConfigError, match="one line"):
        fit_points(
            np.random.default_rng(0).random((4, 2)), np.array([[0, 0], [1, 1], [2, 2], [3, 3.0]]), lens
        )
    with pytest.raises(ConfigError, match="no numbers"):
        fit_points(np.full((4, 2), np.nan), np.zeros((4, 2)), lens)
    with pytest.raises(ConfigError, match="angle of view"):
        assumed_lens(640, 480, 180)
    scene, boxes, _, _ = walked
    one = Sights.of_boxes(boxes[:1].repeat(30, 0) + 5, [0] * 30, scene.camera.width, scene.camera.height_px)
    assert any("nobody came nearer" in doubt for doubt in fit_people(one, lens_of(scene.camera)).doubts)


def test_a_calibration_is_written_and_read_and_foreign_files_refused(tmp_path: Path) -> None:
    model = CameraModel(LENS, Ground(2.5, 0.2, -0.01, 1.5, 40), ("a doubt",))
    write_camera(tmp_path / "deep" / "hall.json", model)
    assert read_camera(tmp_path / "deep" / "hall.json") == model
    for bad in (b"", b"{}", b'{"lens": 3}', b"\xff\xfe", b'{"version": 2}'):
        (tmp_path / "bad.json").write_bytes(bad)
        with pytest.raises(ConfigError, match="no calibration"):
            read_camera(tmp_path / "bad.json")
    with pytest.raises(ConfigError, match="no calibration"):
        read_camera(tmp_path / "none.json")
    assert assumed_lens(640, 480, 90).fx == pytest.approx(320)
