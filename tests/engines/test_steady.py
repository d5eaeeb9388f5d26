"""A followed person's region rests while they stand, follows while they walk, and starts where it is told."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.regions import Region
from engines.steady import SteadyRegion


@given(st.floats(-500, 2000), st.floats(-500, 2000), st.floats(8, 3000), st.floats(-1.5, 1.5))
def test_the_first_region_is_held_as_it_is(x: float, y: float, side: float, angle: float) -> None:
    held = SteadyRegion.at(Region(x, y, side, angle)).region
    assert (held.x, held.y) == pytest.approx((x, y))
    assert held.side == pytest.approx(side, rel=1e-6)
    assert held.angle == pytest.approx(angle, abs=1e-5)


def test_a_trembling_region_of_somebody_who_stands_rests() -> None:
    rng = np.random.default_rng(0)
    answers = [Region(300 + dx, 200 + dy, 400) for dx, dy in rng.normal(0, 2, (60, 2))]
    steady, held = SteadyRegion.at(answers[0]), []
    for answer in answers[1:]:
        steady = steady.step(answer, 1)
        held.append(steady.region.x)
    trembling = np.abs(np.diff([answer.x for answer in answers])).mean()
    assert np.abs(np.diff(held)).mean() < 0.35 * trembling


@pytest.mark.parametrize("frames", [1, 2])
def test_who_walks_is_followed_within_a_step(frames: int) -> None:
    """A body's height in a second: the region lies less than 1.5 frames' way behind, at either frame rate."""
    speed = 300 / 30 * frames
    steady = SteadyRegion.at(Region(0, 0, 400))
    for step in range(1, 40 // frames):
        steady = steady.step(Region(speed * step, 0, 400), frames)
    assert 0 < speed * (40 // frames - 1) - steady.region.x < 1.5 * speed
    assert steady.region.side == pytest.approx(400, rel=0.01)


def test_it_answers_as_the_papers_equations_do() -> None:
    """One coordinate by hand, for three answers."""
    raw, held, speed = 100.0, 100.0, 0.0
    steady = SteadyRegion.at(Region(100.0, 50.0, 250.0))
    for x in (104.0, 109.0, 107.0):
        steady = steady.step(Region(x, 50.0, 250.0), 1)
        share = 1 / (1 + 30 / (2 * math.pi * 1.0))
        speed += share * ((x - raw) * 30 / 200.0 - speed)
        share = 1 / (1 + 30 / (2 * math.pi * (0.01 + 10 * abs(speed))))
        held, raw = held + share * (x - held), x
        assert steady.region.x == pytest.approx(held)
