"""Part of ``bench recognition``: what the decision answers, each walk alone before an unknown camera.

Half of the people are enrolled with their first walk in every view; all other walks are asked about.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.decisions import index_of, shown
from gait.data.records import Entry
from gait.identify import Decider


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
    people = np.array([entry.person for entry in entries])
    everyone = np.unique(people)
    first = np.array([entry.condition == enrolled_walk for entry in entries])
    rows = np.flatnonzero(first & np.isin(people, everyone[: len(everyone) // 2]))
    rows = rows[np.argsort(people[rows], kind="stable")]
    index = index_of(list(vectors[rows]), people[rows].tolist(), decider.score_map.model)
    asked = np.flatnonzero(~first)
    answers = []
    for row in asked:
        (belief,) = decider.believe([shown(vectors[row], samples, decider)], index)
        answers.append(decider.answer(belief, index))
    known = np.isin(people[asked], index.people)
    short = np.array([answer.answer == "insufficient_evidence" for answer in answers])
    named = np.array([answer.name or "" for answer in answers])
    return {
        "answers that are not enough, percent": float(100 * short.mean()),
        "enrolled named right, percent": float(100 * (named == people[asked])[known].mean()),
        "strangers named, percent": float(100 * (named != "")[~known].mean()),
    }
