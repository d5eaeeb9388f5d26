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
Homography = tuple[float, float, float, float, float, float, float, float, float]


class MotionConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The Kalman box filter: white-noise acceleration on centre and size, in heights and seconds.

    ``*_noise`` are standard deviations of one detection (``size_noise`` of the height), ``*_agility`` the
    square root of the spectral density of the acceleration (heights per s^1.5), ``start_speed`` the spread
    of a new track's velocity. A detection of score 0 is 1 + ``low_score_noise`` times as uncertain as one
    of score 1. A size's rate of change fades with the time constant ``size_memory_s``.
    """

    # Found by a random search over all the bench's sequences; each optimum is flat within a factor of 1.5.
    centre_noise: Amount = 0.02
    size_noise: Amount = 0.03
    # A stride widens the box of a walker by a third of a height and back: no sign of who it is. With 0.03
    # people who cross swap 22 times on three squares (12, 12, 24 people), with 0.09 4 times, with 0.15 none.
    width_noise: Amount = 0.15
    centre_agility: Amount = 0.15  # people who cross keep their course: 0.35 swaps 1.5 times as many
    size_agility: Amount = 0.1
    start_speed: Amount = 1.0  # a walk seen from the side is 0.8 heights per second
    low_score_noise: Amount = 2.0
    size_memory_s: Seconds = 0.2  # longer and a box that shrinks behind a post vanishes while unseen


class AssociationConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which detection belongs to which track: BYTE's rounds, costs in nats (minus log likelihood ratios).

    Detections below ``low_score`` are ignored, below ``high_score`` they cost a confirmed track
    ``low_score_cost`` and an unconfirmed one may not have them; from ``new_score`` they start tracks, unless
    they overlap a matched one by ``duplicate_iou``. ``max_cost`` is what leaving a pair out costs.
    """

    high_score: Share = 0.6
    low_score: Share = 0.1
    new_score: Share = 0.6
    low_score_cost: Amount = 3.0
    max_cost: Amount = (
        15.0  # 10 breaks TUD's tracks (IDF1 73 -> 67), 20 lets strangers in (MOT17-09 60 -> 59)
    )
    max_distance: Amount = 1.5  # heights between predicted and detected centre, however unsure the prediction
    tails: Amount = 8.0  # degrees of freedom of the Student-t that stands for a detector's outliers
    overlap_weight: Amount = 3.0  # times -log IoU; 0 loses 5 points of association on MOT17-09
    # Times -log similarity of the skeletons; 0 doubles the swaps of walkers who cross. After linking, 6
    # leaves 1.25 tracklets per person (three squares of 12, one of 24), 8 leaves 1.15, and 10 no fewer.
    keypoint_weight: Amount = 8.0
    # Times -log overlap of the silhouettes, where skeletons are not known: of 20 swaps (three squares of 12,
    # keypoints left out) 3 leaves 10 with as many tracks; 6 leaves 6, but loses 13 % more tracks.
    mask_weight: Amount = 3.0
    hint_bonus: Amount = 3.0
    hint_penalty: Amount = 2.0
    duplicate_iou: Share = 0.5
    # Who can have been detected at all: swaps on MOT17-09 fall from 57 to 41 with unseen_cost, and people who
    # enter no longer inherit the track of one who leaves with border_cost (the square: IDF1 95.5 -> 99).
    hidden_cost: Amount = 2.0
    unseen_cost: Amount = 6.0
    border_cost: Amount = 10.0


class LifeConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When a track counts, and for how long it is kept unseen.

    A track whose last box came within ``border`` heights of the picture's edge, and that did not move away
    from it by ``inward_speed`` heights per second, is kept ``exit_s`` only: it has probably left, and whoever
    enters there next is somebody else. In its first ``entering_s`` a track cannot be leaving.
    """

    confirm_hits: Count = 2
    lost_s: Seconds = 2.5  # from 1 to 3 s MOT17-09 gains 4 points of IDF1; the crowded square loses 1
    exit_s: Seconds = 0.15  # 0.4 lets enterers take over tracks of leavers (24 people: purity 98.3 -> 96.9 %)
    border: Share = 0.02
    inward_speed: Amount = 0.1
    entering_s: Amount = 0.3
    max_tracks: Count = 512


class WindowConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The timed buffer: the 25 Hz grid, gaps, and the gate that decides which frames may feed it.

    ``merge_*``: two tracks whose boxes have an IoU of ``merge_iou``, or of which one is unseen and covered to
    ``merge_cover`` by the other, close both windows. Walking is a swing of the ankles' separation of
    ``stride_amplitude`` heights (standard deviation) or a speed of ``walk_speed`` heights per second, both
    averaged over ``walk_span_s``.
    """

    grid_ns: Count = 40_000_000
    max_gap_s: Seconds = 0.2
    bridged_weight: Share = 0.5

    min_score: Share = 0.5
    min_height_px: Amount = 36.0
    max_truncation: Share = 0.15
    min_confidence: Share = 0.3
    # Allowing 0.6 instead of 0.4 holds 81 instead of 67 % of the walking of 24 people through stalls, at a
    # purity of 100 % either way. Of 60 walkers whom somebody passes in front of within 1 and 2 s the baseline
    # then recognises 67 and 67 % (0.4: 67 and 60 %, 0.2: 68 and 43 %; with nobody in front: 68 %), for more
    # of the gait cycle is held. The price: who stays covered by half for a whole window is recognised in
    # 27 %; such a window says so by its weight and quality (1 - overlap), and with 0.4 there is none.
    max_overlap: Share = 0.6
    min_agreement: Share = 0.6
    min_blur: Amount = 0.0  # its scale depends on the camera; 0 lets every frame pass

    # How side-on somebody must walk: 1 crosses the picture, 0 walks straight along the line of sight. The
    # baseline recognises 73 % side-on and 58 to 65 % from the front or behind: worth having, so all pass.
    min_side: Share = 0.0

    # 0.6 costs 5 points of the coverage of 24 people, 0.4 another 5; no window is purer (two other squares).
    merge_iou: Share = 0.75
    merge_cover: Share = 0.8

    walk_span_s: Seconds = 0.5
    walk_speed: Amount = 0.15
    stride_amplitude: Amount = 0.025


class StitchConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Links between tracklets: how long an ended one waits, what is feasible, when to abstain.

    Evidence is in nats, log likelihood ratios of one person against two. Whoever continues an ended tracklet
    begins within ``hold_s`` of its last sight, and has ``patience_s`` more to show a gait. What a tracklet
    showed fades by half in ``half_life_s`` towards its other end, and counts by ``inherited`` for whoever
    continues the one that continues it. All pairs are weighed anew when a tracklet ended, else every
    ``every_s`` per camera; one unseen for ``forget_s`` is over, should its end never be announced.
    ``prior_evidence`` is what is believed of a feasible pair beforehand. Within a camera the distance walked,
    in heights, is normal with a deviation of ``place_spread`` + ``place_speed`` x seconds, against anywhere
    in a picture of ``picture_heights`` square heights; place and transit time together weigh at most
    ``max_way_evidence``. ``ground`` maps a camera's pixels to metres on a plane that cameras share: nine
    numbers, row by row; the middle of a box's lower edge stands on it. ``overlapping``: pairs of cameras that
    see the same place, where one person may have two tracklets at once, which then do not compete.
    """

    # What follows was measured over three squares of 12 and one of 24, where 1.17 tracklets per person are
    # left and one link in 145 is wrong. People come back after 0.5 to 7 s and are then watched for a second:
    # 5 s of waiting leave 2.4 per person, and longer ones meet more strangers.
    hold_s: Seconds = 15.0
    # In a crowd of 24 somebody may be hidden, merged or stalled for 12 s before their first whole window.
    patience_s: Amount = 15.0
    max_waiting: Count = 1024  # a bound on memory: 15 s of a station at rush hour
    every_s: Amount = 0.4  # a crowd has many pairs
    forget_s: Seconds = 60.0  # four times the hold
    half_life_s: Seconds = 10.0  # as the decision's: a tracklet that swaps people is believed no longer
    inherited: Share = 0.5  # the latest view of somebody is likest the next; 0 leaves 1.21 instead of 1.17
    prior_evidence: float = 0.0  # no opinion
    min_confidence: Share = 0.8  # 0.95 leaves 1.24, 0.6 leaves 1.16; as many links are wrong
    retract_evidence: float = -2.0  # seven to one against, after what spoke for it
    min_samples: Amount = 8.0  # a third of a second: below, a gait says less than the place

    # A walk seen from the side is 0.8 heights per second, a hurried one 1.5.
    max_speed_heights: Amount = 1.5
    slack_heights: Amount = 1.0
    # 2 leaves 1.19: people who leave near the camera and come back far off stay apart.
    max_size_ratio: Annotated[float, msgspec.Meta(ge=1.0)] = 3.0
    size_spread: Annotated[float, msgspec.Meta(gt=0.0)] = 0.15
    size_speed: Amount = 0.2
    place_spread: Annotated[float, msgspec.Meta(gt=0.0)] = 0.3
    place_speed: Amount = 0.6
    picture_heights: Annotated[float, msgspec.Meta(gt=0.0)] = 20.0  # 1080p with people of 330 px
    max_way_evidence: Amount = 3.0  # place alone may be as sure as 95 %; 0 leaves 1.21
    max_speed_metres: Amount = 2.5  # a jog
    slack_metres: Amount = 1.5  # what a box's lower edge and a plane are off by, together
    ground: dict[str, Homography] = {}
    overlapping: tuple[tuple[str, str], ...] = ()

    min_transits: Count = 5  # fewer say next to nothing about a spread
    transit_spread: Annotated[float, msgspec.Meta(gt=0.0)] = 0.3  # people differ by a third in pace
    max_transit_deviation: Amount = 3.0


class TrackConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything the track stage can be told."""

    motion: MotionConfig = MotionConfig()
    association: AssociationConfig = AssociationConfig()
    life: LifeConfig = LifeConfig()
    window: WindowConfig = WindowConfig()
    stitch: StitchConfig = StitchConfig()
