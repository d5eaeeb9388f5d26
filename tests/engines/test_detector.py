"""The detector's decode against a slow reference written from the net's description, and its bookkeeping."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.detector import ANCHORS, SAME_PERSON, Detection, Detector, decode, distance, gather, suppress
from engines.regions import Region
from tests.engines.fake_nets import FakeDetector, draw


def slow_reference(raw: np.ndarray, logits: np.ndarray, minimum: float) -> list[tuple[float, list[float]]]:
    """One anchor after another: 2 per cell of 28 and of 14 a side, 6 per cell of 7 a side, row by row."""
    answers = []
    index = 0
    for stride, each in ((8, 2), (16, 2), (32, 6)):
        cells = 224 // stride
        for row in range(cells):
            for column in range(cells):
                for _ in range(each):
                    score = 1 / (1 + math.exp(-float(logits[index])))
                    if score >= minimum:
                        x, y = (column + 0.5) * stride, (row + 0.5) * stride
                        body = []
                        for point in range(4):
                            body += [
                                x + float(raw[index, 4 + 2 * point]),
                                y + float(raw[index, 5 + 2 * point]),
                            ]
                        answers.append((score, body))
                    index += 1
    assert index == 2254
    return sorted(answers, key=lambda answer: -answer[0])


@given(st.integers(0, 2**32 - 1), st.sampled_from([0.3, 0.5, 0.9]))
def test_decode_equals_the_slow_reference(seed: int, minimum: float) -> None:
    rng = np.random.default_rng(seed)
    raw = rng.normal(0, 40, (2254, 12)).astype(np.float32)
    logits = rng.normal(-4, 2, 2254).astype(np.float32)
    scores, points = decode(raw, logits, minimum)
    wanted = slow_reference(raw, logits, minimum)
    assert len(scores) == len(wanted)
    for score, body, (wanted_score, wanted_body) in zip(scores, points, wanted, strict=True):
        assert score == pytest.approx(wanted_score, abs=1e-6)
        assert body.ravel() == pytest.approx(wanted_body, abs=1e-3)


def test_answers_that_are_not_finite_are_left_out() -> None:
    raw = np.zeros((2254, 12), np.float32)
    logits = np.full(2254, -20.0, np.float32)
    logits[[3, 4, 5]] = [5.0, np.inf, np.nan]
    raw[3, 7] = np.nan
    scores, points = decode(raw, logits, 0.5)
    assert len(scores) == len(points) == 0


def body(x: float, y: float, radius: float) -> np.ndarray:
    return np.array([[x, y], [x, y - radius], [x, y - radius / 2], [x, y - radius / 1.5]], np.float32)


def test_answers_to_one_body_become_their_weighted_mean_and_others_stay() -> None:
    points = np.stack([body(100, 100, 50), body(104, 100, 50), body(190, 100, 50)])
    scores, gathered = gather(np.array([0.9, 0.6, 0.8], np.float32), points)
    assert scores == pytest.approx([0.9, 0.8])
    assert gathered[0, 0] == pytest.approx((101.6, 100))
    assert gathered[1, 0] == pytest.approx((190, 100))


def test_nothing_gathers_to_nothing() -> None:
    scores, points = gather(np.zeros(0, np.float32), np.zeros((0, 4, 2), np.float32))
    assert scores.shape == (0,)
    assert points.shape == (0, 4, 2)


@given(
    st.lists(
        st.tuples(st.floats(0, 500), st.floats(0, 500), st.floats(5, 200), st.floats(0.5, 1)), max_size=8
    )
)
def test_no_two_kept_answers_are_one_body_and_the_best_is_kept(answers: list[Any]) -> None:
    given_ = [Detection(score, body(x, y, radius)) for x, y, radius, score in answers]
    kept = suppress(given_)
    assert bool(kept) == bool(given_)
    if given_:
        assert kept[0].score == max(d.score for d in given_)
    for place, one in enumerate(kept):
        for other in kept[place + 1 :]:
            assert distance(one.keypoints, other.keypoints[None])[0] >= SAME_PERSON


def test_a_tile_of_the_frame_gives_image_pixels() -> None:
    frame = draw((640, 480), [(0, 420, 300, 120)])
    (found,) = Detector(FakeDetector(), 0.5).detect_each(frame, [Region(450, 280, 300)])
    assert found[0].keypoints[0] == pytest.approx((420, 300), abs=2)
    assert found[0].radius == pytest.approx(60, abs=2)
    assert found[0].region.side == pytest.approx(150, abs=5)


def test_anchors_are_cell_centres() -> None:
    assert ANCHORS.shape == (2254, 2)
    assert tuple(ANCHORS[0]) == (4, 4)
    assert tuple(ANCHORS[-1]) == (208, 208)
