"""Simple recognisers that a net has to beat, through the same door.

average-silhouette   the mean silhouette (Han and Bhanu's gait energy image), nothing learned
pca-lda              the same, after PCA and LDA on the gallery alone
bone-lengths         the median length of every bone: who one is, not how one walks
motion               joints about the pelvis, freed of lengths: mean, spread and rhythm of each bone's angle
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from gait.evaluation.distances import Vectors
from gait.evaluation.embedding import Subject
from gait.inputs import Walk
from stream.errors import ConfigError, MessageError

Floats = NDArray[np.float64]

PCA_SIZE: Final = 120
# Share of the mean within-person variance added to every direction, so that few samples can be inverted.
RIDGE: Final = 0.01
HARMONICS: Final = 3


def average_silhouette(walk: Walk) -> Floats:
    """(1, H * W), mean over the frames, in [0, 1]."""
    if not walk.silhouettes.size:
        raise MessageError("the walk has no silhouettes", wanted="silhouettes (T, H, W)")
    return np.asarray(walk.silhouettes.mean(axis=0, dtype=np.float64).reshape(1, -1) / 255)


def bone_lengths(walk: Walk) -> Floats:
    """(1, bones), the median over the frames of each bone of the layout, metres."""
    bones = _bones(walk)
    return np.asarray(np.nanmedian(np.linalg.norm(bones, axis=-1), axis=0)[None])


def motion(walk: Walk) -> Floats:
    """(1, numbers): each bone's direction: its mean, spread, and amplitude at multiples of the step's rate.

    Directions are unit vectors in the walker's own frame (the mean hip line is across), so that neither
    lengths nor the way the person happens to walk enter.
    """
    bones = _bones(walk)
    length = np.linalg.norm(bones, axis=-1, keepdims=True)
    unit = np.divide(bones, length, out=np.zeros_like(bones), where=length > 0)
    unit = unit @ _own_frame(walk)
    series = np.nan_to_num(unit.reshape(len(unit), -1))
    parts = [series.mean(axis=0), series.std(axis=0), *_rhythm(series)]
    return np.asarray(np.concatenate(parts)[None])


def pca_lda(features: Vectors, people: Sequence[str]) -> Callable[[Vectors], Vectors]:
    """Fisher's discriminant in the space of the first principal components, learned from these alone.

    Its vectors have unit length, so that euclidean distance ranks as the cosine does.
    """
    flat = features.reshape(len(features), -1).astype(np.float64)
    names, codes = np.unique(np.asarray(people), return_inverse=True)
    if len(names) < 2 or len(flat) <= len(names):
        raise MessageError(
            f"{len(flat)} walks of {len(names)} people cannot teach a discriminant",
            wanted="two people or more, and more walks than people",
        )
    mean = flat.mean(axis=0)
    size = min(PCA_SIZE, len(flat) - len(names), flat.shape[1])
    _, _, axes = linalg.svd(flat - mean, full_matrices=False)
    principal = axes[:size].T
    reduced = (flat - mean) @ principal
    centres = np.array([reduced[codes == code].mean(axis=0) for code in range(len(names))])
    inside = reduced - centres[codes]
    within = inside.T @ inside / len(reduced)
    within += (RIDGE * np.trace(within) / size + np.finfo(np.float64).tiny) * np.eye(size)
    between = np.cov(centres.T, bias=True).reshape(size, size)
    _, directions = linalg.eigh(between, within)
    matrix = principal @ directions[:, ::-1][:, : len(names) - 1]

    def project(vectors: Vectors) -> Vectors:
        found = (vectors.reshape(len(vectors), -1) - mean) @ matrix
        length = np.linalg.norm(found, axis=1, keepdims=True)
        found = np.divide(found, length, out=np.zeros_like(found), where=length > 0)
        return np.asarray(found[:, None], np.float32)

    return project


def standardised(features: Vectors, people: Sequence[str]) -> Callable[[Vectors], Vectors]:
    """Every number in units of its spread over the gallery; who the people are is not used."""
    del people
    mean, spread = features.mean(axis=0), features.std(axis=0)

    def scale(vectors: Vectors) -> Vectors:
        return np.asarray((vectors - mean) / np.maximum(spread, 1e-6), np.float32)

    return scale


BASELINES: Final[dict[str, Subject]] = {
    "average-silhouette": Subject("average-silhouette", average_silhouette),
    "pca-lda": Subject("pca-lda", average_silhouette, pca_lda),
    "bone-lengths": Subject("bone-lengths", bone_lengths),
    "motion": Subject("motion", motion, standardised),
}


def baseline(name: str) -> Subject:
    """The baseline of that name; raises ConfigError for any other."""
    if name not in BASELINES:
        near = difflib.get_close_matches(name, BASELINES, n=1)
        raise ConfigError(
            f"no baseline {name}",
            wanted=f"one of {', '.join(BASELINES)}",
            fix=f"Did you mean {near[0]}?" if near else "",
        )
    return BASELINES[name]


def _joints(walk: Walk) -> Floats:
    if walk.joints_3d is None or not walk.joints_3d.size:
        raise MessageError("the walk has no 3D joints", wanted="joints_3d (T, K, 3) metres")
    return np.asarray(walk.joints_3d, np.float64)


def _bones(walk: Walk) -> Floats:
    """(T, bones, 3) from parent to child."""
    joints = _joints(walk)
    edges = np.array(walk.layout.edges)
    return np.asarray(joints[:, edges[:, 1]] - joints[:, edges[:, 0]])


def _own_frame(walk: Walk) -> Floats:
    """(3, 3) columns: across (along the mean hip line), up, ahead; the camera's y is kept as up or down."""
    joints = _joints(walk)
    left, right = (walk.layout.index(f"{side}_hip") for side in ("left", "right"))
    across = np.nanmean(joints[:, right] - joints[:, left], axis=0)
    across[1] = 0.0
    length = np.linalg.norm(across)
    across = across / length if length > 0 else np.array([1.0, 0.0, 0.0])
    up = np.array([0.0, 1.0, 0.0])
    return np.stack([across, up, np.cross(across, up)], axis=1)


def _rhythm(series: Floats) -> list[Floats]:
    """Amplitudes at 1..``HARMONICS`` times the strongest rate of the whole body, without phase."""
    centred = series - series.mean(axis=0)
    spectrum: NDArray[Any] = np.abs(np.fft.rfft(centred, axis=0)) * 2 / len(series)
    power = (spectrum**2).sum(axis=1)
    power[0] = 0.0
    stride = max(1, int(np.argmax(power)))
    return [spectrum[min(stride * k, len(spectrum) - 1)] for k in range(1, HARMONICS + 1)]
