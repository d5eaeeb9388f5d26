"""What the YOLO families answer, decoded: people's boxes, scores, masks and keypoints in the input's pixels.

Heads are told apart by the shapes of what they give (A anchors, C classes, K keypoints, M mask numbers):

- ``anchor-free`` (v8 to v12): (4 + C + M or 3K, A); boxes as centre and size in pixels, scores from 0 to 1;
- ``final`` (v10, 26): (N, 6 + M or 3K): corners, score and class of boxes already chosen;
- ``objectness`` (v5, v7): (A, 5 + C), as anchor-free with the chance of any object, which multiplies;
- ``yolox``: as objectness, but centres in cells from their own and sizes as logarithms.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from stream.errors import WeightsError

Floats = NDArray[np.float32]
Bits = NDArray[np.bool_]
Head = Literal["anchor-free", "final", "objectness", "yolox"]
Task = Literal["detect", "segment", "pose"]

PERSON: Final = 0
"""The class of people, in COCO as in most lists of their own."""
STRIDES: Final = (8, 16, 32)
MAX_CANDIDATES: Final = 1000
"""Boxes that suppression looks at: a frame of 60 people gives some 600 above a low threshold."""
COCO_CLASSES: Final = 80
COCO_KEYPOINTS: Final = 17
KEYPOINT_NUMBERS: Final = 3


@dataclass(frozen=True)
class Layout:
    """How a head's numbers lie: ``classes`` C, ``keypoints`` K, ``coefficients`` M."""

    head: Head
    classes: int
    keypoints: int = 0
    coefficients: int = 0


@dataclass(frozen=True)
class Found:
    """People of one picture, best first: corner boxes (N, 4), scores (N,), and what else the net knows.

    ``keypoints`` (N, K, 3): x, y, confidence; ``coefficients`` (N, M) of the mask's prototypes.
    """

    boxes: Floats
    scores: Floats
    keypoints: Floats
    coefficients: Floats

    def __len__(self) -> int:
        return len(self.scores)

    def chosen(self, places: NDArray[np.intp]) -> Found:
        """Some of them, in that order."""
        return Found(
            self.boxes[places], self.scores[places], self.keypoints[places], self.coefficients[places]
        )


def layout_of(
    shape: tuple[int, ...], size: tuple[int, int], protos: tuple[int, ...] | None, task: Task | None = None
) -> Layout:
    """How an output (1, .., ..) for an input of ``size`` (rows, columns) lies; raises WeightsError."""
    cells = sum((size[0] // stride) * (size[1] // stride) for stride in STRIDES)
    if len(shape) != 3:
        raise WeightsError(f"an output of shape {shape}", wanted="(1, .., ..) of a YOLO head")
    _, rows, columns = shape
    coefficients = protos[1] if protos else 0
    if columns == cells and rows > 4 + coefficients:
        rest, numbers = rows - 4 - coefficients, COCO_KEYPOINTS * KEYPOINT_NUMBERS
        if not protos and (task == "pose" or (task is None and rest == 1 + numbers)) and rest > numbers:
            return Layout("anchor-free", rest - numbers, COCO_KEYPOINTS)
        return Layout("anchor-free", rest, 0, coefficients)
    if rows == cells and columns > 5:
        return Layout("yolox", columns - 5)
    if rows == 3 * cells and columns > 5:
        return Layout("objectness", columns - 5)
    if rows <= MAX_CANDIDATES and 6 <= columns < cells:
        keypoints = (columns - 6) // KEYPOINT_NUMBERS if not protos else 0
        return Layout("final", COCO_CLASSES, keypoints, coefficients)
    raise WeightsError(
        f"an output of shape {shape} for {size[1]}x{size[0]} pixels",
        wanted=f"{cells} anchors of an anchor-free or YOLOX head, or boxes already chosen",
    )


def decode(raw: Floats, layout: Layout, size: tuple[int, int], minimum: float) -> Found:
    """Boxes whose best class is people, with scores from ``minimum`` on, best first, all of them finite."""
    rows = raw.T if layout.head == "anchor-free" else raw
    if layout.head == "final":
        return _final(rows, layout, minimum)
    first = 4 if layout.head == "anchor-free" else 5
    scores = rows[:, first + PERSON]
    if first == 5:
        scores = scores * rows[:, 4]
    chosen = np.flatnonzero(scores >= minimum)
    best = rows[chosen, first : first + layout.classes].argmax(axis=1) == PERSON
    chosen = chosen[best]
    rows, scores = rows[chosen], scores[chosen]
    centres, sizes = rows[:, :2], rows[:, 2:4]
    if layout.head == "yolox":
        cells, strides = grid(size)
        centres = (centres + cells[chosen]) * strides[chosen, None]
        # A size beyond the float's range becomes infinite, and is left out below.
        with np.errstate(over="ignore"):
            sizes = np.exp(sizes) * strides[chosen, None]
    with np.errstate(invalid="ignore"):
        boxes = np.concatenate([centres - sizes / 2, centres + sizes / 2], axis=1)
    rest = rows[:, first + layout.classes :]
    return _sorted(boxes, scores, rest, layout)


def grid(size: tuple[int, int]) -> tuple[Floats, Floats]:
    """Cells (A, 2) as x, y and their strides (A,), in the order of a YOLOX head."""
    cells, strides = [], []
    for stride in STRIDES:
        y, x = np.mgrid[: size[0] // stride, : size[1] // stride]
        cells.append(np.stack([x.ravel(), y.ravel()], axis=1))
        strides.append(np.full(x.size, stride))
    return np.concatenate(cells).astype(np.float32), np.concatenate(strides).astype(np.float32)


def _final(rows: Floats, layout: Layout, minimum: float) -> Found:
    people = rows[(rows[:, 4] >= minimum) & (rows[:, 5] == PERSON)]
    return _sorted(people[:, :4], people[:, 4], people[:, 6:], layout)


def _sorted(boxes: Floats, scores: Floats, rest: Floats, layout: Layout) -> Found:
    """Best first, at most ``MAX_CANDIDATES``, without what is not finite."""
    finite = np.isfinite(boxes).all(axis=1) & np.isfinite(scores) & np.isfinite(rest).all(axis=1)
    boxes, scores, rest = boxes[finite], scores[finite], rest[finite]
    order = np.argsort(-scores, kind="stable")[:MAX_CANDIDATES]
    boxes, scores, rest = boxes[order], scores[order], rest[order]
    numbers = layout.keypoints * KEYPOINT_NUMBERS
    return Found(
        boxes.astype(np.float32),
        scores.astype(np.float32),
        rest[:, :numbers].reshape(len(rest), layout.keypoints, KEYPOINT_NUMBERS).astype(np.float32),
        rest[:, numbers : numbers + layout.coefficients].astype(np.float32),
    )


def suppress(found: Found, most_overlap: float) -> Found:
    """One box per person: each that no better one overlaps by more than ``most_overlap`` (IoU)."""
    if not len(found):
        return found
    overlaps = box_ious(found.boxes) > most_overlap
    free = np.ones(len(found), dtype=np.bool_)
    for place in range(len(found)):
        if free[place]:
            free[place + 1 :] &= ~overlaps[place, place + 1 :]
    return found.chosen(np.flatnonzero(free))


def box_ious(boxes: Floats) -> Floats:
    """Intersection over union (N, N) of corner boxes."""
    low = np.maximum(boxes[:, None, :2], boxes[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
    both = np.prod(np.clip(high - low, 0, None), axis=2)
    areas = np.prod(np.clip(boxes[:, 2:] - boxes[:, :2], 0, None), axis=1)
    return np.asarray(both / np.maximum(areas[:, None] + areas[None, :] - both, 1e-9), dtype=np.float32)


def mask_logits(found: Found, protos: Floats) -> Floats:
    """Logits (N, h, w) of the masks on the grid of the prototypes (M, h, w)."""
    parts, high, wide = protos.shape
    return (found.coefficients @ protos.reshape(parts, high * wide)).reshape(-1, high, wide)


def cut_to_boxes(logits: Floats, boxes: Floats, scale: tuple[float, float]) -> Floats:
    """Logits (N, h, w) with everything outside each box, times ``scale`` (x, y), far below zero."""
    _, high, wide = logits.shape
    left, top, right, bottom = (boxes * np.array([*scale, *scale], np.float32)).T[:, :, None]
    columns, rows = np.arange(wide, dtype=np.float32)[None], np.arange(high, dtype=np.float32)[None]
    inside_x = (columns >= left) & (columns < right)
    inside_y = (rows >= top) & (rows < bottom)
    return np.where(inside_y[:, :, None] & inside_x[:, None, :], logits, np.float32(-20.0))
