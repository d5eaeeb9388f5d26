"""How one person walks: the parameters that stay when clothes and cameras change.

Means and spreads: cadence, stride and stance share after Perry and Burnfield, Gait Analysis (2010) and
Öberg et al. (1993); step width after Owings and Grabiner (2004); toe-out after Cibulka et al. (2016);
pelvis and trunk rotation after Bruijn et al. (2008); arm swing after Meyns et al. (2013); the rise of the
pelvis after Gard et al. (2004); left-right differences of 2-4 % after Sadeghi et al. (2000). What the
literature does not give (slouch, head carriage, harmonics, the roll of the foot) is ours, set so that the
mean knee curve comes near the normal one.
"""

from __future__ import annotations

import msgspec

from gait.walkers.body import Body
from gait.walkers.seeds import bounded, stream


class ArmSwing(msgspec.Struct, frozen=True):
    """Angles in radians: ``bias`` forward of the trunk, ``swing`` each way, ``out`` to the side.

    ``second`` is a harmonic at twice the stride's frequency, ``lag`` a share of the stride.
    """

    bias: float
    swing: float
    second: float
    lag: float
    out: float
    elbow: float
    elbow_swing: float


class LegAction(msgspec.Struct, frozen=True):
    """Angles in radians, lengths in metres: how one foot is set down, rolled over and brought forward."""

    strike_pitch: float
    rise_pitch: float
    rise_from: float
    swing_lift: float
    swing_out: float
    toe_out: float
    length: float
    knee_out: float


class Gait(msgspec.Struct, frozen=True):
    """One person's walk at the preferred speed; angles in radians, lengths in metres.

    ``cadence`` strides a second; ``stride`` metres a stride, so that speed is their product. ``stance`` is
    the share of a stride a foot is down; ``over`` the share at which the body passes over it. ``bob``,
    ``sway`` and ``surge`` move the pelvis up, aside and ahead. Rotations are about the vertical axis, with
    ``*_list`` about the walking direction. ``irregularity`` is the spread of footprints in metres.
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

    @property
    def speed(self) -> float:
        """Metres a second."""
        return self.cadence * self.stride


def _legs(rng_seed: int) -> tuple[LegAction, LegAction]:
    """Right and left: one style, with small differences."""
    rng = stream(rng_seed, "legs")
    style = (
        bounded(rng, 0.33, 0.08, 0.12, 0.52),
        bounded(rng, 1.18, 0.09, 0.92, 1.42),
        bounded(rng, 0.32, 0.03, 0.25, 0.40),
        bounded(rng, 0.042, 0.013, 0.015, 0.085),
        bounded(rng, 0.006, 0.010, -0.015, 0.04),
        bounded(rng, 0.12, 0.09, -0.10, 0.38),
        1.0,
        bounded(rng, 0.04, 0.06, -0.12, 0.2),
    )
    spread = (0.03, 0.04, 0.010, 0.004, 0.004, 0.035, 0.008, 0.025)

    def side() -> LegAction:
        return LegAction(
            *(value + bounded(rng, 0, by, -2 * by, 2 * by) for value, by in zip(style, spread, strict=True))
        )

    return side(), side()


def _arms(rng_seed: int) -> tuple[ArmSwing, ArmSwing]:
    """Right and left; most people swing the left arm a little further (Kuhtz-Buschbeck et al. 2008)."""
    rng = stream(rng_seed, "arms")
    style = (
        bounded(rng, 0.02, 0.07, -0.14, 0.2),
        bounded(rng, 0.36, 0.14, 0.06, 0.72),
        bounded(rng, 0.0, 0.03, -0.08, 0.08),
        bounded(rng, 0.03, 0.03, -0.05, 0.1),
        bounded(rng, 0.13, 0.05, 0.04, 0.28),
        bounded(rng, 0.42, 0.14, 0.12, 0.95),
        bounded(rng, 0.18, 0.08, 0.0, 0.4),
    )
    spread = (0.03, 0.05, 0.015, 0.01, 0.02, 0.06, 0.03)

    def side(more: float) -> ArmSwing:
        values = [
            value + bounded(rng, 0, by, -2 * by, 2 * by) for value, by in zip(style, spread, strict=True)
        ]
        values[1] = max(0.03, values[1] + more)
        return ArmSwing(*values)

    return side(-0.015), side(0.015)


def sample_gait(seed: int, body: Body) -> Gait:
    """The walk of person ``seed``; the stride goes with the length of the legs, as in life."""
    rng = stream(seed, "gait")
    legs, arms = _legs(seed), _arms(seed)
    stride = body.leg * bounded(rng, 1.62, 0.11, 1.32, 1.9)
    return Gait(
        # Pendulum: cadence falls with the root of leg length.
        cadence=bounded(rng, 0.93, 0.065, 0.78, 1.1) * (0.86 / body.leg) ** 0.5,
        stride=stride,
        stance=bounded(rng, 0.608, 0.013, 0.575, 0.64),
        over=bounded(rng, 0.246, 0.010, 0.220, 0.272),
        step_width=bounded(rng, 0.10, 0.03, 0.03, 0.19),
        straightness=bounded(rng, 0.9945, 0.0035, 0.978, 0.9985),
        bob=bounded(rng, 0.006, 0.006, -0.006, 0.022),
        bob_lag=bounded(rng, 0.0, 0.03, -0.07, 0.07),
        sway=bounded(rng, 0.018, 0.008, 0.002, 0.042),
        surge=bounded(rng, 0.006, 0.004, 0.0, 0.016),
        lean=bounded(rng, 0.055, 0.045, -0.05, 0.18),
        lean_swing=bounded(rng, 0.018, 0.010, 0.0, 0.045),
        pelvis_rotation=bounded(rng, 0.085, 0.035, 0.015, 0.19),
        pelvis_lag=bounded(rng, 0.02, 0.03, -0.05, 0.09),
        pelvis_list=bounded(rng, 0.055, 0.025, 0.005, 0.13),
        shoulder_rotation=bounded(rng, 0.085, 0.04, 0.01, 0.21),
        shoulder_lag=bounded(rng, 0.02, 0.03, -0.05, 0.09),
        shoulder_list=bounded(rng, 0.02, 0.012, -0.01, 0.06),
        shoulder_tilt=bounded(rng, 0.0, 0.02, -0.05, 0.05),
        slouch=bounded(rng, 0.05, 0.08, -0.10, 0.26),
        head_pitch=bounded(rng, 0.05, 0.09, -0.14, 0.3),
        head_nod=bounded(rng, 0.015, 0.010, 0.0, 0.045),
        head_follow=bounded(rng, 0.3, 0.2, 0.0, 0.8),
        asymmetry=bounded(rng, 0.0, 0.008, -0.02, 0.02),
        irregularity=bounded(rng, 0.010, 0.004, 0.002, 0.022),
        right_leg=legs[0],
        left_leg=legs[1],
        right_arm=arms[0],
        left_arm=arms[1],
    )
