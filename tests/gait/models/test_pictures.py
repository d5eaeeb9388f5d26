"""Pictures show what they are given: colours by value, missing joints left out, GIFs that play."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from gait.models.canvas import Canvas, View, draw_skeleton, heat_colour, write_gif, write_png
from gait.models.pictures import Attention, activation_frames, activation_picture, attention_picture
from gait.pose_graph import load_graph
from stream.errors import MessageError, ResourceError
from tests.strategies_skeletons import pose_walk, walk

COCO, KINECT = load_graph("coco17"), load_graph("kinect25")


def even(frames: int) -> Attention:
    """Attention to nothing in particular."""
    by_joint = np.full((frames, 25), 1 / 25).astype(np.float32)
    return Attention(by_joint, np.full(frames, 1 / frames).astype(np.float32))


def brightness(value: float) -> int:
    return sum(heat_colour(value))


def test_hotter_is_brighter_and_out_of_range_is_bounded() -> None:
    values = [brightness(step / 20) for step in range(21)]
    assert values == sorted(values)
    assert heat_colour(-3) == heat_colour(0)
    assert heat_colour(7) == heat_colour(1)


def test_metres_with_y_up_and_pixels_with_y_down_both_stand_upright() -> None:
    joints = walk(2, 25, 3)
    joints[:, 20, 1] = joints[:, 0, 1] + 1.0
    up = View.of(joints, KINECT, confidence=False).placed(0, (0, 0, 100, 100))
    joints[..., 1] = -joints[..., 1]
    down = View.of(joints, KINECT, confidence=False).placed(0, (0, 0, 100, 100))
    assert up[20, 1] < up[0, 1]
    assert up == pytest.approx(down)


def test_a_figure_fits_its_box_in_every_frame() -> None:
    view = View.of(pose_walk(9, 17), COCO, confidence=True)
    placed = np.stack([view.placed(t, (10, 20, 100, 50)) for t in range(9)])
    assert placed.min((0, 1)) == pytest.approx(placed.min((0, 1)).clip([10, 20], [110, 70]))
    assert placed.max((0, 1)) == pytest.approx(placed.max((0, 1)).clip([10, 20], [110, 70]))


def test_a_missing_joint_is_not_drawn() -> None:
    joints = pose_walk(1, 17)
    joints[0, :, 2] = 0
    view = View.of(joints, COCO, confidence=True)
    blank = Canvas(100, 100)
    draw_skeleton(blank, view.placed(0, (0, 0, 100, 100)), view.seen[0], COCO, np.ones(17), 100)
    assert (blank.finished() == Canvas(100, 100).finished()).all()


def test_the_joint_of_most_value_is_the_brightest() -> None:
    joints, values = pose_walk(1, 17), np.zeros(17)
    values[9] = 1.0
    view, picture = View.of(joints, COCO, confidence=True), Canvas(300, 300)
    placed = view.placed(0, (0, 0, 300, 300))
    draw_skeleton(picture, placed, view.seen[0], COCO, values, 300)
    pixels = picture.finished().sum(-1)
    at = [int(pixels[round(y), round(x)]) for x, y in placed]
    assert int(np.argmax(at)) == 9


@pytest.mark.parametrize("where", [(-1e12, 5.0), (1e12, 1e12), (50.0, -40.0)])
def test_drawing_outside_the_picture_is_harmless(where: tuple[float, float]) -> None:
    picture = Canvas(40, 40)
    picture.glow(where, 10, (9, 9, 9), 1.0)
    picture.disc(where, 3, (9, 9, 9))
    picture.line(where, (5, 5), (9, 9, 9), 2)
    assert picture.finished().shape == (40, 40, 3)


def test_attention_of_another_length_is_refused() -> None:
    attention = even(5)
    with pytest.raises(MessageError, match="the same frames and joints"):
        attention_picture(walk(6, 25, 3), attention, KINECT, title="")


@pytest.mark.parametrize("frames", [1, 2, 5])
def test_short_and_empty_walks_are_drawn_too(frames: int) -> None:
    assert attention_picture(np.zeros((frames, 25, 3)), even(frames), KINECT, title="still").shape == (
        860,
        1200,
        3,
    )
    nobody = View.of(np.full((frames, 17, 3), np.nan), COCO, confidence=True)
    picture = activation_picture(nobody, np.zeros((1, 17)), COCO, title="none")
    assert picture.shape[1] == 1200


def test_an_animation_plays_as_drawn(tmp_path: Path) -> None:
    values = np.linspace(0, 1, 3 * 17).reshape(3, 17)
    view = View.of(pose_walk(6, 17), COCO, confidence=True)
    frames = activation_frames(view, values, COCO, title="walk", size=160)
    assert len(frames) == 6
    path = tmp_path / "walk.gif"
    write_gif(path, frames, 80)
    ok, played = cv2.imreadanimation(str(path))
    assert ok
    assert list(played.durations) == [80] * 6
    shown = np.stack(played.frames)[..., :3].astype(int)
    assert np.abs(shown - np.stack(frames)).mean() < 3


def test_a_wrong_place_or_an_old_opencv_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image = Canvas(20, 20).finished()
    with pytest.raises(ResourceError, match="cannot be written"):
        write_gif(tmp_path / "nowhere" / "a.gif", [image], 80)
    with pytest.raises(ResourceError, match="cannot write the picture"):
        write_png(tmp_path / "nowhere" / "a.png", image)
    monkeypatch.delattr(cv2, "imwriteanimation")
    with pytest.raises(ResourceError, match=r"Install OpenCV 4\.12"):
        write_gif(tmp_path / "a.gif", [image], 80)
