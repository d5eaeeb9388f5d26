"""What the gate lets into a window."""

import math

import msgspec
import pytest

from stream.messages import Quality
from tests.trackers.makers import person
from trackers.config import WindowConfig
from trackers.gate import refusal, sample_weight

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
