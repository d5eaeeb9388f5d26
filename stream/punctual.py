"""Live frames in time or not at all: a budget per camera, and under overload the least important go first.

A frame older than its camera's budget is let go unseen, cause ``late``. Where frames come late for ``RISE_S``
on end, the machine is overloaded, and work is eased step by step, one for each further ``RISE_S`` of it:

1. new people are searched for in one frame in ``SEARCHED_ONE_IN``; those known are followed in every frame;
2. and on: cameras are thinned by priority, the lowest first, never the highest: of those, one frame in
   ``KEPT_ONE_IN`` is looked at, the others are let go, cause ``shed``.

``FALL_S`` without a late frame takes the last step back. Every frame carries its camera's ``load``, so that
identify tells of each change by an event.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import msgspec

from stream.errors import GaitwayError
from stream.figures import Figure
from stream.frames import FrameReader, Image
from stream.ledger import Drop
from stream.messages import ControlReply, ControlRequest, EndOfStream, FrameMessage, FrameToken
from stream.sources.base import NS_PER_S
from stream.sources.clock import host_clock
from stream.stage import Stage

RISE_S: Final = 2.0
FALL_S: Final = 10.0
SEARCHED_ONE_IN: Final = 4
KEPT_ONE_IN: Final = 4
_log = logging.getLogger("gaitway.stream")


class SkippedFrameError(GaitwayError):
    """The frame is not to be looked at; ``cause`` is what it is counted as."""

    def __init__(self, cause: Drop, camera: str) -> None:
        super().__init__(f"a frame was let go ({cause.name.lower()})", where=camera)
        self.cause = cause


@dataclass(frozen=True)
class Budget:
    """How old a camera's frame may be, and how important the camera is: 0 to 9, higher is more."""

    seconds: float
    priority: int


class Overload:
    """Whether frames come late, and for how long; decides whom to thin. Seconds are of any one clock."""

    def __init__(self, priorities: Mapping[str, int]) -> None:
        self._priorities = dict(priorities)
        self._late_since_s: float | None = None
        self._last_late_s = self._changed_s = 0.0
        self._seen: defaultdict[str, int] = defaultdict(int)
        self.level = 0

    @property
    def _steps(self) -> list[int]:
        """The priorities that may be thinned, the first to go first."""
        return sorted(set(self._priorities.values()))[:-1]

    def attach(self, camera: str, priority: int) -> None:
        """One more camera."""
        self._priorities[camera] = priority

    def load(self, camera: str) -> int:
        """How far work on this camera is eased: ``FrameRef.load``."""
        if self.level == 0 or camera not in self._priorities:
            return 0
        return 2 if self._thinned(camera) else 1

    def note(self, *, late: bool, now_s: float) -> None:
        """A frame came, in time or late."""
        if late:
            since_s = self._late_since_s = now_s if self._late_since_s is None else self._late_since_s
            self._last_late_s = now_s
            if now_s - max(since_s, self._changed_s) >= RISE_S and self.level <= len(self._steps):
                self._set(self.level + 1, now_s)
        elif now_s - self._last_late_s > RISE_S:
            self._late_since_s = None
            if self.level and now_s - max(self._last_late_s, self._changed_s) >= FALL_S:
                self._set(self.level - 1, now_s)

    def sheds(self, camera: str) -> bool:
        """Whether this frame of the camera is one to let go."""
        if not self._thinned(camera):
            return False
        self._seen[camera] += 1
        return self._seen[camera] % KEPT_ONE_IN != 1

    def _thinned(self, camera: str) -> bool:
        return self._priorities.get(camera) in self._steps[: max(0, self.level - 1)]

    def _set(self, level: int, now_s: float) -> None:
        self.level, self._changed_s = level, now_s
        thinned = ", ".join(name for name in self._priorities if self._thinned(name)) or "none"
        searched = f"1 frame in {SEARCHED_ONE_IN}" if level else "every frame"
        _log.warning("overload level %d: searched: %s; thinned cameras: %s", level, searched, thinned)


class PunctualFrames:
    """The pixels of frames that are in time; SkippedFrameError for the others."""

    def __init__(
        self,
        reader: FrameReader,
        budgets: Mapping[str, Budget],
        clock_ns: Callable[[], int] | None = None,
    ) -> None:
        self._reader, self._budgets = reader, dict(budgets)
        self._clock_ns = clock_ns or host_clock()
        self._overload = Overload({name: budget.priority for name, budget in budgets.items()})

    def attach(self, camera: str, budget: Budget) -> None:
        """One more camera."""
        self._budgets[camera] = budget
        self._overload.attach(camera, budget.priority)

    def eased(self, token: FrameToken) -> FrameToken:
        """The token, its frame carrying the camera's load."""
        load = self._overload.load(token.frame.camera)
        frame = msgspec.structs.replace(token.frame, load=load)
        return msgspec.structs.replace(token, frame=frame) if load else token

    @contextmanager
    def lease(self, token: FrameToken) -> Iterator[Image]:
        """As ``FrameReader.lease``; a frame that is let go frees its slot."""
        budget = self._budgets.get(token.frame.camera)
        cause = None if budget is None else self._why_not(token, budget)
        if cause is not None:
            self._reader.skip(token)
            raise SkippedFrameError(cause, token.frame.camera)
        with self._reader.lease(token) as image:
            yield image

    def figures(self) -> Iterable[Figure]:
        """How many steps work is eased."""
        yield Figure("overload_level", self._overload.level)

    def close(self) -> None:
        """Unmap all rings."""
        self._reader.close()

    def _why_not(self, token: FrameToken, budget: Budget) -> Drop | None:
        now_ns = self._clock_ns()
        late = now_ns - token.frame.captured_ns > budget.seconds * NS_PER_S
        self._overload.note(late=late, now_s=now_ns / NS_PER_S)
        if late:
            return Drop.LATE
        return Drop.SHED if self._overload.sheds(token.frame.camera) else None


class EasedStage:
    """Perception, told with each frame how far to ease its work."""

    def __init__(self, stage: Stage, frames: PunctualFrames) -> None:
        self.inner, self.frames = stage, frames

    def handle(self, message: FrameMessage) -> Iterable[FrameMessage]:
        """As the stage does, with the camera's load in the frame."""
        return self.inner.handle(self.frames.eased(message) if isinstance(message, FrameToken) else message)

    def finish(self, end: EndOfStream) -> Iterable[FrameMessage]:
        """As the stage does."""
        return self.inner.finish(end)

    def control(self, request: ControlRequest) -> ControlReply:
        """As the stage does."""
        return self.inner.control(request)

    def figures(self) -> Iterable[Figure]:
        """As the stage's, and how far work is eased."""
        yield from self.inner.figures()
        yield from self.frames.figures()

    def close(self) -> None:
        """As the stage does."""
        self.inner.close()
