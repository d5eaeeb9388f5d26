"""A fixture that fails a test which leaves sockets, descriptors or mappings behind."""

from __future__ import annotations

import gc
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq


def open_descriptors() -> set[str]:
    found = set()
    for entry in Path("/proc/self/fd").iterdir():
        try:
            found.add(f"{entry.name} {os.readlink(entry)}")
        except OSError:  # the listing's own
            continue
    return found


def mapped_rings() -> list[str]:
    return [line for line in Path("/proc/self/maps").read_text().splitlines() if ".frames" in line]


@pytest.fixture
def no_leaks(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The test has a ZeroMQ context of its own, which ends only if every socket was closed."""
    gc.collect()
    before = open_descriptors()
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    monkeypatch.setattr(zmq.Context, "instance", lambda: context)
    yield
    ending = threading.Thread(target=context.term, daemon=True)
    ending.start()
    ending.join(10)
    if ending.is_alive():
        pytest.fail("a socket was left open")
    gc.collect()
    assert open_descriptors() - before == set()
    assert mapped_rings() == []
