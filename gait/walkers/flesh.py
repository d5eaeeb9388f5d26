"""A skeleton's flesh and clothes: tubes of rings along the bones.

Sizes are shares of stature, read off the averages in ANSUR II (Gordon et al. 2014), and are scaled by the
person's girths.
"""

from __future__ import annotations

import numpy as np

from gait.walkers.body import Body, Clothes
from gait.walkers.feet import BALL_SHARE, HEEL_SHARE, Foot
from gait.walkers.head import head
from gait.walkers.motion import Axes, Pose
from gait.walkers.person import Person
from gait.walkers.tubes import Tube, between, chain, patch_angles, plain, profile
from gait.walkers.vectors import UP, Floats, column, cross, dot, unit
from gait.walkers.wear import wear

# The upper garment: t 0 at the hips, 1 at the line of the shoulders; half width, front, back.
TORSO = (
    (-0.12, 0.0985, 0.067, 0.074),
    (0.06, 0.0965, 0.067, 0.072),
    (0.22, 0.0885, 0.064, 0.063),
    (0.40, 0.0825, 0.062, 0.057),
    (0.58, 0.0885, 0.066, 0.061),
    (0.75, 0.1000, 0.070, 0.067),
    (0.87, 0.1090, 0.062, 0.067),
    (0.95, 0.1160, 0.046, 0.058),
    (1.01, 0.1060, 0.036, 0.047),
    (1.05, 0.0760, 0.034, 0.042),
    (1.10, 0.0400, 0.031, 0.038),
)
TORSO_T = np.array(
    [
        -0.12,
        -0.04,
        0.05,
        0.15,
        0.25,
        0.35,
        0.45,
        0.55,
        0.65,
        0.75,
        0.83,
        0.90,
        0.96,
        1.0,
        1.035,
        1.065,
        1.09,
        1.1,
    ]
)
SHOULDER_SHARE = 0.212
"""The average width from shoulder to shoulder; the torso follows the person's."""
HIPS = (
    (-0.345, 0.001, 0.001, 0.001),
    (-0.33, 0.034, 0.030, 0.034),
    (-0.28, 0.070, 0.046, 0.056),
    (-0.15, 0.093, 0.061, 0.073),
    (0.05, 0.093, 0.062, 0.069),
)
HIPS_T = np.array([-0.345, -0.33, -0.28, -0.22, -0.15, -0.06, 0.05])
# A leg: t 0 at the hip, 1 at the knee, 2 at the ankle; half width, front, back.
LEG = (
    (-0.15, 0.040, 0.040, 0.046),
    (0.05, 0.0490, 0.0490, 0.0530),
    (0.30, 0.0465, 0.0480, 0.0480),
    (0.60, 0.0400, 0.0410, 0.0400),
    (0.90, 0.0325, 0.0340, 0.0320),
    (1.02, 0.0315, 0.0335, 0.0310),
    (1.15, 0.0305, 0.0285, 0.0340),
    (1.35, 0.0310, 0.0255, 0.0385),
    (1.60, 0.0260, 0.0225, 0.0290),
    (1.85, 0.0220, 0.0215, 0.0220),
    (2.05, 0.0215, 0.0225, 0.0210),
)
LEG_T = np.array(
    [-0.15, 0.0, 0.15, 0.3, 0.45, 0.6, 0.75, 0.88, 0.97, 1.06, 1.18, 1.32, 1.48, 1.66, 1.84, 2.0]
)
# A shoe: s from the heel over the ankle (0) to the tip as shares of the foot; height and half width.
SHOE = (
    (-0.245, 0.02, 0.004),
    (-0.235, 0.28, 0.090),
    (-0.19, 0.33, 0.135),
    (0.0, 0.36, 0.130),
    (0.12, 0.34, 0.138),
    (0.26, 0.27, 0.150),
    (0.50, 0.19, 0.185),
    (0.66, 0.14, 0.160),
    (0.755, 0.01, 0.004),
)
SHOE_S = np.array([-0.245, -0.235, -0.19, -0.10, 0.0, 0.12, 0.26, 0.40, 0.52, 0.58, 0.66, 0.73, 0.755])
# An arm: t 0 at the shoulder, 1 at the elbow, 2 at the wrist; radius.
ARM = (
    (-0.11, 0.001),
    (-0.09, 0.011),
    (-0.03, 0.0220),
    (0.12, 0.0300),
    (0.28, 0.0315),
    (0.50, 0.0285),
    (0.85, 0.0240),
    (1.00, 0.0245),
    (1.25, 0.0245),
    (1.60, 0.0200),
    (2.00, 0.0155),
)
ARM_T = np.array([-0.11, -0.09, -0.05, 0.03, 0.13, 0.27, 0.43, 0.6, 0.8, 0.93, 1.05, 1.2, 1.4, 1.6, 1.8, 2.0])
# A relaxed hand: t as shares of its length from the wrist; half breadth and half thickness.
HAND = (
    (-0.08, 0.10, 0.10),
    (0.10, 0.19, 0.15),
    (0.35, 0.25, 0.17),
    (0.55, 0.24, 0.16),
    (0.80, 0.19, 0.13),
    (0.98, 0.01, 0.01),
)
HAND_T = np.array([-0.08, 0.1, 0.3, 0.55, 0.75, 0.9, 0.98])


TORSO_SHAPE, HIPS_SHAPE, LEG_SHAPE = profile(TORSO, TORSO_T), profile(HIPS, HIPS_T), profile(LEG, LEG_T)
SHOE_SHAPE, ARM_SHAPE, HAND_SHAPE = profile(SHOE, SHOE_S), profile(ARM, ARM_T), profile(HAND, HAND_T)


def dress(person: Person, pose: Pose, sides: int, outline: bool = False) -> list[Tube]:
    """All tubes of a person in a pose; ``sides`` corners to a ring.

    ``outline`` leaves out what never shows in a silhouette: eyes, brows, mouth.
    """
    body, clothes, joints = person.body, person.clothes, pose.joints
    tubes = [_torso(body, clothes, pose, sides), _hips(body, clothes, pose, sides)]
    for side in (0, 1):
        hip, shoulder = 1 + 3 * side, (13, 10)[side]
        leg, arm = joints[..., hip : hip + 3, :], joints[..., shoulder : shoulder + 3, :]
        tubes.append(_leg(person, pose.pelvis, pose.feet[side], leg, sides))
        tubes.append(_shoe(person, pose.feet[side], sides))
        tubes.append(_arm(body, clothes, pose.chest, arm, sides))
        tubes.append(_hand(body, pose.chest, arm, sides))
    return [*tubes, *head(body, pose, sides, outline), *wear(person, pose, sides)]


def _bump(t: Floats, middle: float, width: float) -> Floats:
    return np.asarray(np.exp(-(((t - middle) / width) ** 2)))


def _torso(body: Body, clothes: Clothes, pose: Pose, sides: int) -> Tube:
    t = TORSO_T
    half = TORSO_SHAPE * body.stature * body.girth * clothes.ease
    seat = (body.seat - 1) * np.clip(1 - (t + 0.1) / 0.3, 0, 1)
    shoulders = np.clip((t - 0.6) / 0.3, 0, 1)
    # Shoulders are as wide as the skeleton's, whatever the girth.
    frame = body.shoulder_width / body.stature / SHOULDER_SHARE / body.girth**0.5 / clothes.ease
    half[:, 0] *= (1 + (body.waist - 1) * _bump(t, 0.42, 0.2)) * (1 + seat) * (1 + (frame - 1) * shoulders)
    half[:, 1] *= 1 + (body.belly - 1) * _bump(t, 0.25, 0.22) + 1.4 * (body.chest - 1) * _bump(t, 0.74, 0.13)
    half[:, 2] *= (1 + 0.6 * seat) * (1 + (body.back_round - 1) * _bump(t, 0.8, 0.2))
    half[:, 2] *= 1 + (body.seat_depth - 1) * np.clip(1 - (t + 0.1) / 0.3, 0, 1)
    # Shoulders that slope take the width off the rings above their joints.
    half[:, 0] *= 1 - 8 * body.shoulder_drop * np.clip((t - 0.93) / 0.07, 0, 1)
    centre = _spine(pose.joints, t)
    turn = np.clip(t, 0, 1)[:, None]
    left = unit((1 - turn) * pose.pelvis.left[..., None, :] + turn * pose.chest.left[..., None, :])
    front = unit(cross(left, unit(np.gradient(centre, axis=-2))))
    return Tube.of(centre, left, front, half, _shirt(clothes, t, sides))


def _spine(joints: Floats, t: Floats) -> Floats:
    """A quadratic through pelvis, spine and neck, so that the back curves."""
    u = t[:, None]
    low, middle, high = (2 * u - 1) * (u - 1), 4 * u * (1 - u), u * (2 * u - 1)
    pelvis, spine, neck = (joints[..., None, joint, :] for joint in (0, 7, 8))
    return np.asarray(low * pelvis + middle * spine + high * neck)


def _shirt(clothes: Clothes, t: Floats, sides: int) -> Floats:
    paint, at = plain(clothes.top, t.size, sides), between(t)
    if clothes.pattern == "stripes":
        paint[(np.arange(at.size) % 3 == 1) & (at < 0.95)] = clothes.accent
    elif clothes.pattern == "block":
        paint[at > 0.62] = clothes.accent
    paint[at < -0.06] *= 0.82
    paint[at > 1.07] *= 0.75
    return paint


def _hips(body: Body, clothes: Clothes, pose: Pose, sides: int) -> Tube:
    """The seat of the trousers, below the upper garment's hem."""
    half = HIPS_SHAPE * body.stature * body.girth
    half *= (0.35 + 0.65 * body.seat, 1.0, (0.5 + 0.5 * body.seat) * body.seat_depth)
    centre = pose.joints[..., :1, :] + HIPS_T[:, None] * body.trunk * pose.pelvis.up[..., None, :]
    paint = plain(clothes.trousers, HIPS_T.size, sides)
    return Tube.of(centre, pose.pelvis.left, pose.pelvis.forward, half, paint, nudge=-0.08)


def _leg(person: Person, pelvis: Axes, foot: Foot, joints: Floats, sides: int) -> Tube:
    body, clothes = person.body, person.clothes
    # Trousers hang straighter than the leg inside them, most below the knee.
    hang = 1 + 1.1 * (clothes.leg_width - 1) * np.clip(LEG_T - 0.8, 0, 1.2)
    own = 1 + (body.thigh_girth - 1) * np.clip(1.3 - LEG_T, 0, 1)
    own *= 1 + (body.calf_girth - 1) * np.clip(2 * LEG_T - 1.8, 0, 1)
    half = LEG_SHAPE * body.stature * (body.limb_girth * clothes.leg_width * hang * own)[:, None]
    centre, along = chain(joints[..., 0, :], joints[..., 1, :], joints[..., 2, :], LEG_T)
    ahead = (pelvis.forward + 0.5 * foot.forward)[..., None, :]
    left = unit(cross(ahead, along))
    left *= column(np.sign(dot(left, pelvis.left[..., None, :])))
    front = unit(cross(along, left))
    front *= column(np.sign(dot(front, ahead)))
    paint = plain(body.skin if person.conditions.skirt else clothes.trousers, LEG_T.size, sides)
    paint[-1:] *= 0.85
    # The thigh lies under the shirt's hem, the calf under nothing.
    nudge = -0.10 * np.clip(1 - between(LEG_T) / 0.55, 0, 1)
    return Tube.of(centre, left, front, half, paint, nudge)


def _shoe(person: Person, foot: Foot, sides: int) -> Tube:
    """A shoe that bends at the ball and stands on its heel."""
    body, clothes = person.body, person.clothes
    s, length = SHOE_S[:, None], body.foot * 1.04
    height, wide = SHOE_SHAPE.T * length
    forward, toes = foot.forward[..., None, :], foot.toes[..., None, :]
    up = np.where(s > BALL_SHARE, cross(foot.toes, foot.left)[..., None, :], foot.up[..., None, :])
    sole = foot.ankle - body.ankle_height * foot.up
    ahead = np.minimum(s, BALL_SHARE) * forward + np.maximum(s - BALL_SHARE, 0.0) * toes
    lift = person.conditions.heel_m * np.clip((BALL_SHARE - s) / (BALL_SHARE + HEEL_SHARE), 0, 1)
    centre = sole[..., None, :] + lift * foot.up[..., None, :] + length * ahead + (height / 2)[:, None] * up
    half = np.stack([wide, height / 2, height / 2], axis=1)
    paint = plain(clothes.shoes, SHOE_S.size, sides)
    under = np.sin(patch_angles(sides)) < -0.55
    paint[:, under] = 0.5 * paint[:, under] + 0.12
    return Tube.of(centre, foot.left, up, half, paint)


def _arm(body: Body, clothes: Clothes, chest: Axes, joints: Floats, sides: int) -> Tube:
    radius = ARM_SHAPE[:, 0] * body.stature * body.limb_girth * body.arm_girth
    end = 2 * clothes.sleeve
    radius *= np.where(end - 0.04 > ARM_T, clothes.ease * (1.06 if clothes.sleeve < 0.9 else 1.0), 1.0)
    centre, along = chain(joints[..., 0, :], joints[..., 1, :], joints[..., 2, :], ARM_T)
    left = unit(cross(along, (chest.forward + 0.3 * UP)[..., None, :]))
    cloth = clothes.accent if clothes.pattern == "block" else clothes.top
    paint = plain(body.skin, ARM_T.size, sides)
    paint[between(ARM_T) < end] = cloth
    return Tube.of(centre, left, unit(cross(left, along)), radius[:, None] * np.ones(3), paint)


def _hand(body: Body, chest: Axes, arm: Floats, sides: int) -> Tube:
    """Thumb ahead, fingers curling."""
    t, wrist = HAND_T[:, None], arm[..., 2, :]
    along = unit(wrist - arm[..., 1, :])
    ahead = unit(chest.forward - column(dot(chest.forward, along)) * along)
    curl = t * along[..., None, :] - 0.12 * t * t * ahead[..., None, :]
    centre = wrist[..., None, :] + body.hand * curl
    broad, thick = HAND_SHAPE.T * body.hand
    half = np.stack([broad, thick, thick], axis=1)
    return Tube.of(centre, ahead, cross(along, ahead), half, plain(body.skin, HAND_T.size, sides))
