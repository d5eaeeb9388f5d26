"""A small reader of .tflite files: tables of a FlatBuffer, by the numbers of TensorFlow Lite's schema.

It reads what a float net needs (tensors, weights, operators, their options) and refuses anything that points
outside the file; a damaged file gives one clear line.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from stream.errors import WeightsError

MAGIC: Final = b"TFL3"
TYPES: Final = {0: "float32", 1: "float16", 2: "int32", 3: "uint8", 4: "int64", 9: "int8"}
"""TensorType of the schema, and NumPy's."""
INDICES: Final = {1: "<i4", 2: "<u2", 3: "<u1"}
"""SparseIndexVector of the schema."""
MAX_NUMBERS: Final = 1 << 26
"""Of one weight; the largest of the BlazePose nets has a million."""
OPERATORS: Final = {
    0: "ADD",
    2: "CONCATENATION",
    3: "CONV_2D",
    4: "DEPTHWISE_CONV_2D",
    5: "DEPTH_TO_SPACE",
    6: "DEQUANTIZE",
    14: "LOGISTIC",
    17: "MAX_POOL_2D",
    18: "MUL",
    19: "RELU",
    21: "RELU6",
    22: "RESHAPE",
    23: "RESIZE_BILINEAR",
    34: "PAD",
    54: "PRELU",
    124: "DENSIFY",
}
"""BuiltinOperator of the schema, as far as the BlazePose nets need it."""
OPTIONS: Final[dict[str, dict[str, tuple[int, str, int]]]] = {
    "CONV_2D": {
        "padding": (0, "b", 0),
        "stride_w": (1, "i", 0),
        "stride_h": (2, "i", 0),
        "activation": (3, "b", 0),
        "dilation_w": (4, "i", 1),
        "dilation_h": (5, "i", 1),
    },
    "DEPTHWISE_CONV_2D": {
        "padding": (0, "b", 0),
        "stride_w": (1, "i", 0),
        "stride_h": (2, "i", 0),
        "multiplier": (3, "i", 0),
        "activation": (4, "b", 0),
        "dilation_w": (5, "i", 1),
        "dilation_h": (6, "i", 1),
    },
    "MAX_POOL_2D": {
        "padding": (0, "b", 0),
        "stride_w": (1, "i", 0),
        "stride_h": (2, "i", 0),
        "width": (3, "i", 0),
        "height": (4, "i", 0),
        "activation": (5, "b", 0),
    },
    "DEPTH_TO_SPACE": {"block": (0, "i", 0)},
    "ADD": {"activation": (0, "b", 0)},
    "MUL": {"activation": (0, "b", 0)},
    "CONCATENATION": {"axis": (0, "i", 0), "activation": (1, "b", 0)},
    "RESIZE_BILINEAR": {"align_corners": (2, "b", 0), "half_pixel_centers": (3, "b", 0)},
}
"""Options by operator: field number, type, default."""


@dataclass(frozen=True)
class TfliteTensor:
    """A tensor: its ``shape`` as written; ``values`` where it is a weight, else None."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    values: NDArray[Any] | None


@dataclass(frozen=True)
class TfliteOperator:
    """An operator by name; inputs and outputs are places in the list of tensors, -1 for one left out."""

    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class TfliteNet:
    """A net of one subgraph."""

    tensors: tuple[TfliteTensor, ...]
    operators: tuple[TfliteOperator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclass(frozen=True)
class _Table:
    """A table of the FlatBuffer: fields are found through its list of offsets."""

    data: bytes
    at: int

    def field(self, number: int) -> int:
        """Where a field lies; 0 where the table has none."""
        listed = self.at - self._read("i", self.at)
        if 4 + 2 * number + 2 > self._read("H", listed):
            return 0
        offset = self._read("H", listed + 4 + 2 * number)
        return self.at + offset if offset else 0

    def number(self, number: int, kind: str, default: int = 0) -> int:
        """A plain number."""
        place = self.field(number)
        return self._read(kind, place) if place else default

    def table(self, number: int) -> _Table | None:
        """A table that a field points to."""
        place = self.field(number)
        return _Table(self.data, place + self._read("I", place)) if place else None

    def vector(self, number: int) -> tuple[int, int]:
        """Where a vector's items begin, and how many there are."""
        place = self.field(number)
        if not place:
            return 0, 0
        start = place + self._read("I", place)
        return start + 4, self._read("I", start)

    def tables(self, number: int) -> list[_Table]:
        """A vector of tables."""
        start, count = self.vector(number)
        self._check(start, 4 * count)
        places = range(start, start + 4 * count, 4)
        return [_Table(self.data, place + self._read("I", place)) for place in places]

    def numbers(self, number: int) -> tuple[int, ...]:
        """A vector of 32-bit numbers."""
        start, count = self.vector(number)
        self._check(start, 4 * count)
        return struct.unpack_from(f"<{count}i", self.data, start)

    def bytes(self, number: int) -> bytes:
        """A vector of bytes."""
        start, count = self.vector(number)
        self._check(start, count)
        return self.data[start : start + count]

    def _check(self, start: int, size: int) -> None:
        if not 0 <= start <= start + size <= len(self.data):
            raise struct.error("a vector beyond the file's end")

    def _read(self, kind: str, place: int) -> int:
        if place < 0:
            raise struct.error("a place before the file's start")
        return int(struct.unpack_from("<" + kind, self.data, place)[0])


def read_tflite(path: Path) -> TfliteNet:
    """The net in a .tflite file; raises WeightsError where it is none, or damaged, or beyond this reader."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise WeightsError(f"no such net ({error.strerror})", where=str(path)) from error
    if data[4:8] != MAGIC:
        raise WeightsError("this is no .tflite net", where=str(path))
    try:
        return _model(_Table(data, struct.unpack_from("<I", data, 0)[0]))
    except (struct.error, IndexError, ValueError, UnicodeDecodeError) as error:
        raise WeightsError(f"this .tflite net is damaged ({error})", where=str(path)) from error
    except WeightsError as error:
        raise WeightsError(error.what, where=str(path), wanted=error.wanted) from error


def _model(model: _Table) -> TfliteNet:
    buffers = [buffer.bytes(0) for buffer in model.tables(4)]
    codes = [_operator_name(code) for code in model.tables(1)]
    graphs = model.tables(2)
    if len(graphs) != 1:
        raise WeightsError(f"a net of {len(graphs)} subgraphs", wanted="one")
    graph = graphs[0]
    tensors = tuple(_tensor(tensor, buffers) for tensor in graph.tables(0))
    operators = tuple(_operator(operator, codes) for operator in graph.tables(3))
    return TfliteNet(tensors, operators, graph.numbers(1), graph.numbers(2))


def _operator_name(code: _Table) -> str:
    number = max(code.number(0, "b"), code.number(3, "i"))
    if number not in OPERATORS:
        raise WeightsError(f"operator {number} of the schema", wanted="those of the BlazePose nets")
    return OPERATORS[number]


def _tensor(table: _Table, buffers: list[bytes]) -> TfliteTensor:
    shape, kind = table.numbers(0), table.number(1, "b")
    name = table.bytes(3).decode()
    if kind not in TYPES:
        raise WeightsError(f"tensor {name!r} of type {kind}", wanted="numbers")
    data, sparsity = buffers[table.number(2, "I")], table.table(6)
    values = np.frombuffer(data, TYPES[kind]) if data else None
    if values is not None:
        values = values.reshape(shape) if sparsity is None else _dense(values, shape, sparsity)
    return TfliteTensor(name, TYPES[kind], shape, values)


def _dense(values: NDArray[Any], shape: tuple[int, ...], sparsity: _Table) -> NDArray[Any]:
    """A sparse tensor in full.

    Its values lie along a tree of levels, one per side and per side of a block, in the order of traversal. A
    dense level has every index; a compressed one lists, for each node above, the indices that it has.
    """
    order, blocks, levels = sparsity.numbers(0), sparsity.numbers(1), sparsity.tables(2)
    rank = len(shape)
    sizes = {side: level.number(1, "i") for side, level in zip(order, levels, strict=True)}
    most = math.prod(max(side, 0) for side in shape)
    if most > MAX_NUMBERS:
        raise WeightsError(f"a weight of {most} numbers", wanted=f"at most {MAX_NUMBERS}")
    nodes = np.zeros(1, np.int64)
    places: list[NDArray[np.int64]] = []
    for level in levels:
        if level.number(0, "b"):
            segments, indices = (_indices(level, number) for number in (2, 4))
            counts = np.diff(segments)[nodes]
            if len(segments) < 2 or (counts < 0).any() or counts.sum() > most:
                raise WeightsError("a sparse tensor whose segments do not follow each other")
            chosen = np.concatenate([np.arange(segments[n], segments[n + 1]) for n in nodes] or [nodes])
            found, nodes = indices[chosen], chosen
        else:
            size = level.number(1, "i")
            if size < 0 or len(nodes) * size > most:
                raise WeightsError("a sparse tensor with more places than its shape has")
            counts = np.full(len(nodes), size)
            found = np.tile(np.arange(size), len(nodes))
            nodes = (nodes[:, None] * size + np.arange(size)).ravel()
        places = [np.repeat(place, counts) for place in places]
        places.append(found)
    if len(nodes) != len(values):
        raise WeightsError(f"{len(values)} values for {len(nodes)} places of a sparse tensor")
    coordinates = [np.zeros(len(nodes), np.int64) for _ in shape]
    for side, place in zip(order, places, strict=True):
        if side >= rank:
            coordinates[blocks[side - rank]] += place
        else:
            block = sizes[rank + blocks.index(side)] if side in blocks else 1
            coordinates[side] += place * block
    full = np.zeros(shape, values.dtype)
    full[tuple(coordinates)] = values
    return full


def _indices(level: _Table, number: int) -> NDArray[np.int64]:
    """A list of whole numbers, stored in as many bytes as its type says."""
    kind, held = level.number(number, "B"), level.table(number + 1)
    if held is None or kind not in INDICES:
        raise WeightsError("a sparse tensor without its indices")
    start, count = held.vector(0)
    width = np.dtype(INDICES[kind])
    if start + count * width.itemsize > len(held.data):
        raise WeightsError("indices beyond the file's end")
    return np.frombuffer(held.data, width, count, start).astype(np.int64)


def _operator(table: _Table, codes: list[str]) -> TfliteOperator:
    name = codes[table.number(0, "I")]
    held, wanted = table.table(4), OPTIONS.get(name, {})
    options = {
        key: default if held is None else held.number(number, kind, default)
        for key, (number, kind, default) in wanted.items()
    }
    return TfliteOperator(name, table.numbers(1), table.numbers(2), options)
