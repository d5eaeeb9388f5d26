"""Memory that was freed, given back to the system: the C library keeps it otherwise."""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Callable
from functools import cache


def give_back() -> None:
    """Let go of what is free, as after a camera was closed: each connection's decoder leaves holes behind, a
    megabyte of them, that the next one does not fit into. Some milliseconds; only glibc can do it.
    """
    gc.collect()
    _trim()()


@cache
def _trim() -> Callable[[], object]:
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError):
        return lambda: None
    return lambda: trim(ctypes.c_size_t(0))
