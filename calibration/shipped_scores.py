"""The shipped net's score map: what a likeness is worth, from walkers whom it was not trained on.

Each walker passes twice, on two days, in views a quarter turn apart at most; masks and joints err as our
perception does. ``python -m calibration.shipped_net ship`` writes the map beside the net.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from calibration.scores import LabelledScores, fit_score_map
from engines.streaming_embedder import StreamingEmbedder
from gait.embedder import Vector
from gait.score_map import BUILT_IN, ScoreMap
from gait.training.synthetic import TESTED_WITH, as_samples, walk_of
from gait.walkers.conditions import sample_conditions
from gait.walkers.person import sample_person
from gait.walkers.population import STREET
from gait.walkers.seeds import stream
from gait.walkers.views import sample_view
from stream.messages import Sample

WALKERS: Final = range(80_000_000, 80_000_060)
"""Nobody with such a seed is trained on or tested."""
LENGTHS: Final = (25, 50, 75)
"""Samples that probes rest on: one, two and three seconds."""
TURN_DEG: Final = 45.0


def write_score_map(stem: Path, folder: Path = BUILT_IN) -> ScoreMap:
    """Fit and write the map of the net at ``stem``; raises ConfigError where it cannot be fitted."""
    embedder = StreamingEmbedder(stem)
    about = (
        f"{len(WALKERS)} walkers without colours, two visits within {2 * TURN_DEG:.0f} degrees, any clothes"
    )
    fitted = fit_score_map(labelled(embedder), embedder.model.digest, about)
    (folder / f"{embedder.model.name}.json").write_bytes(
        msgspec.json.format(msgspec.json.encode(fitted), indent=2) + b"\n"
    )
    return fitted


def labelled(embedder: StreamingEmbedder) -> LabelledScores:
    """Every second visit, at three lengths, against everybody's first."""
    gallery = np.stack([_vectors(embedder, visit(who, 0))[-1] for who in WALKERS])
    rows: list[tuple[float, bool, int, int]] = []
    for whose, who in enumerate(WALKERS):
        for length, vector in zip(LENGTHS, _vectors(embedder, visit(who, 1)), strict=True):
            likeness = gallery @ vector
            rows += [(float(score), other == whose, length, whose) for other, score in enumerate(likeness)]
    scores, same, samples, owners = (np.array(column) for column in zip(*rows, strict=True))
    return LabelledScores(scores, same, samples, owners)


def visit(who: int, day: int) -> list[Sample]:
    """One pass, as the track stage would hand it on."""
    rng = stream(who, "visit", day)
    side = float(stream(who, "side").choice([90.0, 270.0]))
    view = sample_view(who, day, side + float(rng.uniform(-TURN_DEG, TURN_DEG)))
    person = sample_person(who, outfit=day, population=STREET).under(sample_conditions(who, day))
    chosen = msgspec.structs.replace(TESTED_WITH, frames=max(LENGTHS))
    return as_samples(walk_of(person, view, day, chosen, rng))


def _vectors(embedder: StreamingEmbedder, samples: list[Sample]) -> list[Vector]:
    """The answers after each of ``LENGTHS``."""
    memory = embedder.open()
    embedder.extend([memory] * len(samples), samples)
    found = []
    for length in LENGTHS:
        answer = embedder.embed(
            memory, samples[0].captured_ns, samples[min(length, len(samples)) - 1].captured_ns
        )
        assert answer is not None, "every sample is valid"
        found.append(answer.vector)
    return found
