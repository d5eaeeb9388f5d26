"""Templates, embeddings and frames for the gallery's and the decision's tests."""

import numpy as np
from numpy.typing import NDArray

from gait.gallery.records import NewTemplate
from stream.messages import Array, Embedding, FrameRef, Track, TrackletId

MODEL = "m" * 32
DIMENSION = 16
SECOND = 1_000_000_000
START_NS = 1_700_000_000 * SECOND
BOX = (10.0, 20.0, 110.0, 320.0)


def unit(seed: int, dimension: int = DIMENSION, near: NDArray[np.float32] | None = None, by: float = 0.1):
    """A random unit vector, or one near another."""
    drawn = np.random.default_rng(seed).normal(size=dimension)
    vector = drawn / np.linalg.norm(drawn)
    if near is not None:
        vector = near + by * vector
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def template(seed: int, model: str = MODEL, dimension: int = DIMENSION) -> NewTemplate:
    return NewTemplate(Array.of(unit(seed, dimension)), model, 50, 0.9, f"clip-{seed}")


def tracklet(n: int, camera: str = "door") -> TrackletId:
    return TrackletId(camera, "run", n)


def embedding(
    vector: NDArray[np.float32],
    n: int = 0,
    at_s: float = 2.0,
    *,
    samples: int = 50,
    quality: float = 0.9,
    model: str = MODEL,
    span_s: float = 2.0,
    camera: str = "door",
) -> Embedding:
    end_ns = START_NS + round(at_s * SECOND)
    start_ns = end_ns - round(span_s * SECOND)
    key = tracklet(n, camera)
    return Embedding(key, start_ns, end_ns, Array.of(vector), samples, quality, model, BOX)


def frame(number: int, camera: str = "door", run: str = "run") -> FrameRef:
    at_ns = number * SECOND // 25
    return FrameRef(camera, run, number, START_NS + at_ns, at_ns, 1280, 720)


def track(n: int, *, confirmed: bool = True, camera: str = "door") -> Track:
    return Track(tracklet(n, camera), BOX, 0, confirmed)
