"""The source stage: pictures into shared memory, their tokens to perceive, the end of the stream last.

A recorded source waits for room and loses nothing. A live one drops the picture in hand when the ring
(``ring_full``) or the queue to perceive (``queue_full``) has no room, so that what is in flight stays young;
every drop is counted with its cause, and numbers count captured pictures, so that a gap shows downstream.
A camera that is lost ends its run, and so every track in it; what comes after it is back is a run of its own.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from stream.bus import Sender
from stream.errors import GaitwayError
from stream.figures import Figure, Watch
from stream.ledger import Count, Drop, StageLedger
from stream.logs import about
from stream.memory import give_back
from stream.messages import EndOfStream, FrameRef, FrameToken
from stream.sources.base import NS_PER_S, Image, Picture, Source
from stream.sources.clock import host_clock
from stream.stop import Stop

WhenFull = Literal["wait", "drop"]

_LOOK_FOR_STOP_S: Final = 0.05
_RETRY_S: Final = 0.002
_log = logging.getLogger("gaitway.stream")


class Writer(Protocol):
    """Where pixels go; ``stream.frames.FrameWriter``."""

    def write(
        self,
        frame: FrameRef,
        image: Image,
        *,
        timeout_s: float | None = ...,
        stopped: Callable[[], bool] = ...,
    ) -> FrameToken | None:
        """Copy into a free slot; None when none came free in time."""
        ...

    def withdraw(self, token: FrameToken) -> None:
        """Free the slot of a token that was not sent."""
        ...

    def drain(self, timeout_s: float, stopped: Callable[[], bool] = ...) -> bool:
        """Wait until every frame was released."""
        ...


@dataclass(frozen=True)
class FeedOptions:
    """``when_full`` None: live sources drop, recorded ones wait. ``realtime`` paces by capture time.

    ``drain_s``: how long the readers may take for what is in the ring after the last picture. ``budget_s``:
    a live picture that is older is dropped as ``late``. ``first``: the picture of a recording to begin with;
    those before were sent earlier. ``begins``: told of each run that begins. ``watch`` measures, and passes
    on whether the camera shows pictures.
    """

    when_full: WhenFull | None = None
    realtime: bool = False
    drain_s: float = 30.0
    budget_s: float = math.inf
    first: int = 0
    begins: Callable[[str], None] = lambda _: None
    watch: Watch | None = None


Reopen = Callable[[Callable[[], bool]], Source | None]
"""Waits for the camera's next connection; None once the given ``stopped()`` is true."""


def feed(
    source: Source,
    writer: Writer,
    outlet: Sender,
    ledger: StageLedger,
    stop: Stop,
    options: FeedOptions = FeedOptions(),
    reopen: Reopen | None = None,
) -> EndOfStream:
    """Run ``source`` to its end or until asked to drain; send and return the end of its stream.

    With ``reopen``, a source that ends with a problem is a camera that was lost: it is waited for, until
    asked to drain. The caller closes what it passed in, and looks at ``source.problem`` for an exit status.
    An error on the way (no shared memory) ends the stream first, so that the other cameras go on, and is then
    raised.
    """
    return _Feed(source, writer, outlet, ledger, stop, options).run(reopen)


class _Feed:
    def __init__(
        self,
        source: Source,
        writer: Writer,
        outlet: Sender,
        ledger: StageLedger,
        stop: Stop,
        options: FeedOptions,
    ) -> None:
        self._source, self._writer, self._outlet = source, writer, outlet
        self._ledger, self._stop, self._options = ledger, stop, options
        self._drops = (options.when_full or ("drop" if source.live else "wait")) == "drop"
        self._budget_ns = options.budget_s * NS_PER_S if source.live else math.inf
        self._clock_ns = host_clock()
        self._frames = options.first
        self._last_ns = 0
        self._watch = options.watch
        self._lost_s: float | None = None

    def run(self, reopen: Reopen | None) -> EndOfStream:
        try:
            reason = self._send_pictures()
            while reopen is not None and self._lost and not self._stop.draining():
                reason = self._send_next_run(reopen, reason)
        except GaitwayError as error:
            self._end(error.what)
            raise
        end = self._end(reason)
        self._writer.drain(self._options.drain_s, self._stop.now)
        return end

    @property
    def _lost(self) -> bool:
        return self._source.problem is not None or self._stop.paused

    def _send_next_run(self, reopen: Reopen, reason: str) -> str:
        """The camera is lost, or is to pause: end its run, wait for it, and send what it shows next."""
        camera = self._source.camera
        _log.warning("%s: lost (%s); waiting for it", camera, reason, extra=about(camera))
        self._lost_s = time.time()
        if self._watch:
            self._watch.say(self._figures())
        self._end(reason, last=False)
        self._source.close()
        give_back()
        while self._stop.paused and not self._stop.draining():
            time.sleep(_LOOK_FOR_STOP_S)
        found = reopen(self._stop.draining)
        if found is None:
            return "stopped"
        _log.warning("%s: back", camera, extra=about(camera))
        self._source, self._frames = found, 0
        try:
            return self._send_pictures()
        finally:
            found.close()

    def _send_pictures(self) -> str:
        pace = Pace() if self._options.realtime else None
        self._options.begins(self._source.run)
        for picture in self._source.frames():
            if picture.number < self._options.first:
                self._last_ns = picture.captured_ns
                if self._stop.draining():
                    return "stopped"
                continue
            if pace is not None:
                pace.wait(picture.captured_ns, self._stop.draining)
            if self._stop.draining():
                return "stopped"
            if self._stop.paused:
                return "paused"
            began_ns = self._watch.begin() if self._watch else 0
            self._send(picture)
            if self._watch:
                self._look(self._watch, began_ns)
        problem = self._source.problem
        return problem.what if problem else "finished"

    def _send(self, picture: Picture) -> None:
        camera = self._source.camera
        self._frame = self._reference(picture)
        self._frames += 1
        self._last_ns = picture.captured_ns
        self._ledger.count(camera, Count.CAPTURED)
        if self._clock_ns() - picture.captured_ns > self._budget_ns:
            self._ledger.count(camera, Drop.LATE)
            return
        patience_s = 0.0 if self._drops else None
        token = self._writer.write(self._frame, picture.image, timeout_s=patience_s, stopped=self._stop.now)
        if token is None:
            self._ledger.count(camera, Drop.STOPPED if self._stop.now() else Drop.RING_FULL)
        elif self._outlet.send(token, self._stop.now):
            self._ledger.count(camera, Count.SENT)
        else:
            self._writer.withdraw(token)
            self._ledger.count(camera, Drop.STOPPED if self._stop.now() else Drop.QUEUE_FULL)

    def _look(self, watch: Watch, began_ns: int) -> None:
        """Measure the picture that was sent; a camera that was lost is back with its first one."""
        watch.handled(self._frame, began_ns)
        back, self._lost_s = self._lost_s is not None, None
        if back:
            watch.say(self._figures())
        watch.look(self._figures)

    def _figures(self) -> Iterator[Figure]:
        labels = {"camera": self._source.camera}
        yield Figure("queue", self._outlet.under_way, labels)
        if self._source.live:
            yield Figure("camera_up", float(self._lost_s is None), labels)
            yield Figure("camera_lost_since", self._lost_s or 0.0, labels)

    def _reference(self, picture: Picture) -> FrameRef:
        height, width, _ = picture.image.shape
        return FrameRef(
            camera=self._source.camera,
            run=self._source.run,
            number=picture.number,
            captured_ns=picture.captured_ns,
            source_ns=picture.source_ns,
            width=width,
            height=height,
            trace=self._watch.trace() if self._watch else "",
        )

    def _end(self, reason: str, *, last: bool = True) -> EndOfStream:
        source = self._source
        end = EndOfStream(source.camera, source.run, self._frames, self._last_ns, reason, last)
        while not self._outlet.send(end, self._stop.now) and not self._stop.now():
            time.sleep(_RETRY_S)  # a live outlet that is full; the end must not be dropped
        return end


class Pace:
    """Holds a recording back to the speed at which it was taken; never makes up for a late start."""

    def __init__(self, clock: Callable[[], int] = time.monotonic_ns) -> None:
        self._clock = clock
        self._ahead_ns: int | None = None

    def wait(self, captured_ns: int, stopped: Callable[[], bool]) -> None:
        """Return when the picture taken at ``captured_ns`` is due, or when ``stopped()``."""
        if self._ahead_ns is None:
            self._ahead_ns = captured_ns - self._clock()
        while (left_ns := captured_ns - self._ahead_ns - self._clock()) > 0 and not stopped():
            time.sleep(min(left_ns / NS_PER_S, _LOOK_FOR_STOP_S))
