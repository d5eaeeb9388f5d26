"""Start all stages, watch them, end them, and see that the books add up.

Stages are threads or processes. Sources begin only when every stage is ready, so that an error at start is
reported before the first frame. Ctrl-C or SIGTERM stops the sources and lets the rest drain; a second one
ends everything now. A stage that dies ends the pipeline: the others handle what has reached them, then stop.
No process outlives its supervisor.
"""

from __future__ import annotations

import fcntl
import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Final

from stream.config import StreamConfig
from stream.errors import GaitwayError, ResourceError, StageDiedError
from stream.frames import remove_rings, shared_memory_folder, sweep
from stream.ledger import FramesLostError, Ledger, LedgerReport
from stream.runner import Notice, Notices, ProcessRunner, Runner, StagePlan, ThreadRunner
from stream.stop import Level

INTERRUPTED: Final = 130
_KILL_S: Final = 2.0


@dataclass(frozen=True)
class Outcome:
    """How a pipeline ended: its books, the first error, and whether it was told to end at once."""

    report: LedgerReport
    error: GaitwayError | None = None
    hurried: bool = False

    @property
    def exit_status(self) -> int:
        """0 only when no stage failed and every frame is accounted for."""
        if self.error is not None:
            return self.error.exit_status
        return INTERRUPTED if self.hurried else 0


class Supervisor:
    """Runs the stages of one pipeline once; ``folder`` is its runtime folder, ``ledger`` lies there."""

    def __init__(
        self, plans: Sequence[StagePlan], ledger: Ledger, *, pipeline: str, folder: Path, config: StreamConfig
    ) -> None:
        self._ledger, self._pipeline, self._folder, self._config = ledger, pipeline, folder, config
        self._frames_folder = shared_memory_folder(config.shared_memory)
        self._logs = folder / "logs"
        self._notices: Notices = SimpleQueue()
        self._runners: dict[str, Runner] = {plan.name: self._runner(plan) for plan in plans}
        self._starting = set(self._runners)
        self._running: set[str] = set()
        self._restarts = dict.fromkeys(self._runners, 0)
        self._failures: dict[str, Notice] = {}
        self._level = Level.RUN
        self._next_step_s: float | None = None
        self._error: GaitwayError | None = None
        self._hurried = False

    def run(self) -> Outcome:
        """Run until every stage has ended; call it in the main thread, so that Ctrl-C reaches it."""
        with _claim(self._folder), self._signals():
            sweep(self._frames_folder)
            self._logs.mkdir(exist_ok=True)
            self._next_step_s = time.monotonic() + self._config.start_s
            try:
                self._start_all()
                self._watch()
            finally:
                self._clean_up()
            return self._outcome()

    def stop(self) -> None:
        """Do what Ctrl-C does; from any thread."""
        self._notices.put(Notice("", "signal"))

    def _runner(self, plan: StagePlan) -> Runner:
        kind = ThreadRunner if plan.run is not None else ProcessRunner
        return kind(plan, self._notices, self._logs)

    def _start_all(self) -> None:
        for name, runner in self._runners.items():
            try:
                runner.start()
            except ResourceError as error:
                self._fail(error)
                return
            self._running.add(name)

    def _watch(self) -> None:
        while self._running:
            left_s = None if self._next_step_s is None else max(0.0, self._next_step_s - time.monotonic())
            try:
                notice = self._notices.get(timeout=left_s)
            except Empty:
                if not self._press_on():
                    return
            else:
                self._take(notice)

    def _take(self, notice: Notice) -> None:
        if notice.kind == "signal":
            self._interrupt()
        elif notice.kind == "ready":
            self._starting.discard(notice.stage)
            if not self._starting:
                self._order("go")
                if self._level is Level.RUN:
                    self._next_step_s = None
        elif notice.kind == "failed":
            self._failures[notice.stage] = notice
        else:
            self._ended(notice)

    def _ended(self, notice: Notice) -> None:
        name = notice.stage
        self._running.discard(name)
        unready = name in self._starting and self._level is Level.RUN
        if (notice.exit_status == 0 and not unready) or self._restarted(notice):
            return
        report = self._failures.get(name)
        error = StageDiedError(report.line if report else f"stage {name} {notice.line}")
        if report:
            error.exit_status = report.exit_status
        self._fail(error)

    def _restarted(self, notice: Notice) -> bool:
        name, runner = notice.stage, self._runners[notice.stage]
        if self._level is not Level.RUN or self._restarts[name] >= runner.plan.restarts:
            return False
        self._restarts[name] += 1  # its hop sends it again what it had not handled, its leases included
        runner.close()
        self._runners[name] = self._runner(runner.plan)
        self._runners[name].start()
        self._running.add(name)
        return True

    def _interrupt(self) -> None:
        if self._level is Level.RUN:
            self._raise_to(Level.DRAIN)
        else:
            self._hurried = True
            self._raise_to(Level.NOW)

    def _fail(self, error: GaitwayError) -> None:
        if self._error is None:
            self._error = error
        level = Level.NOW if self._starting else Level.FLUSH  # before the first frame nothing is on its way
        if self._level < level:
            self._raise_to(level)

    def _press_on(self) -> bool:
        """The time for the present step is over: take the next; False where nothing more can be done."""
        late = ", ".join(sorted(self._running))
        if self._level is Level.RUN:
            waiting = ", ".join(sorted(self._starting))
            self._fail(
                ResourceError(
                    f"not ready after {self._config.start_s:g} s: {waiting}",
                    fix=f"Look into {self._logs}, or raise stream.start_s",
                )
            )
        elif self._level < Level.NOW:
            self._raise_to(Level.NOW)
        else:
            self._error = self._error or StageDiedError(f"had to be killed: {late}")
            processes = [name for name in self._running if self._runners[name].plan.run is None]
            for name in processes:
                self._runners[name].kill()
            self._running.intersection_update(processes)  # threads are left behind
            self._next_step_s = None
            return bool(processes)
        return True

    def _raise_to(self, level: Level) -> None:
        self._level = level
        self._order(level.name.lower())
        wait_s = {Level.FLUSH: self._config.grace_s, Level.NOW: _KILL_S}.get(level)
        self._next_step_s = None if wait_s is None else time.monotonic() + wait_s

    def _order(self, word: str) -> None:
        for name in self._running:
            self._runners[name].order(word)

    def _clean_up(self) -> None:
        for name in self._running:
            self._runners[name].kill()
        for runner in self._runners.values():
            runner.close()
        remove_rings(self._pipeline, self._frames_folder)
        for path in self._folder.glob("*.sock"):
            path.unlink(missing_ok=True)

    def _outcome(self) -> Outcome:
        report = self._ledger.balance()
        error = self._error
        if error is None and not report.ok and not self._hurried:
            error = FramesLostError(report)
        return Outcome(report, error, self._hurried)

    @contextmanager
    def _signals(self) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {
            number: signal.signal(number, lambda *_: self.stop())
            for number in (signal.SIGINT, signal.SIGTERM)
        }
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


@contextmanager
def _claim(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ResourceError(
                "a pipeline of this name is running",
                where=str(folder),
                fix="Stop it, or give this one another --id",
            ) from error
        yield
    finally:
        os.close(descriptor)
