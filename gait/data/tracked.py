"""From what the pipeline tracked in a recording to the one walk in it."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from gait.data.errors import DataError
from gait.data.source import make_walk
from gait.inputs import Walk
from stream.messages import Sample, Tracked, TrackletId

# Two tracks that are there at once for longer than this part of the longer one are two people.
SHARED: float = 0.5
MIN_SAMPLES: int = 15  # about half a gait cycle at 25 Hz


def one_walk(messages: Iterable[Tracked], where: str) -> Walk:
    """The valid samples of the longest track; raises DataError for nobody, or more than one person."""
    tracks: dict[TrackletId, list[Sample]] = {}
    for message in messages:
        for sample in message.samples:
            if sample.valid:
                tracks.setdefault(sample.tracklet, []).append(sample)
    if not tracks:
        raise DataError("nobody walks in full view", where=where)
    longest = max(sorted(tracks), key=lambda track: len(tracks[track]))
    samples = sorted(tracks.pop(longest), key=lambda sample: sample.captured_ns)
    if len(samples) < MIN_SAMPLES:
        what = f"somebody walks in it for {len(samples)} samples only"
        raise DataError(what, where=where, wanted=f"at least {MIN_SAMPLES}")
    first, last = samples[0].captured_ns, samples[-1].captured_ns
    for others in tracks.values():
        beside = sum(first <= sample.captured_ns <= last for sample in others)
        if beside > SHARED * len(samples):
            raise DataError("more than one person walks in it", where=where, fix="Cut it to one person")
    return _walk(samples)


def _walk(samples: list[Sample]) -> Walk:
    space = [sample.joints_3d for sample in samples]
    arrays = [joints.numpy() for joints in space if joints is not None]
    return make_walk(
        np.stack([sample.silhouette.numpy() for sample in samples]),
        np.stack([sample.joints_2d.numpy() for sample in samples]),
        np.stack(arrays) if len(arrays) == len(samples) else None,
    )
