"""Both of HybridGait's samplers: order, spacing, reach, and sequences too short for them."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gait.data.records import Entry
from gait.training.batches import Sampler
from gait.training.clothing.shares import is_variant, source_of, variant_of
from gait.training.config import ClipSection
from gait.training.people import Split
from gait.training.sampling import clip, contiguous_with_drops, every_nth, in_runs, unordered, whole
from stream.errors import ConfigError

lengths = st.integers(1, 400)
seeds = st.integers(0, 2**16)


@given(lengths, seeds)
def test_every_fourth_frame_is_four_after_the_last(have: int, seed: int) -> None:
    chosen = every_nth(have, np.random.default_rng(seed))
    assert len(chosen) == 30
    assert ((np.diff(chosen) - 4) % have == 0).all()
    if have >= 117:
        assert (np.diff(chosen) == 4).all()


@given(st.integers(34, 400), seeds)
def test_thirty_of_thirty_four_contiguous_frames_in_order(have: int, seed: int) -> None:
    chosen = contiguous_with_drops(have, np.random.default_rng(seed))
    assert len(chosen) == 30
    assert (np.diff(chosen) >= 1).all()
    assert chosen[-1] - chosen[0] <= 33
    assert chosen[0] >= 0
    assert chosen[-1] < have


@given(st.integers(1, 33), seeds)
def test_a_short_sequence_is_repeated(have: int, seed: int) -> None:
    chosen = contiguous_with_drops(have, np.random.default_rng(seed))
    assert len(chosen) == 30
    assert chosen.min() >= 0
    assert chosen.max() < have


@given(st.integers(12, 400), seeds)
def test_runs_are_in_a_row_and_do_not_overlap(have: int, seed: int) -> None:
    chosen = in_runs(have, np.random.default_rng(seed), want=12, runs=3).reshape(3, 4)
    assert (np.diff(chosen, axis=1) == 1).all()
    assert (np.diff(chosen[:, 0]) >= 4).all()
    assert chosen.min() >= 0
    assert chosen.max() < have


@given(st.integers(1, 11), seeds)
def test_runs_of_a_short_sequence_are_repeated(have: int, seed: int) -> None:
    chosen = in_runs(have, np.random.default_rng(seed), want=12, runs=3)
    assert len(chosen) == 12
    assert chosen.max() < have


def test_runs_that_do_not_divide_a_clip_are_refused() -> None:
    with pytest.raises(ValueError, match="13 frames are not 2 runs"):
        ClipSection(kind="runs", frames=13, runs=2)


def test_every_start_and_every_drop_occurs() -> None:
    source = np.random.default_rng(0)
    starts = {int(every_nth(120, source)[0]) for _ in range(200)}
    assert starts == {0, 1, 2, 3}
    firsts = {int(contiguous_with_drops(36, source)[0]) for _ in range(400)}
    assert {0, 1, 2, 3} <= firsts


def test_the_same_source_gives_the_same_clip() -> None:
    first, second = (contiguous_with_drops(90, np.random.default_rng(7)) for _ in range(2))
    assert (first == second).all()


@pytest.mark.parametrize("have", [0, -1])
def test_nothing_to_sample_is_refused(have: int) -> None:
    with pytest.raises(ConfigError, match="clip sampling"):
        every_nth(have, np.random.default_rng(0))
    with pytest.raises(ConfigError, match="clip sampling"):
        contiguous_with_drops(have, np.random.default_rng(0))


@given(lengths, seeds, st.sampled_from(["contiguous", "ordered", "unordered"]))
def test_every_kind_gives_as_many_frames_as_asked_for(have: int, seed: int, kind: str) -> None:
    """In reach; in order unless unordered; and none twice before all have come, except in a row."""
    chosen = clip(ClipSection(kind=kind, frames=30), have, np.random.default_rng(seed))
    assert len(chosen) == 30
    assert chosen.min() >= 0
    assert chosen.max() < have
    if kind == "contiguous":
        assert ((np.diff(chosen) - 1) % have == 0).all()
    else:
        counts = np.bincount(chosen, minlength=have)
        assert counts.max() - counts.min() <= 1
    if kind == "ordered":
        assert (np.diff(chosen) >= 0).all()


def test_unordered_is_not_in_order() -> None:
    assert (np.diff(unordered(400, np.random.default_rng(0))) < 0).any()


@pytest.mark.parametrize("kind", ["every_nth", "contiguous_with_drops"])
def test_both_readings_of_interval_four_are_reached_by_the_config(kind: str) -> None:
    direct = {"every_nth": every_nth, "contiguous_with_drops": contiguous_with_drops}[kind]
    wanted = direct(200, np.random.default_rng(5))
    assert (clip(ClipSection(kind=kind), 200, np.random.default_rng(5)) == wanted).all()


def test_a_whole_sequence_is_in_order_and_cut_in_the_middle() -> None:
    assert whole(5, 720).tolist() == [0, 1, 2, 3, 4]
    assert whole(10, 4).tolist() == [3, 4, 5, 6]


def person_with_variants() -> Split:
    own = [Entry("a", "nm", "090", 30, str(number)) for number in range(4)]
    dressed_ones = [variant_of(own[0], "outline", number) for number in range(10)]
    others = [Entry("b", "nm", "090", 30, str(number)) for number in range(4)]
    return Split(("a", "b"), (*own, *dressed_ones, *others), ())


def test_a_walk_in_ten_other_sets_of_clothes_is_seen_as_often_as_any_other() -> None:
    sampler = Sampler(person_with_variants(), people=2, clips=4, seed=0)
    drawn = [one.entry for step in range(300) for one in sampler.draw(step) if one.entry.person == "a"]
    walks = Counter(source_of(entry) or entry.key for entry in drawn)
    assert set(walks.values()) == {300}  # each of the four walks once a batch
    worn = Counter(entry.name for entry in drawn if is_variant(entry))
    assert len(worn) == 10
    assert sum(worn.values()) == pytest.approx(300 * 10 / 11, rel=0.1)


def test_without_variants_the_same_sequences_are_drawn_as_ever() -> None:
    split = person_with_variants()
    plain = Split(split.people, tuple(entry for entry in split.train if not is_variant(entry)), ())
    drawn = [one.entry.name for one in Sampler(plain, people=2, clips=3, seed=7).draw(0)]
    rng = np.random.default_rng([7, 0])
    rng.permutation(2)
    assert drawn == [str(number) for _ in range(2) for number in rng.permutation(4)[:3]]
