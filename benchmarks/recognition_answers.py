"""Part of ``bench recognition``: what the decision answers, each walk alone before an unknown camera.

Half of the people are enrolled with their first walk in every view; all other walks are asked about.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from commands.config import PipelineConfig
from commands.recogniser import maps_of
from gait.data.records import Entry
from gait.embedder import ModelInfo
from gait.gallery.index import GalleryIndex
from gait.identify import Decider, DecisionConfig, Pool
from stream.messages import Array, Embedding, Identity, TrackletId

KEY: Final = TrackletId("bench", "run", 0)
NOWHERE: Final = (0.0, 0.0, 0.0, 0.0)
SAMPLE_NS: Final = 40_000_000


def decider_of(embedder: Literal["shipped", "shipped-larger"], model: ModelInfo) -> Decider:
    """The decision as it ships with a net in the box."""
    score_map, told = maps_of(PipelineConfig(embedder=embedder), model)
    cohort, decision_map = told or (None, score_map)
    return Decider(decision_map, DecisionConfig(), cohort)


def answered(
    decider: Decider,
    vectors: NDArray[np.float32],
    entries: Sequence[Entry],
    enrolled_walk: str,
    samples: int,
) -> dict[str, float]:
    """Shares in percent: answers that are not enough, of the enrolled who is named right, of strangers named.

    ``vectors`` (N, D), one per entry, rest on so many ``samples`` each.
    """
    model = decider.score_map.model
    people = np.array([entry.person for entry in entries])
    everyone = np.unique(people)
    enrolled = everyone[: len(everyone) // 2]
    first = np.array([entry.condition == enrolled_walk for entry in entries])
    rows = [np.flatnonzero(first & (people == person)) for person in enrolled]
    firsts = np.cumsum([0] + [len(row) for row in rows[:-1]])
    names = tuple(enrolled.tolist())
    index = GalleryIndex(model, 1, names, names, vectors[np.concatenate(rows)], firsts)
    asked = np.flatnonzero(~first)
    answers = [_answer(decider, vectors[row], samples, index) for row in asked]
    known = np.isin(people[asked], enrolled)
    short = np.array([answer.answer == "insufficient_evidence" for answer in answers])
    named = np.array([answer.name or "" for answer in answers])
    return {
        "answers that are not enough, percent": float(100 * short.mean()),
        "enrolled named right, percent": float(100 * (named == people[asked])[known].mean()),
        "strangers named, percent": float(100 * (named != "")[~known].mean()),
    }


def _answer(decider: Decider, vector: NDArray[np.float32], samples: int, index: GalleryIndex) -> Identity:
    pool = Pool(decider.config.half_life_s)
    end_ns, model = samples * SAMPLE_NS, decider.score_map.model
    pool.add(Embedding(KEY, 0, end_ns, Array.of(vector), samples, 1.0, model, NOWHERE))
    (belief,) = decider.believe([pool], index)
    return decider.answer(belief, index)
