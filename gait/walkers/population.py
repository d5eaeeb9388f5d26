"""The people there are: every mean and spread from which bodies and gaits are drawn, in this one file.

Sources of the body: stature NCD-RisC (2016), European adults; segments as shares of stature Drillis and
Contini (1966) in Winter, Biomechanics and Motor Control of Human Movement, table 4.1; spreads of single
proportions, girths and heads ANSUR II (Gordon et al. 2014), what is left of each after stature and mass;
body mass index log-normal about 25 with a spread of 17 % (NCD-RisC), of which girths follow the root;
slope of the shoulders about 22 +- 4.5 degrees (clothing surveys).

Sources of the gait: cadence, stride and stance share Perry and Burnfield, Gait Analysis (2010), and Öberg
et al. (1993); speed 1.39 +- 0.17 m/s Bohannon and Andrews (2011); step width Owings and Grabiner (2004);
toe-out Cibulka et al. (2016); pelvis and trunk rotation Bruijn et al. (2008); arm swing Meyns et al. (2013),
the left a little more than the right Kuhtz-Buschbeck et al. (2008); rise of the pelvis Gard et al. (2004);
left-right differences of 2-4 % Sadeghi et al. (2000); head forward of the trunk by 6 degrees either way
Raine and Twomey (1997). Within one person: stride time 2 % and step length 3 % from stride to stride
Hausdorff et al. (1996) and Owings and Grabiner (2004); 1-3 degrees and 3 % of speed from day to day Kadaba
et al. (1989). What these do not give (slouch, harmonics, the roll of the foot, hair) is ours, set so that the
mean knee curve comes near the normal one and outlines spread as those of people in the street.

``STREET`` is what nets are trained on. ``PLAIN`` leaves out the finer differences of shape: the calibration,
the demo and the benches were made with it.
"""

from __future__ import annotations

import math

import msgspec
import numpy as np

from gait.walkers.seeds import bounded


class Spread(msgspec.Struct, frozen=True):
    """A normal distribution kept within ``low`` and ``high``."""

    mean: float
    sd: float
    low: float
    high: float

    def draw(self, rng: np.random.Generator) -> float:
        """One person's value; nothing is drawn where all are alike."""
        return self.mean if self.sd == 0 else bounded(rng, self.mean, self.sd, self.low, self.high)


def factor(sd: float, sds: float = 2.5) -> Spread:
    """About 1, within ``sds`` spreads."""
    return Spread(1.0, sd, 1 - sds * sd, 1 + sds * sd)


def fixed(value: float) -> Spread:
    """The same for all."""
    return Spread(value, 0.0, value, value)


class Share(msgspec.Struct, frozen=True):
    """A length as a share of stature: the means of women and men, and how people differ about them."""

    women: float
    men: float
    spread: Spread


class BodySpreads(msgspec.Struct, frozen=True):
    """Bodies: statures in metres, shares of it, and factors on the average person's sections."""

    stature_women: Spread = Spread(1.64, 0.068, 1.48, 2.0)
    stature_men: Spread = Spread(1.78, 0.068, 1.48, 2.0)
    legs: Spread = Spread(1.0, 0.022, 0.95, 1.05)  # long legs go with a short trunk
    log_girth: Spread = Spread(0.0, 0.085, math.log(0.85), math.log(1.25))
    thigh: Share = Share(0.245, 0.245, factor(0.02))
    shank: Share = Share(0.246, 0.246, factor(0.02))
    ankle_height: Share = Share(0.039, 0.039, factor(0.03))
    foot: Share = Share(0.148, 0.152, factor(0.035))
    trunk: Share = Share(0.285, 0.285, factor(0.02))
    head_height: Share = Share(0.112, 0.112, factor(0.025))
    head_size: Share = Share(0.131, 0.131, factor(0.03))
    upper_arm: Share = Share(0.180, 0.180, factor(0.03))
    forearm: Share = Share(0.146, 0.146, factor(0.03))
    hand: Share = Share(0.100, 0.100, factor(0.03))
    hip_width: Share = Share(0.108, 0.100, factor(0.05))
    shoulder_width: Share = Share(0.203, 0.221, factor(0.045))
    limb_girth: Spread = Spread(1.0, 0.06, 0.85, 1.15)
    belly_sd: float = 0.08
    chest_women: Spread = Spread(1.06, 0.05, 0.88, 1.2)
    chest_men: Spread = Spread(1.0, 0.05, 0.88, 1.2)
    waist_women: Spread = Spread(0.90, 0.05, 0.8, 1.12)
    waist_men: Spread = Spread(1.0, 0.05, 0.8, 1.12)
    seat_women: Spread = Spread(1.08, 0.05, 0.86, 1.22)
    seat_men: Spread = Spread(0.98, 0.05, 0.86, 1.22)
    # The finer differences; the same for all in PLAIN.
    shoulder_drop: Spread = fixed(0.0)
    neck_girth: Spread = fixed(1.0)
    thigh_girth: Spread = fixed(1.0)
    calf_girth: Spread = fixed(1.0)
    arm_girth: Spread = fixed(1.0)
    seat_depth: Spread = fixed(1.0)
    back_round: Spread = fixed(1.0)
    head_width: Spread = fixed(1.0)
    head_depth: Spread = fixed(1.0)
    hair_volume: Spread = fixed(1.0)
    hair_length: Spread = fixed(1.0)


class LegSpreads(msgspec.Struct, frozen=True):
    """``LegAction`` by field: people's spread, and a leg's own share of it as a standard deviation."""

    strike_pitch: Spread = Spread(0.33, 0.08, 0.12, 0.52)
    rise_pitch: Spread = Spread(1.18, 0.09, 0.92, 1.42)
    rise_from: Spread = Spread(0.32, 0.03, 0.25, 0.40)
    swing_lift: Spread = Spread(0.042, 0.013, 0.015, 0.085)
    swing_out: Spread = Spread(0.006, 0.010, -0.015, 0.04)
    toe_out: Spread = Spread(0.12, 0.09, -0.10, 0.38)
    length: Spread = fixed(1.0)
    knee_out: Spread = Spread(0.04, 0.06, -0.12, 0.2)
    curl: Spread = fixed(0.0)
    apart: tuple[float, ...] = (0.03, 0.04, 0.010, 0.004, 0.004, 0.035, 0.008, 0.025, 0.0)


class ArmSpreads(msgspec.Struct, frozen=True):
    """``ArmSwing`` by field, likewise; the left arm swings ``more_left`` further, the right as much less."""

    bias: Spread = Spread(0.02, 0.07, -0.14, 0.2)
    swing: Spread = Spread(0.36, 0.14, 0.06, 0.72)
    second: Spread = Spread(0.0, 0.03, -0.08, 0.08)
    lag: Spread = Spread(0.03, 0.03, -0.05, 0.1)
    out: Spread = Spread(0.13, 0.05, 0.04, 0.28)
    elbow: Spread = Spread(0.42, 0.14, 0.12, 0.95)
    elbow_swing: Spread = Spread(0.18, 0.08, 0.0, 0.4)
    apart: tuple[float, ...] = (0.03, 0.05, 0.015, 0.01, 0.02, 0.06, 0.03)
    more_left: float = 0.015


class GaitSpreads(msgspec.Struct, frozen=True):
    """``Gait`` by field; ``stride`` in lengths of the leg, ``cadence`` for a leg of 0.86 m."""

    stride: Spread = Spread(1.62, 0.11, 1.32, 1.9)
    cadence: Spread = Spread(0.93, 0.065, 0.78, 1.1)
    stance: Spread = Spread(0.608, 0.013, 0.575, 0.64)
    over: Spread = Spread(0.246, 0.010, 0.220, 0.272)
    step_width: Spread = Spread(0.10, 0.03, 0.03, 0.19)
    straightness: Spread = Spread(0.9945, 0.0035, 0.978, 0.9985)
    bob: Spread = Spread(0.006, 0.006, -0.006, 0.022)
    bob_lag: Spread = Spread(0.0, 0.03, -0.07, 0.07)
    sway: Spread = Spread(0.018, 0.008, 0.002, 0.042)
    surge: Spread = Spread(0.006, 0.004, 0.0, 0.016)
    lean: Spread = Spread(0.055, 0.045, -0.05, 0.18)
    lean_swing: Spread = Spread(0.018, 0.010, 0.0, 0.045)
    pelvis_rotation: Spread = Spread(0.085, 0.035, 0.015, 0.19)
    pelvis_lag: Spread = Spread(0.02, 0.03, -0.05, 0.09)
    pelvis_list: Spread = Spread(0.055, 0.025, 0.005, 0.13)
    shoulder_rotation: Spread = Spread(0.085, 0.04, 0.01, 0.21)
    shoulder_lag: Spread = Spread(0.02, 0.03, -0.05, 0.09)
    shoulder_list: Spread = Spread(0.02, 0.012, -0.01, 0.06)
    shoulder_tilt: Spread = Spread(0.0, 0.02, -0.05, 0.05)
    slouch: Spread = Spread(0.05, 0.08, -0.10, 0.26)
    head_pitch: Spread = Spread(0.05, 0.09, -0.14, 0.3)
    head_nod: Spread = Spread(0.015, 0.010, 0.0, 0.045)
    head_follow: Spread = Spread(0.3, 0.2, 0.0, 0.8)
    asymmetry: Spread = Spread(0.0, 0.008, -0.02, 0.02)
    irregularity: Spread = Spread(0.010, 0.004, 0.002, 0.022)
    give: Spread = fixed(0.010)
    legs: LegSpreads = LegSpreads()
    arms: ArmSpreads = ArmSpreads()


class ClothesSpreads(msgspec.Struct, frozen=True):
    """``Clothes`` as people own them: how much wider than the body a top is, and trousers."""

    ease: Spread = Spread(1.06, 0.03, 1.0, 1.15)
    leg_width: Spread = Spread(1.08, 0.07, 0.98, 1.3)


class Population(msgspec.Struct, frozen=True):
    """Who is drawn."""

    name: str
    clothes: ClothesSpreads = ClothesSpreads()
    body: BodySpreads = BodySpreads()
    gait: GaitSpreads = GaitSpreads()


PLAIN = Population("plain")
STREET = Population(
    "street",
    # Straight trousers are 19-22 cm wide at knee and hem, which the leg inside is not.
    ClothesSpreads(ease=Spread(1.09, 0.045, 1.0, 1.25), leg_width=Spread(1.19, 0.09, 1.0, 1.42)),
    BodySpreads(
        # Sections are ANSUR II's here: 4 % over the slim figures that PLAIN keeps, limbs and neck more.
        log_girth=Spread(0.035, 0.09, math.log(0.82), math.log(1.34)),
        legs=Spread(1.0, 0.025, 0.94, 1.06),
        belly_sd=0.10,
        chest_women=Spread(1.08, 0.065, 0.88, 1.28),
        chest_men=Spread(1.0, 0.06, 0.85, 1.2),
        waist_women=Spread(0.93, 0.06, 0.80, 1.14),
        waist_men=Spread(1.04, 0.06, 0.86, 1.2),
        seat_women=Spread(1.08, 0.06, 0.88, 1.28),
        seat_men=Spread(0.98, 0.055, 0.84, 1.18),
        shoulder_drop=Spread(0.0, 0.012, -0.024, 0.030),
        neck_girth=Spread(1.13, 0.07, 0.95, 1.32),
        thigh_girth=Spread(1.05, 0.055, 0.9, 1.2),
        calf_girth=Spread(1.06, 0.06, 0.9, 1.22),
        arm_girth=Spread(1.05, 0.07, 0.87, 1.25),
        seat_depth=Spread(1.0, 0.12, 0.75, 1.35),
        back_round=Spread(1.0, 0.08, 0.82, 1.25),
        head_width=Spread(1.0, 0.045, 0.88, 1.12),
        head_depth=Spread(1.0, 0.045, 0.88, 1.12),
        hair_volume=Spread(1.2, 0.6, 0.2, 2.8),
        hair_length=Spread(0.85, 0.3, 0.3, 1.5),
    ),
    GaitSpreads(
        stride=Spread(1.62, 0.13, 1.28, 1.95),
        cadence=Spread(0.93, 0.072, 0.76, 1.12),
        step_width=Spread(0.105, 0.034, 0.02, 0.20),
        lean=Spread(0.055, 0.052, -0.07, 0.20),
        slouch=Spread(0.07, 0.10, -0.12, 0.34),
        head_pitch=Spread(0.05, 0.10, -0.18, 0.32),
        give=Spread(0.005, 0.0015, 0.002, 0.009),
        # The ankle rises to 22 cm at 70 % of the stride and skims at 9 cm at 90 % (Winter 2009, table A.4).
        legs=LegSpreads(
            rise_from=Spread(0.36, 0.03, 0.29, 0.43),
            curl=Spread(0.31, 0.06, 0.15, 0.45),
            apart=(0.03, 0.04, 0.010, 0.004, 0.004, 0.035, 0.008, 0.025, 0.02),
        ),
        arms=ArmSpreads(
            # The upper arm swings from 24 degrees back to 8 ahead (Murray et al. 1967).
            bias=Spread(-0.10, 0.07, -0.27, 0.12),
            swing=Spread(0.28, 0.14, 0.03, 0.74),
            out=Spread(0.16, 0.06, 0.03, 0.34),
            elbow=Spread(0.42, 0.17, 0.10, 1.05),
            elbow_swing=Spread(0.18, 0.10, 0.0, 0.46),
        ),
    ),
)
POPULATIONS = {population.name: population for population in (PLAIN, STREET)}
