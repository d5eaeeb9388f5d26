"""What a stage is given by whoever started it, as a thread or as a process of its own.

A process talks to its supervisor over two pipes: its standard input brings orders, one per line, and its end
means that the supervisor is dead; reports go out, one JSON line each, on the descriptor that REPORT_VARIABLE
names. A heartbeat is one of them: it goes out while the stage's own thread goes on asking whether it is to
stop, so that a stage which is stopped (SIGSTOP) or loops falls silent. Without a supervisor (a stage started
by hand) both are absent and signals alone count.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue
from typing import Final, Literal

import msgspec

from stream.bus import terminate
from stream.errors import GaitwayError
from stream.figures import Figures
from stream.loop import one_line_errors
from stream.stop import Level, Stop

REPORT_VARIABLE: Final = "GAITWAY_REPORT_FD"
_LOOK_S: Final = 0.02
_log = logging.getLogger("gaitway.stream")
_ORPHAN_GRACE_S: Final = 2.0
BEAT_S: Final = 0.25
"""How often a stage says that it is alive."""


class Report(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a stage tells its supervisor: it is ready (``warm``: a spare), alive, or it failed, and how.

    ``figures``: how things stand there, where that has been said since the heartbeat before.
    """

    kind: Literal["warm", "ready", "alive", "failed"]
    line: str = ""
    exit_status: int = 0
    figures: Figures | None = None


class Life:
    """A stage's end of its supervision."""

    def __init__(
        self, report: Callable[[Report], None], *, source: bool = False, supervised: bool = True
    ) -> None:
        self.stop = Stop()
        self.newcomers: SimpleQueue[str] = SimpleQueue()  # cameras attached while the pipeline runs
        self._report = report
        self._go = threading.Event()
        self._wanted = threading.Event()
        self._waits = source and supervised
        self._busy = False  # between ``ready`` and the end of the work: when silence means that it hangs
        self.figures: Figures = ()

    def ready(self) -> None:
        """Say that sockets are open and nets compiled. A source then waits until every stage is ready."""
        _log.info("ready")
        self._report(Report("ready"))
        self._busy = True
        while self._waits and not self._go.wait(_LOOK_S) and not self.stop.draining():
            pass

    def tell(self, figures: Figures) -> None:
        """Have it known how things stand; goes out with the next heartbeat."""
        self.figures = figures

    def await_turn(self) -> bool:
        """A spare: say that nets are loaded, and wait for a dead one's place; False where none is to take."""
        self._report(Report("warm"))
        while not self._wanted.wait(_LOOK_S):
            if self.stop.draining():
                return False
        return True

    def failed(self, error: GaitwayError) -> None:
        """Say with which one line the stage ends."""
        self._report(Report("failed", str(error), error.exit_status))

    def beat_for_ever(self) -> None:
        """Say again and again that the stage is alive, for as long as it is; for a thread of its own."""
        asked, told = -1, self.figures
        while True:
            if not self._busy or self.stop.asked != asked:
                asked, figures = self.stop.asked, self.figures
                self._report(Report("alive", figures=figures if figures is not told else None))
                told = figures
            time.sleep(BEAT_S)

    def done(self) -> None:
        """The work is over; what is left is to hand over and to leave."""
        self._busy = False

    def order(self, word: str) -> None:
        """Take an order: ``go``, ``be``, ``pause``, ``resume``, ``attach CAMERA``, or a stop level's name."""
        if word == "go":
            self._go.set()
        elif word == "be":
            self._wanted.set()
        elif word in ("pause", "resume"):
            self.stop.paused = word == "pause"
        elif word.startswith("attach "):
            self.newcomers.put(word.removeprefix("attach "))
        else:
            self.stop.ask(Level[word.upper()])


def run_process(
    name: str, run: Callable[[Life], None], *, source: bool = False, logs: Path | None = None
) -> int:
    """Run a stage as this process: signals, orders, reports; its exit status.

    The first SIGINT or SIGTERM means drain, the second now. Standard error carries the one line of an error.
    """
    report_to = os.environ.pop(REPORT_VARIABLE, None)
    life = Life(_reporter(report_to), source=source, supervised=report_to is not None)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: life.stop.ask_again())
    if report_to is not None:
        threading.Thread(target=_follow_orders, args=(life,), name="orders", daemon=True).start()
        threading.Thread(target=life.beat_for_ever, name="heartbeat", daemon=True).start()
    try:
        with one_line_errors(name, logs):
            run(life)
            life.done()
            _log.info("ended")
            terminate()
    except GaitwayError as error:
        life.failed(error)
        _log.error("%s", error)
        return error.exit_status
    return 0


def _reporter(descriptor: str | None) -> Callable[[Report], None]:
    if descriptor is None:
        return lambda _: None
    number = int(descriptor)
    os.set_inheritable(number, False)  # a grandchild must not keep the pipe open

    def report(what: Report) -> None:
        with contextlib.suppress(BrokenPipeError):  # the supervisor is dead; the end of stdin says so too
            os.write(number, msgspec.json.encode(what) + b"\n")

    return report


def _follow_orders(life: Life) -> None:
    rest = b""
    while data := os.read(sys.stdin.fileno(), 4096):  # unbuffered: no lock to die with
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            life.order(line.decode())
    life.stop.ask(Level.NOW)
    threading.Event().wait(_ORPHAN_GRACE_S)
    os._exit(1)  # still here: the main thread hangs, and nobody is left to notice
