"""What the gate's rules are judged by: bands of frames, their worth, and who stands or walks."""

import msgspec
import numpy as np
import pytest

from benchmarks.tracking_rules import Look, Moment, band_figures, passes, walking_figures, worth
from gait.walkers.truth import Crop, TruthPerson
from stream.messages import Array, Mask, Person, Quality
from trackers.config import WindowConfig

FINE = {
    "score": 0.99,
    "height_px": 200.0,
    "truncation": 0.0,
    "overlap": 0.0,
    "confidence": 0.9,
    "agreement": 1.0,
}
BODY = np.ones((20, 10), np.bool_)


def truth(visible: float) -> TruthPerson:
    box = (5.0, 5.0, 15.0, 25.0)
    return TruthPerson("a", box, box, Crop(BODY, 5, 5), visible, 6.0, np.zeros((16, 2)), np.zeros((16, 3)))


def answer(mask: np.ndarray, left: float = 5.0, top: float = 5.0) -> Person:
    return Person(
        box=(5.0, 5.0, 15.0, 25.0),
        score=1.0,
        layout="gaitway16",
        keypoints=Array.of(np.zeros((16, 3), np.float32)),
        quality=Quality(20.0),
        mask=Mask.of(mask, (1.0, 0.0, left, 0.0, 1.0, top)),
    )


def test_a_frame_is_worth_what_its_mask_holds_of_the_whole_person() -> None:
    assert worth(answer(BODY), truth(1.0)) == pytest.approx(1.0)
    assert worth(answer(BODY), truth(0.5)) == pytest.approx(0.5)  # the mask is right, half of them is hidden
    assert worth(answer(BODY[:10]), truth(1.0)) == pytest.approx(0.5)
    assert worth(answer(BODY, left=40.0), truth(1.0)) == 0.0
    assert worth(msgspec.structs.replace(answer(BODY), mask=None), truth(1.0)) == 0.0


def test_a_band_holds_what_all_other_rules_let_pass() -> None:
    looks = [
        Look(FINE, 0.9),
        Look(FINE | {"agreement": 0.5}, 0.3),
        Look(FINE | {"agreement": 0.5, "truncation": 0.5}, 0.0),  # refused by another rule: not counted here
    ]
    figures = band_figures(looks)
    assert figures["rule_agreement_0.4_0.6_worth"] == pytest.approx(0.3)
    assert figures["rule_agreement_0.4_0.6_share"] == pytest.approx(0.5)
    assert figures["rule_agreement_0.8_1_good"] == 1.0  # the topmost band holds its upper edge
    assert "rule_agreement_0_0.4_worth" not in figures


def test_the_limits_are_those_of_the_gate() -> None:
    assert all(passes(Look(FINE, 1.0), rule) for rule in FINE)
    assert not passes(Look(FINE | {"overlap": 0.61}, 1.0), "overlap")
    least = WindowConfig().min_height_px
    assert passes(Look(FINE | {"height_px": least}, 1.0), "height_px")
    assert not passes(Look(FINE | {"height_px": least - 1.0}, 1.0), "height_px")


def test_who_stands_and_passes_and_who_walks_and_is_refused_are_told_by_limit() -> None:
    moments = [
        Moment(False, False, 2.0, stride=0.03, speed=0.0),
        Moment(False, False, 2.0, stride=0.0, speed=0.0),
        Moment(False, False, 0.1, stride=0.9, speed=0.9),  # too early to say
        Moment(True, False, 2.0, stride=0.02, speed=0.0),
        Moment(False, True, 0.4, stride=0.2, speed=0.0),
        Moment(False, True, 0.8, stride=0.01, speed=0.0),
    ]
    figures = walking_figures(moments)
    assert figures["stride_0.025_speed_0.15_standing_passed"] == 0.5
    assert figures["stride_0.025_speed_0.15_walking_refused"] == 1.0
    assert figures["stride_0.015_speed_0.15_walking_refused"] == 0.0
    assert figures["stride_0.025_speed_0.15_stop_seen_after_s"] == pytest.approx(0.4)
