"""GaitInference: the Siamese net in three calls, on sequences of Kinect joints as they come.

inference = GaitInference(net)
similarity, distance = inference.compute_similarity(walk_a, walk_b)
[(person, similarity, distance), ...] = inference.identify_person(query, gallery, labels, top_k=5)
inference.visualize_attention(walk_a, "attention.png")
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gait.models import checkpoints
from gait.models.canvas import write_png
from gait.models.pictures import Attention, attention_picture
from gait.models.siamesegait import SiameseGait
from gait.pose_features import fit_frames, normalise
from gait.pose_graph import load_graph
from stream.errors import MessageError, WeightsError

Sequence3D = NDArray[np.floating[Any]]
Match = tuple[str, float, float]


class GaitInference:
    """Compares, identifies and shows; a sequence is (T, 25, 3) in metres, any T from 1.

    Longer sequences are cut to their middle, shorter ones walk back and forth; missing joints (NaN or the
    very origin) are put at the pelvis.
    """

    def __init__(self, net: SiameseGait) -> None:
        self.net = net.eval()
        self.graph = load_graph(net.config.graph)

    @classmethod
    def load(cls, weights: str | Path) -> GaitInference:
        """From a file that training or ``models import`` wrote; raises WeightsError for another family's."""
        net = checkpoints.load(weights)
        if not isinstance(net, SiameseGait):
            raise WeightsError(f"weights of {net.family}", where=str(weights), wanted=SiameseGait.family)
        return cls(net)

    def compute_similarity(self, seq1: Sequence3D, seq2: Sequence3D) -> tuple[float, float]:
        """Cosine similarity in [-1, 1] and Euclidean distance in [0, 2] of the two embeddings."""
        first, second = self.embed([seq1, seq2])
        return _similarity(first, second), _distance(first, second)

    def identify_person(
        self,
        query_sequence: Sequence3D,
        gallery_sequences: Sequence[Sequence3D],
        gallery_labels: Sequence[str],
        top_k: int = 5,
    ) -> list[Match]:
        """The ``top_k`` nearest people, each by their nearest sequence: (person, similarity, distance)."""
        if len(gallery_sequences) != len(gallery_labels):
            raise MessageError(
                f"{len(gallery_sequences)} gallery sequences with {len(gallery_labels)} labels",
                where="identify_person",
                wanted="a label for each",
            )
        if top_k < 1:
            raise MessageError(f"top_k is {top_k}", where="identify_person", wanted="1 or more")
        if not gallery_sequences:
            return []
        query, *gallery = self.embed([query_sequence, *gallery_sequences])
        matches = [
            (label, _similarity(query, vector), _distance(query, vector))
            for label, vector in zip(gallery_labels, gallery, strict=True)
        ]
        nearest: dict[str, Match] = {}
        for match in sorted(matches, key=lambda match: (match[2], match[0])):
            nearest.setdefault(match[0], match)
        return list(nearest.values())[:top_k]

    def visualize_attention(self, gait_sequence: Sequence3D, save_path: str | Path) -> Attention:
        """Writes a PNG of the joints and frames that the net attends to; returns the figures it shows."""
        attention = self.attention(self.prepare(gait_sequence))
        shown = fit_frames(gait_sequence, self.net.config.frames)
        picture = attention_picture(shown, attention, self.graph, title="What the net looks at")
        write_png(Path(save_path), picture)
        return attention

    def embed(self, sequences: Sequence[Sequence3D]) -> NDArray[np.float32]:
        """Unit vectors (N, 256)."""
        batch = torch.from_numpy(np.stack([self.prepare(sequence) for sequence in sequences]))
        with torch.inference_mode():
            return self.net.embed(batch).numpy()

    def prepare(self, sequence: Sequence3D) -> NDArray[np.float32]:
        """One sequence as the net takes it, (frames, 25, 3); raises MessageError for another shape."""
        joints, coordinates = self.net.frame_shape
        if sequence.ndim != 3 or sequence.shape[1:] != (joints, coordinates) or not len(sequence):
            raise MessageError(
                f"a sequence of shape {sequence.shape}",
                where="GaitInference",
                wanted=f"(frames, {joints}, {coordinates}) with at least one frame",
            )
        fitted = fit_frames(sequence, self.net.config.frames)
        if self.net.config.normalise:
            return normalise(fitted, self.graph, missing_last=False)
        return np.nan_to_num(fitted)

    def attention(self, prepared: NDArray[np.float32]) -> Attention:
        """Attention received per joint in each frame, and per frame, of one prepared sequence."""
        with torch.inference_mode():
            joints, frames = attention_received(self.net, torch.from_numpy(prepared[None]))
        return Attention(joints[0].numpy(), frames[0].numpy())


def attention_received(net: SiameseGait, joints: Tensor) -> tuple[Tensor, Tensor]:
    """Joints (N, T, V, 3) -> attention received by each joint (N, T, V) and by each frame (N, T).

    Over joints: the spatial block's weights, averaged over heads and asking joints. Over frames: the rollout
    (Abnar and Zuidema 2020, section 3) through the temporal attention and all blocks of the transformer.
    """
    batch, frames, count, _ = joints.shape
    before = net.joints.before_attention(joints.flatten(0, 1))
    by_joint = net.joints.block.weights(before).mean(dim=(1, 2)).reshape(batch, frames, count)
    rollout = torch.eye(frames)
    for weights in net.frames.weights(net.joints.block(before), frames):
        rollout = torch.matmul(0.5 * (weights.mean(dim=1) + torch.eye(frames)), rollout)
    return by_joint, rollout.mean(dim=1)


def _similarity(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    return float(np.clip(first @ second, -1.0, 1.0))


def _distance(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    return float(np.linalg.norm(first - second))
