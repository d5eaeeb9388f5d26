"""The two files that the baseline recogniser is given: the average person of every view, and its score map.

Both rest on rendered walkers in front of the running pipeline's perception, so they are made again when
either changes, the views first::

    python -c "from calibration.baseline import write_views; write_views()"
    python -c "from calibration.baseline import write_score_map; write_score_map()"
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from calibration.scores import LabelledScores, fit_score_map
from calibration.walkers import SAMPLES_PER_FRAME, circle, crossing, watch
from engines.embed import EmbedConfig, EmbedStage
from engines.perceive import Perception
from gait.baseline import VIEWS_DEGREES, VIEWS_FILE, BaselineEmbedder, aside_of, view_shares
from gait.gallery.enrol import ClipTrack, clip_tracks, templates_of
from gait.identify import DecisionConfig, Pool
from gait.score_map import BUILT_IN
from gait.silhouette import HEIGHT, WIDTH
from stream.messages import Embedded, Embedding, EndOfStream, FrameRef, Sample, Tracked

VIEW_PEOPLE: Final = range(2_000_000, 2_000_020)
SCORE_PEOPLE: Final = range(3_000_000, 3_000_024)
"""No demo, bench or test draws people with such seeds, and no person serves both files."""

Samples = Sequence[Sample]
Progress = Callable[[int, int], None]
"""(people done, people in all)."""


def write_views(path: Path = VIEWS_FILE, progress: Progress | None = None) -> None:
    """Average ``VIEW_PEOPLE`` once round and once across; the baseline's digest changes with the file."""
    perception, walks = Perception.load(), []
    for done, person in enumerate(VIEW_PEOPLE, start=1):
        walks += [watch(circle(person), perception), watch(crossing(person, 0), perception)]
        _tell(progress, done, VIEW_PEOPLE)
    np.save(path, average_people(walks), allow_pickle=False)


def average_people(walks: Iterable[Samples]) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """(13, 64, 44) the average silhouette of each view over walks that turn little in half a second."""
    total, weight = np.zeros((len(VIEWS_DEGREES), HEIGHT, WIDTH)), np.zeros(len(VIEWS_DEGREES))
    for walk in walks:
        for part in _same_side(walk):
            leftwards, shares = view_shares([aside_of(sample.joints_3d) for sample in part])
            images = np.stack([sample.silhouette.numpy() for sample in part]).astype(np.float64)
            total += np.tensordot(shares.T, images[:, :, ::-1] if leftwards else images, axes=1)
            weight += shares.sum(axis=0)
    return np.round(total / np.maximum(weight, 1e-9)[:, None, None]).astype(np.uint8)


def _same_side(walk: Samples) -> Iterable[Samples]:
    """The walk cut where it turns from right to left or back, so that each part is mirrored as a whole."""
    asides = [aside_of(sample.joints_3d) for sample in walk]
    left = [aside is not None and bool(aside[1] > 0) for aside in asides]
    turns = [at for at in range(1, len(walk)) if left[at] != left[at - 1]]
    bounds = [0, *turns, len(walk)]
    return [walk[a:b] for a, b in pairwise(bounds) if b > a]


def write_score_map(path: Path = BUILT_IN / "baseline.json", progress: Progress | None = None) -> None:
    """Fit and write the baseline's score map on two visits of each of ``SCORE_PEOPLE``."""
    perception, visits = Perception.load(), []
    for done, person in enumerate(SCORE_PEOPLE, start=1):
        visits.append((watch(crossing(person, 0), perception), watch(crossing(person, 1), perception)))
        _tell(progress, done, SCORE_PEOPLE)
    embedder = BaselineEmbedder()
    about = f"{len(SCORE_PEOPLE)} rendered walkers, two visits within 16 degrees, same clothes"
    fitted = fit_score_map(labelled(embedder, visits), embedder.model.digest, about)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(fitted), indent=2) + b"\n")


def labelled(embedder: BaselineEmbedder, visits: Sequence[tuple[Samples, Samples]]) -> LabelledScores:
    """Every second visit, as pooled after each hop, against everybody as enrolled from their first visit."""
    gallery = {
        who: np.stack([template.vector.numpy() for template in templates_of([track], "a visit")])
        for who, (first, _) in enumerate(visits)
        for track in _tracks(embedder, first)
    }
    rows = []
    for whose, (_, second) in enumerate(visits):
        for track in _tracks(embedder, second):
            pool = Pool(DecisionConfig().half_life_s)
            for embedding in track.embeddings:
                pool.add(embedding)
                for who, templates in gallery.items():
                    score = float((templates @ pool.vector()).max())
                    rows.append((score, who == whose, pool.samples, whose))
    scores, same, samples, owners = zip(*rows, strict=True)
    return LabelledScores(np.array(scores), np.array(same), np.array(samples), np.array(owners))


def _tracks(embedder: BaselineEmbedder, visit: Samples) -> tuple[ClipTrack, ...]:
    """The one track of a visit as the pipeline would embed it; none where too little was seen."""
    usual = EmbedConfig()
    first, hop = usual.first_samples // SAMPLES_PER_FRAME, usual.hop_samples // SAMPLES_PER_FRAME
    stage = EmbedStage(embedder, EmbedConfig(first_samples=first, hop_samples=hop, window_s=usual.window_s))
    found: list[Embedded] = []
    for number, sample in enumerate(visit):
        at_ns, key = sample.captured_ns, sample.tracklet
        frame = FrameRef(key.camera, key.run, number, at_ns, at_ns, 1, 1)
        found += [m for m in stage.handle(Tracked(frame, (), (sample,))) if isinstance(m, Embedded)]
    for sample in visit[-1:]:
        end = EndOfStream(sample.tracklet.camera, sample.tracklet.run, len(visit), sample.captured_ns)
        found += [message for message in stage.finish(end) if isinstance(message, Embedded)]
    return clip_tracks(
        msgspec.structs.replace(message, embeddings=tuple(map(_on_the_grid, message.embeddings)))
        for message in found
    )


def _on_the_grid(embedding: Embedding) -> Embedding:
    """The embedding with its samples counted as the pipeline counts them."""
    return msgspec.structs.replace(embedding, samples=SAMPLES_PER_FRAME * embedding.samples)


def _tell(progress: Progress | None, done: int, people: range) -> None:
    if progress is not None:
        progress(done, len(people))
