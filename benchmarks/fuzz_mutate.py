"""Bytes that are nearly right: mutations of good input, of its bytes and of the tree they stand for."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Sequence
from typing import Any, Final, Literal

import msgspec

Form = Literal["bytes", "text", "json", "msgpack"]

_NUMBERS: Final = (
    0,
    1,
    2,
    0x7F,
    0x80,
    0xFF,
    0x7FFF,
    0x8000,
    0xFFFF,
    2**31 - 1,
    2**31,
    2**32 - 1,
    2**63,
    2**64 - 1,
)
_WORDS: Final = (
    *(
        b"",
        b"\x00",
        b"\xff" * 8,
        b"-1",
        b"1e999",
        b"NaN",
        b"null",
        b"[" * 500,
        b"{" * 500,
        b"../../etc/passwd",
    ),
    *(b"%s%n", b"\xf0\x9f\x98\x80", b"\xed\xa0\x80", b"&a [*a, *a]", b"!!python/object/apply:os.system [x]"),
)
_VALUES: Final[tuple[Any, ...]] = (
    *(
        None,
        True,
        False,
        0,
        -1,
        1,
        2**31,
        2**53,
        2**63 - 1,
        -(2**63),
        0.5,
        -0.0,
        1e308,
        float("inf"),
        float("nan"),
    ),
    *(
        "",
        "a",
        "x" * 3000,
        "../x",
        "\x00",
        "door",
        b"",
        b"\x00" * 9,
        [],
        {},
        [[]],
        [0] * 300,
        {"a": {"a": {}}},
    ),
)
_LONGEST: Final = 1 << 20


class Mutator:
    """Makes inputs from seeds, the same ones for the same ``rng``."""

    def __init__(self, rng: random.Random, seeds: Sequence[bytes], form: Form) -> None:
        self._rng, self._seeds, self._form = rng, list(seeds), form
        self._steps: tuple[Callable[[bytearray], bytearray], ...] = (
            *(self._flip, self._set, self._cut, self._insert, self._repeat, self._number, self._word),
            *(self._splice, self._end, self._swap),
        )

    def next(self) -> bytes:
        """One input; one in sixteen owes nothing to a seed."""
        rng = self._rng
        if rng.random() < 1 / 16:
            return rng.randbytes(rng.randrange(200))
        seed = rng.choice(self._seeds)
        if self._form in ("json", "msgpack") and rng.random() < 0.6:
            found = self._tree(seed)
            if found is not None:
                return found
        data = bytearray(seed)
        for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
            data = rng.choice(self._steps)(data)
        return bytes(data[:_LONGEST])

    def _place(self, data: bytearray) -> int:
        return self._rng.randrange(len(data)) if data else 0

    def _flip(self, data: bytearray) -> bytearray:
        if data:
            data[self._place(data)] ^= 1 << self._rng.randrange(8)
        return data

    def _set(self, data: bytearray) -> bytearray:
        if data:
            data[self._place(data)] = self._rng.choice((0, 1, 0x7F, 0x80, 0xFF, self._rng.randrange(256)))
        return data

    def _cut(self, data: bytearray) -> bytearray:
        at = self._place(data)
        del data[at : at + self._rng.choice((1, 2, 4, 16, 200))]
        return data

    def _end(self, data: bytearray) -> bytearray:
        return data[: self._place(data)]

    def _insert(self, data: bytearray) -> bytearray:
        at = self._place(data)
        data[at:at] = self._rng.randbytes(self._rng.choice((1, 2, 4, 16)))
        return data

    def _repeat(self, data: bytearray) -> bytearray:
        at, size = self._place(data), self._rng.choice((1, 4, 16, 64))
        data[at:at] = data[at : at + size] * self._rng.choice((1, 2, 20))
        return data

    def _number(self, data: bytearray) -> bytearray:
        form = self._rng.choice(("<H", ">H", "<I", ">I", "<Q", ">Q"))
        size = struct.calcsize(form)
        if len(data) >= size:
            at = self._rng.randrange(len(data) - size + 1)
            number = self._rng.choice((*_NUMBERS, len(data), self._rng.randrange(1 << 16)))
            data[at : at + size] = struct.pack(form, number % (1 << (8 * size)))
        return data

    def _word(self, data: bytearray) -> bytearray:
        at = self._place(data)
        data[at : at + self._rng.choice((0, 1, 4))] = self._rng.choice(_WORDS)
        return data

    def _splice(self, data: bytearray) -> bytearray:
        other = self._rng.choice(self._seeds)
        at, there = self._place(data), self._rng.randrange(len(other) + 1)
        return data[:at] + bytearray(other[there:])

    def _swap(self, data: bytearray) -> bytearray:
        size = self._rng.choice((1, 2, 4, 8))
        if len(data) > 2 * size:
            one, two = (self._rng.randrange(len(data) - size) for _ in range(2))
            data[one : one + size], data[two : two + size] = data[two : two + size], data[one : one + size]
        return data

    def _tree(self, seed: bytes) -> bytes | None:
        """The seed with some values replaced, left out, doubled or renamed; None for one that is no tree."""
        packed = self._form == "msgpack"
        head = (
            seed[:1] if packed and seed[:1] == b"\x01" and len(seed) > 1 else b""
        )  # our wire's version byte
        codec: Any = msgspec.msgpack if packed else msgspec.json
        try:
            tree = [codec.decode(seed[len(head) :])]
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None
        for _ in range(self._rng.choice((1, 1, 2, 5))):
            self._disturb(tree)
        try:
            return head + bytes(codec.encode(tree[0]))
        except (TypeError, ValueError, RecursionError, OverflowError, msgspec.MsgspecError):
            return None

    def _disturb(self, tree: list[Any]) -> None:
        """One change somewhere below."""
        rng, holder = self._rng, tree
        key: Any = 0
        while isinstance(holder[key], (list, dict)) and holder[key] and rng.random() < 0.85:
            holder = holder[key]
            key = rng.choice(list(holder)) if isinstance(holder, dict) else rng.randrange(len(holder))
        value: Any = holder[key]
        act = rng.randrange(6)
        if act == 0 and holder is not tree:
            del holder[key]
        elif act == 1 and isinstance(holder, list) and holder is not tree:
            holder.extend([value] * rng.choice((1, 50)))
        elif act == 2 and isinstance(holder, dict):
            holder[rng.choice(("", "type", "x", str(key) + "_"))] = holder.pop(key)
        elif act == 3 and isinstance(value, (int, float)) and not isinstance(value, bool):
            holder[key] = rng.choice((-value, value + 1, value * 2**20, -value - 1))
        elif act == 4 and isinstance(value, (str, bytes)):
            part: Any = value[: rng.randrange(len(value) + 1)]
            holder[key] = part + value
        else:
            holder[key] = rng.choice(_VALUES)
