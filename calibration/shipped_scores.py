"""The shipped nets' cohorts and score maps: what a likeness is worth, from walkers not trained on.

The cohort is of people who never pass again: strangers to tell scores against. For the maps each walker
passes twice. Most are drawn, on two days, in views a quarter turn apart at most; their masks and joints err
as our perception does, half of the time as before far and poor cameras. The others are rendered in colour,
walk either way, and are seen by our perception: galleries of either kind count alike.
``python -m calibration.shipped_net ship`` writes all three.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from calibration.identification import Asked, fit_to_galleries
from calibration.perceived_walkers import PerceivedSet
from calibration.scores import LabelledScores, fit_score_map
from engines.streaming_embedder import StreamingEmbedder
from gait import decision_norm
from gait.decision_norm import Cohort, load_cohort, normalised, save_cohort
from gait.score_map import BUILT_IN
from gait.training.people import Source
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
SEEN_WALKERS: Final = PerceivedSet(people=120, first=81_000_000, frames=36, side_share=1.0)
SEEN_STRANGERS: Final = PerceivedSet(people=100, first=71_000_000, sequences=1, frames=36, side_share=1.0)
"""In colour, before our perception; nor with such."""
LENGTHS: Final = (25, 50, 75)
"""Samples that probes rest on: one, two and three seconds."""
TURN_DEG: Final = 45.0
FAR_SHARE: Final = 0.5
"""Of visits before far and poor cameras: a map of good ones alone is too sure of what it says of them."""

Vectors = NDArray[np.float32]


@dataclass(frozen=True)
class Passes:
    """``gallery`` (people, D): the first visits as wholes; ``probes`` (people, n, D): more and more of the
    second ones, and on how many ``samples`` (people, n) each rests.
    """

    gallery: Vectors
    probes: Vectors
    samples: NDArray[np.float64]


def write_decision(
    stem: Path,
    seen_walkers: Source,
    seen_strangers: Source,
    maps: Path = BUILT_IN,
    cohorts: Path = decision_norm.BUILT_IN,
) -> None:
    """Write cohort and maps of the net at ``stem``; raises ConfigError where they cannot be fitted."""
    embedder = StreamingEmbedder(stem)
    model = embedder.model
    cohorts.mkdir(exist_ok=True)
    path = cohorts / f"{model.name}.npz"
    strangers = [visit(who, 0) for who in STRANGERS]
    strangers += [as_samples(seen_strangers.read(entry)) for entry in seen_strangers.entries]
    save_cohort(Cohort(model.digest, np.stack([_vectors(embedder, one)[0][-1] for one in strangers])), path)
    passes = [drawn_twice(embedder), seen_twice(embedder, seen_walkers)]
    about = (
        f"{len(WALKERS)} walkers without colours, two visits within {2 * TURN_DEG:.0f} degrees, any clothes, "
        f"good and poor cameras; {len(passes[1].gallery)} in colour, perceived"
    )
    for name, cohort in ((model.name, None), (f"{model.name}.told", load_cohort(path, model.digest))):
        groups = [labelled(one, cohort) for one in passes]
        fitted = fit_score_map(joined(groups), model.digest, about, normalised=cohort is not None)
        if cohort is not None:  # the one by which people are named
            fitted = fit_to_galleries(fitted, [_by_probe(*both) for both in zip(groups, passes, strict=True)])
        (maps / f"{name}.json").write_bytes(
            msgspec.json.format(msgspec.json.encode(fitted), indent=2) + b"\n"
        )


def drawn_twice(embedder: StreamingEmbedder) -> Passes:
    """Two visits of everybody who is drawn."""
    return _passes(embedder, ((visit(who, 0), visit(who, 1)) for who in WALKERS))


def seen_twice(embedder: StreamingEmbedder, walks: Source) -> Passes:
    """Two visits of everybody in colour whom perception saw both times."""
    entries = {(entry.person, entry.name): entry for entry in walks.entries}
    people = sorted(
        {person for person, _ in entries if (person, "0") in entries and (person, "1") in entries}
    )
    return _passes(
        embedder,
        (
            (as_samples(walks.read(entries[who, "0"])), as_samples(walks.read(entries[who, "1"])))
            for who in people
        ),
    )


def _passes(embedder: StreamingEmbedder, visits: Iterable[tuple[list[Sample], list[Sample]]]) -> Passes:
    first, second, samples = [], [], []
    for before, after in visits:
        first.append(_vectors(embedder, before)[0][-1])
        vectors, counts = _vectors(embedder, after)
        second.append(vectors)
        samples.append(counts)
    return Passes(np.stack(first), np.stack(second), np.stack(samples))


def labelled(passes: Passes, cohort: Cohort | None = None) -> LabelledScores:
    """Every second visit, at every length, against everybody's first; told against a cohort where given."""
    people, lengths = passes.probes.shape[:2]
    asked = passes.probes.reshape(people * lengths, -1)
    scores = (asked @ passes.gallery.T).astype(np.float64)
    if cohort is not None:
        scores = normalised(scores, cohort.usual(asked), cohort.usual(passes.gallery))
    whose = np.repeat(np.arange(people), lengths)
    same = whose[:, None] == np.arange(people)[None]
    return LabelledScores(
        scores.ravel(),
        same.ravel(),
        np.repeat(passes.samples.ravel(), people),
        np.repeat(whose, people).astype(np.intp),
    )


def joined(groups: Sequence[LabelledScores]) -> LabelledScores:
    """All groups' scores, their people told apart."""
    firsts = np.cumsum([0, *(int(group.whose.max()) + 1 for group in groups)])
    return LabelledScores(
        np.concatenate([group.scores for group in groups]),
        np.concatenate([group.same for group in groups]),
        np.concatenate([group.samples for group in groups]),
        np.concatenate([group.whose + first for group, first in zip(groups, firsts[:-1], strict=True)]),
    )


def _by_probe(scores: LabelledScores, passes: Passes) -> Asked:
    people = len(passes.gallery)
    return scores.scores.reshape(-1, people), scores.whose[::people], scores.samples[::people]


def visit(who: int, day: int) -> list[Sample]:
    """One pass, as the track stage would hand it on."""
    rng = stream(who, "visit", day)
    side = float(stream(who, "side").choice([90.0, 270.0]))
    view = sample_view(who, day, side + float(rng.uniform(-TURN_DEG, TURN_DEG)))
    person = sample_person(who, outfit=day, population=STREET).under(sample_conditions(who, day))
    chosen = msgspec.structs.replace(TESTED_WITH, frames=max(LENGTHS))
    far = bool(stream(who, "camera", day).random() < FAR_SHARE)
    return as_samples(walk_of(person, view, day, chosen, rng, far=far))


def _vectors(embedder: StreamingEmbedder, samples: list[Sample]) -> tuple[Vectors, NDArray[np.float64]]:
    """The answers after each of ``LENGTHS``, or after all samples where those are fewer; and how many."""
    memory = embedder.open()
    embedder.extend([memory] * len(samples), samples)
    found, counts = [], [min(length, len(samples)) for length in LENGTHS]
    for count in counts:
        answer = embedder.embed(memory, samples[0].captured_ns, samples[count - 1].captured_ns)
        assert answer is not None, "every sample is valid"
        found.append(answer.vector)
    return np.stack(found), np.array(counts, np.float64)
