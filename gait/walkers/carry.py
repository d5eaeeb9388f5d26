"""What people carry, as tubes: backpacks, bags and umbrellas. Lengths in metres."""

from __future__ import annotations

import numpy as np

from gait.walkers.body import Colour
from gait.walkers.motion import Pose
from gait.walkers.person import Person
from gait.walkers.tubes import Tube, plain
from gait.walkers.vectors import UP, Floats, column, cross, dot, level, unit

BLACK: Colour = (0.10, 0.10, 0.11)
LEATHER: Colour = (0.30, 0.20, 0.14)
# A pack's height from its bottom (0) to its top (1), and how full it is there.
PACK = ((0.0, 0.1), (0.06, 0.85), (0.25, 1.0), (0.5, 1.0), (0.8, 0.9), (0.94, 0.65), (1.0, 0.1))
# A bag's depth from its top (0) to its bottom (1), likewise.
SACK = ((0.0, 0.1), (0.04, 0.85), (0.35, 0.95), (0.9, 1.0), (1.0, 0.1))
# An umbrella: metres above its rim, and its radius there.
DOME = ((0.0, 0.02), (0.01, 0.52), (0.10, 0.42), (0.18, 0.26), (0.23, 0.10), (0.25, 0.01))


def carry(person: Person, pose: Pose, sides: int) -> list[Tube]:
    """The tubes of what somebody carries on their body."""
    worn = person.conditions
    tubes = [_backpack(person, pose, sides)] if worn.backpack else []
    for side, bag in enumerate((worn.right_bag, worn.left_bag)):
        if bag == "hand":
            tubes.append(_hand_bag(person, pose, side, sides))
        elif bag == "shoulder":
            tubes += _shoulder_bag(person, pose, side, sides)
    return tubes


def over(person: Person, pose: Pose, sides: int) -> list[Tube]:
    """What hides the person behind it and is no part of them: an umbrella."""
    held = person.conditions.umbrella
    return [] if held == "none" else _umbrella(person, pose, int(held == "left"), sides)


def _backpack(person: Person, pose: Pose, sides: int) -> Tube:
    body, size = person.body, person.conditions.backpack**0.5
    t, full = np.array(PACK).T
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
    down, full = np.array(SACK).T
    centre = top[..., None, :] - (tall * down)[:, None] * UP
    half = np.stack([wide * full, deep * full, deep * full], axis=1)
    return Tube.of(centre, ahead, cross(UP, ahead), half, plain(colour, down.size, sides))


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
    """A strap or a shaft; it must not lie along the y axis, and neither does."""
    u = np.array([0.0, 0.35, 0.7, 1.0])[:, None]
    centre = (1 - u) * start[..., None, :] + u * end[..., None, :]
    along = unit(end - start)
    side = unit(cross(along, np.array([0.0, 1.0, 0.0])))
    return Tube.of(centre, side, cross(along, side), np.full((4, 3), radius), plain(colour, 4, sides))


def _umbrella(person: Person, pose: Pose, side: int, sides: int) -> list[Tube]:
    """Held over the head: the shaft leans from the hand towards it."""
    grip = _hand(pose, side, person.body.hand)
    head = pose.joints[..., 9, :]
    aside = (head - grip) * (1.0, 1.0, 0.0)
    top = grip + 0.8 * aside + (0.62 + np.maximum(0.0, (head - grip)[..., 2:])) * UP
    along = unit(top - grip)
    t, wide = np.array(DOME).T
    centre = top[..., None, :] - (t[-1] - t)[:, None] * along[..., None, :]
    left = unit(pose.pelvis.left - column(dot(pose.pelvis.left, along)) * along)
    front = unit(pose.pelvis.forward - column(dot(pose.pelvis.forward, along)) * along)
    half = np.repeat(wide[:, None], 3, axis=1)
    dome = Tube.of(centre, left, front, half, plain(person.clothes.accent, t.size, sides))
    return [dome, _rod(grip - 0.10 * along, top, 0.010, BLACK, sides)]
