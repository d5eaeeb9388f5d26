"""YOLO heads are decoded as their formats say, boxes suppressed, masks put together, bodies placed in the frame."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import helper

from engines.regions import Region
from engines.runtimes.net import NetOptions
from engines.yolo import Found, Layout, box_ious, cut_to_boxes, decode, grid, layout_of, mask_logits, suppress
from engines.yolo_detector import YoloDetector, YoloNet, bodies
from stream.errors import WeightsError
from tests.engines.small_nets import doubling, save

SIZE = (64, 96)
CELLS = 8 * 12 + 4 * 6 + 2 * 3


def found(boxes: list, scores: list, keypoints: int = 0) -> Found:
    count = len(scores)
    return Found(
        np.array(boxes, np.float32).reshape(count, 4),
        np.array(scores, np.float32),
        np.zeros((count, keypoints, 3), np.float32),
        np.zeros((count, 0), np.float32),
    )


@pytest.mark.parametrize(
    ("shape", "protos", "task", "wanted"),
    [
        ((1, 84, CELLS), None, None, Layout("anchor-free", 80)),
        ((1, 56, CELLS), None, None, Layout("anchor-free", 1, 17)),
        ((1, 135, CELLS), None, "pose", Layout("anchor-free", 80, 17)),
        ((1, 56, CELLS), None, "detect", Layout("anchor-free", 52)),
        ((1, 116, CELLS), (1, 32, 16, 24), "segment", Layout("anchor-free", 80, 0, 32)),
        ((1, CELLS, 85), None, None, Layout("yolox", 80)),
        ((1, 3 * CELLS, 85), None, None, Layout("objectness", 80)),
        ((1, 300, 6), None, None, Layout("final", 80)),
        ((1, 300, 57), None, None, Layout("final", 80, 17)),
        ((1, 300, 38), (1, 32, 16, 24), None, Layout("final", 80, 0, 32)),
    ],
)
def test_heads_are_known_by_their_shapes(shape, protos, task, wanted) -> None:
    assert layout_of(shape, SIZE, protos, task) == wanted


@pytest.mark.parametrize("shape", [(1, 84), (1, 4, CELLS), (1, 5000, 85), (1, 300, 3)])
def test_an_output_of_no_known_head_is_named(shape) -> None:
    with pytest.raises(WeightsError, match="an output of shape"):
        layout_of(shape, SIZE, None)


def test_an_anchor_free_head_gives_corners_and_keypoints() -> None:
    raw = np.zeros((4 + 1 + 51, CELLS), np.float32)
    raw[:4, 7], raw[4, 7] = (30, 40, 10, 20), 0.9
    raw[:4, 3], raw[4, 3] = (50, 20, 6, 8), 0.6
    raw[5:8, 7] = (31, 35, 0.8)
    people = decode(raw, Layout("anchor-free", 1, 17), SIZE, 0.5)
    assert people.boxes.tolist() == [[25, 30, 35, 50], [47, 16, 53, 24]]
    assert people.scores == pytest.approx([0.9, 0.6])
    assert people.keypoints[0, 0] == pytest.approx([31, 35, 0.8])


def test_only_boxes_whose_best_class_is_people_count() -> None:
    raw = np.zeros((4 + 3, CELLS), np.float32)
    raw[:4, :3] = 10
    raw[4:, 0], raw[4:, 1], raw[4:, 2] = (0.7, 0.8, 0), (0.7, 0.6, 0), (0.2, 0, 0)
    assert decode(raw, Layout("anchor-free", 3), SIZE, 0.5).scores.tolist() == pytest.approx([0.7])


def test_a_yolox_head_counts_in_cells_and_logarithms() -> None:
    raw = np.zeros((CELLS, 7), np.float32)
    place = 8 * 12 + 1 * 6 + 2  # stride 16, row 1, column 2
    raw[place] = (0.5, 0.25, np.log(2), np.log(3), 0.8, 0.5, 0.1)
    people = decode(raw, Layout("yolox", 2), SIZE, 0.3)
    assert people.boxes[0] == pytest.approx([40 - 16, 20 - 24, 40 + 16, 20 + 24], abs=1e-3)
    assert people.scores[0] == pytest.approx(0.4)
    cells, strides = grid(SIZE)
    assert len(cells) == len(strides) == CELLS


def test_boxes_already_chosen_are_people_above_the_minimum() -> None:
    rows = np.array([[1, 2, 3, 4, 0.9, 0], [1, 2, 3, 4, 0.9, 5], [1, 2, 3, 4, 0.1, 0]], np.float32)
    assert len(decode(rows, Layout("final", 80), SIZE, 0.5)) == 1


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_left_out(bad: float) -> None:
    raw = np.full((5, CELLS), 0.9, np.float32)
    raw[0, 5] = bad
    assert len(decode(raw, Layout("anchor-free", 1), SIZE, 0.5)) == CELLS - 1
    raw = np.full((CELLS, 6), 0.9, np.float32)
    raw[:, 3] = 1e4  # a size beyond the float's range
    assert len(decode(raw, Layout("yolox", 1), SIZE, 0.5)) == 0
    raw = np.full((5, CELLS), bad, np.float32)
    assert len(decode(raw, Layout("anchor-free", 1), SIZE, 0.5)) == 0


def test_one_box_per_person() -> None:
    people = found([[0, 0, 10, 10], [1, 0, 11, 10], [6, 0, 16, 10], [20, 0, 30, 10]], [0.9, 0.8, 0.7, 0.6])
    assert suppress(people, 0.5).scores.tolist() == pytest.approx([0.9, 0.7, 0.6])
    assert len(suppress(found([], []), 0.5)) == 0


@given(st.integers(0, 2**32 - 1), st.integers(0, 40), st.floats(0.1, 0.9))
def test_suppression_is_the_plain_greedy_one(seed: int, count: int, limit: float) -> None:
    """As one box after the other, each kept unless a kept one overlaps it."""
    rng = np.random.default_rng(seed)
    low = rng.random((count, 2)) * 50
    people = found(np.concatenate([low, low + rng.random((count, 2)) * 30], 1), -np.sort(-rng.random(count)))
    overlaps = box_ious(people.boxes)
    kept: list[int] = []
    for place in range(count):
        if all(overlaps[place, other] <= limit for other in kept):
            kept.append(place)
    assert np.array_equal(suppress(people, limit).boxes, people.boxes[kept])


def test_masks_are_sums_of_prototypes_within_their_boxes() -> None:
    protos = np.zeros((2, 4, 6), np.float32)
    protos[0], protos[1, :2] = 1, 5
    people = Found(
        np.array([[0, 0, 12, 8]], np.float32),
        np.ones(1, np.float32),
        np.zeros((1, 0, 3), np.float32),
        np.array([[2, -1]], np.float32),
    )
    logits = mask_logits(people, protos)
    assert logits[0, 0, 0] == pytest.approx(-3)
    assert logits[0, 3, 0] == pytest.approx(2)
    cut = cut_to_boxes(logits, people.boxes, (0.25, 0.25))
    assert cut[0, 0, :3] == pytest.approx(-3)
    assert (cut[0, :, 3:] == -20).all()
    assert (cut[0, 2:] == -20).all()


def test_a_body_is_guessed_from_a_box_and_taken_from_sure_keypoints() -> None:
    people = found([[40, 100, 80, 200]] * 2, [0.9, 0.8], keypoints=17)
    for place, point in ((11, (55, 150)), (12, (65, 150)), (5, (50, 120)), (6, (70, 120))):
        people.keypoints[1, place] = (*point, 0.9)
    guessed, seen = bodies(people)
    assert guessed[0] == pytest.approx([60, 153])
    assert np.linalg.norm(guessed[1] - guessed[0]) == pytest.approx(53)
    assert seen.tolist() == [[60, 150], [60, 90], [60, 120], [60, 90]]


def yolo_of(path: Path, boxes: list) -> Path:
    """A net that answers with the same rows whatever it sees: (1, N, 6)."""
    rows = np.array([boxes], np.float32)
    nodes = [
        helper.make_node("ReduceMean", ["images"], ["mean"], axes=[1, 2, 3], keepdims=1),
        helper.make_node("Squeeze", ["mean", "axis"], ["flat"]),
        helper.make_node("Mul", ["flat", "nothing"], ["zero"]),
        helper.make_node("Add", ["rows", "zero"], ["output"]),
    ]
    weights = {"axis": np.array([3], np.int64), "nothing": np.zeros(1, np.float32), "rows": rows}
    return save(path, nodes, {"images": (1, 3, 64, 64)}, {"output": rows.shape}, weights)


def test_a_detector_places_bodies_in_the_frame(tmp_path: Path) -> None:
    path = yolo_of(tmp_path / "net.onnx", [[16, 16, 32, 48, 0.9, 0], [16, 16, 32, 48, 0.9, 7]])
    detector = YoloDetector(YoloNet.load(path, 0.5, "openvino", NetOptions(threads=1)))
    frame = np.zeros((240, 320, 3), np.uint8)
    ((one,), (other,)) = detector.detect_each(frame, [Region(99.5, 99.5, 128), Region(199.5, 99.5, 64)])
    # Of a tile of 128 around (99.5, 99.5) each of the net's pixels is two of the frame's.
    assert one.keypoints[0] == pytest.approx([36 + 2 * 24 - 0.5, 36 + 2 * (16 + 0.53 * 32) - 0.5], abs=0.6)
    assert one.radius == pytest.approx(2 * other.radius)
    assert one.region.side > 60
    assert one.score == pytest.approx(0.9)


def test_nets_that_are_no_yolo_are_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="no such net"):
        YoloNet.load(tmp_path / "none.onnx", 0.5)
    with pytest.raises(WeightsError):
        YoloNet.load(doubling(tmp_path / "net.onnx"), 0.5)
    boxes = yolo_of(tmp_path / "boxes.onnx", [[1, 2, 3, 4, 0.9, 0]])
    with pytest.raises(WeightsError, match="no masks"):
        YoloNet.load(boxes, 0.5).outline([np.zeros((64, 64, 3), np.uint8)])


def test_the_real_yolox_finds_the_person_of_a_real_clip() -> None:
    data = Path(os.environ.get("GAITWAY_DATA", "nowhere"))
    path, clip = data / "models/yolox_nano.onnx", data / "video/intel_one-by-one-person-detection.mp4"
    if not path.is_file() or not clip.is_file():
        pytest.skip("GAITWAY_DATA holds no yolox_nano.onnx")
    reader = cv2.VideoCapture(str(clip))
    reader.set(cv2.CAP_PROP_POS_FRAMES, 100)
    frame = reader.read()[1]
    reader.release()
    net = YoloNet.load(path, 0.3, "openvino", NetOptions(threads=1))
    assert net.layout == Layout("yolox", 80)
    ((person,),) = YoloDetector(net).detect_each(frame, [Region(383.5, 215.5, 768)])
    assert person.score > 0.8
    assert person.keypoints[0] == pytest.approx([447, 221], abs=12)
