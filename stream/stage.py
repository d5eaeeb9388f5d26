"""What a stage is. It knows messages and never sockets, so any stage can be tested with a list.

One loop (``stream/loop.py``) runs any stage, in a thread or a process, over any transport.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from stream.figures import Figure
from stream.messages import ControlReply, ControlRequest, EndOfStream, FrameMessage


class Stage(Protocol):
    """Turns each frame's message into the next hop's message of the same frame.

    ``handle`` returns exactly one message for the frame it was given (so that the ledger adds up), or none
    for frames it keeps for later; whatever it kept comes out of a later ``handle`` or of ``finish``.
    """

    def handle(self, message: FrameMessage) -> Iterable[FrameMessage]:
        """Answer one frame's message."""
        ...

    def finish(self, end: EndOfStream) -> Iterable[FrameMessage]:
        """The camera's stream ended: emit what was kept for it. The loop passes ``end`` on afterwards."""
        ...

    def control(self, request: ControlRequest) -> ControlReply:
        """Answer a question or order from outside, between two frames."""
        ...

    def figures(self) -> Iterable[Figure]:
        """How things stand; asked about once a second between two messages, also while nothing comes."""
        ...

    def close(self) -> None:
        """Release what the stage holds; called once, also after an error."""
        ...


class PassiveStage:
    """The answers of a stage that keeps no frames, holds no resources and takes no orders."""

    def finish(self, end: EndOfStream) -> Iterable[FrameMessage]:
        """Nothing was kept."""
        del end
        return ()

    def control(self, request: ControlRequest) -> ControlReply:
        """No orders are known."""
        return ControlReply(ok=False, error=f"this stage knows no request {request.verb!r}")

    def figures(self) -> Iterable[Figure]:
        """Nothing to tell."""
        return ()

    def close(self) -> None:
        """Nothing is held."""
