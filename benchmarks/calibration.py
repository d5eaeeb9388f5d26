"""``bench calibration``: do told probabilities come true on people whom the map has never seen?

The net in the box is judged with the cohort and the map that ship, on walkers of the street in any clothes:
two visits, within a right angle of each other. With ``--embedder baseline`` averaged silhouettes are, on the
drawn walkers of ``gait/sample.py``, clothed anew for each visit, the map fitted on others of them. Galleries
are of three sizes, half of all probes strangers. With ``--usf`` the same on real silhouettes: with a map
fitted on other people of that data set (in-domain), and with what ships, which is made of rendered walkers
(out-of-domain). With ``--kth`` real people pass one camera, half of them strangers (``calibration_kth``).
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.calibration_kth import real_strangers
from benchmarks.decisions import decider_of, shown
from benchmarks.report import BenchResult, Figure
from calibration import shipped_scores
from calibration.fitting import fit
from calibration.scores import reliability
from calibration.tracks import LabelledTracks
from commands.cli import Step, progress, whole
from commands.config import PipelineConfig
from commands.recogniser import recogniser
from gait.data.preparations.usf import read_tensors
from gait.embedder import Embedder, Vector
from gait.evaluation.bootstrap import draws
from gait.evaluation.kth import clips_in
from gait.evaluation.open_set import OpenSet, fnir_at_fpir
from gait.gallery.index import GalleryIndex
from gait.identify import Decider, DecisionConfig
from gait.models.weights import NETS
from gait.sample import sample_walk
from gait.score_map import built_in_map
from stream.errors import ConfigError
from stream.messages import Array, Sample, TrackletId

Vectors = NDArray[np.float32]
Frames = NDArray[np.uint8]

FIRST: Final = 60_000_000
"""The first rendered walker; nobody near is trained on or fitted on."""
FITTED_ON: Final = 120
VISITS: Final = 2
"""One to enrol and one to probe: the map is fitted on scores against one template, as it is judged."""
SIZES: Final = (10, 100, 1000)
PROBES: Final = 400
"""Strangers, and enrolled people at the most, who probe each gallery."""
FRAMES: Final = 50
STEP_NS: Final = 40_000_000
FPIR: Final = 0.01
REPLICATES: Final = 300
KEY: Final = TrackletId("bench", "run", 0)
NOWHERE: Final = (0.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Trials:
    """Probes (Q, D) against a gallery (P, D): whose row of it each one is, or -1, and whose visit."""

    gallery: Vectors
    probes: Vectors
    owner: NDArray[np.int64]
    people: NDArray[np.int64]


def configure(parser: argparse.ArgumentParser) -> None:
    """Whose vectors, and where real silhouettes are, if at all."""
    parser.add_argument(
        "--embedder",
        choices=("baseline", *NETS),
        default="shipped",
        help="averaged silhouettes, or a net in the box with its cohort (default: shipped)",
    )
    parser.add_argument("--usf", type=Path, metavar="DIR", help="USF HumanID as Gal.mat and PrbA.mat")
    parser.add_argument(
        "--kth", type=Path, metavar="DIR", help="KTH's walking clips: half of their people as strangers"
    )
    parser.add_argument("--seed", type=whole(0), default=0)


def run(arguments: argparse.Namespace) -> BenchResult:
    """Fit, then judge on unseen people at every size."""
    if arguments.kth:
        clips_in(arguments.kth)  # a folder without clips is told before the minutes that all else takes
    figures: dict[str, Figure] = {"walkers_fitted_on": FITTED_ON, "fpir": FPIR}
    figures["embedder"] = arguments.embedder
    fitted_here = arguments.embedder == "baseline"
    embedder = recogniser(PipelineConfig(embedder=arguments.embedder))
    see = drawn_visit if fitted_here else rendered_visit
    people = max(SIZES) + PROBES
    with progress("walkers", (FITTED_ON * VISITS if fitted_here else 0) + people + PROBES) as step:
        if fitted_here:
            decider = _fitted(embedder, arguments.seed, step)
        else:
            decider = decider_of("shipped", embedder.model)
        first = _visits(embedder, see, range(max(SIZES)), 0, arguments.seed, step)
        probes = [*range(PROBES), *range(people - PROBES, people)]
        again = _visits(embedder, see, probes, 1, arguments.seed, step)
    errors = []
    for size in SIZES:
        errors.append(_judge(figures, f"gallery_{size}", decider, _trials(first, again, size)))
    if arguments.usf:
        _real(figures, arguments.usf, embedder)
    if arguments.kth:
        real_strangers(figures, arguments.kth, embedder, decider)
    return BenchResult.of("calibration", figures, {"expected_calibration_error": max(errors)})


def _trials(first: Vectors, again: Vectors, size: int) -> Trials:
    """The first ``size`` people enrolled; as many of them as probe, and strangers, in equal numbers."""
    known = min(size, PROBES)
    probes = np.concatenate([again[:known], again[PROBES:]])
    owner = np.concatenate([np.arange(known), np.full(PROBES, -1)])
    return Trials(first[:size], probes, owner, np.arange(len(owner)))


def _judge(figures: dict[str, Figure], name: str, decider: Decider, trials: Trials) -> float:
    """Add calibration error and misses to the figures; the calibration error."""
    told = _told(decider, trials)
    people, best = told[:, :-1], told.argmax(axis=1)
    right = best == np.where(trials.owner < 0, people.shape[1], trials.owner)
    error = _weighed_error(told.max(axis=1), right, trials.owner < 0)
    mated = trials.owner >= 0
    rows = np.arange(int(mated.sum()))
    own = people[mated][rows, trials.owner[mated]]
    place = 1 + (people[mated] > own[:, None]).sum(axis=1)
    strangers = -people[~mated].max(axis=1)
    opened = OpenSet(strangers, trials.people[~mated], -own, place, trials.people[mated])
    value = fnir_at_fpir(opened, FPIR)
    again = [fnir_at_fpir(opened, FPIR, weights=w) for w in draws(int(trials.people.max()) + 1, REPLICATES)]
    low, high = np.nanquantile(again, [0.025, 0.975])
    figures[f"{name}.ece"] = error
    figures[f"{name}.fnir_at_fpir_1pc"] = value
    figures[f"{name}.fnir_low"], figures[f"{name}.fnir_high"] = float(low), float(high)
    figures[f"{name}.rank_1"] = float((place == 1).mean())
    return error


def _weighed_error(told: NDArray[np.float64], right: NDArray[np.bool_], stranger: NDArray[np.bool_]) -> float:
    """The expected calibration error with strangers as frequent as enrolled people, as the prior says."""
    rng = np.random.default_rng(0)
    pools = [np.flatnonzero(stranger), np.flatnonzero(~stranger)]
    chosen = np.concatenate([rng.choice(pool, 4 * PROBES) for pool in pools])
    return reliability(told[chosen], right[chosen]).expected_error


def _told(decider: Decider, trials: Trials) -> NDArray[np.float64]:
    """(Q, P + 1) probabilities of each person, and last of a stranger; each probe alone before its camera."""
    people = tuple(f"p{n:06d}" for n in range(len(trials.gallery)))
    index = GalleryIndex(decider.score_map.model, 1, people, people, trials.gallery, np.arange(len(people)))
    told = []
    for vector in trials.probes:
        told.append(decider.believe([shown(vector, FRAMES, decider)], index)[0].probabilities)
    return np.stack(told)


def _fitted(embedder: Embedder, seed: int, step: Step) -> Decider:
    """A map on people of their own."""
    people = range(100_000, 100_000 + FITTED_ON)
    vectors = [_visits(embedder, drawn_visit, people, visit, seed, step) for visit in range(VISITS)]
    owners = np.tile([str(person) for person in people], VISITS)
    visits = np.repeat([str(visit) for visit in range(VISITS)], FITTED_ON)
    samples = np.full(len(owners), float(FRAMES))
    tracks = LabelledTracks(embedder.model.digest, np.concatenate(vectors), owners, visits, samples)
    return Decider(fit(tracks, FPIR, "drawn walkers").score_map, DecisionConfig())


See = Callable[[int, int, int], list[Sample]]


def _visits(
    embedder: Embedder, see: See, people: Sequence[int], visit: int, seed: int, step: Step
) -> Vectors:
    """(people, D) what one visit of each shows."""
    found = []
    for person in people:
        found.append(_embedded(embedder, see(seed, person, visit)))
        step.advance(1)
    return np.stack(found)


def rendered_visit(seed: int, person: int, visit: int) -> list[Sample]:
    """A walker of the street, any clothes and any view within a right angle, as perception would see them."""
    return shipped_scores.visit(FIRST + 100_000 * seed + person, visit)[:FRAMES]


def drawn_visit(seed: int, person: int, visit: int) -> list[Sample]:
    """A walker from the side, in a visit's clothes."""
    rng = np.random.default_rng([seed, person, visit])
    walk = sample_walk(person, FRAMES, float(rng.random()))
    return _samples(_clothed(walk.silhouettes, rng), walk.joints_3d)


def _clothed(silhouettes: Frames, rng: np.random.Generator) -> Frames:
    """The walk in a visit's clothes and segmentation: thicker or thinner, wider or narrower, frayed."""
    thick, wide = rng.normal(0.0, 0.8), rng.normal(1.0, 0.03)
    kernel = np.ones((2, 2), np.uint8)
    centre = silhouettes.shape[2] / 2
    stretch = np.array([[wide, 0, centre * (1 - wide)], [0, 1, 0]])
    clothed = []
    for frame in silhouettes:
        image = cv2.warpAffine(frame, stretch, (frame.shape[1], frame.shape[0]))
        for _ in range(round(abs(thick))):
            image = cv2.dilate(image, kernel) if thick > 0 else cv2.erode(image, kernel)
        image[rng.random(image.shape) < 0.03] = 0
        clothed.append(image)
    return np.stack(clothed).astype(np.uint8)


def _samples(silhouettes: Frames, joints_3d: NDArray[np.float32] | None = None) -> list[Sample]:
    blank = Array.of(np.zeros((16, 3), np.float32))
    return [
        Sample(
            KEY,
            at * STEP_NS,
            Array.of(image),
            blank,
            blank if joints_3d is None else Array.of(joints_3d[at]),
            True,
            1.0,
        )
        for at, image in enumerate(silhouettes)
    ]


def _embedded(embedder: Embedder, samples: list[Sample]) -> Vector:
    """The vector (D,) of a walk."""
    memory = embedder.open()
    embedder.extend([memory] * len(samples), samples)
    answer = embedder.embed(memory, 0, len(samples) * STEP_NS)
    if answer is None:
        raise ConfigError("a walk shows nobody", wanted="silhouettes")
    return answer.vector


def _real(figures: dict[str, Figure], folder: Path, embedder: Embedder) -> None:
    """The same on real silhouettes: half of the people for the map, the other half to judge, half of those
    enrolled.
    """
    model = embedder.model
    gallery, owners = _usf(folder / "Gal.mat", embedder)
    probes, seen = _usf(folder / "PrbA.mat", embedder)
    people = np.unique(owners)
    fitted_on, enrolled, strangers = people[::2], people[1::4], people[3::4]
    first = {person: _mean(gallery[owners == person]) for person in people.tolist()}
    again = {person: _mean(probes[seen == person]) for person in people.tolist() if (seen == person).any()}
    mine = [person for person in fitted_on.tolist() if person in again]
    vectors = np.stack([*(first[person] for person in mine), *(again[person] for person in mine)])
    whose, visits = np.tile(np.array(mine, dtype=np.str_), 2), np.repeat(["gallery", "probe"], len(mine))
    tracks = LabelledTracks(model.digest, vectors, whose, visits, np.full(len(whose), float(FRAMES)))
    asked = [person for person in [*enrolled.tolist(), *strangers.tolist()] if person in again]
    place = {person: at for at, person in enumerate(enrolled.tolist())}
    owner = np.array([place.get(person, -1) for person in asked])
    known = np.stack([first[person] for person in enrolled.tolist()])
    trials = Trials(known, np.stack([again[person] for person in asked]), owner, np.arange(len(asked)))
    figures["usf.people_fitted_on"], figures["usf.enrolled"] = len(fitted_on), len(enrolled)
    _judge(figures, "usf.in_domain", Decider(fit(tracks, FPIR, "USF").score_map, DecisionConfig()), trials)
    elsewhere = _baseline() if model.name == "baseline" else decider_of("shipped", model)
    _judge(figures, "usf.out_of_domain", elsewhere, trials)


def _mean(vectors: Vectors) -> Vectors:
    total = vectors.sum(axis=0)
    unit: Vectors = (total / np.linalg.norm(total)).astype(np.float32)
    return unit


def _baseline() -> Decider:
    return Decider(built_in_map("baseline"), DecisionConfig())


def _usf(path: Path, embedder: Embedder) -> tuple[Vectors, NDArray[np.int64]]:
    """Vectors (n, D) and people (n,) of half-cycles that somebody known walks."""
    tensors = read_tensors(path)
    kept = np.flatnonzero(tensors.labels > 0)
    found = []
    for number in kept:
        frames = tensors.frames[number].astype(np.float32) * 255
        large = np.stack([cv2.resize(frame, (44, 64)) for frame in frames])
        found.append(_embedded(embedder, _samples(large.clip(0, 255).astype(np.uint8))))
    return np.stack(found), tensors.labels[kept]
