"""A skeleton's flesh and clothes: tubes of elliptic rings along the bones, each patch with its colour.

Sizes are shares of stature, read off the averages in ANSUR II (Gordon et al. 2014) and scaled by the
person's girths.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gait.walkers.body import Body, Clothes, Colour
from gait.walkers.feet import UP, Foot
from gait.walkers.motion import Axes, Pose
from gait.walkers.person import Person

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Tube:
    """``n`` rings joined one to the next; lengths in metres, colours red, green, blue in [0, 1].

    ``centre``, ``left``, ``front`` are (n, 3), ``half`` (n, 3) how far a ring reaches to the sides, to the
    front and to the back. ``paint`` (n - 1, sides, 3) colours the patches between rings.
    """

    name: str
    centre: Floats
    left: Floats
    front: Floats
    half: Floats
    paint: Floats


def angles(sides: int) -> Floats:
    """(sides,) where a ring's corners lie: 0 is left, a quarter turn the front."""
    return np.asarray((np.arange(sides) + 0.5) * (2 * np.pi / sides), np.float64)


def dress(person: Person, pose: Pose, sides: int) -> list[Tube]:
    """All tubes of a person in a pose; ``sides`` corners to a ring."""
    body, clothes, joints = person.body, person.clothes, pose.joints
    tubes = [_torso(body, clothes, pose, sides), _hips(body, clothes, pose, sides)]
    for side in (0, 1):
        hip, knee, ankle = joints[1 + 3 * side : 4 + 3 * side]
        shoulder, elbow, wrist = joints[(13, 10)[side] : (16, 13)[side]]
        tubes.append(_leg(body, clothes, pose.pelvis, pose.feet[side], (hip, knee, ankle), sides))
        tubes.append(_shoe(body, clothes, pose.feet[side], sides))
        tubes.append(_arm(body, clothes, pose.chest, (shoulder, elbow, wrist), sides))
        tubes.append(_hand(body, pose.chest, elbow, wrist, sides))
    return [*tubes, *_head(body, pose, sides)]


def _along(values: Sequence[tuple[float, ...]], t: Floats) -> list[Floats]:
    """Columns of a table (t, a, b, ...) at positions ``t``."""
    table = np.array(values)
    return [np.interp(t, table[:, 0], table[:, column]) for column in range(1, table.shape[1])]


def _unit(v: Floats) -> Floats:
    return np.asarray(v / np.linalg.norm(v, axis=-1, keepdims=True))


def _plain(colour: Colour, rings: int, sides: int) -> Floats:
    return np.broadcast_to(np.array(colour), (rings - 1, sides, 3)).copy()


# t from the hips (0) to the line of the shoulders (1); half width, front, back as shares of stature.
TORSO = [
    (-0.10, 0.0985, 0.066, 0.074),
    (0.06, 0.0960, 0.066, 0.072),
    (0.22, 0.0880, 0.064, 0.062),
    (0.40, 0.0820, 0.062, 0.056),
    (0.58, 0.0880, 0.066, 0.060),
    (0.75, 0.0950, 0.070, 0.066),
    (0.88, 0.0960, 0.060, 0.066),
    (0.97, 0.0900, 0.046, 0.058),
    (1.05, 0.0640, 0.035, 0.047),
    (1.11, 0.0370, 0.030, 0.038),
]
TORSO_T = np.array(
    [-0.10, -0.02, 0.06, 0.15, 0.25, 0.35, 0.45, 0.55, 0.65, 0.75, 0.83, 0.90, 0.96, 1.01, 1.05, 1.085, 1.11]
)


def _torso(body: Body, clothes: Clothes, pose: Pose, sides: int) -> Tube:
    """The upper garment, from a hem below the hips to the collar."""
    t, joints = TORSO_T, pose.joints
    wide, front, back = _along(TORSO, t)
    belly = np.exp(-(((t - 0.25) / 0.22) ** 2))
    chest = np.exp(-(((t - 0.74) / 0.14) ** 2))
    waist = np.exp(-(((t - 0.42) / 0.20) ** 2))
    seat = np.clip(1 - (t + 0.1) / 0.3, 0, 1)
    shoulders = np.clip((t - 0.6) / 0.3, 0, 1) * (body.shoulder_width / body.stature / 0.212 - 1)
    girth = body.girth * clothes.ease
    wide = wide * girth * (1 + (body.waist - 1) * waist) * (1 + (body.seat - 1) * seat) * (1 + shoulders)
    front = front * girth * (1 + (body.belly - 1) * belly) * (1 + 1.4 * (body.chest - 1) * chest)
    back = back * girth * (1 + 0.6 * (body.seat - 1) * seat)
    centre = _spine(joints, t)
    mix = np.clip(t, 0, 1)[:, None]
    left = _unit((1 - mix) * pose.pelvis.left + mix * pose.chest.left)
    along = _unit(np.gradient(centre, axis=0))
    tube_front = _unit(np.cross(left, along))
    half = np.stack([wide, front, back], axis=1) * body.stature
    return Tube("torso", centre, left, tube_front, half, _shirt(clothes, t, sides))


def _spine(joints: Floats, t: Floats) -> Floats:
    """A quadratic through pelvis, spine and neck, so that the back curves."""
    p, s, n = joints[0], joints[7], joints[8]
    u = t[:, None]
    return np.asarray((2 * u - 1) * (u - 1) * p + 4 * u * (1 - u) * s + u * (2 * u - 1) * n)


def _shirt(clothes: Clothes, t: Floats, sides: int) -> Floats:
    paint = _plain(clothes.top, t.size, sides)
    middle = (t[1:] + t[:-1]) / 2
    if clothes.pattern == "stripes":
        paint[np.arange(t.size - 1) % 3 == 1] = clothes.accent
    elif clothes.pattern == "block":
        paint[middle > 0.62] = clothes.accent
    paint[middle < -0.06] *= 0.8
    paint[middle > 1.06] *= 0.82
    return paint


def _hips(body: Body, clothes: Clothes, pose: Pose, sides: int) -> Tube:
    """The seat of the trousers, under the upper garment's hem."""
    t = np.array([-0.335, -0.32, -0.28, -0.22, -0.15, -0.06, 0.05])
    wide, front, back = _along(
        [
            (-0.335, 0.01, 0.01, 0.01),
            (-0.32, 0.035, 0.03, 0.035),
            (-0.28, 0.072, 0.046, 0.056),
            (-0.15, 0.094, 0.061, 0.074),
            (0.05, 0.094, 0.062, 0.070),
        ],
        t,
    )
    half = np.stack([wide, front, back], axis=1) * body.stature * body.girth
    half *= (1.0, 1.0, 0.5 + 0.5 * body.seat)
    half[:, 0] *= 0.35 + 0.65 * body.seat
    centre = pose.joints[0] + t[:, None] * body.trunk * pose.pelvis.up
    left, front_axis = (np.broadcast_to(v, centre.shape) for v in (pose.pelvis.left, pose.pelvis.forward))
    return Tube("hips", centre, left, front_axis, half, _plain(clothes.trousers, t.size, sides))


# t from the hip (0) over the knee (1) to the ankle (2); half width, front, back as shares of stature.
LEG = [
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
]
LEG_T = np.array(
    [-0.15, 0.0, 0.15, 0.3, 0.45, 0.6, 0.75, 0.88, 0.97, 1.06, 1.18, 1.32, 1.48, 1.66, 1.84, 2.0]
)


def _leg(
    body: Body, clothes: Clothes, pelvis: Axes, foot: Foot, chain: tuple[Floats, Floats, Floats], sides: int
) -> Tube:
    wide, front, back = _along(LEG, LEG_T)
    # Trousers hang straighter than the leg inside them, most below the knee.
    ease = clothes.leg_width * (1 + 0.55 * (clothes.leg_width - 1) * np.clip(LEG_T - 0.8, 0, 1.2) * 2)
    half = np.stack([wide, front, back], axis=1) * body.stature * (body.limb_girth * ease)[:, None]
    half[-1] *= 1.06
    centre, along = _limb(chain, LEG_T)
    towards = pelvis.forward + 0.5 * foot.forward
    left = _unit(np.cross(along, towards))
    left *= np.sign(np.sum(left * pelvis.left, axis=1, keepdims=True))
    paint = _plain(clothes.trousers, LEG_T.size, sides)
    paint[-1:] *= 0.85
    return Tube(
        "leg", centre, left, _unit(np.cross(along, left)) * _facing(along, left, towards), half, paint
    )


def _facing(along: Floats, left: Floats, towards: Floats) -> Floats:
    return np.asarray(np.sign(np.sum(np.cross(along, left) * towards, axis=1, keepdims=True)))


def _limb(chain: tuple[Floats, Floats, Floats], t: Floats) -> tuple[Floats, Floats]:
    """Points along two bones with a rounded middle joint, and directions along them."""
    start, middle, end = chain
    first, second = middle - start, end - middle
    u = t[:, None]
    straight = np.where(u < 1, start + u * first, middle + (u - 1) * second)
    # Within ``soft`` of the joint the line bends as a parabola.
    soft = 0.16
    near = np.clip((u - 1 + soft) / (2 * soft), 0, 1)
    bend = soft * ((second - first) * near**2)
    curve = np.where(np.abs(u - 1) < soft, start + u * first + bend, straight)
    along = _unit(_unit(first) * (1 - near) + _unit(second) * near)
    return curve, along


def _shoe(body: Body, clothes: Clothes, foot: Foot, sides: int) -> Tube:
    length = body.foot * 1.04
    s = np.array([-0.245, -0.235, -0.19, -0.10, 0.0, 0.12, 0.26, 0.40, 0.54, 0.66, 0.73, 0.755]) + 0.0
    top = np.interp(
        s,
        [-0.245, -0.19, 0.0, 0.12, 0.26, 0.54, 0.70, 0.755],
        [0.25, 0.33, 0.36, 0.34, 0.27, 0.175, 0.12, 0.06],
    )
    wide = np.interp(
        s,
        [-0.245, -0.235, -0.19, 0.0, 0.26, 0.5, 0.66, 0.755],
        [0.03, 0.09, 0.135, 0.13, 0.15, 0.185, 0.16, 0.03],
    )
    sole = foot.ankle - body.ankle_height * foot.up
    centre = sole + (s * length)[:, None] * foot.forward + (top * length / 2)[:, None] * foot.up
    half = np.stack([wide * length, top * length / 2, top * length / 2], axis=1)
    left, up = (np.broadcast_to(v, centre.shape) for v in (foot.left, foot.up))
    paint = _plain(clothes.shoes, s.size, sides)
    under = np.sin(angles(sides) + np.pi / sides) < -0.55
    paint[:, under] = 0.5 * paint[:, under] + 0.12
    return Tube("shoe", centre, left, up, half, paint)


# t from the shoulder (0) over the elbow (1) to the wrist (2): radius as a share of stature.
ARM = [
    (-0.12, 0.014),
    (-0.08, 0.026),
    (0.0, 0.034),
    (0.15, 0.0345),
    (0.45, 0.0290),
    (0.85, 0.0240),
    (1.0, 0.0245),
    (1.25, 0.0245),
    (1.6, 0.0200),
    (2.0, 0.0155),
]
ARM_T = np.array([-0.12, -0.09, -0.04, 0.04, 0.15, 0.3, 0.45, 0.62, 0.8, 0.93, 1.05, 1.2, 1.4, 1.6, 1.8, 2.0])


def _arm(body: Body, clothes: Clothes, chest: Axes, chain: tuple[Floats, Floats, Floats], sides: int) -> Tube:
    radius = _along(ARM, ARM_T)[0] * body.stature * body.limb_girth
    end = 2 * clothes.sleeve
    middle = (ARM_T[1:] + ARM_T[:-1]) / 2
    sleeve = end - 0.04 > ARM_T
    radius = radius * np.where(sleeve, clothes.ease * (1.06 if clothes.sleeve < 0.9 else 1.0), 1.0)
    centre, along = _limb(chain, ARM_T)
    left = _unit(np.cross(along, chest.forward + 0.3 * UP))
    colour = clothes.accent if clothes.pattern == "block" and clothes.sleeve > 0.9 else clothes.top
    paint = np.where((middle < end)[:, None, None], np.array(colour), np.array(body.skin)) * np.ones(
        (1, sides, 1)
    )
    return Tube("arm", centre, left, _unit(np.cross(left, along)), radius[:, None] * np.ones(3), paint)


def _hand(body: Body, chest: Axes, elbow: Floats, wrist: Floats, sides: int) -> Tube:
    """A relaxed hand, thumb ahead, fingers curling."""
    t = np.array([-0.08, 0.1, 0.3, 0.55, 0.75, 0.9, 0.98])
    broad, thick = _along(
        [
            (-0.08, 0.15, 0.14),
            (0.1, 0.19, 0.15),
            (0.35, 0.24, 0.16),
            (0.55, 0.23, 0.15),
            (0.8, 0.19, 0.13),
            (0.98, 0.07, 0.05),
        ],
        t,
    )
    along = _unit(wrist - elbow)
    ahead = _unit(chest.forward - (chest.forward @ along) * along)
    inward = np.cross(along, ahead)
    centre = wrist + (t * body.hand)[:, None] * along - (0.12 * (t * t) * body.hand)[:, None] * ahead
    half = np.stack([broad, thick, thick], axis=1) * body.hand
    left, front = (np.broadcast_to(v, centre.shape) for v in (ahead, inward))
    return Tube("hand", centre, left, front, half, _plain(body.skin, t.size, sides))


# t from the chin (-1) to the crown (1) as shares of half the head's height: half width, front, back.
HEAD = [
    (-1.00, 0.05, 0.33, -0.16),
    (-0.94, 0.22, 0.47, 0.02),
    (-0.80, 0.38, 0.60, 0.20),
    (-0.55, 0.50, 0.70, 0.42),
    (-0.25, 0.57, 0.74, 0.66),
    (0.05, 0.61, 0.74, 0.82),
    (0.30, 0.64, 0.76, 0.86),
    (0.55, 0.62, 0.72, 0.80),
    (0.78, 0.50, 0.56, 0.64),
    (0.93, 0.30, 0.34, 0.40),
    (1.00, 0.06, 0.06, 0.08),
]
HEAD_T = np.array(
    [-1.0, -0.94, -0.8, -0.62, -0.45, -0.28, -0.1, 0.08, 0.26, 0.44, 0.62, 0.78, 0.90, 0.97, 1.0]
)


def _head(body: Body, pose: Pose, sides: int) -> list[Tube]:
    axes, centre = pose.head, pose.joints[9]
    size = body.head_size * 0.87
    skull = _skull(body, axes, centre, size, sides)
    tubes = [_neck(body, pose, sides), skull, *_features(body, axes, centre, size, sides)]
    if body.hair == "long":
        tubes.append(_tail(body, axes, centre, size, sides))
    elif body.hair == "bun":
        at = centre - 0.98 * size * axes.forward + 0.30 * size * axes.up
        tubes.append(_ball("bun", at, axes, np.array([0.34, 0.34, 0.34]) * size, body.hair_colour, sides))
    return tubes


def _skull(body: Body, axes: Axes, middle: Floats, size: float, sides: int) -> Tube:
    """The head, with hair where a head has hair: above the hairline, which falls towards the nape."""
    t = HEAD_T
    wide, front, back = (column * size for column in _along(HEAD, t))
    around = angles(sides) + np.pi / sides  # middles of the patches
    hairline = 0.20 - 0.62 * np.sin(around) * -1
    hairline = np.where(np.sin(around) > 0.25, 0.66, -0.05 + 1.0 * np.sin(around))
    hairline = np.maximum(hairline, -0.62)
    if body.hair == "bald":
        hairline = np.where(np.sin(around) > -0.1, 9.0, np.where(np.sin(around) < 0, -0.45, 9.0))
    between = (t[1:] + t[:-1]) / 2
    hairy = between[:, None] > hairline[None, :]
    if body.hair == "bald":
        hairy &= between[:, None] < 0.25
    paint = np.where(hairy[..., None], np.array(body.hair_colour), np.array(body.skin))
    if body.hair != "bald":
        grow = 1 + 0.10 * np.clip((t - 0.2) / 0.4, 0, 1)
        wide, front, back = (
            wide * grow,
            front * (1 + 0.3 * (grow - 1)),
            back * (1 + 0.08 * np.clip(t + 0.7, 0, 1)),
        )
    centre = middle + (t * size)[:, None] * axes.up
    half = np.stack([wide, front, back], axis=1)
    left, ahead = (np.broadcast_to(v, centre.shape) for v in (axes.left, axes.forward))
    return Tube("head", centre, left, ahead, half, paint)


def _neck(body: Body, pose: Pose, sides: int) -> Tube:
    low = pose.joints[8] - 0.01 * body.stature * pose.chest.up - 0.008 * body.stature * pose.chest.forward
    high = pose.joints[9] - 0.25 * body.head_size * pose.head.up - 0.16 * body.head_size * pose.head.forward
    u = np.linspace(0, 1, 5)[:, None]
    centre = (1 - u) * low + u * high
    radius = np.interp(u[:, 0], [0, 0.3, 1], [0.040, 0.033, 0.031]) * body.stature * body.girth**0.5
    left = np.broadcast_to(pose.head.left, centre.shape)
    along = _unit(high - low)
    front = np.broadcast_to(_unit(np.cross(pose.head.left, along)), centre.shape)
    paint = _plain(body.skin, 5, sides) * 0.9
    return Tube("neck", centre, left, front, radius[:, None] * np.array([0.95, 1.0, 1.05]), paint)


def _features(body: Body, axes: Axes, centre: Floats, size: float, sides: int) -> list[Tube]:
    """Nose, ears, eyes, brows and mouth: small, but they tell front from side."""

    def at(left: float, up: float, ahead: float) -> Floats:
        return centre + size * (left * axes.left + up * axes.up + ahead * axes.forward)

    def lump(name: str, where: Floats, half: tuple[float, float, float], colour: Floats) -> Tube:
        shade: Colour = (float(colour[0]), float(colour[1]), float(colour[2]))
        return _ball(name, where, axes, np.array(half) * size, shade, sides)

    skin, hair = np.array(body.skin), np.array(body.hair_colour)
    red = skin * np.array([0.86, 0.62, 0.60])
    tubes = [
        lump("nose", at(0, -0.16, 0.74), (0.10, 0.15, 0.13), skin),
        lump("nose", at(0, 0.00, 0.70), (0.07, 0.09, 0.18), skin),
        lump("mouth", at(0, -0.46, 0.655), (0.21, 0.07, 0.055), red),
    ]
    for side in (-1.0, 1.0):
        tubes += [
            lump("ear", at(0.60 * side, -0.05, -0.06), (0.07, 0.14, 0.21), skin * 0.95),
            lump("eye", at(0.25 * side, 0.10, 0.625), (0.12, 0.085, 0.07), np.array([0.93, 0.92, 0.90])),
            lump("pupil", at(0.25 * side, 0.10, 0.665), (0.06, 0.06, 0.06), np.array([0.12, 0.09, 0.07])),
            lump("brow", at(0.26 * side, 0.27, 0.655), (0.16, 0.06, 0.035), hair * 0.9),
        ]
    return tubes


def _tail(body: Body, axes: Axes, centre: Floats, size: float, sides: int) -> Tube:
    """Long hair down the back of the neck."""
    t = np.array([0.5, 0.2, -0.2, -0.6, -1.0, -1.4, -1.75, -1.9])
    wide = np.array([0.3, 0.62, 0.70, 0.72, 0.72, 0.68, 0.50, 0.15]) * size
    deep = np.array([0.2, 0.34, 0.36, 0.34, 0.30, 0.26, 0.20, 0.06]) * size
    level = _unit(axes.forward * np.array([1.0, 1.0, 0.3]))
    middle = centre + (t * size)[:, None] * (0.5 * axes.up + 0.5 * UP)
    middle = middle - ((0.58 + 0.06 * (0.5 - t)) * size)[:, None] * level
    left, front = (np.broadcast_to(v, middle.shape) for v in (axes.left, level))
    return Tube(
        "hair",
        middle,
        left,
        front,
        np.stack([wide, deep, deep], axis=1),
        _plain(body.hair_colour, t.size, sides) * 0.93,
    )


def _ball(name: str, at: Floats, axes: Axes, half: Floats, colour: Colour, sides: int) -> Tube:
    """An ellipsoid: ``half`` to the sides, up and down, and to front and back."""
    polar = np.linspace(0.06, np.pi - 0.06, 5)
    # Rings run from back to front, so that a face's features have a cap towards the viewer.
    ring = np.sin(polar)
    centre = at - (np.cos(polar) * half[2])[:, None] * axes.forward
    left, up = (np.broadcast_to(v, centre.shape) for v in (axes.left, axes.up))
    sizes = np.stack([ring * half[0], ring * half[1], ring * half[1]], axis=1)
    return Tube(name, centre, left, up, sizes, _plain(colour, polar.size, sides))
