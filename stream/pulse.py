"""Whether a process that says nothing hangs, or works on, or is only kept from working by a busy machine.

Of each silent process the system knows whether it is stopped, how long its threads ran, and how long they
waited for a processor. One that ran for long without a word loops; one that neither ran nor wanted to is
blocked; one that wants to run and may not is starved, and killing it would make matters worse. Linux only;
elsewhere silence itself is what counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

_NS: Final = 1e9
_LOOPS: Final = 0.7  # of the patience, in processor time: it is counted from a quarter of the patience on
_WANTS: Final = 0.5  # of the time: who ran or waited for a processor for less is blocked
_STARVED: Final = 10.0  # times the patience: then it is killed whatever the reason


@dataclass(frozen=True)
class Pulse:
    """A process at one moment: is it stopped, and for how long it ran and waited for a processor so far."""

    at_s: float
    stopped: bool
    ran_s: float
    waited_s: float


def feel(pid: int, now_s: float) -> Pulse | None:
    """The process now; None where the system does not say."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        ran = waited = 0
        for task in Path(f"/proc/{pid}/task").iterdir():
            fields = (task / "schedstat").read_text().split()
            ran, waited = ran + int(fields[0]), waited + int(fields[1])
    except (OSError, ValueError, IndexError):
        return None
    return Pulse(now_s, state in ("T", "t"), ran / _NS, waited / _NS)


def hangs(before: Pulse | None, now: Pulse | None, silent_s: float, patience_s: float) -> bool:
    """Whether a process that has been silent for longer than ``patience_s`` is to be given up.

    ``before``: its pulse soon after it was last heard of.
    """
    if silent_s <= patience_s:
        return False
    if before is None or now is None or now.stopped or silent_s > _STARVED * patience_s:
        return True
    ran_s, waited_s = now.ran_s - before.ran_s, now.waited_s - before.waited_s
    return ran_s > _LOOPS * patience_s or ran_s + waited_s < _WANTS * (now.at_s - before.at_s)
