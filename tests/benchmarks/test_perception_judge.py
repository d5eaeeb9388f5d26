"""The judge: matches, excuses for hidden people, masks pixel by pixel, joints from the pelvis."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.perception_judge import Tally, box_iou, joint_error_mm, mask_iou, match
from gait.walkers.truth import Crop, TruthPerson
from stream.messages import Array, Box, FrameRef, Mask, People, Person, Quality

FRAME = FrameRef("c", "r", 0, 0, 0, 640, 480)


def truth(box: Box, visible: float = 1.0) -> TruthPerson:
    left, top, right, bottom = (round(edge) for edge in box)
    crop = Crop(np.ones((bottom - top, right - left), np.bool_), left, top)
    joints = np.zeros((16, 3))
    joints[0] = (5, 5, 5)
    joints[1:] = (5, 5, 6)
    return TruthPerson("Ada", box, box, crop, visible, 5.0, np.zeros((16, 2)), joints)


def person(box: Box, step: float = 1.0, world: np.ndarray | None = None) -> Person:
    left, top, right, bottom = box
    bits = np.ones((round((bottom - top) / step), round((right - left) / step)), np.bool_)
    middle = (step - 1) / 2
    mask = Mask.of(bits, (step, 0.0, left + middle, 0.0, step, top + middle))
    keypoints = Array.of(np.zeros((33, 3), np.float32))
    placed = None if world is None else Array.of(world.astype(np.float32))
    return Person(box, 1.0, "blazepose33", keypoints, Quality(1.0), placed, mask)


def judged(people: list[Person], real: list[TruthPerson]) -> Tally:
    tally = Tally()
    tally.add(People(FRAME, tuple(people)), real)
    return tally


def test_a_hit_a_miss_and_a_false_answer_are_counted() -> None:
    tally = judged(
        [person((10, 10, 50, 110)), person((300, 10, 340, 110))],
        [truth((12, 10, 52, 110)), truth((500, 10, 540, 110))],
    )
    assert (tally.right, tally.missed, tally.wrong) == (1, 1, 1)
    assert tally.recall == tally.precision == 0.5


def test_who_is_hidden_is_neither_missed_nor_wrong() -> None:
    hidden = truth((10, 10, 50, 110), visible=0.2)
    assert (judged([], [hidden]).missed, judged([person((10, 10, 50, 110))], [hidden]).wrong) == (0, 0)


def test_two_answers_to_one_person_are_one_right_and_one_wrong() -> None:
    tally = judged([person((10, 10, 50, 110)), person((12, 10, 52, 110))], [truth((10, 10, 50, 110))])
    assert (tally.right, tally.wrong) == (1, 1)


def test_matching_gives_up_a_better_pair_for_one_more() -> None:
    answers: list[Box] = [(0, 0, 10, 10), (3, 0, 13, 10)]
    real: list[Box] = [(1.5, 0, 11.5, 10), (-2, 0, 8, 10)]
    assert sorted(match(answers, real)) == [(0, 1), (1, 0)]


def test_overlap_of_boxes() -> None:
    assert box_iou((0, 0, 2, 2), (1, 0, 3, 2)) == pytest.approx(1 / 3)
    assert box_iou((0, 0, 2, 2), (2, 0, 4, 2)) == 0
    assert box_iou((0, 0, 0, 0), (0, 0, 0, 0)) == 0


@pytest.mark.parametrize("step", [0.25, 1.0, 4.0])
def test_masks_of_any_resolution_are_compared_in_image_pixels(step: float) -> None:
    assert mask_iou(person((20, 20, 60, 120), step), truth((20, 20, 60, 120))) == pytest.approx(1.0, abs=0.01)
    assert mask_iou(person((20, 20, 60, 120), step), truth((40, 20, 80, 120))) == pytest.approx(
        1 / 3, abs=0.02
    )


def test_joints_are_compared_from_the_pelvis() -> None:
    world = np.zeros((33, 3))
    error = joint_error_mm(person((0, 0, 10, 10), world=world), truth((0, 0, 10, 10)))
    assert error == pytest.approx(1000 * 15 / 16)
    assert np.isnan(joint_error_mm(person((0, 0, 10, 10)), truth((0, 0, 10, 10))))
