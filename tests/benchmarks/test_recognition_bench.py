"""The recognition bench's arithmetic: rank-1 across views alone, and strangers' share kept to the letter."""

import numpy as np

from benchmarks.recognition import ASIDE, cross_view, missed
from gait.sample import sample_walk
from gait.training.synthetic import CONDITIONS, VIEWS, as_samples


def labels(people: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rows = [(f"{p:02d}", c, f"{v:03d}") for p in range(people) for c in CONDITIONS for v in VIEWS]
    person, condition, view = (np.array(part) for part in zip(*rows, strict=True))
    return person, condition, view


def test_who_is_like_themselves_in_every_view_is_always_found() -> None:
    person, condition, view = labels(3)
    apart = (person[:, None] != person[None]).astype(np.float32)
    assert cross_view(apart, person, condition, view, "bg-01") == 100.0


def test_the_own_view_does_not_help() -> None:
    person, condition, view = labels(3)
    same_view = view[:, None] == view[None]
    apart = np.where(same_view, person[:, None] != person[None], person[:, None] == person[None])
    assert cross_view(apart.astype(np.float32), person, condition, view, "nm-05") == 0.0


def test_views_can_be_left_out() -> None:
    person, condition, view = labels(3)
    frontal = (view[:, None] == "000") | (view[None] == "000")
    apart = np.where(frontal, person[:, None] == person[None], person[:, None] != person[None])
    apart = apart.astype(np.float32)
    assert cross_view(apart, person, condition, view, "nm-05", ASIDE) == 100.0
    assert cross_view(apart, person, condition, view, "nm-05") < 80.0


def test_misses_are_counted_where_one_stranger_in_a_hundred_passes() -> None:
    person, condition, view = labels(10)
    apart = (person[:, None] != person[None]).astype(np.float32)
    assert missed(apart, person, condition) == 0.0
    # Everybody as near to everybody: nobody may be named.
    assert missed(np.zeros_like(apart), person, condition) == 100.0
    del view


def test_a_walk_becomes_samples_of_the_grid() -> None:
    samples = as_samples(sample_walk(0, 5))
    assert [sample.captured_ns for sample in samples] == [0, 40_000_000, 80_000_000, 120_000_000, 160_000_000]
    assert all(sample.valid and sample.joints_3d is not None for sample in samples)
