"""One stage under supervision, as a thread or as a process: the same orders, the same notices."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Literal, Protocol

import msgspec

from stream.errors import FOREIGN, ConfigError, GaitwayError, ResourceError
from stream.figures import Figures
from stream.life import REPORT_VARIABLE, Life, Report
from stream.logs import message_of
from stream.loop import one_line_errors

_LINE_BYTES = 4096


@dataclass(frozen=True)
class StagePlan:
    """How to run one stage: ``run`` in a thread, or ``argv`` as a process.

    ``source`` stages wait for the others before they begin. A process that is killed, hangs or fails by a
    defect is started again, up to ``restarts`` times in a minute; with it, all of its ``group``, which has to
    go back together. What it remembered it has from its checkpoint. ``before``: the stage that takes what
    this one sends; where that has ended well, nobody needs this one any more. ``loses``: what was on its way
    in it is gone with it, as live frames are. ``spare``: how to run a process that waits to take its place.
    ``after``: the stage whose work it follows beside the flow. It is asked to drain when that one has ended,
    and where it is given up itself, the others go on.
    """

    name: str
    run: Callable[[Life], None] | None = None
    argv: tuple[str, ...] = ()
    source: bool = False
    restarts: int = 0
    group: str = ""
    before: str = ""
    loses: bool = False
    spare: tuple[str, ...] = ()
    after: str = ""

    def __post_init__(self) -> None:
        """Raise ConfigError unless exactly one way to run was given."""
        if (self.run is None) == (not self.argv) or (self.run is not None and self.restarts):
            raise ConfigError(f"stage {self.name}", wanted="either run, or argv with restarts")


@dataclass(frozen=True)
class Notice:
    """What happened: a stage is ready, lives, has failed or ended; or a signal or a call came."""

    stage: str
    kind: Literal["warm", "ready", "alive", "failed", "ended", "signal", "call"]
    line: str = ""
    exit_status: int = 0
    call: Callable[[], None] | None = None


Notices = SimpleQueue[Notice]


class Runner(Protocol):
    """A stage that can be started, ordered about and killed; it ends with an ``ended`` notice."""

    plan: StagePlan
    pid: int

    @property
    def figures(self) -> Figures:
        """How things stand in the stage, as it said last; from any thread."""
        ...

    def start(self) -> None:
        """Start it; raises ResourceError where that cannot be."""
        ...

    def order(self, word: str) -> None:
        """Pass on an order: ``go``, ``drain``, ``flush`` or ``now``."""
        ...

    def kill(self) -> None:
        """End it without its consent, where that is possible."""
        ...

    def close(self) -> None:
        """Let go of it after its end."""
        ...


class ThreadRunner:
    """A stage in a thread of this process."""

    def __init__(self, plan: StagePlan, notices: Notices, logs: Path) -> None:
        self.plan, self.pid = plan, os.getpid()
        self._notices, self._logs = notices, logs
        self._life = Life(self._note, source=plan.source)
        self._thread = threading.Thread(target=self._work, name=plan.name, daemon=True)

    @property
    def figures(self) -> Figures:
        """What it said last."""
        return self._life.figures

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def order(self, word: str) -> None:
        """Pass on an order."""
        self._life.order(word)

    def kill(self) -> None:
        """A thread cannot be killed; it has been asked to end now, and is left behind."""

    def close(self) -> None:
        """Nothing is held."""

    def _work(self) -> None:
        assert self.plan.run is not None
        status = 0
        try:
            with one_line_errors(self.plan.name, self._logs):
                self.plan.run(self._life)
        except GaitwayError as error:
            self._life.failed(error)
            status = error.exit_status
        self._notices.put(Notice(self.plan.name, "ended", exit_status=status))

    def _note(self, report: Report) -> None:
        self._notices.put(Notice(self.plan.name, report.kind, report.line, report.exit_status))


class ProcessRunner:
    """A stage in a process of its own, in a session of its own: the terminal's Ctrl-C is the supervisor's."""

    def __init__(self, plan: StagePlan, notices: Notices, logs: Path) -> None:
        self.plan, self.pid = plan, 0
        self.figures: Figures = ()
        self._notices, self._log = notices, logs / f"{plan.name}.log"
        self._log_from = 0
        self._naming = threading.Lock()
        self._ended = False
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the process, and a thread that listens to it."""
        reports, report_to = os.pipe()
        try:
            with self._log.open("ab") as log:  # after a restart, below what the one before had to say
                self._log_from = log.tell()
                self._process = subprocess.Popen(
                    self.plan.argv,
                    stdin=subprocess.PIPE,
                    stdout=log,
                    stderr=log,
                    pass_fds=(report_to,),
                    env={**os.environ, REPORT_VARIABLE: str(report_to)},
                    start_new_session=True,
                )
        except OSError as error:
            os.close(reports)
            raise ResourceError(
                f"stage {self.plan.name} cannot be started ({error.strerror})", where=self.plan.argv[0]
            ) from error
        finally:
            os.close(report_to)
        self.pid = self._process.pid
        threading.Thread(
            target=self._listen, args=(self._process, reports), name=self.plan.name, daemon=True
        ).start()

    def rename(self, plan: StagePlan) -> bool:
        """A spare becomes the stage it waited for; False where it has ended meanwhile."""
        with self._naming:
            if not self._ended:
                self.plan = plan
            return not self._ended

    def order(self, word: str) -> None:
        """Pass on an order."""
        if self._process is not None and self._process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):  # it has ended already; its notice is under way
                self._process.stdin.write(word.encode() + b"\n")
                self._process.stdin.flush()

    def kill(self) -> None:
        """SIGKILL."""
        if self._process is not None:
            self._process.kill()

    def close(self) -> None:
        """Close the pipe of orders."""
        if self._process is not None and self._process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()

    def _listen(self, process: subprocess.Popen[bytes], reports: int) -> None:
        with os.fdopen(reports, "rb") as lines:
            for line in lines:
                with contextlib.suppress(*FOREIGN):  # torn by a kill: its end is noticed below
                    report = msgspec.json.decode(line, type=Report)
                    if report.figures is not None:
                        self.figures = report.figures
                    self._notices.put(Notice(self.plan.name, report.kind, report.line, report.exit_status))
        status = process.wait()
        with self._naming:
            self._ended = True
        self._notices.put(Notice(self.plan.name, "ended", self._last_words(status), status))

    def _last_words(self, status: int) -> str:
        how = f"was killed by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"
        with self._log.open("rb") as log:
            log.seek(max(self._log_from, os.fstat(log.fileno()).st_size - _LINE_BYTES))
            lines = [
                line.strip() for line in log.read().decode("utf-8", "replace").splitlines() if line.strip()
            ]
        return f"{how}; its last line: {message_of(lines[-1])}" if lines else how
