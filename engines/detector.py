"""The BlazePose detector: 224x224 pixels of a tile -> where a body may be.

The net answers for 2254 anchors (cells of 28, 14 and 7 per side, with 2, 2 and 6 anchors each): 12 offsets in
input pixels from the cell's centre (box centre and size, then mid-hip, full-body circle point, mid-shoulder,
upper-body circle point) and a logit. It was trained on one prominent person per picture.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from engines.regions import Floats, Region, apply, crop
from engines.runtimes.net import Net, PixelInput
from stream.messages import Affine

INPUT: Final = 224
GRIDS: Final = ((28, 2), (14, 2), (7, 6))
PIXELS: Final = PixelInput(mean=127.5, scale=127.5)
KEYPOINTS: Final = 4
MID_HIP, CIRCLE, MID_SHOULDER = 0, 1, 2
SAME_PERSON: Final = 0.35
"""Two answers whose hips and circle points lie, in the mean, nearer than this share of the body's radius are
one person. By box they could not be told apart: the box is the face's."""


@dataclass(frozen=True)
class Detection:
    """A body that the detector proposes, in image pixels; ``keypoints`` float32 (4, 2)."""

    score: float
    keypoints: Floats

    @property
    def region(self) -> Region:
        """The square that the landmark net wants to see."""
        return Region.around(self.keypoints[MID_HIP], self.keypoints[CIRCLE])

    @property
    def radius(self) -> float:
        """Of the circle around the body, in pixels."""
        return float(np.linalg.norm(self.keypoints[CIRCLE] - self.keypoints[MID_HIP]))


def anchors() -> Floats:
    """The anchors' centres (2254, 2) in input pixels, in the order of the net's output."""
    rows = []
    for cells, each in GRIDS:
        centres = (np.arange(cells, dtype=np.float32) + 0.5) * (INPUT / cells)
        y, x = np.meshgrid(centres, centres, indexing="ij")
        rows.append(np.repeat(np.stack([x.ravel(), y.ravel()], axis=1), each, axis=0))
    return np.concatenate(rows).astype(np.float32)


ANCHORS: Final = anchors()


def decode(raw: Floats, logits: Floats, minimum: float) -> tuple[Floats, Floats]:
    """Scores (N,) and keypoints (N, 4, 2) in input pixels of the anchors that reach ``minimum``, best first.

    ``raw`` (2254, 12), ``logits`` (2254,). Answers that are not finite are left out.
    """
    least = np.log(minimum / (1.0 - minimum))
    chosen = np.flatnonzero(logits >= least)
    offsets = raw[chosen, 4:].reshape(-1, KEYPOINTS, 2)
    finite = np.isfinite(offsets).all(axis=(1, 2)) & np.isfinite(logits[chosen])
    chosen, offsets = chosen[finite], offsets[finite]
    order = np.argsort(-logits[chosen], kind="stable")
    points = offsets[order] + ANCHORS[chosen[order], None, :]
    scores = 1.0 / (1.0 + np.exp(-np.clip(logits[chosen[order]], -60.0, 60.0)))
    return scores.astype(np.float32), points.astype(np.float32)


def gather(scores: Floats, points: Floats) -> tuple[Floats, Floats]:
    """One answer per body: the best ones, each the score-weighted mean of the answers that agree with it."""
    kept_scores, kept_points = [], []
    free = np.ones(len(scores), dtype=bool)
    while free.any():
        best = int(np.argmax(free))
        near = free & (distance(points[best], points) < SAME_PERSON)
        near[best] = True
        weights = scores[near]
        kept_scores.append(float(scores[best]))
        kept_points.append(np.tensordot(weights / weights.sum(), points[near], axes=1))
        free &= ~near
    return (
        np.array(kept_scores, dtype=np.float32),
        np.array(kept_points, dtype=np.float32).reshape(-1, KEYPOINTS, 2),
    )


def distance(one: Floats, others: NDArray[np.float32]) -> Floats:
    """How far apart bodies (.., 4, 2) are: mean distance of hips and circle points over the larger radius."""
    gap = np.linalg.norm(others[..., :2, :] - one[:2], axis=-1).mean(axis=-1)
    radius = np.linalg.norm(others[..., CIRCLE, :] - others[..., MID_HIP, :], axis=-1)
    own = np.linalg.norm(one[CIRCLE] - one[MID_HIP])
    return np.asarray(gap / np.maximum(np.maximum(radius, own), 1e-6), dtype=np.float32)


def suppress(detections: Sequence[Detection]) -> list[Detection]:
    """Answers of several tiles, one per body, best first."""
    kept: list[Detection] = []
    for candidate in sorted(detections, key=lambda d: -d.score):
        if all(distance(candidate.keypoints, d.keypoints[None])[0] >= SAME_PERSON for d in kept):
            kept.append(candidate)
    return kept


class Hidden(Protocol):
    """Somebody already known, who must not draw the net's attention."""

    def painted_out(self, pixels: NDArray[np.uint8], crop_to_image: Affine) -> NDArray[np.uint8]:
        """A crop without this person."""
        ...


class Detector:
    """Finds bodies in tiles of a frame."""

    def __init__(self, net: Net, minimum_score: float) -> None:
        self._net = net
        self._minimum = minimum_score

    def detect_each(
        self, frame: NDArray[np.uint8], tiles: Sequence[Region], hidden: Sequence[Hidden] = ()
    ) -> list[list[Detection]]:
        """The bodies in each of ``tiles``, best first, with the people in ``hidden`` painted out."""
        inputs = []
        for tile in tiles:
            pixels = crop(frame, tile, INPUT)
            for person in hidden:
                pixels = person.painted_out(pixels, tile.to_image(INPUT))
            inputs.append({"input_1": pixels[None]})
        answers = self._net.run_each(inputs)
        return [self._read(outputs, tile) for outputs, tile in zip(answers, tiles, strict=True)]

    def _read(self, outputs: Mapping[str, NDArray[Any]], tile: Region) -> list[Detection]:
        scores, points = decode(outputs["Identity"][0], outputs["Identity_1"][0, :, 0], self._minimum)
        scores, points = gather(scores, points)
        placed = apply(tile.to_image(INPUT), points.reshape(-1, 2) - 0.5).reshape(-1, KEYPOINTS, 2)
        return [Detection(float(score), body) for score, body in zip(scores, placed, strict=True)]
