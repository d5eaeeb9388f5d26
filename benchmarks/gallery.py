"""``bench gallery``: enrolling, starting and searching with up to a million templates, beside plain FAISS.

Both search the same vectors in the same run, turn about, so that a busy machine is busy for both. Ours goes
through the gallery's own door: the epoch is checked in the database, rows become people, each once.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import faiss
import numpy as np
from numpy.typing import NDArray

from benchmarks.report import BenchResult, Figure
from commands.cli import progress
from gait.gallery.records import Enrolment, NewTemplate
from gait.gallery.search import TemplateIndex
from gait.gallery.store import Gallery
from stream.messages import Array

Vectors = NDArray[np.float32]

DIMENSION: Final = 512
MODEL: Final = "b" * 32
PER_PERSON: Final = 4
BATCHES: Final = (1, 64)
NEAREST: Final = 10
CHUNK: Final = 10_000
"""Templates enrolled in one change; also the enrolment that is timed."""
ROUNDS: Final = 7
ROUND_S: Final = 0.3
STARTED: Final = 100_000
NOISE: Final = 0.5
"""How far queries lie from a template, in lengths of a template: a person seen again."""


@dataclass(frozen=True)
class Pace:
    """Queries a second of ours and of the peer, and ours over the peer's, turn by turn, in the middle."""

    ours: float
    peer: float
    share: float


def configure(parser: argparse.ArgumentParser) -> None:
    """Which sizes, and where to put them."""
    parser.add_argument(
        "--sizes",
        type=_sizes,
        default=(1_000, 10_000, 100_000, 1_000_000),
        metavar="N,N,...",
        help="templates (default 1000,10000,100000,1000000; the last needs 7 GB of memory and 5 GB of disk);"
        " 100000 is always among them",
    )
    parser.add_argument("--folder", type=Path, default=None, help="where the galleries are made, and removed")


def run(arguments: argparse.Namespace) -> BenchResult:
    """Measure every size; the bars are the worst of them."""
    figures: dict[str, Figure] = {"dimension": DIMENSION, "nearest": NEAREST}
    shares: dict[int, list[float]] = {batch: [] for batch in BATCHES}
    recalls: list[float] = []
    values: dict[str, float] = {}
    for size in arguments.sizes:
        with tempfile.TemporaryDirectory(prefix="gaitway-", dir=arguments.folder) as folder:
            path = Path(folder) / "gallery.sqlite"
            enrol_s = _fill(path, size)
            if size >= CHUNK:
                figures[f"{size}.enrol_10k_s"] = values["enrol_s_10k"] = enrol_s
            start_s = _search(path, size, figures, shares, recalls)
            if size == STARTED:
                values["start_s_100k"] = start_s
            figures[f"{size}.remove_s"] = _remove(path)
    values |= {f"share_of_flat_batch_{batch}": min(found) for batch, found in shares.items()}
    values["recall"] = min(recalls)
    return BenchResult.of("gallery", figures, values)


def _sizes(text: str) -> tuple[int, ...]:
    try:
        sizes = tuple(int(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: wanted numbers, as in 1000,10000") from None
    if not all(PER_PERSON * NEAREST <= size <= 4_000_000 for size in sizes):
        raise argparse.ArgumentTypeError(f"sizes from {PER_PERSON * NEAREST} to 4000000")
    return tuple(sorted({*sizes, STARTED}))


def drawn(size: int, seed: int = 0) -> Iterator[Vectors]:
    """``size`` random unit vectors, a chunk at a time."""
    for first in range(0, size, CHUNK):
        rng = np.random.default_rng([seed, first])
        vectors = rng.standard_normal((min(CHUNK, size - first), DIMENSION), dtype=np.float32)
        yield vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def _fill(path: Path, size: int) -> float:
    """Make a gallery of ``size`` templates; the seconds that its first 10k (or all of fewer) took."""
    took: list[float] = []
    with Gallery(path) as gallery, progress(f"enrolling {size}", size) as step:
        for number, vectors in enumerate(drawn(size)):
            people = _people(vectors, number * CHUNK)
            began = time.perf_counter()
            gallery.enrol_many(people)
            took.append(time.perf_counter() - began)
            step.advance(len(vectors))
    return took[0]


def _people(vectors: Vectors, first: int) -> list[Enrolment]:
    templates = [NewTemplate(Array.of(vector), MODEL, 50, 0.9, "bench") for vector in vectors]
    return [
        Enrolment(f"Person {first + at}", tuple(templates[at : at + PER_PERSON]))
        for at in range(0, len(templates), PER_PERSON)
    ]


def _search(
    path: Path, size: int, figures: dict[str, Figure], shares: dict[int, list[float]], recalls: list[float]
) -> float:
    """Start on the gallery and search it beside FAISS; the seconds that the start took."""
    began = time.perf_counter()
    with Gallery(path) as gallery:
        index = TemplateIndex(gallery, MODEL, DIMENSION)
        start_s = time.perf_counter() - began
        figures[f"{size}.start_s"] = start_s
        peer = faiss.IndexFlatIP(DIMENSION)
        for vectors in drawn(size):
            peer.add(vectors)
        queries = _queries(size)
        recalls.append(_recall(index, peer, queries))
        for batch in BATCHES:
            chosen = np.ascontiguousarray(queries[:batch])
            ours, theirs = partial(index.search, chosen, NEAREST), partial(peer.search, chosen, NEAREST)
            pace = _pace(ours, theirs, batch)
            shares[batch].append(pace.share)
            figures[f"{size}.batch_{batch}.queries_per_s"] = pace.ours
            figures[f"{size}.batch_{batch}.flat_queries_per_s"] = pace.peer
            figures[f"{size}.batch_{batch}.share_of_flat"] = pace.share
        figures[f"{size}.recall"] = recalls[-1]
    return start_s


def _queries(size: int) -> Vectors:
    """(64, D) unit vectors near templates of the first chunk."""
    near = next(drawn(size))[: max(BATCHES)]
    noise = np.random.default_rng(1).standard_normal(near.shape, dtype=np.float32)
    mixed = near + NOISE * noise / np.linalg.norm(noise, axis=1, keepdims=True)
    unit: Vectors = mixed / np.linalg.norm(mixed, axis=1, keepdims=True)
    return unit


def _recall(index: TemplateIndex, peer: faiss.IndexFlatIP, queries: Vectors) -> float:
    """Of the people of FAISS's nearest templates, the share that ours finds too."""
    _, rows = peer.search(queries, NEAREST)
    found = index.search(queries, NEAREST)
    hits = total = 0
    for ours, theirs in zip(found, rows, strict=True):
        wanted = {f"p{row // PER_PERSON + 1:06d}" for row in theirs.tolist()}
        hits += len(wanted & set(ours.people))
        total += len(wanted)
    return hits / total


def _pace(ours: Callable[[], object], peer: Callable[[], object], batch: int) -> Pace:
    """Turn about, so that both meet the same machine; the middle of several rounds."""
    calls = max(1, int(ROUND_S / max(1e-6, _seconds(peer, 2))))
    rounds = [(_seconds(ours, calls), _seconds(peer, calls)) for _ in range(ROUNDS)]
    mine, theirs = (float(np.median([pair[side] for pair in rounds])) for side in (0, 1))
    return Pace(batch / mine, batch / theirs, float(np.median([b / a for a, b in rounds])))


def _seconds(call: Callable[[], object], calls: int) -> float:
    began = time.perf_counter()
    for _ in range(calls):
        call()
    return (time.perf_counter() - began) / calls


def _remove(path: Path) -> float:
    """The seconds until a person is gone from the file, bytes and all."""
    with Gallery(path) as gallery:
        began = time.perf_counter()
        gallery.remove("p000001")
        return time.perf_counter() - began
