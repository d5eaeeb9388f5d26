"""What the gate lets into a window."""

import math

import msgspec
import numpy as np
import pytest

from stream.messages import Array, Quality
from tests.trackers.makers import person
from trackers.config import WindowConfig
from trackers.gate import refusal, sample_weight, side_share

GOOD = Quality(height_px=200.0, confidence=0.9, agreement=0.95, blur=50.0)
RULES = WindowConfig(min_blur=10.0)


def test_a_good_look_passes() -> None:
    assert refusal(person(quality=GOOD), RULES) is None


@pytest.mark.parametrize(
    ("measure", "bad", "reason"),
    [
        ("height_px", 20.0, "too small"),
        ("truncation", 0.5, "truncated"),
        ("overlap", 0.8, "overlapped"),
        ("confidence", 0.1, "unsure keypoints"),
        ("agreement", 0.2, "mask and pose disagree"),
        ("blur", 1.0, "blurred"),
    ],
)
def test_each_measure_can_refuse_and_nan_always_does(measure: str, bad: float, reason: str) -> None:
    for value in (bad, math.nan):
        quality = msgspec.structs.replace(GOOD, **{measure: value})
        assert refusal(person(quality=quality), RULES) == reason


def test_a_low_score_feeds_no_window() -> None:
    assert refusal(person(score=0.3, quality=GOOD), RULES) == "low score"


def test_weights_are_shares_whatever_was_measured() -> None:
    assert sample_weight(person(quality=GOOD)) == pytest.approx(0.9 * 0.95)
    assert sample_weight(person(quality=msgspec.structs.replace(GOOD, agreement=math.nan))) == 0.0
    assert sample_weight(person(quality=msgspec.structs.replace(GOOD, confidence=7.0))) == 1.0


def turned(degrees: float, layout: str = "coco17") -> msgspec.Struct:
    """Somebody whose right side points ``degrees`` away from the picture's plane."""
    world = np.zeros((17, 3), np.float32)
    aside = (math.cos(math.radians(degrees)), 0.0, math.sin(math.radians(degrees)))
    world[[6, 12]] = np.array(aside) * 0.2
    world[[5, 11]] = -world[[6, 12]]
    return msgspec.structs.replace(person(quality=GOOD), world=Array.of(world), layout=layout)


def test_the_view_is_how_side_on_the_body_is_turned() -> None:
    assert side_share(turned(90.0)) == pytest.approx(1.0)
    assert side_share(turned(-90.0)) == pytest.approx(1.0)
    assert side_share(turned(0.0)) == pytest.approx(0.0, abs=1e-6)
    assert side_share(turned(30.0)) == pytest.approx(0.5, abs=1e-6)


def test_who_walks_end_on_feeds_no_window_where_that_is_asked_for() -> None:
    asked = WindowConfig(min_blur=10.0, min_side=0.5)
    assert refusal(turned(20.0), RULES) is None
    assert refusal(turned(20.0), asked) == "end-on"
    assert refusal(turned(40.0), asked) is None
    assert refusal(turned(math.nan), asked) == "end-on"


def test_a_view_that_nothing_tells_passes() -> None:
    asked = WindowConfig(min_blur=10.0, min_side=0.5)
    assert refusal(person(quality=GOOD), asked) is None
    assert refusal(turned(0.0, layout="unheard of"), asked) is None
