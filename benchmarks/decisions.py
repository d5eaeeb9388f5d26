"""What the benches share that ask the running decision: the shipped one, and what one walk showed it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

import numpy as np

from commands.config import PipelineConfig
from commands.recogniser import maps_of
from gait.embedder import ModelInfo, Vector
from gait.gallery.index import GalleryIndex
from gait.identify import Decider, DecisionConfig, Pool
from stream.messages import Array, Embedding, TrackletId

KEY: Final = TrackletId("bench", "run", 0)
NOWHERE: Final = (0.0, 0.0, 0.0, 0.0)
SAMPLE_NS: Final = 40_000_000


def decider_of(embedder: Literal["shipped", "shipped-larger"], model: ModelInfo) -> Decider:
    """The decision as it ships with a net in the box: its map, and its cohort."""
    score_map, told = maps_of(PipelineConfig(embedder=embedder), model)
    cohort, decision_map = told or (None, score_map)
    return Decider(decision_map, DecisionConfig(), cohort)


def shown(vector: Vector, samples: int, decider: Decider) -> Pool:
    """The pool of a track that showed one window of so many samples, all good."""
    pool = Pool(decider.config.half_life_s)
    array, model = Array.of(vector), decider.score_map.model
    pool.add(Embedding(KEY, 0, samples * SAMPLE_NS, array, samples, 1.0, model, NOWHERE))
    return pool


def index_of(vectors: Sequence[Vector], owners: Sequence[str], model: str) -> GalleryIndex:
    """Those vectors as a gallery; each owner's lie next to each other."""
    people = tuple(dict.fromkeys(owners))
    firsts = np.array([owners.index(person) for person in people], np.intp)
    return GalleryIndex(model, 1, people, people, np.stack(vectors), firsts)
