"""Warm standbys: a second process of a stage, its nets loaded, that waits to take a dead one's place.

A spare has everything that is slow to make and is nobody else's: modules, nets. It opens no socket and reads
no checkpoint until it is told ``be``; then it is the stage, and another spare is started when that is ready.
One that cannot be had is done without.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Final

from stream.errors import ResourceError
from stream.pulse import feel
from stream.runner import Notice, ProcessRunner, StagePlan

_SUFFIX: Final = ".standby"
_FAILURES: Final = 3  # deaths in a row before it was warm: then it is done without
_FRESH_S: Final = 3.0  # one that was not heard of for so long is stopped or hangs


class Spares:
    """The spares of one pipeline, by the stage whose place they would take."""

    def __init__(
        self,
        plans: Iterable[StagePlan],
        make: Callable[[StagePlan], ProcessRunner],
        note: Callable[[str], None],
    ) -> None:
        self._plans = {plan.name: plan for plan in plans if plan.spare}
        self._make, self._note = make, note
        self._runners: dict[str, ProcessRunner] = {}
        self._warm: set[str] = set()
        self._heard_s: dict[str, float] = {}
        self._failed: defaultdict[str, int] = defaultdict(int)

    @property
    def pids(self) -> list[int]:
        """The processes that wait."""
        return [runner.pid for runner in self._runners.values()]

    def fill(self) -> bool:
        """Start a spare wherever there is none; True where any was."""
        missing = self._plans.keys() - self._runners.keys()
        for name in sorted(missing):
            plan = self._plans[name]
            runner = self._make(replace(plan, name=name + _SUFFIX, argv=plan.spare))
            try:
                runner.start()
            except ResourceError as error:
                self._forget(name, str(error))
            else:
                self._runners[name] = runner
                self._heard_s[name] = time.monotonic()
        return bool(missing)

    def take(self, name: str) -> ProcessRunner | None:
        """The spare of a stage, told to take its place; None where there is none that is warm and alive."""
        if name not in self._warm or self._is_stopped(name):
            return None
        runner = self._runners[name]
        if not runner.rename(self._plans[name]):  # it has ended: the notice of that is on its way
            return None
        self._drop(name)
        runner.order("be")
        return runner

    def hears(self, notice: Notice) -> bool:
        """Take in what a spare says; False for a notice of anybody else."""
        if not notice.stage.endswith(_SUFFIX):
            return False
        name = notice.stage.removesuffix(_SUFFIX)
        if name not in self._runners:
            return True
        self._heard_s[name] = time.monotonic()
        if notice.kind == "warm":
            self._warm.add(name)
            self._failed[name] = 0
        elif notice.kind == "ended":
            self._failed[name] += name not in self._warm
            self._runners[name].close()
            self._drop(name)
            if self._failed[name] >= _FAILURES:
                self._forget(name, notice.line)
        return True

    def kill_silent(self, patience_s: float) -> None:
        """Kill the spares that are stopped or hang; the notices of their ends bring others."""
        now_s = time.monotonic()
        for name, runner in self._runners.items():
            if now_s - self._heard_s[name] > patience_s:
                self._note(f"the standby of {name} has not been heard of for {patience_s:g} s: killed")
                runner.kill()
                self._heard_s[name] = now_s

    def end(self) -> None:
        """End them all: nobody's place is to be taken any more."""
        for runner in self._runners.values():
            runner.kill()
            runner.close()
        self._runners.clear()
        self._warm.clear()
        self._plans.clear()

    def _is_stopped(self, name: str) -> bool:
        """Whether the spare would not obey; by its silence where the system does not say."""
        pulse = feel(self._runners[name].pid, 0.0)
        return pulse.stopped if pulse else time.monotonic() - self._heard_s[name] > _FRESH_S

    def _drop(self, name: str) -> None:
        del self._runners[name]
        self._warm.discard(name)

    def _forget(self, name: str, why: str) -> None:
        del self._plans[name]
        self._note(f"no standby for {name}: {why}")
