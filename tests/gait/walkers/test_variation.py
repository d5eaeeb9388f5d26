"""A person's passes differ as one person's do: less than people differ, and reproducibly."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gait.walkers.feet import BALL_SHARE, HEEL_SHARE
from gait.walkers.motion import Walk, bone_lengths
from gait.walkers.path import Path
from gait.walkers.person import sample_person
from gait.walkers.population import STREET
from gait.walkers.timing import Stop
from gait.walkers.variation import Mood, as_walked

LINE = Path.line((0.0, 0.0), (8.0, 0.0))
PERSON = sample_person(3, population=STREET)


def test_a_pass_comes_again_and_another_pass_is_another() -> None:
    times = np.arange(1, 3, 0.04)
    first, again, other = (Walk(PERSON, LINE, visit=visit).pose(times).joints for visit in (1, 1, 2))
    assert np.array_equal(first, again)
    assert np.abs(first - other).max() > 0.01


def test_one_persons_passes_differ_less_than_people_do() -> None:
    people = [sample_person(seed, population=STREET) for seed in range(60)]
    for name in ("cadence", "stride", "lean", "slouch", "head_pitch", "step_width", "pelvis_rotation"):
        within = np.std([getattr(as_walked(PERSON, visit).gait, name) for visit in range(60)])
        between = np.std([getattr(person.gait, name) for person in people])
        assert 0.1 * between < within < 0.75 * between, name
    visits = [as_walked(PERSON, visit).gait for visit in range(60)]
    assert 0.01 < np.std([gait.cadence for gait in visits]) / PERSON.gait.cadence < 0.04
    assert 0.05 < np.std([gait.left_arm.swing for gait in visits]) / PERSON.gait.left_arm.swing < 0.2


def test_a_pass_leaves_body_and_clothes_alone() -> None:
    assert (as_walked(PERSON, 5).body, as_walked(PERSON, 5).clothes) == (PERSON.body, PERSON.clothes)


def test_stride_times_vary_by_some_percent() -> None:
    deviations = []
    for visit in range(12):
        walk = Walk(PERSON, Path.line((0, 0), (40, 0)), visit=visit)
        times = np.arange(0, walk.timing.seconds, 0.005)
        phase = walk.timing.at(times).phase
        strikes = np.interp(np.arange(np.ceil(phase[0]), np.floor(phase[-1])), phase, times)
        strides = np.diff(strikes)
        deviations.append(np.std(strides) / np.mean(strides))
    assert 0.004 < np.mean(deviations) < 0.03


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 100))
def test_the_wandering_phase_always_rises(seed: int, visit: int) -> None:
    phase = np.arange(-8, 30, 0.01)
    assert (np.diff(Mood.of(seed, visit).phase(phase)) > 0).all()


@pytest.mark.parametrize("visit", [0, 7])
def test_feet_stay_planted_and_bones_keep_their_length_on_any_pass(visit: int) -> None:
    walk = Walk(PERSON, LINE, stops=(Stop(4.0, 1.0),), visit=visit)
    times = np.arange(0, walk.timing.seconds, 0.02)
    pose = walk.pose(times)
    assert np.ptp(bone_lengths(pose.joints), axis=0).max() < 1e-6
    for foot in pose.feet:
        sole = foot.ankle - walk.person.body.ankle_height * foot.up
        slides = [
            np.hypot(*np.diff(sole + share * walk.person.body.foot * foot.forward, axis=0).T[:2])
            for share in (-HEEL_SHARE, BALL_SHARE)
        ]
        both = foot.planted[1:] & foot.planted[:-1]
        assert np.minimum(*slides)[both].max() < 1e-6


def test_who_stands_still_keeps_still_on_any_pass() -> None:
    walk = Walk(PERSON, LINE, stops=(Stop(4.0, 2.0),), visit=4)
    times = np.arange(0, walk.timing.seconds, 0.02)
    still = times[walk.timing.at(times).vigour == 0]
    assert still.size > 50
    assert np.ptp(walk.pose(still).joints, axis=0).max() < 1e-9
