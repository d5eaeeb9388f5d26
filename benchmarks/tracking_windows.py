"""How pure windows are, how much of the walking they hold, and how well tracklets are linked."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from benchmarks.tracking_scenes import EPOCH_NS, S, SceneFrame
from stream.messages import Array, Body, EndOfStream, Person, Sample, Tracked, TrackEnd, TrackletId
from trackers.config import StitchConfig, TrackConfig
from trackers.stage import TrackStage
from trackers.stitch import End, Link, find_links, still_waiting

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
    shown: dict[TrackletId, list[tuple[int, int]]] = field(default_factory=lambda: defaultdict(list))
    boxes: dict[TrackletId, list[tuple[float, float, float, float]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    ended: list[TrackEnd] = field(default_factory=list)

    def take(self, answer: Tracked, truth_of: Sequence[int]) -> None:
        """Add one frame's answer."""
        for sample in answer.samples:
            if sample.valid:
                self.samples[sample.tracklet].append((sample.captured_ns, _who(sample)))
        for cut in answer.cuts:
            self.cuts[cut.tracklet].append(cut.at_ns)
        for track in answer.tracks:
            if track.confirmed and track.person is not None:
                self.shown[track.tracklet].append((answer.frame.captured_ns, truth_of[track.person]))
                self.boxes[track.tracklet].append(track.box)
        self.ended.extend(answer.ended)


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
                seen.take(answer, frame.truth_of)
    ref = frames[-1].people.frame
    for answer in stage.finish(EndOfStream(ref.camera, ref.run, len(frames), ref.captured_ns)):
        if isinstance(answer, Tracked):
            seen.take(answer, ())
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


@dataclass(frozen=True)
class Stitched:
    """Tracklets per person before and after linking, and the links that join two people."""

    before: float
    after: float
    links: int
    wrong: int


@dataclass(frozen=True)
class LooksAlike:
    """Made-up embeddings: how far apart one person's and two people's are in the mean, and the seed."""

    same: float = 0.2
    other: float = 0.55
    size: int = 64
    seed: int = 5


def stitch(seen: Observed, looks: LooksAlike, config: StitchConfig | None = None) -> Stitched:
    """Link the scene's tracklets as identify would: twice a second, once a tracklet has samples enough."""
    rules = config or StitchConfig()
    firsts, lasts = _ends(seen, looks, rules)
    owner = {
        tracklet: Counter(who for _, who in shown).most_common(1)[0][0]
        for tracklet, shown in seen.shown.items()
    }
    links: list[Link] = []
    tick = S // 2
    final = max((end.last_ns for end in seen.ended), default=EPOCH_NS)
    for now_ns in range(EPOCH_NS, final + tick, tick):
        continued = {link.earlier for link in links}
        joined = {link.later for link in links}
        waiting = [
            end
            for end in still_waiting(lasts, now_ns, rules)
            if end.at_ns < now_ns and end.tracklet not in continued
        ]
        begun = [
            end
            for end in firsts
            if end.tracklet not in joined and 0 <= now_ns - _ready(seen, end, rules) < 2 * tick
        ]
        links.extend(find_links(waiting, begun, now_ns, rules))
    people = len(set(owner.values()))
    wrong = sum(owner[link.earlier] != owner[link.later] for link in links)
    return Stitched(len(owner) / people, (len(owner) - len(links) + wrong) / people, len(links), wrong)


def _ready(seen: Observed, begun: End, rules: StitchConfig) -> int:
    return seen.samples[begun.tracklet][rules.min_samples - 1][0]


def _ends(seen: Observed, looks: LooksAlike, rules: StitchConfig) -> tuple[list[End], list[End]]:
    rng = np.random.default_rng(looks.seed)
    faces = rng.normal(size=(256, looks.size))
    firsts, lasts = [], []
    for tracklet in sorted(seen.shown):
        samples, shown, boxes = seen.samples[tracklet], seen.shown[tracklet], seen.boxes[tracklet]
        if len(samples) < rules.min_samples:
            continue
        vector = _embedding([who for _, who in samples], faces, looks, rng)
        firsts.append(End(tracklet, shown[0][0], boxes[0], vector, len(samples)))
        lasts.append(End(tracklet, shown[-1][0], boxes[-1], vector, len(samples)))
    return firsts, lasts


def _embedding(whos: Piece, faces: np.ndarray, looks: LooksAlike, rng: np.random.Generator) -> Array:
    """A unit vector: what all people share, who it mostly is, and noise, mixed to the wanted distances."""
    shares = Counter(whos)
    face = sum(faces[who] * (count / len(whos)) for who, count in shares.items())
    common, noise = np.ones(looks.size), rng.normal(size=looks.size)
    vector = (
        np.sqrt(1.0 - looks.other) * common
        + np.sqrt(looks.other - looks.same) * face
        + np.sqrt(looks.same) * noise
    )
    return Array.of((vector / np.linalg.norm(vector)).astype(np.float32))
