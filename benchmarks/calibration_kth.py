"""Part of ``bench calibration``: real people pass a camera, half of them enrolled; whom does it name?

KTH's walkers in four scenes, found and outlined by the pipeline. Within a scene the first two passes of
half of the people are enrolled and everybody's later passes asked about, one after the other, so that the
camera's level is learned as it goes; then the other half is. From scene to scene all passes count. The same
once more with no level, by the map and the cohort alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Final

import msgspec

from benchmarks.decisions import index_of, shown
from benchmarks.report import Figure
from commands.kth import perceived_passes
from gait.decision_level import Level
from gait.embedder import Embedder, Vector
from gait.evaluation.kth import Pass
from gait.identify import Decider
from gait.training.synthetic import as_samples

ENROLLED: Final = 2
"""Passes of a person that are enrolled, where later ones of the same scene are asked about."""
FROM: Final = "d1"


@dataclass(frozen=True)
class Seen:
    """One pass that perception found: who, where, the how manieth there, and what it shows."""

    person: str
    scene: str
    turn: int
    samples: int
    vector: Vector


@dataclass
class Told:
    """How many enrolled passes were named right, and how many strangers' were named at all."""

    enrolled: int = 0
    right: int = 0
    strangers: int = 0
    named: int = 0


def real_strangers(figures: dict[str, Figure], folder: Path, embedder: Embedder, decider: Decider) -> None:
    """Add who was named, within scenes and from scene to scene, with the camera's level and without it."""
    seen = _seen(perceived_passes(folder), embedder)
    scenes = sorted({one.scene for one in seen})
    deaf = Decider(msgspec.structs.replace(decider.score_map, others=None), decider.config, decider.cohort)
    ways = {"level": decider, "no_level": deaf}
    tasks = {
        "same_scene": [(scene, scene) for scene in scenes],
        "other_scene": [(FROM, scene) for scene in scenes if scene != FROM],
    }
    figures["kth.people"] = len({one.person for one in seen})
    for task, pairs in tasks.items():
        for way, chosen in ways.items():
            told = Told()
            for at, asked in pairs:
                for half in (0, 1):
                    _ask(told, seen, at, asked, half, chosen)
            figures[f"kth.{task}.{way}.named_right"] = told.right / max(1, told.enrolled)
            figures[f"kth.{task}.{way}.strangers_named"] = told.named / max(1, told.strangers)
            figures[f"kth.{task}.asked"] = told.enrolled + told.strangers


def _seen(passes: Sequence[Pass], embedder: Embedder) -> list[Seen]:
    """Everybody's passes by scene, each in their order."""
    found = []
    for (person, scene), theirs in groupby(
        sorted(passes, key=lambda one: (one.person, one.scene, one.number)),
        key=lambda one: (one.person, one.scene),
    ):
        for turn, one in enumerate(theirs):
            if one.walk is None:
                continue
            samples = as_samples(one.walk)
            memory = embedder.open()
            embedder.extend([memory] * len(samples), samples)
            answer = embedder.embed(memory, samples[0].captured_ns, samples[-1].captured_ns)
            if answer is not None:
                found.append(Seen(person, scene, turn, len(samples), answer.vector))
    return found


def _ask(told: Told, seen: Sequence[Seen], at: str, asked: str, half: int, decider: Decider) -> None:
    """Enrol half of the people ``at`` a scene and ask about everybody who passes the ``asked`` one."""
    within = at == asked
    people = sorted({one.person for one in seen})[half::2]
    enrolled = [
        one
        for one in seen
        if one.scene == at and one.person in people and (not within or one.turn < ENROLLED)
    ]
    index = index_of(
        [one.vector for one in enrolled], [one.person for one in enrolled], decider.score_map.model
    )
    level = Level()
    probes = [one for one in seen if one.scene == asked and (not within or one.turn >= ENROLLED)]
    for one in sorted(probes, key=lambda one: (one.turn, one.person)):
        (belief,) = decider.believe([shown(one.vector, one.samples, decider)], index, level)
        level.learn(belief.others)
        answer = decider.answer(belief, index)
        if one.person in people:
            told.enrolled += 1
            told.right += answer.person == one.person
        else:
            told.strangers += 1
            told.named += answer.answer == "person"
