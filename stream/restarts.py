"""Which stages are started again, together with whom, how often, and who has fallen silent."""

from __future__ import annotations

import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from stream.errors import StageDiedError
from stream.pulse import Pulse, feel, hangs
from stream.runner import Notice, StagePlan

WINDOW_S: Final = 60.0
"""A stage that dies more often than its plan allows in this time is given up: something is really wrong."""
_PAUSED_S: Final = 1.0
_FIRST_LOOK: Final = 0.25  # of the patience: who is silent for so long is looked at for the first time


class Restarts:
    """What is known of the deaths of a pipeline's stages; decides, and does nothing itself."""

    def __init__(self, plans: Mapping[str, StagePlan]) -> None:
        self._plans = dict(plans)
        self._deaths: defaultdict[str, deque[float]] = defaultdict(deque)
        self._finished: set[str] = set()
        self._waiting: dict[str, set[str]] = {}  # group -> members that have been killed and not ended yet
        self._begun: Counter[str] = Counter()
        self.lossy = False

    def add(self, plan: StagePlan) -> None:
        """One more stage, or one that starts anew."""
        self._plans[plan.name] = plan
        self._finished.discard(plan.name)

    def finished(self, name: str) -> None:
        """The stage ended well."""
        self._finished.add(name)

    def has_finished(self, name: str) -> bool:
        """Whether the stage ended well."""
        return name in self._finished

    def begun(self, name: str) -> int:
        """How often the stage was started again."""
        return self._begun[name]

    def needless(self, name: str) -> bool:
        """Whether nobody waits for the stage any more: who takes what it sends has ended well."""
        return self._plans[name].before in self._finished

    def allowed(self, notice: Notice) -> bool:
        """Whether this death is one to be started again after: a kill or a defect, and not too often."""
        plan, deaths = self._plans[notice.stage], self._deaths[notice.stage]
        if notice.exit_status >= 0 and notice.exit_status != StageDiedError.exit_status:
            return False  # a disk that is full is full for the next one too
        now_s = time.monotonic()
        while deaths and now_s - deaths[0] > WINDOW_S:
            deaths.popleft()
        deaths.append(now_s)
        return len(deaths) <= plan.restarts

    def group(self, name: str) -> list[str]:
        """The stages that go back together with this one, itself included, in the order of the flow."""
        group = self._plans[name].group
        return [one for one, plan in self._plans.items() if one == name or (group and plan.group == group)]

    def begin(self, name: str, killed: Iterable[str]) -> bool:
        """The group of ``name`` is to be started again; True where nobody of it is left to wait for."""
        self._begun.update(self.group(name))
        self.lossy = self.lossy or self._plans[name].loses
        self._waiting[name] = set(killed)
        self._finished.difference_update(self.group(name))
        return not self._waiting[name]

    def gone(self, name: str) -> str | None:
        """A stage ended; whose group can be started now, if it was the last of one that is waited for."""
        for first, waiting in self._waiting.items():
            waiting.discard(name)
            if not waiting:
                return first
        return None

    def awaited(self, name: str) -> bool:
        """Whether the stage was killed to go back with its group."""
        return any(name in waiting for waiting in self._waiting.values())

    def started(self, first: str) -> None:
        """The group of ``first`` has been started again."""
        del self._waiting[first]


class Heartbeats:
    """When each stage was last heard of, and which of those that are silent hang."""

    def __init__(self, patience_s: float, feel: Callable[[int, float], Pulse | None] = feel) -> None:
        self._patience_s, self._feel = patience_s, feel
        self._heard_s: dict[str, float] = {}
        self._pulses: dict[str, Pulse | None] = {}  # of those that fell silent
        self._looked_s = time.monotonic()

    def heard(self, name: str) -> None:
        """The stage said something."""
        self._heard_s[name] = time.monotonic()
        self._pulses.pop(name, None)

    def silence_s(self, name: str) -> float:
        """For how long the stage has said nothing."""
        return time.monotonic() - self._heard_s.get(name, time.monotonic())

    def silent(self, processes: Mapping[str, int]) -> list[str]:
        """Which of the stages, by process, hang; to be asked with no notice left unread.

        None, if it was long since this was last asked: then it was we who slept.
        """
        now_s = time.monotonic()
        slept, self._looked_s = now_s - self._looked_s > _PAUSED_S, now_s
        if slept:
            self._heard_s = dict.fromkeys(self._heard_s, now_s)
            self._pulses.clear()
        return [name for name, pid in processes.items() if self._hangs(name, pid, now_s)]

    def stopped(self, processes: Mapping[str, int]) -> list[str]:
        """Which of the stages, by process, are silent for too long because they were stopped."""
        now_s = time.monotonic()
        silent = [name for name in processes if now_s - self._heard_s.get(name, now_s) > self._patience_s]
        return [name for name in silent if (pulse := self._feel(processes[name], now_s)) and pulse.stopped]

    def _hangs(self, name: str, pid: int, now_s: float) -> bool:
        silent_s = now_s - self._heard_s.get(name, now_s)
        if silent_s < _FIRST_LOOK * self._patience_s:
            return False
        if name not in self._pulses:
            self._pulses[name] = self._feel(pid, now_s)
        if silent_s <= self._patience_s:
            return False
        return hangs(self._pulses[name], self._feel(pid, now_s), silent_s, self._patience_s)
