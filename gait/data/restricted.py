"""Foreign pickles without running them: numpy arrays, plain containers, numbers and text; nothing else.

A pickle is a program. Its steps are looked through before any is taken (pickletools), every name it asks for
is answered by a stand-in of ours or refused, and arrays are built here from their bytes, never by numpy's own
reconstruction. Stand-ins have no attributes, so a pickle can change nothing that outlives it.
"""

from __future__ import annotations

import io
import math
import pickle  # Only its machine, with every name answered by us; nothing is looked up by it.
import pickletools
from pathlib import Path
from typing import Any, Final

import numpy as np

from gait.data.errors import DataError

# A sequence of 720 frames of 128 x 128 RGB takes 35 MB; what is beyond this is no sequence.
MAX_BYTES: Final = 1 << 30
MAX_STEPS: Final = 2_000_000
MAX_DEPTH: Final = 32
WANTED: Final = "numpy arrays, plain containers, numbers and text"

_REFUSED_STEPS: Final = frozenset({"PERSID", "BINPERSID", "EXT1", "EXT2", "EXT4", "NEXT_BUFFER", "INST"})
_MEMO_STEPS: Final = frozenset({"PUT", "BINPUT", "LONG_BINPUT"})
_NUMBER_KINDS: Final = "biufc"
# Whatever the machine raises over bytes that make no sense.
_DAMAGED: Final = (
    pickle.UnpicklingError,
    ValueError,
    EOFError,
    TypeError,
    AttributeError,
    LookupError,
    ImportError,
    OverflowError,
    MemoryError,
    RecursionError,
)


class _Array:
    """An array that is still being told its contents; ``finished`` once its state came."""

    __slots__ = ("finished",)

    def __init__(self) -> None:
        self.finished: np.ndarray[Any, Any] | None = None

    def __setstate__(self, state: tuple[int, tuple[int, ...], _Dtype, bool, bytes]) -> None:
        _, shape, dtype, fortran, content = state
        self.finished = _array(content, dtype, shape, "F" if fortran else "C")


class _Dtype:
    """A numeric type by its code; its state says the byte order alone."""

    __slots__ = ("_code", "_order")

    def __init__(self, code: str) -> None:
        self._code, self._order = code, "="

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self._order = str(state[1])

    @property
    def value(self) -> np.dtype[Any]:
        dtype = np.dtype(self._code)
        if dtype.kind not in _NUMBER_KINDS:
            raise ValueError(f"an array of type {self._code}")
        return dtype.newbyteorder("=" if self._order == "|" else self._order)  # type: ignore[arg-type] # numpy checks it


class _StandIn:
    """Answers for a name that a pickle may call."""

    __slots__ = ()

    def __call__(self, *_: Any) -> Any:
        raise ValueError("a call of something that cannot be called")


class _NewArray(_StandIn):
    __slots__ = ()

    def __call__(self, *_arguments: Any) -> _Array:
        return _Array()


class _NewDtype(_StandIn):
    __slots__ = ()

    def __call__(self, code: Any, *_flags: Any) -> _Dtype:
        return _Dtype(str(code))


class _Scalar(_StandIn):
    __slots__ = ()

    def __call__(self, dtype: _Dtype, content: bytes) -> Any:
        return _array(content, dtype, (), "C").item()


class _FromBuffer(_StandIn):
    __slots__ = ()

    def __call__(self, content: bytes, dtype: _Dtype, shape: tuple[int, ...], order: str, *_: Any) -> Any:
        return _array(content, dtype, shape, order)


class _Latin1(_StandIn):
    """How protocol 2 writes bytes: text, and the codec that turns it into them."""

    __slots__ = ()

    def __call__(self, text: str, codec: str) -> bytes:
        if codec not in ("latin1", "latin-1"):
            raise ValueError(f"bytes in the codec {codec!r}")
        return str(text).encode("latin1")


class _NoBytes(_StandIn):
    """How protocol 2 writes empty bytes."""

    __slots__ = ()

    def __call__(self, *nothing: Any) -> bytes:
        if nothing:
            raise ValueError("bytes made from something")
        return b""


class _NewDict(_StandIn):
    __slots__ = ()

    def __call__(self, *pairs: Any) -> dict[Any, Any]:
        return dict(*pairs)


_NUMPY: Final = {
    "multiarray._reconstruct": _NewArray(),
    "multiarray.scalar": _Scalar(),
    "numeric._frombuffer": _FromBuffer(),
}
_KNOWN: Final[dict[str, _StandIn]] = {
    "numpy.ndarray": _StandIn(),
    "numpy.dtype": _NewDtype(),
    "_codecs.encode": _Latin1(),
    "__builtin__.bytes": _NoBytes(),
    "collections.OrderedDict": _NewDict(),
    **{f"numpy.{core}.{name}": stand_in for core in ("core", "_core") for name, stand_in in _NUMPY.items()},
}


class _Machine(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> _StandIn:
        known = _KNOWN.get(f"{module}.{name}")
        if known is None:
            raise ValueError(f"it asks for {module}.{name}")
        return known


def load_pickle(path: str | Path) -> Any:
    """What a foreign pickle holds; raises DataError naming the file for a damaged, huge or active one."""
    path = Path(path)
    try:
        if path.stat().st_size > MAX_BYTES:
            raise _refused(path, f"{path.stat().st_size} bytes are more than a sequence has")
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"cannot be read ({error.strerror})", where=str(path)) from error
    return loads(content, str(path))


def loads(content: bytes, where: str) -> Any:
    """The same for the bytes themselves; ``where`` names them in errors."""
    try:
        _look_through(content)
        return _plain(_Machine(io.BytesIO(content)).load(), MAX_DEPTH)
    except _DAMAGED as error:
        raise _refused(where, str(error) or type(error).__name__) from error


def _refused(where: str | Path, what: str) -> DataError:
    return DataError(f"this pickle is refused: {what}", where=str(where), wanted=WANTED)


def _look_through(content: bytes) -> None:
    """Every step, without taking it: lengths must fit the bytes, and memo numbers the steps."""
    for steps, (step, argument, _) in enumerate(pickletools.genops(content), 1):
        if steps > MAX_STEPS:
            raise ValueError(f"more than {MAX_STEPS} steps")
        if step.name in _REFUSED_STEPS:
            raise ValueError(f"a step {step.name}")
        if step.name in _MEMO_STEPS and int(argument or 0) > steps:
            raise ValueError(f"a memo number {argument} after {steps} steps")


def _array(content: Any, dtype: _Dtype, shape: tuple[int, ...], order: str) -> np.ndarray[Any, Any]:
    """An array of its own from bytes that must be exactly as many as it needs."""
    value = dtype.value
    sizes = tuple(int(size) for size in shape)
    if order not in ("C", "F") or min(sizes, default=0) < 0:
        raise ValueError(f"an array of shape {sizes} in order {order!r}")
    if math.prod(sizes) * value.itemsize != len(content):
        raise ValueError(f"{len(content)} bytes for an array of shape {sizes} and type {value}")
    flat = np.frombuffer(content, value).astype(value.newbyteorder("="))
    return flat.reshape(sizes[::-1]).T if order == "F" else flat.reshape(sizes)


def _plain(value: Any, depth: int) -> Any:
    """Stand-ins replaced by what they became; anything unexpected is an error."""
    if depth == 0:
        raise ValueError("containers nested too deeply")
    if isinstance(value, _Array):
        if value.finished is None:
            raise ValueError("an array without contents")
        return value.finished
    if isinstance(value, dict):
        return {_plain(key, depth - 1): _plain(item, depth - 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_plain(item, depth - 1) for item in value)
    if value is None or isinstance(value, bool | int | float | complex | str | bytes | np.ndarray):
        return value
    raise ValueError(f"a {type(value).__name__.lstrip('_')}")
