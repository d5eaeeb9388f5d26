"""What a stage remembers survives as bytes: values, arrays to the bit, what is shared; and nothing else does."""

from __future__ import annotations

import contextlib
import os
import threading
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream import snapshot
from stream.errors import MessageError
from stream.messages import FrameRef, TrackletId
from stream.stop import Level

HASHABLE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.tuples(inner, inner) | st.frozensets(inner, max_size=3),
    max_leaves=8,
)
VALUES = st.recursive(
    HASHABLE,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(HASHABLE, inner, max_size=4),
    max_leaves=20,
)


@dataclass
class Memory:
    name: str
    rows: list[Any] = field(default_factory=list)
    other: Memory | None = None


class Slotted:
    __slots__ = ("left", "right")


@given(VALUES)
def test_every_plain_value_comes_back_as_it_was(value: Any) -> None:
    assert snapshot.load(snapshot.save(value)) == value


@pytest.mark.parametrize(
    "array",
    [
        np.arange(12, dtype=np.float32).reshape(3, 4),
        np.asfortranarray(np.random.default_rng(0).random((5, 3))),
        np.zeros((0, 4)),
        np.array(3.5),
        np.array([True, False]),
        np.array([np.nan, np.inf, -0.0]),
        np.frombuffer(b"abcd", np.uint8),
    ],
)
def test_arrays_come_back_to_the_bit_in_their_order(array: np.ndarray) -> None:
    back = snapshot.load(snapshot.save(array))
    assert back.tobytes() == array.tobytes()
    assert (back.dtype, back.shape) == (array.dtype, array.shape)
    assert back.flags.f_contiguous == array.flags.f_contiguous
    assert back.flags.writeable == array.flags.writeable


def test_what_is_shared_stays_shared_and_circles_close() -> None:
    memory = Memory("a", rows=[np.zeros(2)])
    memory.other = memory
    back = snapshot.load(snapshot.save({"one": memory, "two": memory, "rows": memory.rows}))
    assert back["one"] is back["two"] is back["one"].other
    assert back["rows"] is back["one"].rows


def test_instances_of_every_kind_we_use_come_back() -> None:
    slotted = Slotted()
    slotted.left = deque([1, 2], maxlen=3)
    frame = FrameRef("door", "r", 3, 1, 2, 64, 48)
    value = {TrackletId("door", "r", 1): [slotted, frame, Level.FLUSH, np.float32(0.1), {1, 2}]}
    ((key, (back, back_frame, level, number, pair)),) = snapshot.load(snapshot.save(value)).items()
    assert key == TrackletId("door", "r", 1)
    assert (list(back.left), back.left.maxlen, hasattr(back, "right")) == ([1, 2], 3, False)
    assert (back_frame, level, pair) == (frame, Level.FLUSH, {1, 2})
    assert number == np.float32(0.1)
    assert type(number) is np.float32


def test_what_is_held_is_left_out_and_replaced() -> None:
    net, other = threading.Lock(), threading.Lock()
    data = snapshot.save(Memory("a", rows=[net]), {"net": net})
    assert snapshot.load(data, {"net": other}).rows == [other]
    with pytest.raises(MessageError, match="damaged checkpoint"):
        snapshot.load(data)


@pytest.mark.parametrize("value", [threading.Lock(), os.getpid, np.random.default_rng(0), open])
def test_what_is_not_ours_is_refused(value: object) -> None:
    with pytest.raises(MessageError, match="a checkpoint cannot hold"):
        snapshot.save([value])


@pytest.mark.parametrize(
    "tree",
    [
        ["o", "os:system", [["x", 1]]],
        ["o", "stream.stop:os.system", []],
        ["o", "subprocess:Popen", []],
        ["o", "stream.snapshot:load", []],
        ["o", "stream.life:threading.Event", []],
        ["a", "|O", [1], "C", b"12345678", False],
        ["a", "<f8", [3], "C", b"", False],
        ["r", 7],
        ["h", "x"],
        ["z", 1],
        ["o"],
    ],
)
def test_damaged_and_foreign_bytes_are_refused(tree: Any) -> None:
    with pytest.raises(MessageError, match="damaged checkpoint"):
        snapshot.load(msgspec.msgpack.encode(tree))


@given(st.binary(max_size=200))
def test_any_bytes_give_a_value_or_one_clear_error(data: bytes) -> None:
    with contextlib.suppress(MessageError):
        snapshot.load(data)
