"""What people put on, as tubes: coats and skirts, collars, hats and hoods, heels."""

from __future__ import annotations

import numpy as np

from gait.walkers.body import Colour
from gait.walkers.carry import carry
from gait.walkers.conditions import NORMAL
from gait.walkers.head import HALF_SHARE, SKULL, ball
from gait.walkers.motion import Axes, Pose
from gait.walkers.person import Person
from gait.walkers.tubes import Tube, chain, plain, profile
from gait.walkers.vectors import Floats, dot, level

HIP_HALF = np.array([0.096, 0.064, 0.075])
"""Half width, front and back of the hips as shares of stature: what cloth hangs from."""
CLOTH_RINGS = 8
LINING_M = 0.008
CAP = ((0.38, 1.12), (0.62, 1.13), (0.80, 1.16), (0.95, 1.16), (1.08, 0.95), (1.14, 0.1))
BEANIE = ((0.16, 1.14), (0.40, 1.16), (0.70, 1.18), (0.90, 1.25), (1.06, 1.3), (1.22, 1.1), (1.28, 0.1))
BRIM = (
    (0.42, 1.0), (0.44, 2.1), (0.49, 2.1), (0.52, 1.15), (0.80, 1.15), (1.14, 1.3), (1.22, 1.1), (1.23, 0.1),
)  # fmt: skip
HOOD = (
    (-1.15, 1.3), (-0.75, 1.35), (-0.3, 1.22), (0.2, 1.2), (0.6, 1.2), (0.9, 1.25), (1.16, 1.2), (1.24, 0.1),
)  # fmt: skip
"""Height on the head in halves of its height, and size as a factor of the skull there."""


def wear(person: Person, pose: Pose, sides: int) -> list[Tube]:
    """The tubes of a person's conditions that count as theirs; none in ordinary clothes."""
    worn = person.conditions
    if worn == NORMAL:
        return []
    tubes = []
    if worn.skirt:
        tubes.append(_drape(person, pose, worn.skirt, 0.35, person.clothes.trousers, sides))
    if worn.coat:
        tubes.append(_drape(person, pose, worn.coat, 0.12, person.clothes.top, sides))
    if worn.collar:
        tubes.append(_collar(person, pose, sides))
    tubes += _on_head(person, pose, sides)
    tubes += carry(person, pose, sides)
    if worn.heel_m > 0.015:
        tubes += [_heel(person, pose, side, sides) for side in (0, 1)]
    return tubes


def _drape(person: Person, pose: Pose, reach: float, flare: float, colour: Colour, sides: int) -> Tube:
    """Cloth from the hips down round both legs, as wide as the stride stretches it."""
    body, clothes = person.body, person.clothes
    t = np.linspace(-0.12, 2 * reach, CLOTH_RINGS)
    legs = (np.moveaxis(pose.joints[..., hip : hip + 3, :], -2, 0) for hip in (1, 4))
    right, left = (chain(hip, knee, ankle, t)[0] for hip, knee, ankle in legs)
    side, ahead = pose.pelvis.left[..., None, :], level(pose.pelvis.forward)[..., None, :]
    apart = left - right
    girth = body.stature * body.girth * clothes.ease
    hips = HIP_HALF * girth * (1 + flare * np.clip(t, 0, 2))[:, None] * (1, 1, 0.4 + 0.6 * body.seat)
    leg = np.interp(t, [0, 1, 2], [0.050, 0.036, 0.030]) * body.stature * body.limb_girth * clothes.leg_width
    wide = np.abs(dot(apart, side)) / 2 + leg + LINING_M
    deep = np.abs(dot(apart, ahead)) / 2 + leg + LINING_M
    half = np.maximum(np.stack([wide, deep, deep], axis=-1), hips)
    # The upper edge lies under the hem of what is worn above.
    half = half * (1 - 0.15 * np.clip((0.2 - t) / 0.3, 0, 1))[:, None]
    middle = (left + right) / 2
    return Tube.of(middle, side[..., 0, :], ahead[..., 0, :], half, plain(colour, t.size, sides), nudge=0.05)


def _collar(person: Person, pose: Pose, sides: int) -> Tube:
    """Round the neck, from the shoulders towards the chin."""
    body, u = person.body, np.array([0.0, 0.25, 0.6, 0.9, 1.0])[:, None]
    low = pose.joints[..., 8, :] - 0.004 * body.stature * pose.chest.up
    high = pose.joints[..., 9, :] - body.head_size * (0.34 * pose.head.up + 0.05 * pose.head.forward)
    high = low + (0.35 + 0.65 * person.conditions.collar) * (high - low)
    centre = (1 - u) * low[..., None, :] + u * high[..., None, :]
    thick = 1 + 0.6 * person.conditions.padding
    radius = np.array([0.052, 0.046, 0.042, 0.041, 0.030]) * body.stature * body.girth**0.5 * thick
    half = radius[:, None] * (1.0, 0.92, 1.0)
    return Tube.of(centre, pose.chest.left, pose.chest.forward, half, plain(person.clothes.top, 5, sides))


def _on_head(person: Person, pose: Pose, sides: int) -> list[Tube]:
    worn, clothes = person.conditions, person.clothes
    axes, size = pose.head, person.body.head_size * HALF_SHARE
    middle = pose.joints[..., 9, :]
    colour = clothes.accent
    tubes = []
    if worn.hat == "cap":
        peak = middle + size * (0.46 * axes.up + 0.95 * axes.forward)
        tubes.append(ball(peak, axes, np.array([0.48, 0.05, 0.42]) * size, colour, sides))
    if worn.hat != "none":
        shape = {"cap": CAP, "beanie": BEANIE, "brim": BRIM}[worn.hat]
        tubes.append(_round_head(shape, axes, middle, size, colour, sides, 1.0))
    if worn.hood == "up":
        tubes.append(_round_head(HOOD, axes, middle, size, clothes.top, sides, 0.62))
    elif worn.hood == "down":
        nape = pose.joints[..., 8, :] + 0.012 * person.body.stature * pose.chest.up
        nape = nape - 0.040 * person.body.stature * pose.chest.forward
        half = np.array([0.060, 0.028, 0.034]) * person.body.stature
        tubes.append(ball(nape, pose.chest, half, clothes.top, sides))
    return tubes


def _round_head(
    shape: tuple[tuple[float, float], ...],
    axes: Axes,
    middle: Floats,
    size: float,
    colour: Colour,
    sides: int,
    front: float,
) -> Tube:
    """Cloth round the skull; ``front`` below 1 leaves the face out."""
    t, wider = np.array(shape).T
    half = profile(SKULL, np.clip(t, -0.5, 0.86)) * size * wider[:, None] * (1.0, front, 1.0)
    centre = middle[..., None, :] + (t * size)[:, None] * axes.up[..., None, :]
    return Tube.of(centre, axes.left, axes.forward, half, plain(colour, t.size, sides), nudge=0.01)


def _heel(person: Person, pose: Pose, side: int, sides: int) -> Tube:
    """A block under the ankle, from the shoe down."""
    body, foot, high = person.body, pose.feet[side], person.conditions.heel_m
    sole = foot.ankle - body.ankle_height * foot.up - 0.16 * body.foot * foot.forward
    u = np.array([0.0, 0.1, 1.0])[:, None]
    centre = sole[..., None, :] + high * u * foot.up[..., None, :]
    half = np.array([[0.010, 0.010, 0.010], [0.016, 0.020, 0.016], [0.026, 0.030, 0.026]])
    return Tube.of(centre, foot.left, foot.forward, half, plain(person.clothes.shoes, 3, sides))
