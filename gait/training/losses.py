"""The two losses that the gait nets are trained with, over strips.

Triplet: batch-all, plain Euclidean, margin 0.2, the mean over the terms that are not zero. Cross-entropy:
cosine logits times 16, label smoothing 0.1.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

MARGIN = 0.2
LOGIT_SCALE = 16.0
LABEL_SMOOTHING = 0.1


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


def _distances(strips: Tensor) -> Tensor:
    """(P, N, C) -> (P, N, N), Euclidean, with a gradient that stays finite where two are equal."""
    products = strips @ strips.transpose(1, 2)
    squares = products.diagonal(dim1=1, dim2=2)
    apart = squares[:, :, None] + squares[:, None, :] - 2 * products
    return apart.clamp_min(1e-12).sqrt()


def cross_entropy(logits: Tensor, labels: Tensor, smoothing: float = LABEL_SMOOTHING) -> Tensor:
    """Cosine logits (N, classes, P) and labels (N,): every strip is classified by itself; their mean."""
    strips = logits.shape[2]
    return functional.cross_entropy(
        logits * LOGIT_SCALE, labels[:, None].expand(-1, strips), label_smoothing=smoothing
    )
