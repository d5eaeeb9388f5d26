"""Skeletons move as bodies do: bones keep their length, feet stay where they stand."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gait.walkers.feet import BALL_SHARE, HEEL_SHARE, Foot
from gait.walkers.motion import JOINTS, Walk, bone_lengths, travel
from gait.walkers.path import Path
from gait.walkers.person import Person, sample_person
from gait.walkers.population import STREET
from gait.walkers.timing import Stop, Timing

SEEDS = st.integers(0, 10_000)
TURN = [(0.0, 0.0), (4.0, 0.0), (4.0, 4.0), (0.0, 6.0)]


def sole(foot: Foot, person: Person, share: float) -> np.ndarray:
    """The point of the sole ``share`` of the foot's length ahead of the ankle, (..., 3)."""
    return foot.ankle - person.body.ankle_height * foot.up + share * person.body.foot * foot.forward


def lowest_slides(walk: Walk, times: np.ndarray) -> float:
    """The furthest that the carrying point of a planted foot moves along the ground between two instants."""
    worst = 0.0
    for foot in walk.pose(times).feet:
        moves = [
            np.hypot(*np.diff(sole(foot, walk.person, share)[:, :2], axis=0).T)
            for share in (-HEEL_SHARE, BALL_SHARE)
        ]
        both = foot.planted[1:] & foot.planted[:-1]
        worst = max(worst, float(np.minimum(*moves)[both].max()))
    return worst


@settings(max_examples=6, deadline=None)
@given(SEEDS, st.floats(0, 2 * np.pi), st.floats(0.7, 1.3), st.floats(0, 1))
def test_planted_feet_do_not_slide(seed: int, heading: float, pace: float, phase: float) -> None:
    end = (4 * np.cos(heading), 4 * np.sin(heading))
    walk = Walk(sample_person(seed), Path.line((0, 0), end), pace, phase=phase)
    assert lowest_slides(walk, np.arange(0, 2.4, 0.02)) < 1e-6


@pytest.mark.parametrize("stops", [(), (Stop(3.0, 1.0),), (Stop(0.0, 0.5), Stop(2.5, 1.0), Stop(9.0, 0.5))])
def test_feet_stay_planted_on_turns_and_at_stops(stops: tuple[Stop, ...]) -> None:
    walk = Walk(sample_person(4), Path.through(TURN), stops=stops)
    assert lowest_slides(walk, np.arange(0, min(walk.timing.seconds, 8), 0.02)) < 1e-6


@settings(max_examples=8, deadline=None)
@given(SEEDS)
def test_bones_keep_their_length(seed: int) -> None:
    walk = Walk(sample_person(seed), Path.through(TURN))
    lengths = bone_lengths(travel(walk, np.linspace(0, walk.timing.seconds, 60).tolist()))
    body = walk.person.body
    assert np.ptp(lengths, axis=0).max() < 1e-6
    assert np.allclose(lengths[0, [1, 2, 4, 5]], [body.thigh, body.shank, body.thigh, body.shank])
    assert np.allclose(lengths[0, [10, 11]], [body.upper_arm, body.forearm])


@settings(max_examples=5, deadline=None)
@given(SEEDS)
def test_motion_has_no_jumps(seed: int) -> None:
    walk = Walk(sample_person(seed), Path.through(TURN), stops=(Stop(2.0, 0.4),))
    joints = travel(walk, np.arange(0, 4, 0.005).tolist())
    speed = np.linalg.norm(np.diff(joints, axis=0), axis=-1) / 0.005
    assert speed.max() < 6.5  # an ankle in full swing makes 5 m/s; a jump of 1 cm would show as 2 more


def test_no_foot_goes_through_the_floor() -> None:
    for seed in range(8):
        walk = Walk(sample_person(seed), Path.line((0, 0), (4, 0)))
        for foot in walk.pose(np.arange(0, 2.2, 0.02)).feet:
            assert sole(foot, walk.person, -HEEL_SHARE)[:, 2].min() > -0.02
            assert sole(foot, walk.person, BALL_SHARE)[:, 2].min() > -0.035


def test_speed_is_cadence_times_stride() -> None:
    person = sample_person(21)
    walk = Walk(person, Path.line((0, 0), (20, 0)))
    joints = travel(walk, [1.0, 1.0 + 8 / person.gait.cadence])
    travelled = joints[1, 0, 0] - joints[0, 0, 0]
    assert travelled == pytest.approx(8 * person.gait.stride, rel=0.01)
    assert walk.timing.seconds == pytest.approx(20 / person.gait.speed, rel=0.01)


def test_a_stride_repeats_itself_and_the_sides_alternate() -> None:
    person = sample_person(5)
    walk = Walk(person, Path.line((0, 0), (20, 0)))
    stride = 1 / person.gait.cadence
    now, later, half = (walk.pose(2 + share * stride).joints for share in (0, 1, 0.5))
    hips = [np.array(joints - joints[0]) for joints in (now, later, half)]
    assert np.abs(hips[0] - hips[1]).max() < 0.08  # footprints vary by a centimetre or two
    assert abs(hips[0][3, 0] - hips[2][6, 0]) < 0.12
    assert abs(now[3, 0] - now[6, 0]) + abs(half[3, 0] - half[6, 0]) > 0.2


def test_knees_bend_as_measured_knees_do() -> None:
    """Mean over people: nearly straight in mid-stance, about 60 degrees in swing."""
    curves = []
    for seed in range(20):
        person = sample_person(seed)
        walk = Walk(person, Path.line((0, 0), (20, 0)))
        strike = next(t for t in np.arange(3, 6, 0.01) if walk.timing.at(t).phase % 1 < 0.02)
        joints = travel(walk, (strike + np.arange(20) / 20 / person.gait.cadence).tolist())
        shank, thigh = joints[:, 3] - joints[:, 2], joints[:, 2] - joints[:, 1]
        cos = np.sum(shank * thigh, axis=1) / np.linalg.norm(shank, axis=1) / np.linalg.norm(thigh, axis=1)
        curves.append(np.degrees(np.arccos(np.clip(cos, -1, 1))))
    mean = np.mean(curves, axis=0)
    assert mean[7:9].max() < 15
    assert 50 < mean.max() < 68
    assert 13 <= int(mean.argmax()) <= 16
    assert mean[0] < 15


def test_the_streets_thighs_and_knees_move_as_measured_ones() -> None:
    """Mean over people against Winter (2009), natural cadence, every 10 % of the stride, degrees."""
    thigh = np.array([22, 19, 12, 3, -8, -17, -14, 8, 23, 25])
    knee = np.array([4, 16, 16, 11, 6, 9, 32, 60, 50, 15])
    measured = []
    for seed in range(40):
        walk = Walk(sample_person(seed, population=STREET), Path.line((0, 0), (12, 0)))
        joints = walk.pose(walk.timing.time_at_phase(3 + np.arange(10) / 10)).joints
        bones = np.diff(joints[:, 1:4], axis=1)  # right thigh and shank
        angles = np.degrees(np.arctan2(bones[..., 0], -bones[..., 2]))
        measured.append((angles[:, 0], angles[:, 0] - angles[:, 1]))
    thighs, knees = np.mean(measured, axis=0)
    assert np.abs(thighs - thigh).max() < 12
    assert np.abs(thighs - thigh).mean() < 5.5
    assert np.abs(knees - knee).max() < 13
    assert np.abs(knees - knee).mean() < 5.5


def test_the_streets_feet_neither_touch_the_floor_in_their_swing_nor_step_high() -> None:
    clear = []
    for seed in range(30):
        walk = Walk(sample_person(seed, population=STREET), Path.line((0, 0), (12, 0)))
        foot = walk.pose(walk.timing.time_at_phase(3 + np.linspace(0.75, 0.9, 16))).feet[0]
        clear.append(np.min([sole(foot, walk.person, share)[:, 2] for share in (-HEEL_SHARE, BALL_SHARE)]))
    assert min(clear) > -0.01
    assert 0.005 < np.mean(clear) < 0.06


@pytest.mark.parametrize("seed", range(3))
def test_the_streets_motion_has_no_jumps(seed: int) -> None:
    walk = Walk(
        sample_person(seed, population=STREET), Path.through(TURN), stops=(Stop(2.0, 0.4),), visit=seed
    )
    joints = travel(walk, np.arange(0, 4, 0.005).tolist())
    speed = np.linalg.norm(np.diff(joints, axis=0), axis=-1) / 0.005
    assert speed.max() < 6.5


def test_arms_swing_with_the_other_leg() -> None:
    person = sample_person(2)
    walk = Walk(person, Path.line((0, 0), (20, 0)))
    joints = travel(walk, np.arange(2, 6, 0.04).tolist())
    ahead = joints[:, :, 0] - joints[:, :1, 0]
    assert np.corrcoef(ahead[:, 12], ahead[:, 3])[0, 1] > 0.5  # left wrist, right ankle
    assert np.corrcoef(ahead[:, 12], ahead[:, 6])[0, 1] < -0.5


def test_a_standing_person_stands_still() -> None:
    walk = Walk(sample_person(9), Path.line((0, 0), (6, 0)), stops=(Stop(3.0, 2.0),))
    at = next(t for t in np.arange(0, 8, 0.05) if walk.timing.at(t).vigour == 0)
    joints = travel(walk, [at + 0.2, at + 1.0, at + 1.5])
    assert np.ptp(joints, axis=0).max() < 1e-9
    assert all(foot.planted for foot in walk.pose(at + 1.0).feet)
    assert walk.timing.seconds == pytest.approx(6 / walk.person.gait.speed + 2.0 + 0.9, abs=0.1)


def test_a_rest_at_the_end_belongs_to_the_walk() -> None:
    walk = Walk(sample_person(9), Path.line((0, 0), (6, 0)), stops=(Stop(0.0, 1.0), Stop(6.0, 2.0)))
    assert walk.timing.seconds == pytest.approx(1.0 + 6 / walk.person.gait.speed + 0.9 + 2.0, abs=0.1)
    assert walk.timing.at(walk.timing.seconds - 1.0).vigour == 0
    assert walk.timing.at(0.5).distance == pytest.approx(0.0)


def test_turning_keeps_to_the_path_and_faces_along_it() -> None:
    path = Path.through(TURN)
    walk = Walk(sample_person(1), path)
    for t in np.linspace(0, walk.timing.seconds, 25):
        place, pose = path.at(walk.timing.at(t).distance), walk.pose(t)
        assert pose.joints.shape == (JOINTS, 3)
        assert np.hypot(*(pose.joints[0, :2] - place.at)) < 0.08
        assert pose.chest.forward @ place.forward > 0.9


def test_phase_and_distance_never_go_back() -> None:
    person = sample_person(3)
    timing = Timing(person.gait, 8.0, 0.9, (Stop(0.0, 1.0), Stop(4.0, 0.7), Stop(8.0, 1.0)), phase=0.3)
    states = [timing.at(t) for t in np.arange(-1, timing.seconds + 1, 0.03)]
    for before, after in pairwise(states):
        assert after.distance >= before.distance
        assert after.phase >= before.phase


def test_impossible_paths_and_stops_are_refused() -> None:
    with pytest.raises(ValueError, match="two different points"):
        Path.line((1, 1), (1, 1))
    with pytest.raises(ValueError, match="finite"):
        Path(np.array([[0.0, 0.0], [np.nan, 1.0]]), np.zeros(2))
    for stop in (Stop(9.0, 1.0), Stop(-1.0, 1.0), Stop(1.0, -1.0)):
        with pytest.raises(ValueError, match="stops must lie"):
            Timing(sample_person(0).gait, 5.0, stops=(stop,))
