"""The shipped net on walkers it never saw, beside the averaged silhouette and with things taken away.

Each person walks normally twice, with a bag and in a coat, in eight views; masks and joints err as our
perception does. Rank-1 is the mean over pairs of different views. Open set: half of the people are enrolled
with their first walk in every view, and all others are strangers. The net runs as the pipeline runs it.
Of the decision's own answers those are counted that call the evidence not enough.

``--perceived`` adds walkers in colour before cameras of all kinds, seen by our perception: two passes of
each, from any two sides, whatever is carried; the second is looked for among all first ones.
"""

from __future__ import annotations

import argparse
import contextlib
import time
from collections.abc import Sequence
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from benchmarks.decisions import decider_of
from benchmarks.recognition_answers import answered
from benchmarks.report import BenchResult
from calibration.perceived_walkers import PERCEIVED, PerceivedWalkers
from commands.cli import progress, whole
from engines.streaming_embedder import StreamingEmbedder
from gait.data.errors import DataError
from gait.data.records import Entry
from gait.evaluation.baselines import average_silhouette
from gait.evaluation.controls import CONTROLS, Control, control
from gait.evaluation.distances import Metric, distances
from gait.inputs import Walk
from gait.models.weights import NETS
from gait.training.synthetic import CONDITIONS, TESTED_WITH, VIEWS, TestWalkers, as_samples

FPIR: Final = 0.01
GALLERY, *PROBES = CONDITIONS
SHOWN: Final = {"nm-05": "normal", "bg-01": "bag", "cl-01": "coat"}
ASIDE: Final = tuple(view for view in VIEWS if view % 180)
PERCEIVED_FROM: Final = 98_500_000
"""The first of the seeds of those in colour: no training or calibration uses them."""
TAKEN_AWAY: Final = ("shuffle", "single-frame", "shape-only", "silhouette-only")

Vectors = NDArray[np.float32]


def configure(parser: argparse.ArgumentParser) -> None:
    """Who, and how many."""
    parser.add_argument("--people", type=whole(2), default=24, help="how many walkers (default 24)")
    parser.add_argument("--seed", type=whole(0), default=TESTED_WITH.first, help="the first walker's seed")
    parser.add_argument("--embedder", choices=tuple(NETS), default="shipped", help="which net in the box")
    parser.add_argument("--controls", action="store_true", help="also with motion or shape taken away")
    parser.add_argument(
        "--perceived",
        type=whole(0),
        default=0,
        metavar="PEOPLE",
        help="also so many, in colour and perceived",
    )


def run(arguments: argparse.Namespace) -> BenchResult:
    """Generate, embed, search."""
    chosen = msgspec.structs.replace(TESTED_WITH, people=arguments.people, first=arguments.seed)
    maker = TestWalkers(chosen)
    found = maker.find().found
    entries = [one.entry for one in found]
    walks = [maker.load(one).walk for one in found]
    embedder = StreamingEmbedder(NETS[arguments.embedder])
    figures: dict[str, int | float | str] = {"people": arguments.people, "model": embedder.model.name}
    figures["digest"] = embedder.model.digest
    values: dict[str, float] = {}
    figures["ms of processor time a person and sample"] = milliseconds(embedder, walks[0])
    average = np.stack([average_silhouette(walk) for walk in walks]).astype(np.float32)
    figures |= _told("averaged silhouette", average, entries, "euclidean")
    usual = vectors(embedder, walks, control(""))
    shipped = _told("shipped net", usual, entries, "cosine")
    figures |= shipped
    values |= {f"rank_1_{name}": shipped[f"shipped net, rank-1 {name}"] for name in SHOWN.values()}
    values["fnir_at_fpir_1_percent"] = shipped["shipped net, FNIR at FPIR 1 %"]
    decider = decider_of(arguments.embedder, embedder.model)
    samples = len(walks[0].silhouettes)
    told = answered(decider, usual.reshape(len(usual), -1), entries, GALLERY, samples)
    figures |= {f"the decision, {name}": value for name, value in told.items()}
    values["not_enough_percent"] = told["answers that are not enough, percent"]
    for name in TAKEN_AWAY if arguments.controls else ():
        figures |= _told(f"shipped net, {name}", vectors(embedder, walks, CONTROLS[name]), entries, "cosine")
    if arguments.perceived:
        figures |= perceived(embedder, arguments.perceived)
    return BenchResult.of("recognition", figures, values)


def vectors(embedder: StreamingEmbedder, walks: Sequence[Walk], change: Control) -> Vectors:
    """(N, 16, 32) what the pipeline would send for each walk as a whole."""
    found = []
    for walk in walks:
        samples, memory = as_samples(change(walk)), embedder.open()
        embedder.extend([memory] * len(samples), samples)
        answer = embedder.embed(memory, 0, samples[-1].captured_ns)
        assert answer is not None, "every sample is valid"
        found.append(answer.vector.reshape(16, -1))
    return np.stack(found)


def perceived(embedder: StreamingEmbedder, people: int) -> dict[str, float]:
    """Rank-1 in percent of passes that our perception saw, of all who were seen twice."""
    maker = PerceivedWalkers(msgspec.structs.replace(PERCEIVED, people=people, first=PERCEIVED_FROM))
    walks, entries = [], []
    with progress("perceiving walkers", 2 * people) as step:
        for number, one in enumerate(maker.find().found, 1):
            with contextlib.suppress(DataError):  # hardly seen: not what is measured here
                walks.append(maker.load(one).walk)
                entries.append(one.entry)
            step.set(number, 2 * people)
    passes = np.array([entry.name for entry in entries])
    names = np.array([entry.person for entry in entries])
    average = np.stack([average_silhouette(walk) for walk in walks]).astype(np.float32)
    first = set(names[passes == "0"])
    return {
        "perceived, second passes of who was seen before": sum(
            entry.name == "1" and entry.person in first for entry in entries
        ),
        "perceived, averaged silhouette, rank-1": second_among_first(average, names, passes, "euclidean"),
        "perceived, shipped net, rank-1": second_among_first(
            vectors(embedder, walks, control("")), names, passes, "cosine"
        ),
    }


def second_among_first(
    features: Vectors, people: NDArray[np.str_], passes: NDArray[np.str_], metric: Metric
) -> float:
    """Of second passes among all first ones, in percent; whoever has no first one is left out."""
    known, asked = (np.flatnonzero(passes == number) for number in ("0", "1"))
    asked = asked[np.isin(people[asked], people[known])]
    apart = distances(features[asked], features[known], metric)
    return float(100 * (people[known][apart.argmin(axis=1)] == people[asked]).mean())


def milliseconds(embedder: StreamingEmbedder, walk: Walk, turns: int = 10) -> float:
    """Of processor time for each sample of one person alone, one after another; the best of ``turns``."""
    samples, times = as_samples(walk), []
    for _ in range(turns):
        memory, began = embedder.open(), time.process_time()
        for sample in samples:
            embedder.extend([memory], [sample])
        times.append((time.process_time() - began) / len(samples))
    return 1e3 * min(times)


def _told(name: str, features: Vectors, entries: Sequence[Entry], metric: Metric) -> dict[str, float]:
    apart = distances(features, features, metric)
    people, conditions, views = (
        np.array([getattr(entry, part) for entry in entries]) for part in ("person", "condition", "view")
    )
    told = {
        f"{name}, rank-1 {SHOWN[probe]}": cross_view(apart, people, conditions, views, probe)
        for probe in PROBES
    }
    told[f"{name}, rank-1 normal, neither from the front nor the back"] = cross_view(
        apart, people, conditions, views, PROBES[0], ASIDE
    )
    told[f"{name}, FNIR at FPIR 1 %"] = missed(apart, people, conditions)
    return told


def cross_view(
    apart: NDArray[np.float32],
    people: NDArray[np.str_],
    conditions: NDArray[np.str_],
    views: NDArray[np.str_],
    probe: str,
    among: Sequence[int] = VIEWS,
) -> float:
    """Rank-1 in percent, the mean over all pairs of different views ``among`` those."""
    cells = []
    names = [f"{view:03d}" for view in among]
    for row in names:
        asked = np.flatnonzero((conditions == probe) & (views == row))
        for column in (other for other in names if other != row):
            known = np.flatnonzero((conditions == GALLERY) & (views == column))
            nearest = known[apart[np.ix_(asked, known)].argmin(axis=1)]
            cells.append((people[nearest] == people[asked]).mean())
    return float(100 * np.mean(cells))


def missed(apart: NDArray[np.float32], people: NDArray[np.str_], conditions: NDArray[np.str_]) -> float:
    """FNIR in percent where 1 % of strangers' walks are taken for somebody; wrong names are misses too."""
    everyone = np.unique(people)
    enrolled = np.isin(people, everyone[: len(everyone) // 2])
    known = np.flatnonzero(enrolled & (conditions == GALLERY))
    probes = np.flatnonzero(conditions != GALLERY)
    nearest = known[apart[np.ix_(probes, known)].argmin(axis=1)]
    how_far = apart[probes, nearest]
    strangers = np.sort(how_far[~enrolled[probes]])
    limit = strangers[int(FPIR * len(strangers))]
    mated = enrolled[probes]
    right = (people[nearest] == people[probes]) & (how_far < limit)
    return float(100 * (1 - right[mated].mean()))
