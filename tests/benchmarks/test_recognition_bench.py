"""The recognition bench's arithmetic: rank-1 across views alone, and strangers' share kept to the letter."""

import numpy as np
import pytest

from benchmarks.recognition import ASIDE, cross_view, missed
from benchmarks.recognition_answers import answered
from gait.data.records import Entry
from gait.identify import Decider
from gait.sample import sample_walk
from gait.score_map import ScoreMap
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


def test_the_decisions_answers_are_counted() -> None:
    person, condition, view = labels(10)
    entries = [Entry(*row, 50) for row in zip(person, condition, view, strict=True)]
    own = np.eye(11, dtype=np.float32)[person.astype(int)]
    shared = np.eye(11, dtype=np.float32)[np.full(len(person), 10)]
    decider = Decider(ScoreMap("m" * 24, -3.0, 4.0, 0.0, 100, 1000, "made up"))

    def told(likeness: float, samples: int = 50) -> dict[str, float]:
        alike = likeness * own + (1 - likeness**2) ** 0.5 * shared
        vectors = np.where((condition == "nm-01")[:, None], own, alike).astype(np.float32)
        return {
            name.split(",")[0]: share
            for name, share in answered(decider, vectors, entries, "nm-01", samples).items()
        }

    sure = told(1.0)
    assert sure == {"answers that are not enough": 0.0, "enrolled named right": 100.0, "strangers named": 0.0}
    assert told(1.0, samples=20)["answers that are not enough"] == 100.0
    unsure = told(0.88)  # nearer to themselves than to anybody, but not near enough for a name
    assert unsure["enrolled named right"] == 0.0
    assert unsure["answers that are not enough"] == pytest.approx(50.0)  # strangers are unknown


def test_a_walk_becomes_samples_of_the_grid() -> None:
    samples = as_samples(sample_walk(0, 5))
    assert [sample.captured_ns for sample in samples] == [0, 40_000_000, 80_000_000, 120_000_000, 160_000_000]
    assert all(sample.valid and sample.joints_3d is not None for sample in samples)
