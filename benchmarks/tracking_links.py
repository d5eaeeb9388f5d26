"""How well tracklets are linked: the stages of the running pipeline over a scene.

With the net in the box, with the baseline, and with made-up embeddings, so that one figure judges the links
and no net: everybody has a direction, every tracklet its own disturbance, and the score map is fitted on
other such people, as a net's is.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache

import numpy as np
from numpy.typing import NDArray

from benchmarks.tracking_scenes import SceneFrame
from calibration.scores import LabelledScores, fit_score_map
from engines.embed import EmbedConfig, EmbedStage
from engines.streaming_embedder import StreamingEmbedder
from gait.baseline import BaselineEmbedder
from gait.body import body_of
from gait.embedder import Answer, Embedder, ModelInfo
from gait.models.weights import STEM
from gait.score_map import ScoreMap, built_in_map
from stream.messages import (
    Array,
    Body,
    Embedded,
    EndOfStream,
    Link,
    Retraction,
    Sample,
    Tracked,
    TrackletId,
)
from trackers.config import TrackConfig
from trackers.linker import Linker
from trackers.stage import TrackStage
from trackers.stitch import Evidence

FITTED_PEOPLE = 60
FITTED_SEED = 4242
JOINT = 30
"""Frames of a tracklet that say who it shows at its end, or at its beginning: a second."""
JOINTS = Array.of(np.zeros((16, 3), np.float32))
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class LooksAlike:
    """Made-up embeddings: how far apart one person's and two people's are in the mean, and the seed."""

    same: float = 0.2
    other: float = 0.55
    size: int = 64
    seed: int = 5

    def faces(self, people: int = 256) -> Floats:
        """(people, size) everybody's own direction."""
        return np.random.default_rng(self.seed).normal(size=(people, self.size))

    def vector(self, face: Floats, noise: Floats) -> Floats:
        """A unit vector: what all people share, who it is, and noise, mixed to the wanted distances."""
        vector = np.sqrt(1.0 - self.other) + np.sqrt(self.other - self.same) * face
        vector = vector + np.sqrt(self.same) * noise
        return np.asarray(vector / np.linalg.norm(vector))


@cache
def fitted_map(looks: LooksAlike) -> ScoreMap:
    """The score map of these embeddings, from people that no scene shows."""
    rng = np.random.default_rng(FITTED_SEED)
    faces = rng.normal(size=(FITTED_PEOPLE, looks.size))
    views = [[looks.vector(face, rng.normal(size=looks.size)) for face in faces] for _ in range(2)]
    scores = np.stack(views[0]) @ np.stack(views[1]).T
    whose = np.repeat(np.arange(FITTED_PEOPLE), FITTED_PEOPLE)
    same = np.eye(FITTED_PEOPLE, dtype=bool).ravel()
    labelled = LabelledScores(scores.ravel(), same, np.full(scores.size, 50.0), whose)
    return fit_score_map(labelled, "made-up", "made-up embeddings")


@dataclass
class _Memory:
    """The valid samples of one tracklet as (time, true person), and its own disturbance."""

    noise: Floats
    samples: list[tuple[int, int]] = field(default_factory=list)


class MadeUpEmbedder:
    """An ``Embedder`` that reads the true person off the painted silhouettes."""

    def __init__(self, looks: LooksAlike) -> None:
        self._looks, self._faces = looks, looks.faces()
        self._rng = np.random.default_rng(looks.seed + 1)

    @property
    def model(self) -> ModelInfo:
        """Made up."""
        return ModelInfo("made-up", "made-up", self._looks.size)

    def open(self) -> _Memory:
        """A new tracklet with a disturbance of its own."""
        return _Memory(self._rng.normal(size=self._looks.size))

    def extend(self, memories: Sequence[_Memory], samples: Sequence[Sample]) -> None:
        """Note who each valid sample shows."""
        for memory, sample in zip(memories, samples, strict=True):
            if sample.valid:
                memory.samples.append((sample.captured_ns, sample.silhouette.data[0]))

    def cut(self, memory: _Memory) -> None:
        """The segment ended."""
        memory.samples.clear()

    def embed(self, memory: _Memory, start_ns: int, end_ns: int) -> Answer | None:
        """The mixture of who was seen, disturbed."""
        whos = [who for at_ns, who in memory.samples if start_ns <= at_ns <= end_ns]
        if not whos:
            return None
        face = sum(self._faces[who] * (count / len(whos)) for who, count in Counter(whos).items())
        vector = self._looks.vector(np.asarray(face), memory.noise)
        return Answer(vector.astype(np.float32), len(whos), 1.0)


@dataclass(frozen=True)
class Recogniser:
    """Who tells people apart, what its scores are worth, and whether it wants them ``painted``.

    Painted, a silhouette is all of the grey that says who it truly is.
    """

    embedder: Embedder
    evidence: Evidence
    painted: bool = False


def made_up(looks: LooksAlike | None = None) -> Recogniser:
    """Made-up embeddings, always the same ones."""
    looks = looks or LooksAlike()
    return Recogniser(MadeUpEmbedder(looks), fitted_map(looks).evidence, painted=True)


def shipped() -> Recogniser:
    """The net in the box with its own score map."""
    return _built_in(StreamingEmbedder(STEM))


def baseline() -> Recogniser:
    """Averaged silhouettes with their score map."""
    return _built_in(BaselineEmbedder())


def _built_in(embedder: Embedder) -> Recogniser:
    score_map = built_in_map(embedder.model.name).checked_for(embedder.model.digest)
    return Recogniser(embedder, score_map.evidence)


@dataclass(frozen=True)
class Stitched:
    """Tracklets per person before and after linking, and the links that join two people.

    ``wrong_at_joint``: of the wrong ones those that are wrong even where the two tracklets meet; else a
    tracklet itself changed hands, before its end or after its beginning.
    """

    before: float
    after: float
    links: int
    wrong: int
    wrong_at_joint: int
    retracted: int


@dataclass
class Story:
    """What was seen and said of one scene."""

    shown: dict[TrackletId, list[int]] = field(default_factory=lambda: defaultdict(list))
    links: dict[tuple[TrackletId, TrackletId], Link] = field(default_factory=dict)
    retracted: int = 0

    def take(self, statements: Sequence[Link | Retraction]) -> None:
        """Links that stand at the end are what counts."""
        for statement in statements:
            if isinstance(statement, Retraction):
                del self.links[statement.link.earlier, statement.link.later]
                self.retracted += 1
            else:
                self.links[statement.earlier, statement.later] = statement

    def sum_up(self) -> Stitched:
        """A tracklet belongs to whom it shows most; a link is wrong where its two belong to two people."""
        owner = {key: _most(whos) for key, whos in self.shown.items()}
        people = len(set(owner.values()))
        wrong = [pair for pair in self.links if owner[pair[0]] != owner[pair[1]]]
        at_joint = sum(
            _most(self.shown[earlier][-JOINT:]) != _most(self.shown[later][:JOINT])
            for earlier, later in wrong
        )
        count = len(self.links)
        after = (len(owner) - count + len(wrong)) / people
        return Stitched(len(owner) / people, after, count, len(wrong), at_joint, self.retracted)


def _most(whos: Sequence[int]) -> int:
    return Counter(whos).most_common(1)[0][0]


def link(frames: Sequence[SceneFrame], who: Recogniser, config: TrackConfig | None = None) -> Stitched:
    """Track, embed and link a scene as the running pipeline does."""
    return story(frames, who, config).sum_up()


def story(frames: Sequence[SceneFrame], who: Recogniser, config: TrackConfig | None = None) -> Story:
    """Everything that was seen and said."""
    true_person: dict[int, int] = {}
    shape = (lambda person: _painted(true_person[id(person)])) if who.painted else body_of
    stage = TrackStage(shape, config)
    embed = EmbedStage(who.embedder, EmbedConfig())
    linker = Linker(who.evidence, (config or TrackConfig()).stitch)
    told = Story()

    def take(tracked: Tracked, truth_of: Sequence[int]) -> None:
        for track in tracked.tracks:
            if track.confirmed and track.person is not None:
                told.shown[track.tracklet].append(truth_of[track.person])
        for message in embed.handle(tracked):
            assert isinstance(message, Embedded)
            told.take(linker.take(message))

    for frame in frames:
        people = frame.people.people
        true_person = {id(one): who for one, who in zip(people, frame.truth_of, strict=True)}
        for answer in stage.handle(frame.people):
            assert isinstance(answer, Tracked)
            take(answer, frame.truth_of)
    ref = frames[-1].people.frame
    for answer in stage.finish(EndOfStream(ref.camera, ref.run, len(frames), ref.captured_ns)):
        assert isinstance(answer, Tracked)
        take(answer, ())
    return told


def _painted(who: int) -> Body:
    return Body(Array.of(np.full((64, 44), who, np.uint8)), JOINTS, None)
