"""``bench traffic``: a day before one camera, time compressed: is memory flat, are strangers known again?

People are random directions in the embedding's space; a visit lies some way off its person, a window some way
off its visit. The score map is fitted, as `calibrate scores` does it, on people who never pass. What is
measured is the decision, the clusters and the gallery, not a recogniser.
"""

from __future__ import annotations

import argparse
import gc
import resource
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.report import BenchResult, Figure
from calibration.fitting import fit
from calibration.tracks import LabelledTracks
from commands.cli import progress, whole
from gait.embedder import ModelInfo
from gait.gallery.records import Enrolment, NewTemplate
from gait.gallery.store import Gallery
from gait.identify_stage import IdentifyConfig, IdentifyStage
from stream.messages import (
    Array,
    Box,
    Embedded,
    Embedding,
    Event,
    FrameRef,
    Identified,
    Identity,
    Track,
    TrackEnd,
    TrackletId,
)

Vectors = NDArray[np.float32]
DIMENSION: Final = 512
MODEL: Final = "t" * 32
INFO: Final = ModelInfo("traffic", MODEL, DIMENSION)
CAMERA, RUN = "door", "day"
START_NS: Final = 1_700_000_000_000_000_000
HOUR_NS: Final = 3600 * 1_000_000_000
WINDOW_NS: Final = 2_000_000_000
WINDOWS: Final = 4
"""Windows of a passage: eight seconds of walking."""
VISIT_OFF: Final = 1.0
WINDOW_OFF: Final = 0.6
"""How far a visit lies from its person and a window from its visit, in lengths of a vector."""
BOX: Final[Box] = (100.0, 100.0, 200.0, 400.0)
SETTLED_H: Final = 6
"""Hours after which nothing should grow any more: every stranger has passed by then."""


@dataclass(frozen=True)
class Passage:
    """One person before the camera from ``at_ns`` on."""

    person: int
    at_ns: int
    number: int


@dataclass
class Verdicts:
    """How passages ended, counted as they end, so that the bench's own memory does not grow either."""

    enrolled: int
    counts: Counter[str] = field(default_factory=Counter)
    clusters: dict[str, Counter[int]] = field(default_factory=lambda: defaultdict(Counter))
    strangers: dict[int, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))

    def take(self, person: int, identity: Identity | None) -> None:
        """One passage of ``person`` ended with this answer."""
        known = person < self.enrolled
        who = "known" if known else "stranger"
        if identity is None or identity.answer == "insufficient_evidence":
            self.counts[f"{who}_undecided"] += 1
        elif identity.answer == "person":
            right = known and identity.name == f"Person {person}"
            self.counts["known_right" if right else f"{who}_named_wrong"] += 1
        else:
            self.counts[f"{who}_unknown"] += 1
            if not known:
                self.clusters[str(identity.cluster)][person] += 1
                self.strangers[person][str(identity.cluster)] += 1

    def figures(self) -> dict[str, Figure]:
        """Counts, and of the unknown strangers the share in a cluster that is mostly (purity) theirs, and in
        the one that has most of them (completeness).
        """
        own = max(1, sum(sum(c.values()) for c in self.clusters.values()))
        return {
            **dict(sorted(self.counts.items())),
            "clusters": len(self.clusters),
            "strangers": len(self.strangers),
            "cluster_purity": sum(max(c.values()) for c in self.clusters.values()) / own,
            "cluster_completeness": sum(max(c.values()) for c in self.strangers.values()) / own,
        }


@dataclass
class Day:
    """What was told over the day, and how much memory was in use at the end of each hour."""

    verdicts: Verdicts
    blocks: list[int]
    resident_kb: list[int]
    seconds: float


def configure(parser: argparse.ArgumentParser) -> None:
    """How many pass, and how often."""
    parser.add_argument("--people", type=whole(1), default=200, help="(default %(default)s)")
    parser.add_argument(
        "--strangers", type=float, default=0.3, help="share not enrolled (default %(default)s)"
    )
    parser.add_argument("--hours", type=int, default=24, help="(default %(default)s)")
    parser.add_argument("--passages", type=int, default=20, help="a day and person (default %(default)s)")
    parser.add_argument("--seed", type=whole(0), default=0)


def run(arguments: argparse.Namespace) -> BenchResult:
    """Let the day pass, judge what was told."""
    people = centres(arguments.people, arguments.seed)
    enrolled = round(arguments.people * (1 - arguments.strangers))
    passages = _passages(arguments)
    with tempfile.TemporaryDirectory(prefix="gaitway-") as folder:
        stage = _stage(Path(folder), people[:enrolled], arguments.seed)
        try:
            day = _day(stage, people, passages, Verdicts(enrolled), arguments.hours)
        finally:
            stage.close()
    return BenchResult.of("traffic", *_judged(day, passages, arguments.hours))


def centres(count: int, seed: int) -> Vectors:
    """(count, D) unit vectors, one a person."""
    return _unit(np.random.default_rng([seed, 1]).standard_normal((count, DIMENSION)))


def visit_of(centre: Vectors, rng: np.random.Generator) -> Vectors:
    """(WINDOWS, D) what one passage of a person shows."""
    visit = _off(centre[None], VISIT_OFF, rng)
    return _off(np.repeat(visit, WINDOWS, axis=0), WINDOW_OFF, rng)


def _off(vectors: Vectors, by: float, rng: np.random.Generator) -> Vectors:
    return _unit(vectors + by * _unit(rng.standard_normal(vectors.shape)))


def _unit(vectors: NDArray[np.floating]) -> Vectors:
    unit: Vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return unit


def _passages(arguments: argparse.Namespace) -> list[Passage]:
    """Everybody passes so often, at random times, one after the other."""
    rng = np.random.default_rng([arguments.seed, 2])
    who = np.repeat(np.arange(arguments.people), max(1, round(arguments.passages * arguments.hours / 24)))
    times = np.sort(rng.uniform(0, arguments.hours * HOUR_NS, len(who)).astype(np.int64))
    return [
        Passage(person, START_NS + at_ns, number)
        for number, (person, at_ns) in enumerate(
            zip(rng.permutation(who).tolist(), times.tolist(), strict=True)
        )
    ]


def _stage(folder: Path, people: Vectors, seed: int) -> IdentifyStage:
    """A gallery of two visits each, and a map fitted on others."""
    rng = np.random.default_rng([seed, 3])
    gallery = Gallery(folder / "gallery.sqlite")
    gallery.enrol_many(
        [
            Enrolment(f"Person {n}", tuple(_template(visit_of(one, rng)) for _ in range(2)))
            for n, one in enumerate(people)
        ]
    )
    return IdentifyStage(gallery, INFO, fit(_others(seed), 0.01, "made up").score_map, IdentifyConfig())


def _template(windows: Vectors) -> NewTemplate:
    return NewTemplate(Array.of(_unit(windows.sum(axis=0)[None])[0]), MODEL, 50 * WINDOWS, 0.9, "made up")


def _others(seed: int) -> LabelledTracks:
    """Three visits each of people who never pass."""
    rng = np.random.default_rng([seed, 4])
    tracks = [
        _unit(visit_of(one, rng).sum(axis=0)[None])[0] for one in centres(100, seed + 1) for _ in range(3)
    ]
    people, visits = np.repeat(np.arange(100), 3).astype(np.str_), np.tile(["a", "b", "c"], 100)
    return LabelledTracks(MODEL, np.stack(tracks), people, visits, np.full(300, 50.0 * WINDOWS))


def _day(
    stage: IdentifyStage, people: Vectors, passages: list[Passage], verdicts: Verdicts, hours: int
) -> Day:
    rng = np.random.default_rng(5)
    day = Day(verdicts, [], [], 0.0)
    began, hour = time.perf_counter(), 1
    with progress("passages", len(passages)) as step:
        for passage in passages:
            while passage.at_ns >= START_NS + hour * HOUR_NS:
                _weigh(day)
                hour += 1
            told: list[Event] = []
            for message in _messages(passage, visit_of(people[passage.person], rng)):
                for out in stage.handle(message):
                    assert isinstance(out, Identified)
                    told += out.events
            verdicts.take(passage.person, told[-1].identity if told else None)
            step.advance(1)
    while len(day.blocks) < hours:
        _weigh(day)
    day.seconds = time.perf_counter() - began
    return day


def _weigh(day: Day) -> None:
    gc.collect()
    day.blocks.append(sys.getallocatedblocks())
    day.resident_kb.append(_resident_kb())


def _resident_kb() -> int:
    """Memory in use now; the most so far where the system does not tell (macOS)."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return pages * resource.getpagesize() // 1024


def _messages(passage: Passage, windows: Vectors) -> Iterator[Embedded]:
    """What the embed stage would say of the passage."""
    key = TrackletId(CAMERA, RUN, passage.number)
    for place, vector in enumerate(windows):
        at_ns = passage.at_ns + (place + 1) * WINDOW_NS
        embedding = Embedding(key, at_ns - WINDOW_NS, at_ns, Array.of(vector), 50, 0.9, MODEL, BOX)
        yield Embedded(_frame(passage, place, at_ns), (embedding,), (Track(key, BOX, 0),))
    end = TrackEnd(key, passage.at_ns, at_ns, "lost")
    yield Embedded(_frame(passage, WINDOWS, at_ns + 1), (), (), (end,))


def _frame(passage: Passage, place: int, at_ns: int) -> FrameRef:
    return FrameRef(CAMERA, RUN, passage.number * (WINDOWS + 1) + place, at_ns, at_ns - START_NS, 1280, 720)


def _judged(day: Day, passages: list[Passage], hours: int) -> tuple[dict[str, Figure], dict[str, float]]:
    """Figures, and the values of the bars."""
    settled = min(SETTLED_H, hours) - 1
    later = sum(passage.at_ns >= START_NS + (settled + 1) * HOUR_NS for passage in passages)
    figures: dict[str, Figure] = {
        "passages": len(passages),
        "passages_per_s": len(passages) / day.seconds,
        **day.verdicts.figures(),
        "resident_mb_end": day.resident_kb[-1] / 1024,
    }
    values = {
        "blocks_grown_per_passage": (day.blocks[-1] - day.blocks[settled]) / max(1, later),
        "resident_mb_grown": (day.resident_kb[-1] - day.resident_kb[settled]) / 1024,
    }
    return figures, values
