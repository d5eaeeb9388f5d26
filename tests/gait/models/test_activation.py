"""GaitGraph2's activations over the walker: pictures, animations, and silhouettes behind them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from gait.models.activation import activations_of, visualize_activation
from gait.models.canvas import FLESH, NIGHT, Canvas, View, draw_walker
from gait.models.gaitgraph2 import GaitGraph2, GaitGraph2Config
from gait.pose_graph import load_graph
from stream.errors import ConfigError, MessageError
from tests.strategies_skeletons import pose_walk, worn

COCO = load_graph("coco17")
TINY = GaitGraph2Config(branch_widths=(16, 8), widths=(16, 16), embedding=8)


@pytest.fixture
def net() -> GaitGraph2:
    return worn(GaitGraph2(TINY))


def test_a_png_and_a_gif_are_written(net: GaitGraph2, tmp_path: Path) -> None:
    joints = pose_walk(9, 17)
    activations = visualize_activation(net, joints, tmp_path / "walk.png")
    assert activations.shape == (3, 17)
    assert activations.max() == pytest.approx(1.0)
    picture = cv2.imread(str(tmp_path / "walk.png"))
    assert picture is not None
    assert picture.shape[1] == 1200
    visualize_activation(net, joints, tmp_path / "walk.gif")
    ok, played = cv2.imreadanimation(str(tmp_path / "walk.gif"))
    assert ok
    assert len(played.frames) == 9


def test_joints_lie_on_the_silhouettes_own_pixels() -> None:
    """A joint on one silhouette pixel is drawn in the middle of that pixel's place."""
    joints = np.zeros((1, 17, 3), np.float32)
    joints[0, 9] = 30, 10, 1
    silhouettes = np.zeros((1, 64, 44), np.uint8)
    view = View.over(silhouettes, joints, COCO)
    x, y, width, height = view.ground((0, 0, 440, 640))
    expected = [x + width * 30.5 / 44, y + height * 10.5 / 64]
    assert view.placed(0, (0, 0, 440, 640))[9] == pytest.approx(expected, abs=1)


def test_the_body_is_shaded_and_the_rest_is_not() -> None:
    silhouettes = np.zeros((1, 64, 44), np.uint8)
    silhouettes[0, 32:] = 255
    canvas = Canvas(88, 128)
    view = View.over(silhouettes, np.zeros((1, 17, 3), np.float32), COCO)
    draw_walker(canvas, view, 0, (0, 0, 88, 128), COCO, np.zeros(17))
    picture = canvas.finished()
    assert picture[30, 44].tolist() == pytest.approx(list(NIGHT), abs=1)
    assert picture[100, 44].tolist() == pytest.approx(list(FLESH), abs=1)


def test_drawing_leaves_a_net_in_training_in_training(net: GaitGraph2) -> None:
    net.train()
    before = {name: part.clone() for name, part in net.state_dict().items()}
    activations_of(net, pose_walk(5, 17))
    assert net.training
    assert all(torch.equal(part, before[name]) for name, part in net.state_dict().items())


def test_a_wrong_file_or_silhouettes_of_another_walk_are_refused(net: GaitGraph2, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"a \.png or \.gif"):
        visualize_activation(net, pose_walk(5, 17), tmp_path / "walk.svg")
    with pytest.raises(MessageError, match="5 frames of joints"):
        visualize_activation(net, pose_walk(5, 17), tmp_path / "walk.png", np.zeros((4, 64, 44), np.uint8))
