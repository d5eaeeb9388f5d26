"""The publish stage started again: what its log holds already is not told a second time."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from stream.checkpoint import Counting
from stream.figures import Figure
from stream.messages import ControlReply, ControlRequest, EndOfStream, FrameMessage, Identified
from stream.stage import Stage


class OnceStage:
    """``stage`` sees each event once, although messages come again after a restart.

    Events of one camera come in one order, so counting them tells which are in the log.
    """

    def __init__(self, stage: Stage, counting: Counting) -> None:
        self._stage, self._counting = stage, counting

    def handle(self, message: FrameMessage) -> Iterable[FrameMessage]:
        """Pass the message on without the events that are in the log."""
        if isinstance(message, Identified) and message.events:
            fresh = tuple(event for event in message.events if self._counting.is_new(event))
            message = msgspec.structs.replace(message, events=fresh)
        return self._stage.handle(message)

    def finish(self, end: EndOfStream) -> Iterable[FrameMessage]:
        """As the stage does."""
        return self._stage.finish(end)

    def control(self, request: ControlRequest) -> ControlReply:
        """As the stage does."""
        return self._stage.control(request)

    def figures(self) -> Iterable[Figure]:
        """As the stage does."""
        return self._stage.figures()

    def close(self) -> None:
        """As the stage does."""
        self._stage.close()
