"""Where BlazePose's 33 landmarks lie on a walker, from the same skeleton and flesh that are drawn."""

from __future__ import annotations

import numpy as np

from gait.skeleton import BLAZEPOSE33
from gait.walkers.body import Body
from gait.walkers.feet import BALL_SHARE, HEEL_SHARE, Foot
from gait.walkers.head import HALF_SHARE
from gait.walkers.motion import Pose
from gait.walkers.person import Person
from gait.walkers.vectors import Floats, column, dot, unit

# On the head: to the person's left, up and ahead of its middle, in halves of its height.
NOSE = (0.0, -0.18, 0.82)
FACE = {
    "eye_inner": (0.15, 0.10, 0.66),
    "eye": (0.25, 0.10, 0.65),
    "eye_outer": (0.36, 0.10, 0.58),
    "ear": (0.63, -0.06, -0.04),
    "mouth": (0.17, -0.50, 0.65),
}
# On the hand: along it and towards the thumb, as shares of its length. The fingers' are the knuckles.
HAND = {"pinky": (0.46, -0.20), "index": (0.50, 0.17), "thumb": (0.38, 0.30)}
TOE_SHARE = 0.70
"""From the ankle to the big toe, as a share of the foot."""
SIDES = ("right", "left")
LIMBS = {"hip": (1, 4), "knee": (2, 5), "ankle": (3, 6)}
ARMS = {"shoulder": (13, 10), "elbow": (14, 11), "wrist": (15, 12)}


def landmarks(person: Person, pose: Pose) -> Floats:
    """(..., 33, 3) world metres in the order of ``BLAZEPOSE33``, for every instant of ``pose``."""
    found = _on_head(person.body, pose)
    for side, name in enumerate(SIDES):
        for joint, indices in {**LIMBS, **ARMS}.items():
            found[f"{name}_{joint}"] = pose.joints[..., indices[side], :]
        found |= _on_hand(person.body, pose, name)
        found |= _on_foot(person.body, pose.feet[side], name)
    return np.stack([found[joint] for joint in BLAZEPOSE33.joints], axis=-2)


def _on_head(body: Body, pose: Pose) -> dict[str, Floats]:
    axes, middle, size = pose.head, pose.joints[..., 9, :], body.head_size * HALF_SHARE

    def at(left: float, up: float, ahead: float) -> Floats:
        return np.asarray(middle + size * (left * axes.left + up * axes.up + ahead * axes.forward))

    found = {"nose": at(*NOSE)}
    for part, (aside, up, ahead) in FACE.items():
        found[f"left_{part}"], found[f"right_{part}"] = at(aside, up, ahead), at(-aside, up, ahead)
    return found


def _on_hand(body: Body, pose: Pose, side: str) -> dict[str, Floats]:
    elbow, wrist = (pose.joints[..., ARMS[joint][SIDES.index(side)], :] for joint in ("elbow", "wrist"))
    along = unit(wrist - elbow)
    ahead = unit(pose.chest.forward - column(dot(pose.chest.forward, along)) * along)
    return {
        f"{side}_{part}": wrist + body.hand * (t * along + out * ahead) for part, (t, out) in HAND.items()
    }


def _on_foot(body: Body, foot: Foot, side: str) -> dict[str, Floats]:
    sole = foot.ankle - 0.75 * body.ankle_height * foot.up
    heel = sole - 0.9 * HEEL_SHARE * body.foot * foot.forward
    toe = sole + body.foot * (BALL_SHARE * foot.forward + (TOE_SHARE - BALL_SHARE) * foot.toes)
    return {f"{side}_heel": heel, f"{side}_foot_index": toe}
