"""Stages that a supervisor left behind when it was killed: the next one of the same pipeline ends them.

They end by themselves when their supervisor is gone, within two seconds, unless they are stopped or hang.
Which they were stands in a file; a process that came later under the same number is told by its start time.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

import msgspec

from stream.errors import FOREIGN

_NAME: Final = "stages"
_WAIT_S: Final = 5.0
_LOOK_S: Final = 0.01


class Stray(msgspec.Struct, frozen=True):
    """A process, when it was started, in the system's own count, and which stage it is; nothing: a spare."""

    pid: int
    started: str
    stage: str = ""


def note(folder: Path, stages: Mapping[str, int], spares: Iterable[int] = ()) -> None:
    """Write down which processes run now: those of stages by name, and those that wait."""
    fresh = folder / f"{_NAME}.new"
    named = [*((pid, stage) for stage, pid in stages.items()), *((pid, "") for pid in spares)]
    running = [Stray(pid, started, stage) for pid, stage in named if (started := _started(pid))]
    fresh.write_bytes(msgspec.json.encode(running))
    fresh.replace(folder / _NAME)


def noted(folder: Path) -> list[Stray]:
    """The processes that were written down and still run; none where nothing was."""
    try:
        written = msgspec.json.decode((folder / _NAME).read_bytes(), type=list[Stray])
    except (OSError, *FOREIGN):
        return []
    return [stray for stray in written if _started(stray.pid) == stray.started]


def end(folder: Path) -> int:
    """Kill what is left of the processes written down, and wait until they are gone; how many they were."""
    left = noted(folder)
    for stray in left:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(stray.pid, signal.SIGKILL)
    until_s = time.monotonic() + _WAIT_S
    while any(_started(stray.pid) == stray.started for stray in left) and time.monotonic() < until_s:
        time.sleep(_LOOK_S)
    return len(left)


def _started(pid: int) -> str:
    """When a living process was started; empty for one that is gone, and where the system does not say."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in ("Z", "X") else fields[19]
