"""People in several recordings: pairs across clips alone, and the nearest of the others."""

import argparse
from pathlib import Path

import numpy as np
import pytest

from benchmarks.clips import Appearance, Clip, _check_names, _clip, _nearest, _pairs, _right
from stream.errors import ConfigError


def seen(clip: str, person: str, angle: float) -> Appearance:
    return Appearance(clip, person, np.array([np.cos(angle), np.sin(angle)], np.float32), 40)


HALL = (seen("hall", "ann", 0.0), seen("hall", "ben", 1.5))
STREET = (seen("street", "ben", 1.3), seen("street", "ann", 0.2))
YARD = (seen("yard", "cas", 0.1),)


def likeness(found: tuple[Appearance, ...]) -> np.ndarray:
    vectors = np.stack([one.vector for one in found])
    return (vectors @ vectors.T).astype(np.float64)


def test_people_of_one_clip_are_never_a_pair() -> None:
    found = (*HALL, *STREET)
    same, pairs = _pairs(found)
    assert sorted(pairs) == [(2, 0), (2, 1), (3, 0), (3, 1)]
    assert {pair for pair, one in zip(pairs, same, strict=True) if one} == {(2, 1), (3, 0)}


def test_who_comes_again_is_sought_in_the_other_clips_and_who_does_not_is_left_out() -> None:
    found = (*HALL, *STREET)
    assert _right(found, likeness(found)) == 1.0
    assert "ann of street (right)" in _nearest(found, likeness(found), 0)
    found = (*found, *YARD)  # cas is more like ann than ann is, and is nobody's match
    assert _right(found, likeness(found)) == 0.5
    assert "cas of yard (WRONG)" in _nearest(found, likeness(found), 0)


def test_a_clip_is_told_with_who_is_in_it() -> None:
    assert _clip("a=b/lobby.mp4=ann, ben") == Clip(Path("a=b/lobby.mp4"), ("ann", "ben"))
    for text in ("lobby.mp4", "=ann", "lobby.mp4=", "lobby.mp4=ann,"):
        with pytest.raises(argparse.ArgumentTypeError, match="FILE=NAME"):
            _clip(text)


def test_names_that_compare_nobody_are_refused_before_anything_is_perceived() -> None:
    one, other = Path("a/lobby.mp4"), Path("b/lobby.mp4")
    _check_names([Clip(one, ("ann", "ben")), Clip(other, ("ann",))])
    for clips in (
        [Clip(one, ("ann", "ben"))],
        [Clip(one, ("ann",)), Clip(other, ("ann",))],
        [Clip(one, ("ann",)), Clip(other, ("ben",))],
        [Clip(one, ("ann", "ann", "ben"))],
    ):
        with pytest.raises(ConfigError, match="names"):
            _check_names(clips)
