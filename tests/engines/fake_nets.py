"""A world simple enough to perceive without a trained net: people are upright rectangles, each of one green level.

``FakeDetector`` and ``FakeLandmarks`` answer in the real nets' layout from pixels alone, with the weakness that
matters: each sees the most prominent or most central person of its picture and no other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.config import PerceiveConfig, SearchConfig
from engines.detector import ANCHORS
from engines.perceive import Perception
from engines.runtimes.net import NetInfo, TensorSpec

LEVELS = (90, 130, 170, 210, 250)
WIDTH = 0.2
BODY = {
    0: (0.5, 0.1), 7: (0.55, 0.1), 8: (0.45, 0.1), 11: (0.7, 0.2), 12: (0.3, 0.2), 13: (0.75, 0.35),
    14: (0.25, 0.35), 23: (0.7, 0.5), 24: (0.3, 0.5), 25: (0.7, 0.75), 26: (0.3, 0.75), 27: (0.7, 0.96),
    28: (0.3, 0.96),
}  # fmt: skip
"""Joints of the 33 at shares of the rectangle; the others lie at its middle."""


def draw(size: tuple[int, int], people: Sequence[tuple[int, float, float, float]]) -> NDArray[np.uint8]:
    """A frame of ``size`` (width, height); people (level index, centre x, centre y, height), far to near."""
    frame = np.zeros((size[1], size[0], 3), np.uint8)
    for index, x, y, high in people:
        corners = [round(v) for v in (x - WIDTH * high / 2, y - high / 2, x + WIDTH * high / 2, y + high / 2)]
        left, top, right, bottom = (max(v, 0) for v in corners)
        frame[top:bottom, left:right, 1] = LEVELS[index]
    return frame


def rectangles(pixels: NDArray[np.uint8]) -> list[tuple[int, tuple[int, int, int, int], NDArray[np.bool_]]]:
    """Everyone in a crop: area, (left, top, width, height), pixels."""
    found = []
    for level in LEVELS:
        person = pixels[..., 1] == level
        person &= (pixels[..., 0] == 0) & (pixels[..., 2] == 0)
        if np.count_nonzero(person) >= 60:
            left, top, wide, high = cv2.boundingRect(person.view(np.uint8))
            found.append((int(np.count_nonzero(person)), (left, top, wide, high), person))
    return found


class FakeNet:
    """Counts its runs."""

    name = "fake"

    def __init__(self) -> None:
        self.runs = 0

    @property
    def inputs(self) -> Mapping[str, TensorSpec]:
        return {}

    @property
    def outputs(self) -> Mapping[str, TensorSpec]:
        return {}

    def describe(self) -> NetInfo:
        return NetInfo(self.name, "0" * 64, "fake", "1", "none", "f32", 1, 1)

    def run(self, arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        self.runs += 1
        return self.answer(arrays["input_1"][0])

    def run_each(self, batches: Sequence[Mapping[str, NDArray[Any]]]) -> list[dict[str, NDArray[Any]]]:
        return [self.run(arrays) for arrays in batches]

    def answer(self, pixels: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
        raise AssertionError("a fake net answers in its own way")


class FakeDetector(FakeNet):
    """Sees the largest rectangle that fills a fifth of the picture's height."""

    name = "fake-detector"

    def answer(self, pixels: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
        raw = np.zeros((1, len(ANCHORS), 12), np.float32)
        logits = np.full((1, len(ANCHORS), 1), -20.0, np.float32)
        seen = [one for one in rectangles(pixels) if one[1][3] >= 0.2 * pixels.shape[0]]
        if seen:
            _, (left, top, wide, high), _ = max(seen, key=lambda one: one[0])
            hip = np.array([left + wide / 2, top + high / 2], np.float32)
            anchor = int(np.argmin(((ANCHORS - hip) ** 2).sum(axis=1)))
            points = np.array(
                [hip, hip - (0, high / 2), hip - (0, high / 4), hip - (0, high / 3)], np.float32
            )
            raw[0, anchor, 4:] = (points - ANCHORS[anchor]).ravel()
            logits[0, anchor, 0] = 3.0
        return {"Identity": raw, "Identity_1": logits}


class FakeLandmarks(FakeNet):
    """Sees the rectangle nearest to the middle."""

    name = "fake-landmarks"

    def answer(self, pixels: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
        size = pixels.shape[0]
        landmarks = np.full((39, 5), 10.0, np.float32)
        landmarks[:, :3] = size / 2
        logits = np.full((1, size, size, 1), -5.0, np.float32)
        presence = 0.0
        middle = np.full(2, size / 2)

        def off(box: tuple[int, int, int, int]) -> float:
            return float(np.hypot(*(np.array([box[0] + box[2] / 2, box[1] + box[3] / 2]) - middle)))

        seen = rectangles(pixels)
        if seen:
            _, (left, top, wide, high), person = min(seen, key=lambda one: off(one[1]))
            shares = np.full((33, 2), 0.5)
            for joint, share in BODY.items():
                shares[joint] = share
            landmarks[:33, :2] = (left, top) + shares * (wide, high)
            landmarks[33, :2] = (left + wide / 2, top + high / 2)
            landmarks[34, :2] = (left + wide / 2, top)
            logits[0, ..., 0][person] = 5.0
            presence = 0.99
        return {
            "Identity": landmarks.reshape(1, -1),
            "Identity_1": np.array([[presence]], np.float32),
            "Identity_2": logits,
            "Identity_3": np.full((1, 64, 64, 39), -20.0, np.float32),
            "Identity_4": np.zeros((1, 117), np.float32),
        }


def fake_perception(config: PerceiveConfig | None = None) -> Perception:
    """Perception of the rectangle world."""
    return Perception(
        FakeDetector(), FakeLandmarks(), config or PerceiveConfig(search=SearchConfig(smallest_px=60))
    )
