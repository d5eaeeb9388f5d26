"""The shipped nets' cohorts and score maps: what a likeness is worth, from walkers it was not trained on.

The cohort is of people who never pass again: strangers to tell scores against. For the maps each walker
passes twice, on two days, in views a quarter turn apart at most; masks and joints err as our perception does,
half of the time as before far and poor cameras.
``python -m calibration.shipped_net ship`` writes all three.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from calibration.identification import fit_to_galleries
from calibration.scores import LabelledScores, fit_score_map
from engines.streaming_embedder import StreamingEmbedder
from gait import decision_norm
from gait.decision_level import Impostors
from gait.decision_norm import Cohort, load_cohort, normalised, save_cohort
from gait.embedder import Vector
from gait.score_map import BUILT_IN
from gait.training.synthetic import TESTED_WITH, as_samples, walk_of
from gait.walkers.conditions import sample_conditions
from gait.walkers.person import sample_person
from gait.walkers.population import STREET
from gait.walkers.seeds import stream
from gait.walkers.views import sample_view
from stream.messages import Sample

WALKERS: Final = range(80_000_000, 80_000_400)
STRANGERS: Final = range(70_000_000, 70_000_300)
"""Nobody with such seeds is trained on or tested."""
LENGTHS: Final = (25, 50, 75)
"""Samples that probes rest on: one, two and three seconds."""
TURN_DEG: Final = 45.0
FAR_SHARE: Final = 0.5
"""Of visits before far and poor cameras: a map of good ones alone is too sure of what it says of them."""

Vectors = NDArray[np.float32]


def write_decision(stem: Path, maps: Path = BUILT_IN, cohorts: Path = decision_norm.BUILT_IN) -> None:
    """Write cohort and maps of the net at ``stem``; raises ConfigError where they cannot be fitted."""
    embedder = StreamingEmbedder(stem)
    model = embedder.model
    cohorts.mkdir(exist_ok=True)
    path = cohorts / f"{model.name}.npz"
    strangers = np.stack([_vectors(embedder, visit(who, 0))[-1] for who in STRANGERS])
    save_cohort(Cohort(model.digest, strangers), path)
    about = (
        f"{len(WALKERS)} walkers without colours, two visits within {2 * TURN_DEG:.0f} degrees, any clothes, "
        "good and poor cameras"
    )
    gallery, probes = seen_twice(embedder)
    for name, cohort in ((model.name, None), (f"{model.name}.told", load_cohort(path, model.digest))):
        scores = labelled(gallery, probes, cohort)
        fitted = fit_score_map(scores, model.digest, about, normalised=cohort is not None)
        if cohort is not None:  # the one by which people are named
            every = scores.scores.reshape(-1, len(gallery))
            fitted = fit_to_galleries(
                fitted, every, scores.whose[:: len(gallery)], scores.samples[:: len(gallery)]
            )
            apart = scores.scores[~scores.same]
            others = Impostors(round(float(apart.mean()), 4), round(float(apart.std()), 4))
            fitted = msgspec.structs.replace(fitted, others=others)
        (maps / f"{name}.json").write_bytes(
            msgspec.json.format(msgspec.json.encode(fitted), indent=2) + b"\n"
        )


def seen_twice(embedder: StreamingEmbedder) -> tuple[Vectors, Vectors]:
    """(people, D) everybody's first visit, and (people, lengths, D) what the second shows by ``LENGTHS``."""
    first = [_vectors(embedder, visit(who, 0))[-1] for who in WALKERS]
    second = [np.stack(_vectors(embedder, visit(who, 1))) for who in WALKERS]
    return np.stack(first), np.stack(second)


def labelled(gallery: Vectors, probes: Vectors, cohort: Cohort | None = None) -> LabelledScores:
    """Every second visit, at three lengths, against everybody's first; told against a cohort where given."""
    people, lengths = probes.shape[:2]
    asked = probes.reshape(people * lengths, -1)
    scores = (asked @ gallery.T).astype(np.float64)
    if cohort is not None:
        scores = normalised(scores, cohort.usual(asked), cohort.usual(gallery))
    whose = np.repeat(np.arange(people), lengths)
    same = whose[:, None] == np.arange(people)[None]
    samples = np.tile(np.array(LENGTHS, np.float64), people)
    return LabelledScores(
        scores.ravel(), same.ravel(), np.repeat(samples, people), np.repeat(whose, people).astype(np.intp)
    )


def visit(who: int, day: int) -> list[Sample]:
    """One pass, as the track stage would hand it on."""
    rng = stream(who, "visit", day)
    side = float(stream(who, "side").choice([90.0, 270.0]))
    view = sample_view(who, day, side + float(rng.uniform(-TURN_DEG, TURN_DEG)))
    person = sample_person(who, outfit=day, population=STREET).under(sample_conditions(who, day))
    chosen = msgspec.structs.replace(TESTED_WITH, frames=max(LENGTHS))
    far = bool(stream(who, "camera", day).random() < FAR_SHARE)
    return as_samples(walk_of(person, view, day, chosen, rng, far=far))


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
