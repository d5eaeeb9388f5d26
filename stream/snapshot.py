"""What a stage remembers as bytes, and back: plain values, arrays, and instances of our own classes.

Neither side runs code from the bytes: instances are of classes that are loaded already and belong to our
rooms, made without a call of theirs and given the values they had. Objects that two others share are shared
afterwards too. What must not travel (nets, files, sockets) is named by ``held``: it is left out, and the
object of that name takes its place.
"""

from __future__ import annotations

import dataclasses
import sys
from collections import deque
from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Any, Final, Literal

import msgspec
import numpy as np

from stream.errors import FOREIGN, MessageError

ROOMS: Final = ("stream", "trackers", "gait", "engines", "tests")
_PLAIN: Final = (type(None), bool, int, float, str, bytes)
_WIDE: Final = 1 << 63  # msgpack's integers end here
Node = list[Any]

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder()


def save(value: object, held: Mapping[str, object] | None = None) -> bytes:
    """``value`` as bytes; raises MessageError for what cannot be kept."""
    return _encoder.encode(_Saver(held or {}).node(value))


def load(data: bytes, held: Mapping[str, object] | None = None) -> Any:
    """What ``save`` was given; raises MessageError where the bytes are damaged or of another release."""
    try:
        return _Loader(held or {}).value(_decoder.decode(data))
    except (*FOREIGN, KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise MessageError(f"damaged checkpoint ({type(error).__name__}: {error})") from error


class _Saver:
    """Turns a graph of objects into a tree; an object met again is a reference to its first place."""

    def __init__(self, held: Mapping[str, object]) -> None:
        self._held = {id(one): name for name, one in held.items()}
        self._seen: dict[int, int] = {}
        self._alive: list[object] = []  # so that no id is used twice meanwhile

    def node(self, value: object) -> Any:
        if isinstance(value, Enum) or not isinstance(value, _PLAIN):
            return self._object(value)
        if isinstance(value, int) and not isinstance(value, bool) and not -_WIDE <= value < _WIDE:
            return ["i", str(value)]
        return value

    def _object(self, value: object) -> Node:
        if id(value) in self._held:
            return ["h", self._held[id(value)]]
        if id(value) in self._seen:
            return ["r", self._seen[id(value)]]
        self._seen[id(value)] = len(self._alive)
        self._alive.append(value)
        return self._contents(value)

    def _contents(self, value: object) -> Node:
        if isinstance(value, np.ndarray):
            order = "F" if value.flags.f_contiguous and not value.flags.c_contiguous else "C"  # sums go by it
            shape, data = list(value.shape), value.tobytes("F" if order == "F" else "C")
            return ["a", value.dtype.str, shape, order, data, value.flags.writeable]
        if isinstance(value, np.generic):
            return ["n", value.dtype.str, value.tobytes()]
        if isinstance(value, deque):
            return ["q", value.maxlen, [self.node(one) for one in value]]
        for kind, letter in ((list, "l"), (tuple, "t"), (set, "s"), (frozenset, "f")):
            if type(value) is kind:
                return [letter, [self.node(one) for one in value]]
        if type(value) is dict:
            return ["d", [[self.node(key), self.node(one)] for key, one in value.items()]]
        return self._instance(value)

    def _instance(self, value: object) -> Node:
        kind = type(value)
        name = f"{kind.__module__}:{kind.__qualname__}"
        if kind.__module__.split(".")[0] not in ROOMS or "<locals>" in name:
            raise MessageError(f"a checkpoint cannot hold a {name}")
        if isinstance(value, Enum):
            return ["e", name, value.name]
        fields = {field: getattr(value, field) for field in _fields(value) if hasattr(value, field)}
        return ["o", name, [[field, self.node(one)] for field, one in fields.items()]]


class _Loader:
    """The way back; objects count in the order in which ``_Saver`` met them."""

    def __init__(self, held: Mapping[str, object]) -> None:
        self._held = held
        self._made: list[Any] = []

    def value(self, node: Any) -> Any:
        if not isinstance(node, list):
            return node
        letter, *rest = node
        if letter == "i":
            return int(rest[0])
        if letter == "h":
            return self._held[rest[0]]
        if letter == "r":
            return self._made[rest[0]]
        place = len(self._made)
        self._made.append(None)
        return self._make(letter, rest, place)

    def _make(self, letter: str, rest: list[Any], place: int) -> Any:
        if letter in "ldqo":  # may be met again inside themselves: known before they are filled
            return self._fill(letter, rest, place)
        made: Any
        if letter == "a":
            made = _array(*rest)
        elif letter == "n":
            made = np.frombuffer(rest[1], dtype=np.dtype(rest[0]))[0]
        elif letter == "e":
            made = _class(rest[0])[rest[1]]
        else:
            made = {"t": tuple, "s": set, "f": frozenset}[letter](self.value(one) for one in rest[0])
        self._made[place] = made
        return made

    def _fill(self, letter: str, rest: list[Any], place: int) -> Any:
        if letter == "o":
            kind = _class(rest[0])
            if issubclass(kind, msgspec.Struct):  # made by a call, which only stores
                self._made[place] = kind(**{field: self.value(one) for field, one in rest[1]})
                return self._made[place]
            made = self._made[place] = kind.__new__(kind)
            for field, one in rest[1]:
                object.__setattr__(made, field, self.value(one))
            return made
        if letter == "d":
            table: dict[Any, Any] = {}
            self._made[place] = table
            for key, one in rest[0]:
                name = self.value(key)  # first: objects count in the order in which they were met
                table[name] = self.value(one)
            return table
        row: Any = [] if letter == "l" else deque(maxlen=rest[0])
        self._made[place] = row
        for one in rest[-1]:
            row.append(self.value(one))
        return row


def _fields(value: object) -> Iterable[str]:
    if isinstance(value, msgspec.Struct):
        return value.__struct_fields__
    slots = [name for kind in type(value).__mro__ for name in getattr(kind, "__slots__", ())]
    named = [field.name for field in dataclasses.fields(value)] if dataclasses.is_dataclass(value) else []
    return dict.fromkeys([*named, *slots, *getattr(value, "__dict__", {})])


def _class(name: str) -> Any:
    module, _, qualified = name.partition(":")
    if module.split(".")[0] not in ROOMS or module not in sys.modules:
        raise KeyError(name)
    found: Any = sys.modules[module]
    for part in qualified.split("."):
        found = getattr(found, part)
    if not isinstance(found, type) or found.__module__ != module:
        raise TypeError(f"{name} is no class of that module")
    return found


def _array(dtype: str, shape: list[int], order: Literal["C", "F"], data: bytes, writeable: bool) -> Any:
    kind = np.dtype(dtype)
    if kind.hasobject:
        raise TypeError("an array of objects")
    array = np.frombuffer(data, dtype=kind).reshape(shape, order=order)
    return array.copy(order) if writeable else array
