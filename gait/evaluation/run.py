"""A protocol from walks to figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gait.data.store import Entry
from gait.evaluation import controls, protocols
from gait.evaluation.controls import Control
from gait.evaluation.distances import Metric, check_vectors
from gait.evaluation.embedding import Embedder, Learn, Progress, Subject, Taught, embed
from gait.evaluation.measure import measure
from gait.evaluation.ranking import Searches
from gait.evaluation.result import Evaluation, Group
from gait.evaluation.searching import Embedded, search_all
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
    subject: Subject | Taught,
    protocol: str,
    metric: Metric = "euclidean",
    control: str = "",
    done: Progress = lambda _: None,
) -> Outcome:
    """Embed what the protocol needs, once (for each gallery, where the subject is taught), and measure.

    Raises ConfigError for a protocol that the data does not fit and MessageError for a walk that fails.
    """
    trials = protocols.plan(protocol, walks.entries, walks.partition)
    needed = needed_by(trials)
    moved = [_moved(trial, needed) for trial in trials]
    said = _Said(walks, [walks.entries[index] for index in needed], subject, controls.control(control), done)
    groups: list[Group] = []
    studied: list[Studied] = []
    for name in dict.fromkeys(trial.group for trial in moved):
        chosen = [trial for trial in moved if trial.group == name]
        each = [said.about(trial) for trial in chosen]
        found, pairs = search_all(list(zip(each, chosen, strict=True)), metric)
        groups.append(measure(chosen, found, pairs, len(each[0].names)))
        studied += [Studied(t, e, s) for t, e, s in zip(chosen, each, found, strict=True)]
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


def needed_by(trials: Sequence[Trial]) -> Indices:
    """The entries that any of the trials needs, in order."""
    return np.unique(np.concatenate([part for trial in trials for part in (trial.probes, trial.gallery)]))


class _Said:
    """What the subject says of all entries; kept for each gallery that it learns from."""

    def __init__(
        self,
        walks: Walks,
        entries: Sequence[Entry],
        subject: Subject | Taught,
        change: Control,
        done: Progress,
    ) -> None:
        self._walks, self._entries, self._subject = walks, entries, subject
        self._change, self._done = change, done
        self._features: Embedded | None = None
        self._vectors: dict[bytes, Embedded] = {}

    def about(self, trial: Trial) -> Embedded:
        """For one trial: a learner is fitted, and an embedder taught, once for each gallery."""
        key = trial.gallery.tobytes()
        if key not in self._vectors:
            features, learn = self._embedded(trial), self._subject.learn
            self._vectors[key] = features if learn is None else _learned(features, trial, learn)
        return self._vectors[key]

    def _embedded(self, trial: Trial) -> Embedded:
        subject = self._subject
        if isinstance(subject, Taught):
            return self._embed(subject.teach([self._entries[index] for index in trial.gallery]))
        if self._features is None:
            self._features = self._embed(subject.features)
        return self._features

    def _embed(self, embedder: Embedder) -> Embedded:
        found = embed(self._walks, self._entries, embedder, self._change, self._done)
        return Embedded.of(self._entries, found)


def _learned(features: Embedded, trial: Trial, learn: Learn) -> Embedded:
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
