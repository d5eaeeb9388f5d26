"""The verb calibrate: a file that runs read, a picture of the fit, doubts told, and clear words for what is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

import run_pipeline
from engines.camera_model import CameraModel, Ground, assumed_lens, read_camera
from tests.calibration.test_camera import LENS, views


def run(*words: object) -> int:
    return run_pipeline.main(["calibrate", *map(str, words)])


@pytest.fixture(scope="module")
def board_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six places of a board, held for five pictures each."""
    path = tmp_path_factory.mktemp("clips") / "board.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 5, (640, 480))
    for picture in views(6):
        for _ in range(5):
            writer.write(picture)
    writer.release()
    return path


def points_of(model: CameraModel, places: np.ndarray) -> list[str]:
    words = []
    for (x, y), (right, ahead) in zip(model.pixels(places), places, strict=True):
        words += ["--point", f"{x:.3f},{y:.3f}={right},{ahead}"]
    return words


PLACES = np.array([[-1.0, 4.0], [1.5, 4.2], [2.0, 8.0], [-1.8, 7.0], [0.2, 6.0]])


def test_a_lens_then_a_ground_with_pictures_of_both(board_clip: Path, tmp_path: Path, capsys) -> None:
    lens_file, camera_file = tmp_path / "lens.json", tmp_path / "hall.json"
    lens_picture, ground_picture = tmp_path / "lens.png", tmp_path / "ground.png"
    words = ("--board", "8x5", "--square", 0.03, "--out", lens_file, "--picture", lens_picture)
    assert run("camera", "--lens", board_clip, *words) == 0
    found = read_camera(lens_file)
    assert found.lens.fx == pytest.approx(LENS.fx, rel=0.03)
    assert found.ground is None
    assert any("different views" in doubt for doubt in found.doubts)
    assert "different views of the board" in capsys.readouterr().err
    truth = CameraModel(found.lens, Ground(2.4, 0.25))
    pixels = truth.pixels(PLACES)
    bent = cv2.projectPoints(
        found.lens.rays(pixels), np.zeros(3), np.zeros(3), found.lens.matrix, np.array(found.lens.distortion)
    )[0].reshape(-1, 2)
    words = []
    for (x, y), (right, ahead) in zip(bent, PLACES, strict=True):
        words += ["--point", f"{x:.3f},{y:.3f}={right},{ahead}"]
    assert run("camera", "--from", lens_file, *words, "--out", camera_file, "--picture", ground_picture) == 0
    ground = read_camera(camera_file).ground
    assert ground.height_m == pytest.approx(2.4, rel=0.01)
    for picture in (lens_picture, ground_picture):
        assert cv2.imread(str(picture)).shape == (480, 640, 3)


def test_an_assumed_lens_and_points_as_json(tmp_path: Path, capsys) -> None:
    truth = CameraModel(assumed_lens(1280, 720, 70), Ground(3.0, 0.3, 0.02))
    out = tmp_path / "a.json"
    assert (
        run("camera", "--angle", 70, "--size", "1280x720", *points_of(truth, PLACES), "--out", out, "--json")
        == 0
    )
    said = json.loads(capsys.readouterr().out)
    assert said["file"] == str(out)
    assert said["ground"]["height_m"] == pytest.approx(3.0, rel=1e-3)
    assert said["ground"]["roll"] == pytest.approx(0.02, abs=1e-3)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ((), "0 of --lens, --from and --angle"),
        (("--angle", 70), "--size ''"),
        (("--angle", 70, "--size", "wide"), "two numbers with an x"),
        (("--angle", 200, "--size", "640x480"), "angle of view"),
        (("--angle", 70, "--size", "640x480", "--point", "1,2"), "X,Y=RIGHT,AHEAD"),
        (("--angle", 70, "--size", "640x480", "--point", "1,2=3,x"), "X,Y=RIGHT,AHEAD"),
        (("--angle", 70, "--size", "640x480", "--point", "1,2=3,4"), "four or more"),
        (("--angle", 70, "--size", "640x480", "--picture", "a.png"), "nothing was fitted"),
        (("--angle", 70, "--size", "640x480", "--people", "a.mp4", "--point", "1,2=3,4"), "one of them"),
        (("--from", "none.json"), "no calibration"),
        (("--lens", "none.mp4"), "no such file"),
        (("--lens", "x.mp4", "--board", "9"), "two numbers with an x"),
    ],
)
def test_what_is_wrong_is_one_line(words: tuple, why: str, tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("camera", *words) in (2, 3)
    said = capsys.readouterr().err.strip()
    assert why in said
    assert "\n" not in said


def test_precisions_need_people_and_a_net(tmp_path: Path, capsys) -> None:
    assert run("precision", tmp_path / "none", "--people", 1) == 2
    assert run("precision", tmp_path / "none", "--people", 2) == 5
    assert "no such net" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [["calibrate", "--help"], ["calibrate", "camera", "--help"], ["calibrate", "precision", "--help"]],
)
def test_every_kind_has_help_with_an_example(words: list[str], capsys) -> None:
    with pytest.raises(SystemExit):
        run_pipeline.main(words)
    assert "example:" in capsys.readouterr().out
