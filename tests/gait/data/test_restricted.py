"""Honest pickles of every protocol are read; anything that would act is refused without acting."""

import os
import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gait.data import restricted
from gait.data.errors import DataError
from gait.data.restricted import load_pickle, loads


def equal(first: Any, second: Any) -> bool:
    if isinstance(first, np.ndarray):
        return first.dtype == second.dtype and np.array_equal(first, second)
    if isinstance(first, dict):
        return first.keys() == second.keys() and all(equal(first[k], second[k]) for k in first)
    if isinstance(first, list | tuple):
        return len(first) == len(second) and all(equal(a, b) for a, b in zip(first, second, strict=True))
    return bool(first == second)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize(
    "value",
    [
        np.arange(24, dtype=np.uint8).reshape(2, 3, 4),
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.zeros((0, 64, 44), np.uint8),
        {"result": np.ones((3, 16, 3), np.float32)},
        [np.float32(2.5), np.int64(3), np.array(True)],
        (1, "two", b"three", None, 4.5, {"a": [1, 2]}),
        OrderedDict(a=np.zeros(2)),
    ],
)
def test_plain_values_come_back(protocol: int, value: Any) -> None:
    assert equal(
        dict(value) if isinstance(value, OrderedDict) else value, loads(pickle.dumps(value, protocol), "x")
    )


def test_another_byte_order_is_read() -> None:
    value = np.arange(5, dtype=">f4")
    assert np.array_equal(loads(pickle.dumps(value), "x"), value.astype("<f4"))


def test_names_of_older_numpy_are_known() -> None:
    old = pickle.dumps(np.arange(3), 2).replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
    assert np.array_equal(loads(old, "x"), np.arange(3))


class Acts:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.mark),)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_that_runs_code_is_refused_and_nothing_runs(tmp_path: Path, protocol: int) -> None:
    path, mark = tmp_path / "bad.pkl", tmp_path / "ran"
    path.write_bytes(pickle.dumps([np.zeros(3), Acts(mark)], protocol))
    with pytest.raises(DataError, match=r"refused: it asks for posix\.mkdir") as caught:
        load_pickle(path)
    assert str(path) in str(caught.value)
    assert not mark.exists()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"cbuiltins\neval\n(S'1'\ntR.", "builtins.eval"),
        (b"cnumpy\nload\n(S'x'\ntR.", "numpy.load"),
        (b"cnumpy.core.multiarray\n_reconstruct.__globals__\n.", "_reconstruct.__globals__"),
        (b"(S'x'\nios\nsystem\n.", "a step INST"),
        (b"Px\n.", "a step PERSID"),
        (b"cnumpy\nndarray\n.", "a StandIn"),
        (b"cnumpy\nndarray\n)R.", "cannot be called"),
        (b"cnumpy\ndtype\n}S'x'\nI1\nsb.", "no attribute|StandIn|NewDtype"),
        (b"cnumpy\ndtype\n(S'O8'\ntR.", "a Dtype"),
        (b"c_codecs\nencode\n(S'x'\nS'zip'\ntR.", "the codec 'zip'"),
        (b"N\x8e" + (1 << 40).to_bytes(8, "little") + b".", "bytes"),
        (b"N" + b"r" + (1 << 31).to_bytes(4, "little") + b".", "memo number"),
        (b"", "pickle"),
        (b"not a pickle", "."),
        (b"(" * 40 + b"t" * 40 + b".", "nested too deeply"),
    ],
)
def test_tricks_are_refused(content: bytes, told: str) -> None:
    with pytest.raises(DataError, match=told) as caught:
        loads(content, "trick.pkl")
    assert str(caught.value).startswith("trick.pkl: this pickle is refused")
    assert "\n" not in str(caught.value)


def test_an_array_of_objects_is_refused() -> None:
    with pytest.raises(DataError, match="of type O8"):
        loads(pickle.dumps(np.array([1, "a", None], object)), "x")


def test_an_array_larger_than_its_bytes_is_refused() -> None:
    content = pickle.dumps(np.zeros((3, 4), np.uint8), 4).replace(b"K\x03K\x04", b"K\x03K\xff")
    with pytest.raises(DataError, match="12 bytes for an array of shape"):
        loads(content, "x")


def test_a_huge_file_is_not_even_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restricted, "MAX_BYTES", 10)
    (tmp_path / "x.pkl").write_bytes(pickle.dumps(np.zeros(100)))
    with pytest.raises(DataError, match="more than a sequence has"):
        load_pickle(tmp_path / "x.pkl")


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 255), st.booleans())
def test_damage_never_gives_anything_but_an_error_or_plain_data(place: int, value: int, cut: bool) -> None:
    content = bytearray(pickle.dumps({"result": np.ones((3, 4, 3), np.float32), "name": [1, 2.5, "x"]}))
    place %= len(content)
    content[place] = value
    try:
        found = loads(bytes(content[:place] if cut else content), "x")
    except DataError:
        return
    assert isinstance(found, dict | list | tuple | int | float | str | bytes | np.ndarray | bool | None)
