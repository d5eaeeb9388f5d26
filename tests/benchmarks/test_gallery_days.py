"""The benches of the decision run on few people and judge what they should."""

import argparse

import numpy as np
import pytest

from benchmarks import calibration, traffic
from stream.messages import Identity


def test_a_short_day_has_every_figure() -> None:
    asked = argparse.Namespace(people=12, strangers=0.25, hours=3, passages=24, seed=0)
    result = traffic.run(asked)
    assert result.figures["passages"] == 36
    assert result.figures["strangers"] == 3
    assert result.figures["cluster_purity"] > 0.5
    assert {bar.name for bar in result.bars} == {"blocks_grown_per_passage", "resident_mb_grown"}


def test_verdicts_count_what_was_told() -> None:
    verdicts = traffic.Verdicts(enrolled=2)
    verdicts.take(0, Identity("person", "p1", "Person 0"))
    verdicts.take(1, Identity("person", "p1", "Person 0"))
    verdicts.take(2, Identity("person", "p1", "Person 0"))
    verdicts.take(1, None)
    for person, cluster in ((2, "a"), (2, "a"), (2, "b"), (3, "b")):
        verdicts.take(person, Identity("unknown", cluster=cluster))
    figures = verdicts.figures()
    assert (figures["known_right"], figures["known_named_wrong"], figures["stranger_named_wrong"]) == (
        1,
        1,
        1,
    )
    assert (figures["known_undecided"], figures["clusters"], figures["strangers"]) == (1, 2, 2)
    assert (figures["cluster_purity"], figures["cluster_completeness"]) == (0.75, 0.75)


def test_a_sure_and_wrong_map_has_a_large_error() -> None:
    told = np.full(40, 0.95)
    right, stranger = np.tile([True, False], 20), np.repeat([True, False], 20)
    assert calibration._weighed_error(told, right, stranger) == pytest.approx(0.45, abs=0.05)
