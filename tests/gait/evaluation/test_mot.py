"""The tracking measures on cases whose answer is known, and on what every result must obey."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gait.evaluation.mot import MotCounts, MotScores, count, frames_of, overlaps, scores

Row = tuple[int, int, tuple[float, float, float, float]]


def box(x: float) -> tuple[float, float, float, float]:
    return (x, 0.0, x + 10.0, 20.0)


def lane(who: int, x: float, frames: range) -> list[Row]:
    """Somebody who stands at ``x``."""
    return [(frame, who, box(x)) for frame in frames]


def judged(truth: list[Row], found: list[Row]) -> MotScores:
    return scores(count(frames_of(truth, found)))


TWO = lane(1, 0.0, range(1, 11)) + lane(2, 100.0, range(1, 11))


def test_what_equals_the_truth_scores_everything() -> None:
    one = judged(TWO, [(frame, who + 40, where) for frame, who, where in TWO])
    shares = (one.hota, one.deta, one.assa, one.loca, one.idf1, one.mota, one.motp)
    assert shares == pytest.approx([100.0] * 7)
    assert (one.false_positives, one.false_negatives, one.switches, one.boxes, one.people) == (0, 0, 0, 20, 2)


def test_nothing_found_scores_nothing() -> None:
    one = judged(TWO, [])
    assert (one.hota, one.idf1, one.mota, one.false_negatives) == (0.0, 0.0, 0.0, 20)


def test_an_identity_that_changes_halfway_is_one_switch_and_half_an_association() -> None:
    truth = lane(1, 0.0, range(1, 11))
    one = judged(truth, lane(7, 0.0, range(1, 6)) + lane(8, 0.0, range(6, 11)))
    assert one.switches == 1
    assert one.mota == pytest.approx(90.0)
    assert one.idf1 == pytest.approx(50.0)
    assert (one.deta, one.assa) == (pytest.approx(100.0), pytest.approx(50.0))
    assert one.hota == pytest.approx(100.0 * np.sqrt(0.5))


def test_two_that_swap_are_two_switches() -> None:
    crossed = [(f, w if f <= 5 else 3 - w, where) for f, w, where in TWO]
    one = judged(TWO, crossed)
    assert (one.switches, one.false_positives, one.false_negatives) == (2, 0, 0)
    assert one.assa == pytest.approx(100.0 / 3.0)


def test_a_gap_is_missed_and_an_identity_kept_over_it_is_no_switch() -> None:
    truth = lane(1, 0.0, range(1, 11))
    one = judged(truth, [row for row in truth if row[0] not in (4, 5)])
    assert (one.switches, one.false_negatives) == (0, 2)
    assert one.mota == pytest.approx(80.0)


def test_a_box_on_nobody_is_false_also_where_the_truth_has_no_frame() -> None:
    one = judged(lane(1, 0.0, range(1, 5)), lane(1, 0.0, range(1, 5)) + lane(9, 500.0, range(3, 7)))
    assert one.false_positives == 4
    assert one.mota == pytest.approx(0.0)


def test_a_pair_goes_on_though_another_overlaps_more() -> None:
    truth = [(1, 1, box(0.0)), (2, 1, box(0.0))]
    found = [(1, 5, box(0.0)), (2, 5, box(2.0)), (2, 6, box(0.0))]
    one = judged(truth, found)
    assert (one.switches, one.false_positives) == (0, 1)


def test_overlap_of_half_counts_and_less_does_not() -> None:
    third = judged([(1, 1, box(0.0))], [(1, 1, box(5.0))])
    assert (third.false_negatives, third.false_positives) == (1, 1)
    half = judged([(1, 1, (0.0, 0.0, 10.0, 20.0))], [(1, 1, (0.0, 0.0, 10.0, 10.0))])
    assert (half.false_negatives, half.false_positives) == (0, 0)
    assert half.motp == pytest.approx(50.0)


def test_sequences_are_scored_together_by_their_counts() -> None:
    good = count(frames_of(TWO, TWO))
    bad = count(frames_of(TWO, []))
    both = scores(sum([good, bad], MotCounts()))
    assert (both.boxes, both.people, both.false_negatives) == (40, 4, 20)
    assert both.mota == pytest.approx(50.0)
    assert both.deta == pytest.approx(50.0)


def test_overlaps_of_empty_boxes_are_none() -> None:
    empty = np.array([[0.0, 0.0, 0.0, 0.0]])
    assert overlaps(empty, empty).tolist() == [[0.0]]
    assert overlaps(np.zeros((0, 4)), empty).shape == (0, 1)


rows = st.dictionaries(
    st.tuples(st.integers(1, 6), st.integers(0, 3)), st.floats(0, 60).map(box), max_size=16
).map(lambda found: [(frame, who, where) for (frame, who), where in found.items()])


@settings(max_examples=60)
@given(rows, rows)
def test_every_share_stays_within_bounds_and_counts_add_up(truth: list[Row], found: list[Row]) -> None:
    one = judged(truth, found)
    for name in ("hota", "deta", "assa", "loca", "idf1", "idp", "idr", "motp"):
        assert 0.0 <= getattr(one, name) <= 100.0 + 1e-9, name
    assert one.mota <= 100.0
    assert one.boxes - one.false_negatives == len(found) - one.false_positives


@settings(max_examples=60)
@given(rows, rows, st.permutations(range(4)), st.randoms())
def test_names_and_order_of_rows_do_not_matter(
    truth: list[Row], found: list[Row], names: list[int], random
) -> None:
    renamed = [(frame, names[who], where) for frame, who, where in found]
    random.shuffle(renamed)
    assert judged(truth, found).idf1 == pytest.approx(judged(truth, renamed).idf1)
