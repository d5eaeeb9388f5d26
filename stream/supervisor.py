"""Start all stages, watch them, end them, and see that the books add up.

Stages are threads or processes. Sources begin only when every stage is ready, so that an error at start is
reported before the first frame. Ctrl-C or SIGTERM stops the sources and lets the rest drain; a second one
ends everything now. A stage process that is killed, hangs or fails by a defect is started again from its
checkpoint (``stream/checkpoint.py``), up to a limit. Beyond it, or where the error is one that will not go
away, the pipeline ends: the others handle what has reached them, then stop. No process outlives its
supervisor.
"""

from __future__ import annotations

import fcntl
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Final

from stream import strays
from stream.config import StreamConfig
from stream.errors import GaitwayError, ResourceError, StageDiedError
from stream.frames import remove_rings, shared_memory_folder, sweep
from stream.ledger import Drop, FramesLostError, Ledger, LedgerReport
from stream.look import Look, StageState, State
from stream.notify import Manager
from stream.restarts import Heartbeats, Restarts
from stream.runner import Notice, Notices, ProcessRunner, Runner, StagePlan, ThreadRunner
from stream.spares import Spares
from stream.stop import Level

INTERRUPTED: Final = 130
_KILL_S: Final = 2.0
_LOOK_S: Final = 0.2  # how often the supervisor looks whether somebody hangs


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
        self,
        plans: Sequence[StagePlan],
        ledger: Ledger,
        *,
        pipeline: str,
        folder: Path,
        config: StreamConfig,
        note: Callable[[str], None] = lambda _: None,
    ) -> None:
        """``note`` is told, in one line each, what went wrong and was mended."""
        self._ledger, self._pipeline, self._folder, self._config = ledger, pipeline, folder, config
        self._frames_folder = shared_memory_folder(config.shared_memory)
        self._logs = folder / "logs"
        self._notices: Notices = SimpleQueue()
        self._runners: dict[str, Runner] = {plan.name: self._runner(plan) for plan in plans}
        self._starting = set(self._runners)
        self._running: set[str] = set()
        self._restarts = Restarts({plan.name: plan for plan in plans})
        self._beats = Heartbeats(config.heartbeat_s)
        self._spares = Spares(plans, self._process, note)
        self._manager = Manager()
        self._began = False
        self._looked_s = time.monotonic()
        self._paused: frozenset[str] = frozenset()
        self._note = note
        self._failures: dict[str, Notice] = {}
        self._level = Level.RUN
        self._next_step_s: float | None = None
        self._error: GaitwayError | None = None
        self._hurried = False

    def run(self) -> Outcome:
        """Run until every stage has ended; call it in the main thread, so that Ctrl-C reaches it."""
        with _claim(self._folder), self._signals():
            if strays.end(self._folder):
                self._note("stages of a supervisor that was killed were still there: ended")
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

    def attach(self, plan: StagePlan, camera: str, *, into: str) -> None:
        """Start one more source, and have stage ``into`` take its frames; from any thread."""

        def start() -> None:
            self._ledger.attach(camera)
            self._runners[into].order(f"attach {camera}")
            self._restarts.add(plan)
            runner = self._runners[plan.name] = self._runner(plan)
            self._begin(plan.name, runner)
            self._note_stages()

        self._notices.put(Notice(plan.name, "call", call=start))

    def tell(self, name: str, word: str) -> None:
        """Pass an order on to one stage, and to whoever takes its place; from any thread."""

        def order() -> None:
            if word in ("pause", "resume"):
                self._paused = self._paused | {name} if word == "pause" else self._paused - {name}
            self._runners[name].order(word)

        self._notices.put(Notice(name, "call", call=order))

    def look(self) -> Look:
        """How every stage stands; from any thread."""
        stages = [
            StageState(
                name,
                self._state(name),
                runner.pid,
                self._restarts.begun(name),
                self._beats.silence_s(name) if runner.plan.argv and name in self._running else 0.0,
                name in self._paused,
                runner.figures,
            )
            for name, runner in self._runners.copy().items()
        ]
        return Look(tuple(stages), self._began, self._level, time.monotonic() - self._looked_s)

    def _state(self, name: str) -> State:
        again = self._restarts.begun(name) > 0
        if name not in self._running:
            done = self._restarts.has_finished(name) or self._level > Level.DRAIN
            return "ended" if done else "dead"
        if name not in self._starting:
            return "running"
        return "restarting" if again else "starting"

    @property
    def running(self) -> frozenset[str]:
        """The stages that run now; from any thread."""
        return frozenset(self._running)

    @property
    def paused(self) -> frozenset[str]:
        """The sources that pause; from any thread."""
        return self._paused

    def _runner(self, plan: StagePlan) -> Runner:
        return ThreadRunner(plan, self._notices, self._logs) if plan.run is not None else self._process(plan)

    def _process(self, plan: StagePlan) -> ProcessRunner:
        return ProcessRunner(plan, self._notices, self._logs)

    def _start_all(self) -> None:
        for name, runner in self._runners.items():
            try:
                runner.start()
            except ResourceError as error:
                self._fail(error)
                return
            self._running.add(name)
        self._note_stages()

    def _note_stages(self) -> None:
        strays.note(self._folder, self._processes(self._runners), self._spares.pids)

    def _processes(self, names: Iterable[str]) -> dict[str, int]:
        return {name: self._runners[name].pid for name in names if self._runners[name].plan.argv}

    def _watch(self) -> None:
        while self._running:
            self._looked_s = time.monotonic()
            left_s = None if self._next_step_s is None else max(0.0, self._next_step_s - time.monotonic())
            try:
                notice = self._notices.get(timeout=_LOOK_S if left_s is None else min(_LOOK_S, left_s))
            except Empty:
                if left_s is not None and left_s <= _LOOK_S and not self._press_on():
                    return
            else:
                self._take(notice)
            if self._notices.empty():
                self._kill_silent()
            self._manager.alive()

    def _take(self, notice: Notice) -> None:
        if self._spares.hears(notice):
            if notice.kind == "ended":
                self._keep_spares()
            return
        self._beats.heard(notice.stage)
        if notice.kind == "signal":
            self._interrupt()
        elif notice.kind == "ready":
            self._starting.discard(notice.stage)
            if not self._starting:
                if not self._began:
                    self._manager.ready()
                self._began = True
                self._order("go")
                if self._level is Level.RUN:
                    self._next_step_s = None
                    self._keep_spares()
        elif notice.kind == "failed":
            self._failures[notice.stage] = notice
        elif notice.kind == "ended":
            self._ended(notice)
        elif notice.call is not None and self._level is Level.RUN:
            try:
                notice.call()
            except ResourceError as error:
                self._note(str(error))

    def _kill_silent(self) -> None:
        """Kill whoever hangs; the notice of its end brings it back."""
        self._spares.kill_silent(self._config.heartbeat_s)
        working, starting = self._processes(self._running - self._starting), self._processes(self._starting)
        for name in [*self._beats.silent(working), *self._beats.stopped(starting)]:
            self._note(f"stage {name} has not been heard of for {self._config.heartbeat_s:g} s: killed")
            self._runners[name].kill()
            self._beats.heard(name)

    def _ended(self, notice: Notice) -> None:
        name = notice.stage
        self._running.discard(name)
        if self._restarts.awaited(name):
            first = self._restarts.gone(name)
            if first is not None:
                self._start_again(first)
            return
        unready = name in self._starting and self._level is Level.RUN
        report = self._failures.pop(name, None)
        if (notice.exit_status == 0 and not unready) or self._restarts.needless(name):
            self._restarts.finished(name)
            self._release(name)
            return
        if self._may_start_again(notice):
            what = report.line if report else f"stage {name} {notice.line}"
            self._note(f"{what}; {name} is started again")
            others = [one for one in self._restarts.group(name) if one in self._running]
            for one in others:
                self._runners[one].kill()
            if self._restarts.begin(name, others):
                self._start_again(name)
            return
        error = StageDiedError(report.line if report else f"stage {name} {notice.line}")
        if report:
            error.exit_status = report.exit_status
        if self._runners[name].plan.after and self._began:
            self._note(f"{error}; {name} is given up, the others go on")
            return
        self._fail(error)
        self._release(name)

    def _release(self, ended: str) -> None:
        """Let those finish who followed the stage that has ended."""
        for name in self._running:
            if self._runners[name].plan.after == ended:
                self._runners[name].order("drain")

    def _follows(self, name: str) -> bool:
        """Whether the stage follows one that has not ended: what ends the flow is not for it yet."""
        after = self._runners[name].plan.after
        return bool(after) and not self._restarts.has_finished(after)

    def _may_start_again(self, notice: Notice) -> bool:
        plan = self._runners[notice.stage].plan
        if self._level > Level.DRAIN or (notice.exit_status >= 0 and not self._began):
            return False  # what fails at the start is reported at once
        return plan.restarts > 0 and self._restarts.allowed(notice)

    def _start_again(self, first: str) -> None:
        """Start the group of ``first``; its hops send it again what its checkpoint does not cover."""
        self._restarts.started(first)
        sweep(self._frames_folder)  # the rings of sources that are dead
        for name in self._restarts.group(first):
            before = self._runners[name]
            before.close()
            spare = self._spares.take(name)
            runner = self._runners[name] = spare or self._runner(before.plan)
            try:
                self._begin(name, runner, started=spare is not None)
            except ResourceError as error:
                self._fail(error)
                return
            if (self._level is Level.DRAIN or before.plan.after) and not self._follows(name):
                runner.order("drain")
            if name in self._paused:
                runner.order("pause")
        self._note_stages()
        if self._level is Level.RUN:
            self._next_step_s = time.monotonic() + self._config.start_s

    def _keep_spares(self) -> None:
        if self._level is Level.RUN and self._began and not self._starting and self._spares.fill():
            self._note_stages()

    def _begin(self, name: str, runner: Runner, *, started: bool = False) -> None:
        if not started:
            runner.start()
        self._running.add(name)
        self._starting.add(name)
        self._beats.heard(name)

    def _interrupt(self) -> None:
        if self._level is Level.RUN:
            self._raise_to(Level.DRAIN)
        else:
            self._hurried = True
            self._raise_to(Level.NOW)

    def _fail(self, error: GaitwayError) -> None:
        if self._error is None:
            self._error = error
        level = Level.FLUSH if self._began else Level.NOW  # before the first frame nothing is on its way
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
        self._manager.stopping()
        self._spares.end()
        self._order(level.name.lower())
        wait_s = {Level.FLUSH: self._config.grace_s, Level.NOW: _KILL_S}.get(level)
        self._next_step_s = None if wait_s is None else time.monotonic() + wait_s

    def _order(self, word: str) -> None:
        for name in self._running:
            if word not in ("drain", "flush") or not self._follows(name):
                self._runners[name].order(word)

    def _clean_up(self) -> None:
        self._spares.end()
        for name in self._running:
            self._runners[name].kill()
        for runner in self._runners.values():
            runner.close()
        remove_rings(self._pipeline, self._frames_folder)
        for path in self._folder.glob("*.sock"):
            path.unlink(missing_ok=True)

    def _outcome(self) -> Outcome:
        if self._restarts.lossy:
            self._settle()
        report = self._ledger.balance()
        error = self._error
        if error is None and not report.ok and not self._hurried:
            error = FramesLostError(report)
        return Outcome(report, error, self._hurried)

    def _settle(self) -> None:
        """Settle the books of live cameras after a kill: what was on its way there is dropped for that.

        A frame that was told of just before the kill, and found stale when it was tried again, is one frame.
        """
        first, second = (self._ledger.stage(name) for name in self._ledger.stages[:2])
        for camera in self._ledger.balance().cameras:
            if camera.lost > 0:
                first.count(camera.camera, Drop.DIED, camera.lost)
            elif camera.lost < 0 and second.value(camera.camera, Drop.STALE) >= -camera.lost:
                second.count(camera.camera, Drop.STALE, camera.lost)

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
