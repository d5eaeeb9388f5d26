"""Frames that may not count are replaced; sizes stay numbers; sums have no leading zero."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gait.models.tensors import fixed, hold_valid, sum_of

flags = st.lists(st.booleans(), min_size=1, max_size=9)


def test_an_invalid_frame_shows_the_valid_one_before_it_or_the_first() -> None:
    frames = torch.arange(6.0)[None]
    valid = torch.tensor([[False, False, True, False, True, False]])
    assert hold_valid(frames, valid).tolist() == [[2, 2, 2, 2, 4, 4]]


@given(flags)
def test_only_valid_frames_remain(marks: list[bool]) -> None:
    frames = torch.arange(1.0, len(marks) + 1)[None, :, None].expand(2, -1, 3)
    valid = torch.tensor([marks, [True] * len(marks)])
    held = hold_valid(frames, valid)
    kept = {float(i + 1) for i, mark in enumerate(marks) if mark} or {0.0}
    assert set(held[0].flatten().tolist()) == kept
    assert torch.equal(held[1], frames[1])


def test_without_marks_nothing_is_touched() -> None:
    frames = torch.ones(1, 2, 3)
    assert hold_valid(frames, None) is frames


def test_a_size_is_itself_outside_an_export() -> None:
    assert fixed(7) == 7


def test_the_sum_of_parts() -> None:
    parts = [torch.tensor([1.0, 2.0]), torch.tensor([10.0, 20.0])]
    assert sum_of(parts).tolist() == [11.0, 22.0]
    with pytest.raises(TypeError):
        sum_of([])
