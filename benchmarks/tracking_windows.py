"""How pure windows are, and how much of the walking they hold."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from benchmarks.tracking_scenes import S, SceneFrame
from stream.messages import Array, Body, EndOfStream, Person, Sample, Tracked, TrackletId
from trackers.config import TrackConfig
from trackers.stage import TrackStage

WINDOW = 50
"""Samples in a window, about: two seconds."""
SHORTEST = 25
"""Samples in a window at least: one second, about one gait cycle."""
SAMPLE_S = 0.04
SEEN = 0.5
"""A person counts as walking in view while at least this share of them can be seen."""

LONGEST_GAP_S = 0.2

Piece = list[int]
"""The true people of one window's valid samples."""


@dataclass
class Observed:
    """What the track stage said of one scene: per tracklet its valid samples as (time, true person)."""

    samples: dict[TrackletId, list[tuple[int, int]]] = field(default_factory=lambda: defaultdict(list))
    cuts: dict[TrackletId, list[int]] = field(default_factory=lambda: defaultdict(list))

    def take(self, answer: Tracked) -> None:
        """Add one frame's answer."""
        for sample in answer.samples:
            if sample.valid:
                self.samples[sample.tracklet].append((sample.captured_ns, _who(sample)))
        for cut in answer.cuts:
            self.cuts[cut.tracklet].append(cut.at_ns)


def observe(frames: Sequence[SceneFrame], config: TrackConfig | None = None) -> Observed:
    """Run the track stage; a person's silhouette is painted in the grey of who they truly are."""
    true_person: dict[int, int] = {}

    def shape(person: Person) -> Body:
        return _BODIES[true_person[id(person)]]

    stage, seen = TrackStage(shape, config), Observed()
    for frame in frames:
        true_person = {
            id(person): who for person, who in zip(frame.people.people, frame.truth_of, strict=True)
        }
        for answer in stage.handle(frame.people):
            if isinstance(answer, Tracked):
                seen.take(answer)
    ref = frames[-1].people.frame
    for answer in stage.finish(EndOfStream(ref.camera, ref.run, len(frames), ref.captured_ns)):
        if isinstance(answer, Tracked):
            seen.take(answer)
    return seen


def _body(who: int) -> Body:
    joints = Array.of(np.zeros((16, 3), np.float32))
    return Body(Array.of(np.full((64, 44), who, np.uint8)), joints, None)


_BODIES = [_body(who) for who in range(256)]


def _who(sample: Sample) -> int:
    return sample.silhouette.data[0]


def windows(seen: Observed) -> list[Piece]:
    """Each segment between cuts, in even pieces of about two seconds and at least one."""
    pieces: list[Piece] = []
    for tracklet, samples in seen.samples.items():
        ends = [*sorted(seen.cuts[tracklet]), samples[-1][0]]
        start = 0
        for at_ns in ends:
            stop = start + sum(1 for time_ns, _ in samples[start:] if time_ns <= at_ns)
            pieces.extend(_pieces([who for _, who in samples[start:stop]]))
            start = stop
    return pieces


def peer_windows(frames: Sequence[SceneFrame], ids: Sequence[dict[int, int]], fps: float) -> list[Piece]:
    """A fixed-length buffer of each id's frames, as usual elsewhere; ``ids`` maps people to ids by frame."""
    length = round(WINDOW * SAMPLE_S * fps)
    buffers: dict[int, Piece] = defaultdict(list)
    for frame, named in zip(frames, ids, strict=True):
        for person, name in named.items():
            buffers[name].append(frame.truth_of[person])
    return [
        buffer[start : start + length]
        for buffer in buffers.values()
        for start in range(0, len(buffer) - length // 2, length)
    ]


def _pieces(whos: Piece) -> Iterable[Piece]:
    if len(whos) >= SHORTEST:
        count = max(1, round(len(whos) / WINDOW))
        bounds = [round(i * len(whos) / count) for i in range(count + 1)]
        yield from (whos[start:stop] for start, stop in itertools.pairwise(bounds))


def purity(pieces: Sequence[Piece]) -> float:
    """Share of samples that belong to the person most of their window belongs to."""
    right = sum(max(Counter(piece).values()) for piece in pieces)
    return right / max(1, sum(map(len, pieces)))


def coverage(pieces: Sequence[Piece], frames: Sequence[SceneFrame]) -> float:
    """Share of the true walking time in view that is inside some window of its own person.

    A stall longer than any window bridges films nothing: it counts as one frame.
    """
    held = SAMPLE_S * sum(max(Counter(piece).values()) for piece in pieces)
    times = [frame.people.frame.captured_ns for frame in frames]
    steps = np.diff(times, append=times[-1]) / S
    steps[steps > LONGEST_GAP_S] = np.median(steps)
    walked = 0.0
    for frame, step_s in zip(frames, steps.tolist(), strict=True):
        walked += step_s * sum(1 for who in frame.walking if frame.visible.get(who, 0.0) >= SEEN)
    return held / max(walked, 1e-9)
