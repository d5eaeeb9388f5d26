"""How well held-out people are told apart: how often a sequence's nearest other is the same person's."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from gait.data.errors import naming
from gait.data.store import Entry
from gait.inputs import prepare
from gait.models.family import GaitNet
from gait.models.input_spec import spec_of
from gait.models.siamesegait import SiameseGait
from gait.training.batches import finite, read_walk
from gait.training.people import Source
from gait.training.sampling import whole
from stream.errors import MessageError


def validation_score(
    net: GaitNet, source: Source, entries: tuple[Entry, ...], longest: int, device: torch.device
) -> float:
    """Rank-1 in [0, 1], each sequence a probe to all others; raises MessageError where nobody came twice."""
    vectors = embed(net, source, entries, longest, device)
    return rank_1(vectors, np.array([entry.person for entry in entries]))


def rank_1(vectors: NDArray[np.float32], people: NDArray[np.str_]) -> float:
    """Vectors (N, D) whose inner product is their similarity; probes without a mate do not count."""
    similarity = vectors @ vectors.T
    np.fill_diagonal(similarity, -np.inf)
    same = people[:, None] == people[None, :]
    has_mate = same.sum(axis=1) > 1
    if not has_mate.any():
        raise MessageError(
            "no person to validate on has two sequences", wanted="two of one person", fix="Hold out others"
        )
    hits = people[similarity.argmax(axis=1)] == people
    return float(hits[has_mate].mean())


@torch.no_grad()
def embed(
    net: GaitNet, source: Source, entries: tuple[Entry, ...], longest: int, device: torch.device
) -> NDArray[np.float32]:
    """(N, D), each sequence whole, in order, at most its middle ``longest`` frames; float32 arithmetic."""
    if isinstance(net, SiameseGait):
        longest = min(longest, net.config.frames)
    was_training = net.training
    net.eval()
    spec = spec_of(net)
    try:
        vectors = []
        for entry in entries:
            with naming(entry):
                walk = read_walk(source, entry, whole(entry.frames, longest))
                frames = torch.from_numpy(finite(prepare(spec, walk), entry))[None].to(device)
            vectors.append(net.vector(net(frames))[0].float().cpu().numpy())
        return np.stack(vectors)
    finally:
        net.train(was_training)
