"""Everything a training run is told, as one typed value; a YAML file under configs/ fills it.

Defaults are the published ones of the strip nets: 32 x 4 clips of 30 frames, triplet and cross-entropy,
SGD 0.1 divided by ten at three milestones over 60,000 steps.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

Count = Annotated[int, Meta(ge=1, le=100_000_000)]
CountOr0 = Annotated[int, Meta(ge=0, le=100_000_000)]
Share = Annotated[float, Meta(ge=0, le=1)]
Positive = Annotated[float, Meta(gt=0, le=1e6)]
NotNegative = Annotated[float, Meta(ge=0, le=1e6)]

ClipKind = Literal["contiguous", "ordered", "unordered", "every_nth", "contiguous_with_drops", "runs"]
Precision = Literal["float32", "bfloat16", "float16"]
Reported = Literal["last", "best"]


class ModelSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The net: a family and a size of `models list`, fields of its config, and weights to start from."""

    family: str = "deepgaitv2"
    size: str = "tiny"
    config: dict[str, Any] = {}
    weights: str = ""


class DataSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The prepared data and who takes part.

    ``root``: a folder that `prepare` wrote; ``also``: more of them, trained on as one with it.
    ``validation_share`` of the training people is held out where the partition names no validation people;
    test people are never touched. ``workers`` prepare batches beside the training process, 0 for none.
    Sequences shorter than ``shortest`` frames are left out.
    """

    root: str = ""
    also: tuple[str, ...] = ()
    validation_share: Share = 0.1
    shortest: Count = 1
    workers: Annotated[int, Meta(ge=0, le=256)] = 0


class ClipSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which frames of a sequence a clip takes; see gait/training/sampling.py for each kind.

    ``stride`` is every_nth's, ``dropped`` contiguous_with_drops': the two readings of "interval 4". ``runs``
    is how many pieces the kind of that name takes; ``frames`` is what they have together.
    """

    kind: ClipKind = "contiguous_with_drops"
    frames: Annotated[int, Meta(ge=1, le=4096)] = 30
    stride: Annotated[int, Meta(ge=1, le=1000)] = 4
    dropped: Annotated[int, Meta(ge=0, le=1000)] = 4
    runs: Annotated[int, Meta(ge=1, le=64)] = 2

    def __post_init__(self) -> None:
        if self.kind == "runs" and self.frames % self.runs:
            raise ValueError(f"{self.frames} frames are not {self.runs} runs of the same length")

    @property
    def pieces(self) -> int:
        """How many stretches of time a clip is of; what lies between two of them was not seen."""
        return self.runs if self.kind == "runs" else 1


class SamplerSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """P x K: ``people`` per batch, ``clips`` of each."""

    people: Annotated[int, Meta(ge=2, le=10_000)] = 32
    clips: Annotated[int, Meta(ge=1, le=1000)] = 4
    clip: ClipSection = ClipSection()


class AugmentSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Chances per clip, and how far each change goes; both modalities change alike.

    The three published chances are 0.2 each; everything else is off unless asked for.
    """

    mirror: Share = 0.2
    rotation: Share = 0.2
    rotation_degrees: Annotated[float, Meta(ge=0, le=180)] = 10.0
    perspective: Share = 0.2
    perspective_px: Annotated[float, Meta(ge=0, le=32)] = 10.0  # how far a corner of a 64-row picture moves
    erasing: Share = 0.0
    erasing_area: tuple[Share, Share] = (0.02, 0.2)  # of the picture, as is usual for random erasing
    thickness: Share = 0.0  # a band of the body grows or shrinks, as clothes do
    thickness_px: Annotated[int, Meta(ge=1, le=8)] = 2
    thickness_soft: bool = False  # by a part of that alone: finer than a pixel, for grey silhouettes
    stretch: Share = 0.0  # taller or wider, slanted, shifted; the head's row stays where it is
    stretch_height: tuple[Positive, Positive] = (0.85, 1.15)
    stretch_width: tuple[Positive, Positive] = (0.85, 1.15)
    stretch_slant: Share = 0.06  # columns per row, either way
    stretch_shift: Share = 0.05  # of the width, either way
    ground: Share = 0.0  # the lowest rows hidden, as by grass, or filled, as by a shadow
    ground_height: Share = 0.13  # of the picture at most
    edge_noise: Share = 0.0  # pixels along the outline flip, as segmentation errs
    edge_noise_share: Share = 0.2
    reversal: Share = 0.0
    speed: Share = 0.0
    speed_range: tuple[Positive, Positive] = (0.8, 1.25)
    jitter: Share = 0.0
    jitter_joint: NotNegative = 0.05  # torso lengths, one offset per joint and clip
    jitter_point: NotNegative = 0.02  # torso lengths, per joint and frame
    joint_drop: Share = 0.0
    joint_drop_share: Share = 0.1


class TripletSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Triplets of every strip; ``unit`` compares directions alone."""

    weight: Positive = 1.0
    margin: Positive = 0.2
    mining: Literal["all", "hard"] = "all"
    unit: bool = False


class CrossEntropySection(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Classification of the training people by the cosine neck."""

    weight: Positive = 1.0
    scale: Positive = 16.0
    smoothing: Annotated[float, Meta(ge=0, lt=1)] = 0.1


class ContrastSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Supervised contrast: every clip against all others of the batch."""

    weight: Positive = 1.0
    temperature: Positive = 0.01


class PairSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Contrastive over all pairs of the batch: y d^2 + (1 - y) max(0, margin - d)^2."""

    weight: Positive = 1.0
    margin: Positive = 1.0


class LossSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The terms of the loss, each with its weight; a term that is null is left out."""

    triplet: TripletSection | None = None
    cross_entropy: CrossEntropySection | None = None
    supervised_contrastive: ContrastSection | None = None
    contrastive: PairSection | None = None


class OptimizerSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """``momentum`` is SGD's; ``clip_norm`` bounds the gradient's length, 0 for no bound."""

    kind: Literal["sgd", "adamw"] = "sgd"
    rate: Positive = 0.1
    momentum: Annotated[float, Meta(ge=0, lt=1)] = 0.9
    weight_decay: NotNegative = 5e-4
    clip_norm: NotNegative = 0.0


class ScheduleSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The learning rate over the steps.

    ``milestones`` and ``factor`` are multi_step's; ``warmup_steps`` warmup_cosine's; ``rise`` (the share of
    the steps), ``start`` and ``end`` (divisors) one_cycle's.
    """

    kind: Literal["constant", "multi_step", "one_cycle", "warmup_cosine"] = "multi_step"
    milestones: tuple[Count, ...] = (20_000, 40_000, 50_000)
    factor: Share = 0.1
    warmup_steps: CountOr0 = 0
    rise: Annotated[float, Meta(gt=0, lt=1)] = 0.3
    start: Positive = 25.0
    end: Positive = 10_000.0


class TrainerSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How long, how exactly, and what is kept.

    ``reported``: the model that the run hands over. ``patience`` validations without a better one end the
    run, 0 for never; ``validate_every`` 0 for never. ``ema`` is the weights' decay per step, 0 for none.
    ``keep_every``: checkpoints that stay; best and last always do. ``tensorboard``: event files as well.
    """

    steps: Count = 60_000
    seed: CountOr0 = 0
    device: str = "auto"
    precision: Precision = "float32"
    compiled: bool = False
    deterministic: bool = True
    threads: Annotated[int, Meta(ge=0, le=1024)] = 0
    ema: Annotated[float, Meta(ge=0, lt=1)] = 0.0
    validate_every: CountOr0 = 0
    patience: CountOr0 = 0
    reported: Reported = "last"
    checkpoint_every: Count = 1000
    keep_every: CountOr0 = 0
    log_every: Count = 10
    longest_validated: Count = 720
    tensorboard: bool = False


class TrainingConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One training run."""

    model: ModelSection = ModelSection()
    data: DataSection = DataSection()
    sampler: SamplerSection = SamplerSection()
    augment: AugmentSection = AugmentSection()
    losses: LossSection = LossSection(triplet=TripletSection(), cross_entropy=CrossEntropySection())
    optimizer: OptimizerSection = OptimizerSection()
    schedule: ScheduleSection = ScheduleSection()
    trainer: TrainerSection = TrainerSection()

    def __post_init__(self) -> None:
        if self.losses == LossSection():
            raise ValueError("losses names no term; wanted at least one of triplet, cross_entropy, ...")
        if self.trainer.reported == "best" and not self.trainer.validate_every:
            raise ValueError("trainer.reported is best but trainer.validate_every is 0")
        if self.trainer.patience and not self.trainer.validate_every:
            raise ValueError("trainer.patience needs trainer.validate_every")
        for name, (low, high) in {
            "erasing_area": self.augment.erasing_area,
            "speed_range": self.augment.speed_range,
            "stretch_height": self.augment.stretch_height,
            "stretch_width": self.augment.stretch_width,
        }.items():
            if low > high:
                raise ValueError(f"augment.{name} runs from {low} down to {high}")
        needs_pairs = self.losses.triplet or self.losses.supervised_contrastive or self.losses.contrastive
        if needs_pairs and self.sampler.clips < 2:
            raise ValueError("sampler.clips is 1, but the loss needs two clips of a person in a batch")
