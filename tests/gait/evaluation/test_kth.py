"""KTH walking: passes from tracks, misses that count, and the cache that spares perception a second look."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from gait.data.errors import DataError
from gait.evaluation.kth import Clip, Pass, between, clips_in, comparisons, passes_of, rank_1
from gait.evaluation.kth_cache import PassCache
from gait.inputs import Walk
from gait.sample import sample_walk
from stream.messages import Array, FrameRef, Sample, Tracked, TrackletId

CLIP = Clip(Path("person11_walking_d1_uncomp.avi"), "11", "d1")


def samples(n: int, frames: Sequence[int], valid: bool = True) -> list[Sample]:
    walk = sample_walk(n, 1)
    silhouette, joints = Array.of(walk.silhouettes[0]), Array.of(walk.joints_2d[0])
    key = TrackletId("clip", "0", n)
    return [Sample(key, at * 40_000_000, silhouette, joints, None, valid, 1.0) for at in frames]


def tracked(*spells: Sequence[Sample]) -> list[Tracked]:
    frame = FrameRef("clip", "0", 0, 0, 0, 320, 240)
    return [Tracked(frame, (), tuple(spell)) for spell in spells]


def one_pass(person: str, scene: str, number: int, found: bool = True) -> Pass:
    return Pass(person, scene, number, 0, 30, sample_walk(number, 3) if found else None)


def test_every_spell_of_a_walker_is_a_pass_in_time_order() -> None:
    spells = [samples(k, range(start, start + 30)) for k, start in enumerate((400, 0, 130, 260))]
    passes = passes_of(CLIP, tracked(*spells))
    assert [(one.number, one.first, one.last) for one in passes] == [
        (1, 0, 29),
        (2, 130, 159),
        (3, 260, 289),
        (4, 400, 429),
    ]
    assert all(one.walk is not None and len(one.walk.silhouettes) == 30 for one in passes)


def test_a_pass_that_nobody_saw_is_still_there() -> None:
    passes = passes_of(CLIP, tracked(samples(0, range(30)), samples(1, range(100, 105))))
    assert [one.walk is None for one in passes] == [False, True, True, True]
    assert "not found" in str(passes[1])


def test_tracklets_that_follow_closely_are_one_pass_and_a_ghost_beside_a_walker_is_none() -> None:
    first, second = samples(0, range(30)), samples(1, range(40, 80))
    ghost = samples(2, range(10, 30))
    passes = passes_of(CLIP, tracked(first, second, ghost))
    assert (passes[0].first, passes[0].last) == (0, 79)
    assert passes[0].walk is not None
    assert len(passes[0].walk.silhouettes) == 70
    assert passes[1].walk is None


def test_samples_that_the_gate_refused_are_left_out() -> None:
    passes = passes_of(CLIP, tracked(samples(0, range(40), valid=False)))
    assert all(one.walk is None for one in passes)


def test_scenes_are_compared_within_and_with_the_first() -> None:
    passes = [one_pass(p, s, n) for p in ("1", "2") for s in ("d1", "d3") for n in range(1, 5)]
    found = {one.name: one for one in comparisons(passes)}
    assert set(found) == {"d1", "d3", "d1->d3"}
    assert (len(found["d1"].probes), len(found["d1"].gallery)) == (4, 4)
    assert (len(found["d1->d3"].probes), len(found["d1->d3"].gallery)) == (8, 8)
    assert {passes[k].number for k in found["d1"].gallery} == {1, 2}


def test_a_pass_without_an_answer_is_a_miss() -> None:
    passes = [one_pass(p, "d1", n, found=(p, n) != ("2", 4)) for p in ("1", "2") for n in range(1, 5)]
    place = {"1": 0.0, "2": 1.0}
    features = [None if one.walk is None else np.array([[place[one.person], 1.0]]) for one in passes]
    (same,) = comparisons(passes)
    found = rank_1(same, passes, between(features, "euclidean"))
    assert (found.hits, found.probes, found.unanswered) == (3, 4, 1)


def test_a_folder_without_clips_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "person11_boxing_d1_uncomp.avi").touch()
    with pytest.raises(DataError, match="no walking clip"):
        clips_in(tmp_path)
    (tmp_path / "person09_walking_d2_uncomp.avi").touch()
    assert [(one.person, one.scene) for one in clips_in(tmp_path)] == [("09", "d2")]


def test_the_cache_gives_back_what_was_perceived_and_looks_again_when_it_must(tmp_path: Path) -> None:
    path = tmp_path / "person11_walking_d1_uncomp.avi"
    path.write_bytes(b"a clip")
    clip, looks = Clip(path, "11", "d1"), []

    def perceive(_: Clip) -> list[Pass]:
        looks.append(1)
        return [one_pass("11", "d1", 1), one_pass("11", "d1", 2, found=False)]

    cache = PassCache(tmp_path / "cache", "nets 1")
    first, again = cache.passes(clip, perceive), cache.passes(clip, perceive)
    assert len(looks) == 1
    walk, stored = first[0].walk, again[0].walk
    assert isinstance(walk, Walk)
    assert isinstance(stored, Walk)
    np.testing.assert_array_equal(walk.silhouettes, stored.silhouettes)
    np.testing.assert_array_equal(walk.joints_2d, stored.joints_2d)
    assert again[1].walk is None

    (kept,) = (tmp_path / "cache").iterdir()
    kept.write_bytes(kept.read_bytes()[:100])  # cut short
    cache.passes(clip, perceive)
    PassCache(tmp_path / "cache", "nets 2").passes(clip, perceive)  # other nets
    path.write_bytes(b"another clip")
    cache.passes(clip, perceive)
    assert len(looks) == 4
