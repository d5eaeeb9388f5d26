"""The losses that the gait nets are trained with, over strips: embeddings (N, C, P), labels (N,).

Triplet: plain Euclidean, margin 0.2; batch-all takes the mean over the terms that are not zero, batch-hard
(Hermans et al. 2017) each anchor's farthest positive and nearest negative. Cross-entropy: cosine logits times
16, label smoothing 0.1. Supervised contrast: Khosla et al. 2020, equation 2, with the negative distance of
unit vectors for a similarity, as GaitGraph has it. Contrastive: Hadsell et al. 2006, over all pairs.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

MARGIN = 0.2
LOGIT_SCALE = 16.0
LABEL_SMOOTHING = 0.1
TEMPERATURE = 0.01
PAIR_MARGIN = 1.0


@dataclass(frozen=True)
class TripletLoss:
    """``value`` to minimise, and the share of triplets that still violate the margin."""

    value: Tensor
    active: float


def triplet(embeddings: Tensor, labels: Tensor, margin: float = MARGIN) -> TripletLoss:
    """Embeddings (N, C, P) and labels (N,): per strip every anchor, positive and negative; the strips' mean.

    A batch without a pair of one person and a stranger to it costs 0.
    """
    strips = embeddings.permute(2, 0, 1)
    distance = _distances(strips)
    same = labels[:, None] == labels[None, :]
    positive = same & ~torch.eye(len(labels), dtype=torch.bool, device=labels.device)
    triplets = positive[:, :, None] & ~same[:, None, :]
    gaps = distance[:, :, :, None] - distance[:, :, None, :] + margin
    violated = functional.relu(gaps) * triplets
    count = (violated > 0).sum(dim=(1, 2, 3))
    per_strip = violated.sum(dim=(1, 2, 3)) / count.clamp_min(1)
    possible = int(triplets.sum()) * len(strips)
    return TripletLoss(per_strip.mean(), float(count.sum()) / max(possible, 1))


def batch_hard(embeddings: Tensor, labels: Tensor, margin: float = MARGIN) -> TripletLoss:
    """Per strip and anchor the farthest positive against the nearest negative; the mean over anchors.

    Anchors without a positive or a negative do not count; a batch without any other costs 0.
    """
    distance = _distances(embeddings.permute(2, 0, 1))
    positive, negative = _relations(labels)
    usable = (positive.any(1) & negative.any(1)).expand(len(distance), -1)
    farthest = torch.where(positive, distance, -torch.inf).amax(2)
    nearest = torch.where(negative, distance, torch.inf).amin(2)
    gaps = torch.where(usable, farthest - nearest + margin, 0.0)
    violated = functional.relu(gaps)
    count = max(int(usable.sum()), 1)
    return TripletLoss(violated.sum() / count, float((violated > 0).sum()) / count)


def supervised_contrastive(embeddings: Tensor, labels: Tensor, temperature: float = TEMPERATURE) -> Tensor:
    """Per strip and anchor minus the mean log share of its positives among all others; the anchors' mean.

    Similarity is minus the distance of unit vectors, over the temperature. Anchors without a positive do not
    count.
    """
    unit = functional.normalize(embeddings, dim=1).permute(2, 0, 1)
    similarity = -_distances(unit) / temperature
    itself = torch.eye(len(labels), dtype=torch.bool, device=labels.device)
    positive = _relations(labels)[0]
    log_share = similarity - torch.logsumexp(similarity.masked_fill(itself, -torch.inf), 2, keepdim=True)
    count = positive.sum(1)
    mean = torch.where(positive, log_share, 0.0).sum(2) / count.clamp_min(1)
    usable = (count > 0).expand_as(mean)
    return -torch.where(usable, mean, 0.0).sum() / max(int(usable.sum()), 1)


def contrastive(embeddings: Tensor, labels: Tensor, margin: float = PAIR_MARGIN) -> Tensor:
    """y d^2 + (1 - y) max(0, margin - d)^2 over all pairs of two, y = 1 for the same person; the mean."""
    distance = _distances(embeddings.permute(2, 0, 1))
    same = labels[:, None] == labels[None, :]
    cost = torch.where(same, distance.square(), functional.relu(margin - distance).square())
    pairs = torch.ones_like(same).triu(1)
    return torch.where(pairs, cost, 0.0).sum() / max(int(pairs.sum()) * len(distance), 1)


def _relations(labels: Tensor) -> tuple[Tensor, Tensor]:
    """Which others are of the same person, and which of another: two masks (N, N)."""
    same = labels[:, None] == labels[None, :]
    return same & ~torch.eye(len(labels), dtype=torch.bool, device=labels.device), ~same


def _distances(strips: Tensor) -> Tensor:
    """(P, N, C) -> (P, N, N), Euclidean, with a gradient that stays finite where two are equal."""
    products = strips @ strips.transpose(1, 2)
    squares = products.diagonal(dim1=1, dim2=2)
    apart = squares[:, :, None] + squares[:, None, :] - 2 * products
    return apart.clamp_min(1e-12).sqrt()


def cross_entropy(
    logits: Tensor, labels: Tensor, smoothing: float = LABEL_SMOOTHING, scale: float = LOGIT_SCALE
) -> Tensor:
    """Cosine logits (N, classes, P) and labels (N,): every strip is classified by itself; their mean."""
    strips = logits.shape[2]
    return functional.cross_entropy(
        logits * scale, labels[:, None].expand(-1, strips), label_smoothing=smoothing
    )
