"""The two files that the baseline recogniser is given: the average person of every view, and its score map.

Both rest on rendered walkers in front of the running pipeline's perception, so they are made again when
either changes::

    python -c "from calibration.baseline import write_views; write_views()"
    python -c "from calibration.baseline import write_score_map; write_score_map()"
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from calibration.scores import LabelledScores, fit_score_map
from calibration.walkers import SAMPLES_PER_FRAME, circle, crossing, watch
from engines.perceive import Perception
from gait.baseline import VIEWS_FILE, BaselineEmbedder, aside_of, view_of
from gait.embedder import Vector
from gait.score_map import BUILT_IN
from gait.silhouette import HEIGHT, WIDTH
from stream.messages import Sample

VIEW_PEOPLE: Final = range(2_000_000, 2_000_024)
SCORE_PEOPLE: Final = range(3_000_000, 3_000_030)
"""No demo, bench or test draws people with such seeds, and no person serves both files."""
VIEWS_DEGREES: Final = np.arange(-90, 91, 15)
SMOOTH_FRAMES: Final = 7
"""Directions are medians over half a second; the pipeline's are over a whole window."""
WINDOW_S: Final = 4.0
"""The pipeline's window, and so the length of a template."""
PROBES_S: Final = (1.0, 2.0, 3.0, 4.0)
NS: Final = 1_000_000_000

Floats = NDArray[np.float64]
Progress = Callable[[int, int], None]
"""(people done, people in all)."""


def write_views(path: Path = VIEWS_FILE, progress: Progress | None = None) -> None:
    """Average ``VIEW_PEOPLE`` from every side: uint8 (13, 64, 44). The baseline's digest changes with it."""
    perception = Perception.load()
    total, weight = np.zeros((len(VIEWS_DEGREES), HEIGHT, WIDTH)), np.zeros(len(VIEWS_DEGREES))
    for done, person in enumerate(VIEW_PEOPLE, start=1):
        for share, silhouette in _shares(watch(circle(person), perception)):
            total += share[:, None, None] * silhouette
            weight += share
        _tell(progress, done, VIEW_PEOPLE)
    np.save(path, np.round(total / weight[:, None, None]).astype(np.uint8), allow_pickle=False)


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


def labelled(
    embedder: BaselineEmbedder, visits: Sequence[tuple[Sequence[Sample], Sequence[Sample]]]
) -> LabelledScores:
    """Every second visit's beginnings, of all lengths, against the template of everybody's first visit."""
    gallery = [_ending(embedder, first) for first, _ in visits]
    rows = [
        (float(probe @ template), who == whose, SAMPLES_PER_FRAME * frames, whose)
        for whose, (_, second) in enumerate(visits)
        for probe, frames in _beginnings(embedder, second)
        for who, template in enumerate(gallery)
        if template is not None
    ]
    scores, same, samples, owners = zip(*rows, strict=True)
    return LabelledScores(
        np.array(scores), np.array(same), np.array(samples, dtype=np.float64), np.array(owners)
    )


def _ending(embedder: BaselineEmbedder, samples: Sequence[Sample]) -> Vector | None:
    """The vector of a visit's last window; None where nobody was seen."""
    if not samples:
        return None
    end_ns = samples[-1].captured_ns
    answer = embedder.embed(_memory(embedder, samples), end_ns - round(WINDOW_S * NS), end_ns)
    return answer.vector if answer else None


def _beginnings(embedder: BaselineEmbedder, samples: Sequence[Sample]) -> Iterator[tuple[Vector, int]]:
    """The vectors of a visit's first seconds, and how many frames each rests on."""
    memory = _memory(embedder, samples)
    for seconds in PROBES_S if samples else ():
        begin_ns = samples[0].captured_ns
        answer = embedder.embed(memory, begin_ns, begin_ns + round(seconds * NS))
        if answer is not None:
            yield answer.vector, answer.samples


def _memory(embedder: BaselineEmbedder, samples: Sequence[Sample]) -> Any:
    memory = embedder.open()
    embedder.extend([memory] * len(samples), samples)
    return memory


def _shares(samples: Sequence[Sample]) -> Iterator[tuple[Floats, NDArray[np.uint8]]]:
    """Each silhouette, walking right, with its share (13,) in the two nearest views."""
    asides = [aside_of(sample.joints_3d) for sample in samples]
    for number, sample in enumerate(samples):
        first = max(0, number - SMOOTH_FRAMES // 2)
        near = [aside for aside in asides[first : first + SMOOTH_FRAMES] if aside is not None]
        if near:
            leftwards, degrees = view_of(near)
            silhouette = sample.silhouette.numpy()
            distance = np.abs(VIEWS_DEGREES - degrees) / (VIEWS_DEGREES[1] - VIEWS_DEGREES[0])
            yield np.maximum(0.0, 1.0 - distance), silhouette[:, ::-1] if leftwards else silhouette


def _tell(progress: Progress | None, done: int, people: range) -> None:
    if progress is not None:
        progress(done, len(people))
