"""The whole loss of a batch, from the config's terms."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from gait.models.family import Features
from gait.training import losses
from gait.training.config import LossSection, TripletSection
from stream.errors import ConfigError, MessageError


@dataclass(frozen=True)
class BatchLoss:
    """``total`` to minimise; ``parts`` before their weights, and shares such as ``triplet_active``."""

    total: Tensor
    parts: dict[str, float]


class Objective:
    """Called with what a net says of a batch and the people's numbers."""

    def __init__(self, section: LossSection) -> None:
        self.section = section

    def needs_classes(self) -> bool:
        """Whether the net must have a classifier."""
        return self.section.cross_entropy is not None

    def __call__(self, features: Features, labels: Tensor) -> BatchLoss:
        """Raises MessageError for a batch of one person, where a term compares people."""
        _check(self.section, labels)
        values = features.embed_1.float()
        terms: list[tuple[str, float, Tensor]] = []
        parts: dict[str, float] = {}
        section = self.section
        if section.triplet is not None:
            found = _triplet(section.triplet, values, labels)
            terms.append(("triplet", section.triplet.weight, found.value))
            parts["triplet_active"] = found.active
        if (entropy := section.cross_entropy) is not None:
            value = losses.cross_entropy(_logits(features), labels, entropy.smoothing, entropy.scale)
            terms.append(("cross_entropy", entropy.weight, value))
        if (contrast := section.supervised_contrastive) is not None:
            value = losses.supervised_contrastive(values, labels, contrast.temperature)
            terms.append(("supervised_contrastive", contrast.weight, value))
        if (pairs := section.contrastive) is not None:
            terms.append(("contrastive", pairs.weight, losses.contrastive(values, labels, pairs.margin)))
        parts |= {name: float(value.detach()) for name, _, value in terms}
        return BatchLoss(torch.stack([weight * value for _, weight, value in terms]).sum(), parts)


def _triplet(section: TripletSection, values: Tensor, labels: Tensor) -> losses.TripletLoss:
    compared = functional.normalize(values, dim=1) if section.unit else values
    take = losses.triplet if section.mining == "all" else losses.batch_hard
    return take(compared, labels, section.margin)


def _logits(features: Features) -> Tensor:
    if features.logits is None:
        raise ConfigError(
            "the net has no classifier, but losses.cross_entropy is on",
            wanted="a family with classes, or another loss",
        )
    return features.logits.float()


def _check(section: LossSection, labels: Tensor) -> None:
    compares = section.triplet or section.supervised_contrastive or section.contrastive
    if compares and len(labels) and bool((labels == labels[0]).all()):
        raise MessageError(
            f"all {len(labels)} clips of a batch are of one person",
            wanted="two people at least, for a loss that tells people apart",
        )
