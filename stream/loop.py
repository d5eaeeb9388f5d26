"""The one loop that runs any stage, in a thread or a process, over any transport.

Receive, let the stage handle, send on, count; answer questions between two frames; when a camera's stream
ends, let the stage finish it and pass the end on; end when every camera has ended. Asked to drain it does
just that, within ``drain_s`` of the last message; ``stream/stop.py`` names the more urgent ways to end. Now
and then, between two messages, the loop keeps a checkpoint (``stream/checkpoint.py``).
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from stream.bus import Receiver, Sent, TendedSender
from stream.checkpoint import Checkpoint, Keeper
from stream.control import ControlServer
from stream.errors import GaitwayError, MessageError, StageDiedError
from stream.figures import Figure, Watch
from stream.ledger import UNATTRIBUTED, Count, Drop, StageLedger
from stream.messages import (
    ControlReply,
    ControlRequest,
    EndOfStream,
    Event,
    FrameMessage,
    FrameToken,
    Message,
    People,
)
from stream.punctual import SkippedFrameError
from stream.ringfile import StaleFrameError
from stream.sockets import wait_for
from stream.stage import Stage
from stream.stop import Level, Stop
from stream.trace import TraceWriter

_IDLE_S: Final = 0.05  # how often a waiting stage looks whether it was asked to stop
_FLUSH_S: Final = 0.5  # how long a flushed stage waits for what may still be on its way


@dataclass(frozen=True)
class Ports:
    """What connects a stage: messages in, messages out (None: the last stage), questions, and a trace.

    ``watch`` measures what the stage does and passes on what it says of itself.
    ``newcomers`` opens the inlets of cameras attached since it was last called, and names them.
    """

    inlet: Receiver
    outlet: TendedSender | None = None
    control: ControlServer | None = None
    trace: TraceWriter | None = None
    newcomers: Callable[[], Collection[str]] = tuple
    watch: Watch | None = None

    def close(self) -> None:
        """Close them all; what was sent is still handed over."""
        self.inlet.close()
        for port in (self.outlet, self.control, self.trace, self.watch):
            if port is not None:
                port.close()


class StageLoop:
    """Runs ``stage`` between its ``ports`` until the streams of all ``cameras`` have ended."""

    def __init__(
        self,
        name: str,
        stage: Stage,
        ports: Ports,
        *,
        cameras: Collection[str],
        ledger: StageLedger,
        stop: Stop,
        drain_s: float = 30.0,
        keeper: Keeper | None = None,
    ) -> None:
        """``keeper`` keeps checkpoints; what it restored says which cameras are open and what was counted."""
        self._name, self._stage, self._ports = name, stage, ports
        self._open = set(cameras)
        self._ledger, self._stop, self._drain_s = ledger, stop, drain_s
        self._last_frame: dict[str, tuple[str, int]] = {}
        self._keeper = keeper
        if keeper is not None and (kept := keeper.restored) is not None:
            self._open = set(kept.still_open(cameras))
            self._last_frame = dict(kept.frames)
            if kept.counts:
                ledger.restore(kept.counts)

    def run(self) -> None:
        """Run until every camera has ended, or as asked; then close the stage and its ports."""
        last_s = time.monotonic()
        with closing(self._ports), closing(self._stage):
            self._keep_checkpoint()
            while self._open and not self._stop.now():
                self._answer_questions()
                self._open.update(self._ports.newcomers())
                message = self._receive()
                if message is not None:
                    self._take(message)
                    last_s = time.monotonic()
                elif self._waited_enough(last_s):
                    break
                elif self._ports.outlet:
                    self._ports.outlet.tend()
                if self._keeper is not None and self._keeper.due(message is not None):
                    self._keep_checkpoint()
                if self._ports.watch is not None:
                    self._ports.watch.look(self._figures)
            self._keep_checkpoint()

    def _keep_checkpoint(self) -> None:
        """Keep what this stage is now; then the sender before need not keep what it covers."""
        if self._keeper is None:
            return
        inlet, outlet = self._ports.inlet, self._ports.outlet
        positions = inlet.positions()
        checkpoint = Checkpoint(
            memory=self._keeper.memory.save(), open=tuple(sorted(self._open)), frames=self._last_frame
        )
        if self._keeper.exact:
            sent = outlet.sent if outlet else Sent(b"")
            checkpoint = msgspec.structs.replace(
                checkpoint,
                positions={name.hex(): last for name, last in positions.items()},
                sender=sent.name.hex(),
                covered=sent.covered,
                kept=sent.kept,
                counts=self._ledger.counts(),
            )
        self._keeper.save(checkpoint)
        inlet.cover(positions)

    def _receive(self) -> Message | None:
        inlet, control = self._ports.inlet, self._ports.control
        try:
            message = inlet.receive(0)
            if message is None:
                questions = [control.socket] if control else []
                wait_for([*inlet.sockets(), *questions], _IDLE_S)
                message = inlet.receive(0)
        except MessageError:
            self._ledger.count(UNATTRIBUTED, Count.ERRORS)
            return None
        return message

    def _take(self, message: Message) -> None:
        if isinstance(message, EndOfStream):
            for addition in self._stage.finish(message):
                self._pass_on(addition)
            self._pass_on(message)
            if message.last:
                self._open.discard(message.camera)
        elif isinstance(message, (Event, ControlRequest, ControlReply)):
            self._ledger.count(UNATTRIBUTED, Count.ERRORS)
        else:
            self._handle(message)

    def _handle(self, message: FrameMessage) -> None:
        camera, frame = message.frame.camera, (message.frame.run, message.frame.number)
        last = self._last_frame.get(camera)
        if last is not None and last[0] == frame[0] and self._repeated(message, last[1]):
            return
        if last == frame:  # what the stage before had left at the end: no new frame
            for addition in self._stage.handle(message):
                self._pass_on(addition)
            return
        self._last_frame[camera] = frame
        self._open.add(camera)  # it may have been attached a moment ago
        self._ledger.count(camera, Count.RECEIVED)
        watch = self._ports.watch
        began_ns = watch.begin() if watch else 0
        try:
            answers = list(self._stage.handle(message))
        except StaleFrameError:
            self._ledger.count(camera, Drop.STALE)
            return
        except SkippedFrameError as skipped:
            self._ledger.count(camera, skipped.cause)
            return
        self._ledger.count(camera, Count.HANDLED)
        if watch:
            watch.handled(message.frame, began_ns, answers)
        self._send_all(answers)

    def _repeated(self, message: FrameMessage, last: int) -> bool:
        """Whether perception, killed over a live camera, had or told of this frame before it was killed."""
        number = message.frame.number
        return number < last or (number == last and isinstance(message, (FrameToken, People)))

    def _send_all(self, messages: Iterable[FrameMessage]) -> None:
        for message in messages:
            camera = message.frame.camera
            if self._pass_on(message):
                self._ledger.count(camera, Count.SENT)
            else:
                self._ledger.count(camera, Drop.STOPPED if self._stop.now() else Drop.QUEUE_FULL)

    def _pass_on(self, message: FrameMessage | EndOfStream) -> bool:
        if self._ports.trace:
            self._ports.trace.append(message)
        if self._ports.outlet is not None:
            return self._ports.outlet.send(message, self._stop.now)
        if self._ports.watch:
            self._ports.watch.told(message)
        return True

    def _figures(self) -> Iterator[Figure]:
        if self._ports.outlet is not None:
            yield Figure("queue", self._ports.outlet.under_way)
        yield from self._stage.figures()

    def _answer_questions(self) -> None:
        if self._ports.control and self._ports.control.serve(self._stage.control):
            self._keep_checkpoint()  # who was removed must not come back with an older one

    def _waited_enough(self, last_s: float) -> bool:
        if self._stop.raised_at_s is None:
            return False
        waited_s = time.monotonic() - max(last_s, self._stop.raised_at_s)
        if self._stop.level >= Level.FLUSH:
            return waited_s > _FLUSH_S
        if waited_s > self._drain_s:
            raise StageDiedError(
                f"{self._name} was asked to drain and for {self._drain_s:g} s nothing came",
                wanted=f"the end of {', '.join(sorted(self._open))}",
                fix="Look at the stages before it",
            )
        return False


@contextmanager
def one_line_errors(name: str, log_folder: Path | None = None) -> Iterator[None]:
    """Turn whatever goes wrong inside into one clear line; a defect's traceback goes to a log file."""
    try:
        yield
    except GaitwayError:
        raise
    except Exception as error:
        line = f"{type(error).__name__}: {error}"
        log = _log_traceback(name, log_folder)
        fix = f"This is a defect; its traceback is in {log}" if log else "This is a defect"
        raise StageDiedError(f"stage {name} failed ({line})", fix=fix) from error


def _log_traceback(name: str, folder: Path | None) -> Path | None:
    if folder is None:
        return None
    path = folder / f"{name}.traceback.log"
    try:
        path.write_text(traceback.format_exc(), encoding="utf-8")
    except OSError:  # a full disk must not hide what went wrong
        return None
    return path
