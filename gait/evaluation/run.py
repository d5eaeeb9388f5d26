"""A protocol from walks to figures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from gait.evaluation import controls, protocols
from gait.evaluation.distances import Metric, Vectors, check_vectors
from gait.evaluation.embedding import Progress, Subject, embed
from gait.evaluation.measure import measure
from gait.evaluation.ranking import Searches
from gait.evaluation.result import Evaluation, Group
from gait.evaluation.searching import Embedded, Pairs, search_all
from gait.evaluation.trials import Indices, Trial, Walks


@dataclass(frozen=True)
class Studied:
    """One trial as it was run: who was embedded how, and what each search gave."""

    trial: Trial
    embedded: Embedded
    searches: Searches


@dataclass(frozen=True)
class Outcome:
    """The figures, and what the report needs to show the walks behind them."""

    evaluation: Evaluation
    studied: tuple[Studied, ...]
    metric: Metric


def evaluate(
    walks: Walks,
    subject: Subject,
    protocol: str,
    metric: Metric = "euclidean",
    control: str = "",
    done: Progress = lambda _: None,
) -> Outcome:
    """Embed what the protocol needs, once, and measure each of its groups.

    Raises ConfigError for a protocol that the data does not fit and MessageError for a walk that fails.
    """
    trials = protocols.plan(protocol, walks.entries, walks.partition)
    needed = np.unique(np.concatenate([part for trial in trials for part in (trial.probes, trial.gallery)]))
    entries = [walks.entries[index] for index in needed]
    change = controls.control(control)
    features = embed(walks, entries, subject.features, change, done)
    moved = [_moved(trial, needed) for trial in trials]
    groups: list[Group] = []
    studied: list[Studied] = []
    for name in dict.fromkeys(trial.group for trial in moved):
        chosen = [trial for trial in moved if trial.group == name]
        ran, pairs = _run_group(chosen, Embedded.of(entries, features), subject, metric)
        groups.append(measure(chosen, [one.searches for one in ran], pairs, len(ran[0].embedded.names)))
        studied += ran
    return Outcome(
        Evaluation(
            protocol,
            subject.name,
            metric,
            control or "none",
            tuple(groups),
            (*_mean_of_probes(moved, groups), *_notes(groups)),
        ),
        tuple(studied),
        metric,
    )


def _run_group(
    trials: Sequence[Trial], features: Embedded, subject: Subject, metric: Metric
) -> tuple[list[Studied], Pairs]:
    """All trials of a group; a learner is fitted anew for each gallery."""
    if subject.learn is None:
        found, pairs = search_all([(features, trial) for trial in trials], metric)
        return [Studied(t, features, s) for t, s in zip(trials, found, strict=True)], pairs
    fitted: dict[bytes, Embedded] = {}
    for trial in trials:
        key = trial.gallery.tobytes()
        if key not in fitted:
            fitted[key] = _learned(features, trial, subject.learn)
    each = [fitted[trial.gallery.tobytes()] for trial in trials]
    found, pairs = search_all(list(zip(each, trials, strict=True)), metric)
    return [Studied(t, e, s) for t, e, s in zip(trials, each, found, strict=True)], pairs


def _learned(
    features: Embedded, trial: Trial, learn: Callable[[Vectors, Sequence[str]], Callable[[Vectors], Vectors]]
) -> Embedded:
    people = [features.names[features.people[index]] for index in trial.gallery]
    project = learn(features.vectors[trial.gallery], people)
    vectors = project(features.vectors)
    check_vectors(vectors)
    return Embedded(features.entries, features.names, features.people, vectors)


def _moved(trial: Trial, needed: Indices) -> Trial:
    """The same trial, its indices now into the needed entries."""
    return Trial(
        trial.group,
        np.searchsorted(needed, trial.probes).astype(np.int64),
        np.searchsorted(needed, trial.gallery).astype(np.int64),
        trial.row,
        trial.column,
        trial.exclude,
        trial.joined,
    )


def _notes(groups: Sequence[Group]) -> tuple[str, ...]:
    notes = [
        "Ties count against the mate. Intervals: 95 %, people redrawn 1000 times, the gallery as it is.",
        "Accuracy: thresholds chosen on other people, both kinds of pair weighing alike.",
    ]
    lost = {group.name: group.without_mate for group in groups if group.without_mate}
    if lost:
        counts = ", ".join(f"{count} in {name}" for name, count in lost.items())
        notes.append(f"Probes without a mate in the gallery, left out of ranks, mAP and mINP: {counts}.")
    if any(group.open_set.left_out for group in groups):
        notes.append(
            "Open set: every probe has a mate, so each was searched again with its own identity taken out."
        )
    return tuple(notes)


def _mean_of_probes(trials: Sequence[Trial], groups: Sequence[Group]) -> tuple[str, ...]:
    """The line that tables of several probe sets end with, for whole walks."""
    joined = {trial.group for trial in trials if trial.joined}
    taken = [group for group in groups if group.name in joined]
    if len(taken) < 2:
        return ()
    counts = np.array([group.searches - group.without_mate for group in taken], np.float64)
    means = []
    for rank in ("1", "5"):
        shares = np.array([group.rank[rank].value or 0.0 for group in taken])
        weighted = float(shares @ counts / max(counts.sum(), 1))
        means.append(f"rank-{rank} {shares.mean():.1%} (each walk alike: {weighted:.1%})")
    return (f"Mean over the {len(taken)} probe sets, walks: {', '.join(means)}.",)
