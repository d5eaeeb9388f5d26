"""Distances between embeddings, strip by strip, in blocks of rows that fit memory.

Sums are made in float64 and rounded to float32 at the end, so that equal vectors stay at equal distances
wherever they stand in a block: ties are then ties, and the metrics decide them by rule.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from stream.errors import MessageError

Vectors = NDArray[np.float32]
Distances = NDArray[np.float32]
Metric = Literal["euclidean", "cosine"]

# A block of rows as float32; ranking it takes about ten times as much. 100k x 100k: 83 rows at a time.
BLOCK_BYTES = 32 * 2**20
TILE_COLUMNS = 4096
# Squares of hundreds of numbers lose this much to rounding; below it two strips are the same strip.
SAME = 1e-13


def blocks(
    probes: Vectors, gallery: Vectors, metric: Metric = "euclidean", block_bytes: int = BLOCK_BYTES
) -> Iterator[tuple[slice, Distances]]:
    """Rows of the distance matrix, a block at a time: vectors (N, strips, numbers) -> (rows, M)."""
    check_vectors(probes, gallery)
    rows = max(1, min(len(probes), block_bytes // (4 * max(1, len(gallery)))))
    for start in range(0, len(probes), rows):
        chosen = slice(start, min(start + rows, len(probes)))
        yield chosen, _block(probes[chosen], gallery, metric)


def distances(probes: Vectors, gallery: Vectors, metric: Metric = "euclidean") -> Distances:
    """The whole matrix (N, M), for sets that fit memory."""
    check_vectors(probes, gallery)
    return _block(probes, gallery, metric)


def check_vectors(*sets: NDArray[Any]) -> None:
    """Raise MessageError unless all are finite (N, strips, numbers) of one form."""
    for vectors in sets:
        if vectors.ndim != 3 or vectors.shape[1:] != sets[0].shape[1:] or 0 in vectors.shape[1:]:
            raise MessageError(
                f"embeddings of shape {vectors.shape}", wanted="(N, strips, numbers), alike in all sets"
            )
        if not np.isfinite(vectors).all():
            first = int(np.flatnonzero(~np.isfinite(vectors).all(axis=(1, 2)))[0])
            raise MessageError(f"embedding {first} is not finite", wanted="finite numbers")


def _block(probes: Vectors, gallery: Vectors, metric: Metric) -> Distances:
    out = np.empty((len(probes), len(gallery)), np.float32)
    rows = np.asarray(probes, np.float64)
    if metric == "cosine":
        rows = _unit(rows)
    for start in range(0, len(gallery), TILE_COLUMNS):
        columns = slice(start, start + TILE_COLUMNS)
        tile = np.asarray(gallery[columns], np.float64)
        out[:, columns] = _cosine(rows, _unit(tile)) if metric == "cosine" else _euclidean(rows, tile)
    return out


def _euclidean(rows: NDArray[np.float64], columns: NDArray[np.float64]) -> NDArray[np.float64]:
    total = np.zeros((len(rows), len(columns)))
    for strip in range(rows.shape[1]):
        a, b = rows[:, strip], columns[:, strip]
        size = (a * a).sum(axis=1)[:, None] + (b * b).sum(axis=1)
        square = size - 2 * (a @ b.T)
        # The expansion leaves rounding noise where the strips are equal.
        square[square <= SAME * size] = 0.0
        total += np.sqrt(square)
    return np.asarray(total / rows.shape[1])


def _cosine(rows: NDArray[np.float64], columns: NDArray[np.float64]) -> NDArray[np.float64]:
    strips = rows.shape[1]
    similarity = rows.reshape(len(rows), -1) @ columns.reshape(len(columns), -1).T / strips
    distance = 1.0 - similarity
    distance[np.abs(distance) <= SAME] = 0.0
    return np.asarray(np.clip(distance, 0.0, 2.0))


def _unit(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each strip of unit length; a strip of zeros stays zero and is like nothing."""
    length = np.linalg.norm(vectors, axis=2, keepdims=True)
    return np.asarray(np.divide(vectors, length, out=np.zeros_like(vectors), where=length > 0))
