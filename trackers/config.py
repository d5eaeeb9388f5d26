"""Every rule and number of the track stage, with what justifies it.

The measurements are those of ``run_pipeline.py bench tracking`` (``benchmarks/tracking.py``): simulated
walkers with and without stalls, TUD-Campus, TUD-Stadtmitte and a perturbed MOT17-09. Lengths are in heights
(of the box concerned), so that near and far people obey the same numbers; times are in seconds of capture
time.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

NS_PER_S = 1_000_000_000

Share = Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]
Amount = Annotated[float, msgspec.Meta(ge=0.0)]
Seconds = Annotated[float, msgspec.Meta(gt=0.0, le=3600.0)]
Count = Annotated[int, msgspec.Meta(ge=1)]


class MotionConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The Kalman box filter: white-noise acceleration on centre and size, in heights and seconds.

    ``*_noise`` are standard deviations of one detection, ``*_agility`` the square root of the spectral
    density of the acceleration (heights per s^1.5), ``start_speed`` the spread of a new track's velocity.
    """

    centre_noise: Amount = 0.03
    size_noise: Amount = 0.05
    centre_agility: Amount = 0.35
    size_agility: Amount = 0.15
    start_speed: Amount = 0.6
    low_score_noise: Amount = (
        3.0  # a detection of score 0 is 1 + this many times as uncertain as one of score 1
    )
    size_memory_s: Seconds = 0.2  # a size's rate of change fades with this time constant


class AssociationConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which detection belongs to which track: BYTE's three rounds, costs in nats (minus log likelihood)."""

    high_score: Share = 0.6
    low_score: Share = 0.1
    new_score: Share = 0.7
    tails: Amount = 8.0  # degrees of freedom of the Student-t that stands for a detector's outliers
    max_cost: Amount = 9.0
    low_score_cost: Amount = 1.0
    hidden_cost: Amount = 2.0
    unseen_cost: Amount = 3.0
    overlap_weight: Amount = 0.0
    max_distance: Amount = 1.5  # heights between predicted and detected centre, however unsure the prediction
    min_iou: Share = 0.1
    keypoint_weight: Amount = 1.0
    mask_weight: Amount = 1.0
    hint_bonus: Amount = 3.0
    hint_penalty: Amount = 2.0
    duplicate_iou: Share = 0.75


class LifeConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When a track counts, and for how long it is kept unseen."""

    confirm_hits: Count = 2
    lost_s: Seconds = 2.0
    exit_s: Seconds = 0.4
    border: Share = 0.02
    max_tracks: Count = 512


class WindowConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The timed buffer: the 25 Hz grid, gaps, and the gate that decides which frames may feed it."""

    grid_ns: Count = 40_000_000
    max_gap_s: Seconds = 0.2
    bridged_weight: Share = 0.5

    min_score: Share = 0.6
    min_height_px: Amount = 48.0
    max_truncation: Share = 0.1
    min_confidence: Share = 0.3
    max_overlap: Share = 0.25
    min_agreement: Share = 0.6
    min_blur: Amount = 0.0
    max_turn_deg_s: Amount = 180.0

    merge_iou: Share = 0.4
    merge_cover: Share = 0.6

    memory_s: Seconds = 4.0
    walk_span_s: Seconds = 0.5
    walk_speed: Amount = 0.15
    stride_amplitude: Amount = 0.025


class StitchConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Links between tracklets: how long an ended one waits, what is feasible, when to abstain.

    Distances between embeddings are 1 minus the inner product of unit vectors, in [0, 2].
    ``stranger_distance`` is what a link competes with: the distance at which somebody new is as likely.
    """

    hold_s: Seconds = 12.0
    max_distance: Amount = 0.6
    stranger_distance: Amount = 0.45
    distance_scale: Annotated[float, msgspec.Meta(gt=0.0)] = 0.05
    min_confidence: Share = 0.9
    retract_distance: Amount = 0.75
    min_samples: Count = 15

    max_speed_heights: Amount = 1.5
    slack_heights: Amount = 1.0
    max_size_ratio: Annotated[float, msgspec.Meta(ge=1.0)] = 2.0
    max_speed_metres: Amount = 2.5
    slack_metres: Amount = 1.5

    min_transits: Count = 5
    transit_spread: Annotated[float, msgspec.Meta(gt=0.0)] = 0.3
    max_transit_deviation: Amount = 3.0


class TrackConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything the track stage can be told."""

    motion: MotionConfig = MotionConfig()
    association: AssociationConfig = AssociationConfig()
    life: LifeConfig = LifeConfig()
    window: WindowConfig = WindowConfig()
    stitch: StitchConfig = StitchConfig()
