"""Freed memory goes back to the system."""

from __future__ import annotations

from pathlib import Path

from stream.memory import give_back


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def test_holes_between_what_is_kept_are_given_back() -> None:
    """Buffers too small to be the system's own each, freed but for some in between: as decoders leave them."""
    held = [bytearray(b"x" * 60_000) for _ in range(2000)]
    kept = held[::50]
    full = resident()
    del held
    give_back()
    assert resident() < full - 60_000_000
    assert len(kept) == 40
