"""What people put on and carry, as tubes: coats and skirts, hats and hoods, bags and umbrellas."""

from __future__ import annotations

import numpy as np

from gait.walkers.body import Colour
from gait.walkers.conditions import NORMAL
from gait.walkers.head import HALF_SHARE, SKULL, ball
from gait.walkers.motion import Axes, Pose
from gait.walkers.person import Person
from gait.walkers.tubes import Tube, chain, plain, profile
from gait.walkers.vectors import UP, Floats, column, dot, level, unit

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
BLACK: Colour = (0.10, 0.10, 0.11)
LEATHER: Colour = (0.30, 0.20, 0.14)


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
    if worn.backpack:
        tubes.append(_backpack(person, pose, sides))
    for side, bag in enumerate((worn.right_bag, worn.left_bag)):
        if bag == "hand":
            tubes.append(_hand_bag(person, pose, side, sides))
        elif bag == "shoulder":
            tubes += _shoulder_bag(person, pose, side, sides)
    if worn.heel_m > 0.015:
        tubes += [_heel(person, pose, side, sides) for side in (0, 1)]
    return tubes


def over(person: Person, pose: Pose, sides: int) -> list[Tube]:
    """What hides the person behind it and is no part of them: an umbrella."""
    held = person.conditions.umbrella
    return [] if held == "none" else _umbrella(person, pose, int(held == "left"), sides)


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


def _backpack(person: Person, pose: Pose, sides: int) -> Tube:
    body, size = person.body, person.conditions.backpack**0.5
    t = np.array([0.0, 0.06, 0.25, 0.5, 0.8, 0.94, 1.0])
    full = np.array([0.1, 0.85, 1.0, 1.0, 0.9, 0.65, 0.1])
    tall, wide, deep = 0.47 * size, 0.155 * size**0.5, 0.095 * size
    up, back = pose.chest.up, -pose.chest.forward
    away = body.stature * body.girth * person.clothes.ease * 0.060 + 0.8 * deep
    top = pose.joints[..., 8, :] + 0.01 * body.stature * up + away * back
    centre = top[..., None, :] - (tall * (1 - t))[:, None] * up[..., None, :]
    half = np.stack([wide * full**0.4, deep * full, deep * full], axis=1)
    return Tube.of(centre, pose.chest.left, pose.chest.forward, half, plain(BLACK, t.size, sides))


def _sack(
    top: Floats, tall: float, wide: float, deep: float, ahead: Floats, colour: Colour, sides: int
) -> Tube:
    """A bag hanging straight down from ``top`` (..., 3), ``wide`` along ``ahead``; half sizes in metres."""
    down = np.array([0.0, 0.04, 0.35, 0.9, 1.0])
    full = np.array([0.1, 0.85, 0.95, 1.0, 0.1])
    centre = top[..., None, :] - (tall * down)[:, None] * UP
    half = np.stack([wide * full, deep * full, deep * full], axis=1)
    across = np.stack([-ahead[..., 1], ahead[..., 0], np.zeros_like(ahead[..., 0])], axis=-1)
    return Tube.of(centre, ahead, across, half, plain(colour, down.size, sides))


def _hand(pose: Pose, side: int, body_hand: float) -> Floats:
    """(..., 3) the middle of a closed hand."""
    wrist, elbow = (pose.joints[..., joint[side], :] for joint in ((15, 12), (14, 11)))
    return np.asarray(wrist + 0.6 * body_hand * unit(wrist - elbow))


def _hand_bag(person: Person, pose: Pose, side: int, sides: int) -> Tube:
    size = person.conditions.bag_size
    top = _hand(pose, side, person.body.hand) - 0.05 * UP
    ahead = level(pose.pelvis.forward)
    return _sack(top, min(0.34 * size, 0.42), 0.17 * size, 0.06 * size, ahead, LEATHER, sides)


def _shoulder_bag(person: Person, pose: Pose, side: int, sides: int) -> list[Tube]:
    body, size = person.body, person.conditions.bag_size
    out = pose.pelvis.left * (1.0 if side else -1.0)
    thick = 0.055 * size
    hips = 0.099 * body.stature * body.girth * person.clothes.ease
    top = pose.joints[..., 0, :] + (hips + 0.8 * thick) * out + 0.10 * size * UP
    bag = _sack(top, 0.30 * size, 0.15 * size, thick, level(pose.pelvis.forward), LEATHER, sides)
    shoulder = pose.joints[..., (13, 10)[side], :] + 0.022 * body.stature * pose.chest.up
    shoulder = shoulder - 0.02 * body.stature * out
    return [bag, _rod(shoulder, top + 0.03 * out, 0.012, LEATHER, sides)]


def _rod(start: Floats, end: Floats, radius: float, colour: Colour, sides: int) -> Tube:
    u = np.array([0.0, 0.35, 0.7, 1.0])[:, None]
    centre = (1 - u) * start[..., None, :] + u * end[..., None, :]
    along = unit(end - start)
    side = unit(np.stack([-along[..., 2], np.zeros_like(along[..., 0]), along[..., 0]], axis=-1))
    front = np.stack(
        [
            along[..., 1] * side[..., 2],
            along[..., 2] * side[..., 0] - along[..., 0] * side[..., 2],
            -along[..., 1] * side[..., 0],
        ],
        axis=-1,
    )
    return Tube.of(centre, side, front, np.full((4, 3), radius), plain(colour, 4, sides))


def _umbrella(person: Person, pose: Pose, side: int, sides: int) -> list[Tube]:
    """Held over the head: the shaft leans from the hand towards it."""
    grip = _hand(pose, side, person.body.hand)
    head = pose.joints[..., 9, :]
    over = (head - grip) * (1.0, 1.0, 0.0)
    top = grip + over * 0.8 + (0.62 + np.maximum(0.0, (head - grip)[..., 2:])) * UP
    along = unit(top - grip)
    t = np.array([0.0, 0.01, 0.10, 0.18, 0.23, 0.25])
    wide = np.array([0.02, 0.52, 0.42, 0.26, 0.10, 0.01])
    centre = top[..., None, :] - ((0.25 - t) * 1.0)[:, None] * along[..., None, :]
    left = unit(pose.pelvis.left - column(dot(pose.pelvis.left, along)) * along)
    front = unit(pose.pelvis.forward - column(dot(pose.pelvis.forward, along)) * along)
    half = np.repeat(wide[:, None], 3, axis=1)
    dome = Tube.of(centre, left, front, half, plain(person.clothes.accent, t.size, sides))
    return [dome, _rod(grip - 0.10 * along, top, 0.010, BLACK, sides)]


def _heel(person: Person, pose: Pose, side: int, sides: int) -> Tube:
    """A block under the ankle, from the shoe down."""
    body, foot, high = person.body, pose.feet[side], person.conditions.heel_m
    sole = foot.ankle - body.ankle_height * foot.up - 0.16 * body.foot * foot.forward
    u = np.array([0.0, 0.1, 1.0])[:, None]
    centre = sole[..., None, :] + high * u * foot.up[..., None, :]
    half = np.array([[0.010, 0.010, 0.010], [0.016, 0.020, 0.016], [0.026, 0.030, 0.026]])
    return Tube.of(centre, foot.left, foot.forward, half, plain(person.clothes.shoes, 3, sides))
