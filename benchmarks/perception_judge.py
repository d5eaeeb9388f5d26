"""How perception's answers are judged against rendered truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from gait.skeleton import convert
from gait.walkers.truth import TruthPerson
from stream.messages import Box, People, Person

VISIBLE: Final = 0.3
MATCH_IOU: Final = 0.5
JOINTS: Final = "gaitway16"


@dataclass(frozen=True)
class Verdict:
    """One frame: pairs (answer, truth) that match, truth that was missed, answers that are wrong."""

    pairs: list[tuple[int, int]]
    missed: list[int]
    wrong: list[int]


def judge(people: Sequence[Person], truth: Sequence[TruthPerson]) -> Verdict:
    """Who was found, who was not, and which answers are on nobody: by place in the two sequences."""
    counted = [k for k, one in enumerate(truth) if one.visible >= VISIBLE and one.visible_box is not None]
    hidden = [one.visible_box for one in truth if one.visible < VISIBLE and one.visible_box]
    boxes = [box for k in counted if (box := truth[k].visible_box)]
    pairs = [(answer, counted[real]) for answer, real in match([one.box for one in people], boxes)]
    found, taken = {real for _, real in pairs}, {answer for answer, _ in pairs}
    wrong = [
        number
        for number, person in enumerate(people)
        if number not in taken and all(box_iou(person.box, box) < MATCH_IOU for box in hidden)
    ]
    return Verdict(pairs, [k for k in counted if k not in found], wrong)


@dataclass
class Tally:
    """What was counted over all frames."""

    right: int = 0
    missed: int = 0
    wrong: int = 0
    frames: int = 0
    mask_ious: list[float] = field(default_factory=list)
    joint_mm: list[float] = field(default_factory=list)
    perceive_s: list[float] = field(default_factory=list)

    def add(self, people: People, truth: Sequence[TruthPerson]) -> Verdict:
        """Judge one frame."""
        verdict = judge(people.people, truth)
        self.frames += 1
        self.right += len(verdict.pairs)
        self.missed += len(verdict.missed)
        self.wrong += len(verdict.wrong)
        for answer, real in verdict.pairs:
            self.mask_ious.append(mask_iou(people.people[answer], truth[real]))
            self.joint_mm.append(joint_error_mm(people.people[answer], truth[real]))
        return verdict

    @property
    def recall(self) -> float:
        """Found of those to be found."""
        return self.right / max(self.right + self.missed, 1)

    @property
    def precision(self) -> float:
        """Right of those answered."""
        return self.right / max(self.right + self.wrong, 1)


def match(answers: Sequence[Box], truth: Sequence[Box]) -> list[tuple[int, int]]:
    """Pairs (answer, truth) of the assignment with the most overlap, those of IoU >= 0.5 alone."""
    if not answers or not truth:
        return []
    overlap = np.array([[box_iou(one, other) for other in truth] for one in answers])
    rows, columns = linear_sum_assignment(np.where(overlap >= MATCH_IOU, -overlap, 0.0))
    return [(int(r), int(c)) for r, c in zip(rows, columns, strict=True) if overlap[r, c] >= MATCH_IOU]


def box_iou(one: Box, other: Box) -> float:
    """Intersection over union."""
    wide = min(one[2], other[2]) - max(one[0], other[0])
    high = min(one[3], other[3]) - max(one[1], other[1])
    both = max(wide, 0.0) * max(high, 0.0)
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other))
    return both / (areas - both) if areas > both else 0.0


def mask_iou(person: Person, truth: TruthPerson) -> float:
    """Of the answer's mask, pixel by pixel of the image, with the visible silhouette."""
    if person.mask is None:
        return 0.0
    left, top = truth.crop.left, truth.crop.top
    rows, columns = truth.crop.mask.shape
    box = person.box
    x0, y0 = min(left, int(box[0])), min(top, int(box[1]))
    x1, y1 = max(left + columns, int(box[2]) + 1), max(top + rows, int(box[3]) + 1)
    real = np.zeros((y1 - y0, x1 - x0), dtype=np.bool_)
    real[top - y0 : top - y0 + rows, left - x0 : left - x0 + columns] = truth.crop.mask
    answer = sample(person.mask.numpy(), person.mask.to_image, x0, y0, real.shape)
    return int(np.count_nonzero(real & answer)) / max(int(np.count_nonzero(real | answer)), 1)


def sample(
    mask: NDArray[np.bool_], to_image: Sequence[float], x0: int, y0: int, shape: tuple[int, ...]
) -> NDArray[np.bool_]:
    """The mask at the image pixels of a window: the nearest mask pixel, nothing outside it."""
    forward = np.array([to_image[:3], to_image[3:], (0.0, 0.0, 1.0)])
    back = np.linalg.inv(forward)
    y, x = np.mgrid[y0 : y0 + shape[0], x0 : x0 + shape[1]]
    column = np.rint(back[0, 0] * x + back[0, 1] * y + back[0, 2]).astype(int)
    row = np.rint(back[1, 0] * x + back[1, 1] * y + back[1, 2]).astype(int)
    inside = (row >= 0) & (row < mask.shape[0]) & (column >= 0) & (column < mask.shape[1])
    found = np.zeros(shape, dtype=np.bool_)
    found[inside] = mask[row[inside], column[inside]]
    return found


def joint_error_mm(person: Person, truth: TruthPerson) -> float:
    """Mean distance of the 16 joints with both pelvises at the origin."""
    if person.world is None:
        return float("nan")
    own = convert(person.world.numpy(), person.layout, JOINTS, confidence=False).points
    real = truth.joints_3d - truth.joints_3d[0]
    return 1e3 * float(np.linalg.norm(own - own[0] - real, axis=1).mean())
