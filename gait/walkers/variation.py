"""A person as they walk this time: conditions and the day's mood acting on body, clothes and gait.

Loads: trunk forward by about a third of a degree per percent of body mass, shorter strides, less arm swing
(Kinoshita 1985; Attwells et al. 2006). Heels: shorter strides, flatter strike (Esenyel et al. 2003). Speed:
arm swing grows with it (Donker et al. 2001). Fatigue: slower, wider, less regular (Barbieri et al. 2013).
What differs from one pass to the next by itself is of the size of test-retest studies, see ``population``.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import numpy as np

from gait.walkers.body import Body, Clothes
from gait.walkers.conditions import NORMAL, Conditions
from gait.walkers.gait import ArmSwing, Gait, LegAction
from gait.walkers.person import Person
from gait.walkers.seeds import stream
from gait.walkers.vectors import Floats, Reals

HEEL_SHARE_RAISED = 0.7
"""How much of a heel's height the ankle gains."""
PRESSED_HAIR = 0.5
BETWEEN_VISITS = {
    "cadence": 0.025, "stride": 0.025, "pelvis_rotation": 0.08, "shoulder_rotation": 0.10, "sway": 0.10,
    "pelvis_list": 0.08,
}  # fmt: skip
"""Standard deviations as shares of the value."""
SHIFTS = {
    "step_width": 0.008, "lean": 0.017, "slouch": 0.030, "head_pitch": 0.050, "shoulder_tilt": 0.006,
    "head_nod": 0.003, "bob": 0.0015, "lean_swing": 0.003, "asymmetry": 0.003,
}  # fmt: skip
"""Standard deviations in the value's own unit."""
ARM_SHARE, ARM_SHIFTS = 0.14, {"bias": 0.04, "out": 0.02, "elbow": 0.06}
LEG_SHIFTS = {
    "strike_pitch": 0.025, "rise_pitch": 0.03, "toe_out": 0.02, "swing_lift": 0.002, "knee_out": 0.012,
}  # fmt: skip
WAVES = 5
STRIDE_TIME_WANDER, ARM_WANDER, TRUNK_WANDER = 0.007, 0.06, 0.012
HEAD_TURN, HEAD_NOD = 0.06, 0.03
"""Radians by which the eyes wander while walking."""


@dataclass(frozen=True)
class Wander:
    """A smooth random function of the gait's phase, of mean 0 and about unit spread."""

    amplitudes: Floats
    turns: Floats
    starts: Floats

    @classmethod
    def of(cls, rng: np.random.Generator, slowest: float = 0.04, fastest: float = 0.45) -> Wander:
        """Waves of ``slowest`` to ``fastest`` turns a stride."""
        turns = np.exp(rng.uniform(np.log(slowest), np.log(fastest), WAVES)) * 2 * np.pi
        return cls(rng.normal(0, (2 / WAVES) ** 0.5, WAVES), turns, rng.uniform(0, 2 * np.pi, WAVES))

    def at(self, phase: Reals) -> Floats:
        """Its values at ``phase`` (...) strides."""
        angle = np.asarray(phase)[..., None] * self.turns + self.starts
        return np.asarray(np.sin(angle) @ self.amplitudes)


@dataclass(frozen=True)
class Mood:
    """How one pass wanders about its own mean: stride time, arms, trunk (yaw, pitch), head (yaw, pitch)."""

    stride: Wander
    arms: tuple[Wander, Wander]
    trunk: tuple[Wander, Wander]
    head: tuple[Wander, Wander]

    @classmethod
    def of(cls, seed: int, visit: int) -> Mood:
        """That of person ``seed`` on their pass ``visit``."""
        rng = stream(seed, "mood", visit)
        stride = Wander.of(rng)
        arms, trunk, head = ((Wander.of(rng), Wander.of(rng, 0.04, 0.25)) for _ in range(3))
        return cls(stride, arms, trunk, head)

    def phase(self, phase: Floats) -> Floats:
        """The phase as this pass has it: strides take a little more or less time. Never runs backwards."""
        return phase + STRIDE_TIME_WANDER * np.clip(self.stride.at(phase), -3, 3)


def as_walked(person: Person, visit: int | None = None) -> Person:
    """``person`` with their conditions at work, and as they happen to walk on their pass ``visit``.

    None: exactly as they always walk.
    """
    gait = person.gait if visit is None else _this_time(person.seed, person.gait, visit)
    worn = person.conditions
    if worn == NORMAL:
        return msgspec.structs.replace(person, gait=gait)
    return msgspec.structs.replace(
        person,
        body=_raised(person.body, worn),
        clothes=_worn(person.clothes, worn),
        gait=_burdened(gait, worn),
    )


def _this_time(seed: int, gait: Gait, visit: int) -> Gait:
    rng = stream(seed, "visit", visit)
    changed = {name: getattr(gait, name) * (1 + by * _chance(rng)) for name, by in BETWEEN_VISITS.items()}
    changed |= {name: getattr(gait, name) + by * _chance(rng) for name, by in SHIFTS.items()}
    more, ahead = 1 + ARM_SHARE * _chance(rng), _chance(rng)

    def arm(own: ArmSwing) -> ArmSwing:
        # Half of a day's change is common to both arms.
        by = {name: sd * (0.7 * ahead + 0.7 * _chance(rng)) for name, sd in ARM_SHIFTS.items()}
        shifts = {name: getattr(own, name) + shift for name, shift in by.items()}
        return msgspec.structs.replace(own, swing=own.swing * more, **shifts)

    def leg(own: LegAction) -> LegAction:
        shifts = {name: getattr(own, name) + by * _chance(rng) for name, by in LEG_SHIFTS.items()}
        return msgspec.structs.replace(own, **shifts)

    return msgspec.structs.replace(
        gait,
        **changed,
        right_arm=arm(gait.right_arm),
        left_arm=arm(gait.left_arm),
        right_leg=leg(gait.right_leg),
        left_leg=leg(gait.left_leg),
    )


def _chance(rng: np.random.Generator) -> float:
    return float(np.clip(rng.normal(), -2.5, 2.5))


def _raised(body: Body, worn: Conditions) -> Body:
    ankle = body.ankle_height + HEEL_SHARE_RAISED * worn.heel_m
    # What is on the head presses the hair down.
    covered = worn.hat != "none" or worn.hood == "up"
    hair = min(body.hair_volume, PRESSED_HAIR) if covered else body.hair_volume
    return msgspec.structs.replace(
        body, ankle_height=ankle, foot=body.foot * worn.shoe**0.5, hair_volume=hair
    )


def _worn(clothes: Clothes, worn: Conditions) -> Clothes:
    """A coat has long sleeves; a skirt leaves no trousers to hang."""
    width = 0.97 if worn.skirt else clothes.leg_width * worn.trousers
    return msgspec.structs.replace(
        clothes,
        leg_width=width,
        ease=clothes.ease * (1 + worn.padding),
        sleeve=1.0 if worn.coat else clothes.sleeve,
        top=clothes.accent if worn.coat else clothes.top,
        pattern="plain" if worn.coat else clothes.pattern,
    )


def _burdened(gait: Gait, worn: Conditions) -> Gait:
    load, tired, heel = worn.load, worn.fatigue, worn.heel_m
    tight = max(0.0, worn.skirt - 0.55) + 0.4 * max(0.0, worn.coat - 0.55)
    slow = 1 - 0.06 * tired - 0.25 * load
    free = (1 - 0.15 * tired) * (1 - min(0.6, 1.2 * load)) * worn.pace * (1 - 0.8 * worn.padding)

    def leg(own: LegAction) -> LegAction:
        return msgspec.structs.replace(
            own,
            strike_pitch=own.strike_pitch * (1 - 5 * heel) * (1 - 0.2 * tired),
            rise_pitch=own.rise_pitch * (1 - 2 * heel),
            swing_lift=own.swing_lift * (1 - 0.2 * tired),
        )

    return msgspec.structs.replace(
        gait,
        stride=gait.stride * slow * (1 - 0.9 * heel) * (1 - 0.25 * tight),
        cadence=gait.cadence * (1 + 0.1 * load) * (1 + 0.3 * heel),
        stance=min(0.66, gait.stance + 0.05 * load + 0.008 * tired),
        step_width=gait.step_width + 0.015 * tired + 0.03 * load,
        straightness=gait.straightness - 0.08 * heel,
        irregularity=gait.irregularity * (1 + 0.6 * tired),
        lean=gait.lean + 0.55 * load + 0.03 * tired,
        slouch=gait.slouch + 0.08 * tired + 0.3 * load,
        head_pitch=gait.head_pitch + 0.06 * tired + (0.28 if worn.phone.endswith("text") else 0.0),
        pelvis_list=gait.pelvis_list * (1 + 3 * heel),
        right_leg=leg(gait.right_leg),
        left_leg=leg(gait.left_leg),
        right_arm=_arm(gait.right_arm, worn, "right", free),
        left_arm=_arm(gait.left_arm, worn, "left", free),
    )


def _arm(own: ArmSwing, worn: Conditions, side: str, free: float) -> ArmSwing:
    """One arm's swing with what its hand does; angles set by eye on how people hold things."""

    def held(swing: float, bias: float, out: float, hold: float) -> ArmSwing:
        return msgspec.structs.replace(
            own,
            swing=own.swing * free * swing,
            second=own.second * swing,
            elbow_swing=own.elbow_swing * swing,
            elbow=own.elbow * swing,
            bias=bias,
            out=max(own.out, out),
            hold=hold,
        )

    if worn.umbrella == side:
        return held(0.12, 0.30, 0.14, 1.95)
    if worn.phone.startswith(side):
        return held(0.15, 0.30, 0.12, 1.65) if worn.phone.endswith("text") else held(0.12, 0.35, 0.32, 2.2)
    if worn.pocket in (side, "both"):
        return held(0.22, -0.22, 0.30, 0.85)
    bag = worn.right_bag if side == "right" else worn.left_bag
    if bag == "hand":
        return held(0.45, 0.4 * own.bias, 0.10, 0.08)
    if bag == "shoulder":
        return msgspec.structs.replace(own, swing=own.swing * free * 0.6, out=max(own.out, 0.20))
    padded = own.out + 0.45 * worn.padding + (0.03 if worn.backpack else 0.0)
    return msgspec.structs.replace(own, swing=own.swing * free, out=padded)
