"""How one person walks: the parameters that stay when clothes and cameras change.

The numbers they are drawn from are in ``population``.
"""

from __future__ import annotations

import msgspec
import numpy as np

from gait.walkers.body import Body
from gait.walkers.population import PLAIN, ArmSpreads, LegSpreads, Population
from gait.walkers.seeds import bounded, stream

MIN_SWING = 0.03
"""Nobody's arm hangs quite still."""
REFERENCE_LEG_M = 0.86


class ArmSwing(msgspec.Struct, frozen=True):
    """Angles in radians: ``bias`` forward of the trunk, ``swing`` each way, ``out`` to the side.

    ``second`` is a harmonic at twice the stride's frequency, ``lag`` a share of the stride. ``hold`` bends
    the elbow further, also while standing: what a hand that holds something needs.
    """

    bias: float
    swing: float
    second: float
    lag: float
    out: float
    elbow: float
    elbow_swing: float
    hold: float = 0.0


class LegAction(msgspec.Struct, frozen=True):
    """Angles in radians, lengths in metres: how one foot is set down, rolled over and brought forward.

    ``curl`` lifts the foot early in its swing and lets it skim the ground later, as knees that bend do.
    """

    strike_pitch: float
    rise_pitch: float
    rise_from: float
    swing_lift: float
    swing_out: float
    toe_out: float
    length: float
    knee_out: float
    curl: float = 0.0


class Gait(msgspec.Struct, frozen=True):
    """One person's walk at the preferred speed; angles in radians, lengths in metres.

    ``cadence`` strides a second; ``stride`` metres a stride, so that speed is their product. ``stance`` is
    the share of a stride a foot is down; ``over`` the share at which the body passes over it. ``bob``,
    ``sway`` and ``surge`` move the pelvis up, aside and ahead. Rotations are about the vertical axis, with
    ``*_list`` about the walking direction. ``irregularity`` is the spread of footprints in metres, ``give``
    how softly the pelvis yields, in metres, where a leg is fully stretched.
    """

    cadence: float
    stride: float
    stance: float
    over: float
    step_width: float
    straightness: float
    bob: float
    bob_lag: float
    sway: float
    surge: float
    lean: float
    lean_swing: float
    pelvis_rotation: float
    pelvis_lag: float
    pelvis_list: float
    shoulder_rotation: float
    shoulder_lag: float
    shoulder_list: float
    shoulder_tilt: float
    slouch: float
    head_pitch: float
    head_nod: float
    head_follow: float
    asymmetry: float
    irregularity: float
    right_leg: LegAction
    left_leg: LegAction
    right_arm: ArmSwing
    left_arm: ArmSwing
    give: float = 0.010

    @property
    def speed(self) -> float:
        """Metres a second."""
        return self.cadence * self.stride


def _legs(seed: int, people: LegSpreads) -> tuple[LegAction, LegAction]:
    """Right and left: one style, with small differences."""
    rng = stream(seed, "legs")
    style = [getattr(people, name).draw(rng) for name in LegAction.__struct_fields__]
    right, left = (_beside(rng, style, people.apart) for _ in range(2))
    return LegAction(*right), LegAction(*left)


def _arms(seed: int, people: ArmSpreads) -> tuple[ArmSwing, ArmSwing]:
    """Right and left; most people swing the left arm a little further."""
    rng = stream(seed, "arms")
    style = [getattr(people, name).draw(rng) for name in ArmSwing.__struct_fields__[:-1]]
    right, left = (_beside(rng, style, people.apart) for _ in range(2))
    right[1] = max(MIN_SWING, right[1] - people.more_left)
    left[1] = max(MIN_SWING, left[1] + people.more_left)
    return ArmSwing(*right), ArmSwing(*left)


def _beside(rng: np.random.Generator, style: list[float], apart: tuple[float, ...]) -> list[float]:
    """A style as one side has it."""
    return [
        value if by == 0 else value + bounded(rng, 0, by, -2 * by, 2 * by)
        for value, by in zip(style, apart, strict=True)
    ]


def sample_gait(seed: int, body: Body, population: Population = PLAIN) -> Gait:
    """The walk of person ``seed``; the stride goes with the length of the legs, as in life."""
    rng, people = stream(seed, "gait"), population.gait
    legs, arms = _legs(seed, people.legs), _arms(seed, people.arms)
    stride = body.leg * people.stride.draw(rng)
    # Pendulum: cadence falls with the root of leg length.
    cadence = people.cadence.draw(rng) * (REFERENCE_LEG_M / body.leg) ** 0.5
    rest = {name: getattr(people, name).draw(rng) for name in Gait.__struct_fields__[2:-5]}
    return Gait(
        cadence,
        stride,
        **rest,
        right_leg=legs[0],
        left_leg=legs[1],
        right_arm=arms[0],
        left_arm=arms[1],
        give=people.give.draw(rng),
    )
