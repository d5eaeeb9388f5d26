"""Questions and orders to a running stage: a ROUTER socket that its loop serves between two frames.

Any ZeroMQ REQ or DEALER socket may ask: an empty part, then one encoded ControlRequest; the answer comes
back in the same form.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Final

import zmq

from stream.allowance import Allowance
from stream.bus import CurveKeys, Limits, Socket, bound_endpoint, listening, open_socket, remove_ipc
from stream.errors import GaitwayError, MessageError, ResourceError
from stream.messages import ControlReply, ControlRequest, decode, encode
from stream.sockets import readable, receive_from

Answer = Callable[[ControlRequest], ControlReply]

CONTROL_LIMITS: Final = Limits(hwm=64, max_message_bytes=8 * 1024 * 1024, linger_s=1.0)
NETWORK_LIMITS: Final = replace(CONTROL_LIMITS, max_message_bytes=64 * 1024)  # orders, no templates
_PER_TURN: Final = 16  # so that a flood of questions cannot hold up the frames


_TOO_OFTEN: Final = ControlReply(ok=False, error="asked too often")


class ControlServer:
    """A stage's end of its control socket."""

    def __init__(self, endpoint: str, *, keys: CurveKeys | None = None) -> None:
        limits = NETWORK_LIMITS if endpoint.startswith("tcp://") else CONTROL_LIMITS
        self.socket: Socket = open_socket(zmq.ROUTER, endpoint, bind=True, limits=limits, keys=keys)
        self.endpoint = bound_endpoint(self.socket)
        self._allowance = Allowance()

    def serve(self, answer: Answer) -> int:
        """Answer what was asked meanwhile, without waiting; how many questions that were."""
        for served in range(_PER_TURN):
            if not readable(self.socket):
                return served
            caller, (peer, *parts) = receive_from(self.socket)
            allowed = self._allowance.take(caller, time.monotonic())
            reply = encode(_answer_parts(parts, answer) if allowed else _TOO_OFTEN)
            with contextlib.suppress(zmq.Again):  # an asker that does not read its answers loses them
                self.socket.send_multipart([peer, *parts[:-1], reply], zmq.DONTWAIT)
        return _PER_TURN

    def close(self) -> None:
        """Close the socket."""
        self.socket.close()
        remove_ipc(self.endpoint)


def ask(
    endpoint: str, request: ControlRequest, *, timeout_s: float = 5.0, keys: CurveKeys | None = None
) -> ControlReply:
    """Put one question to a running stage; raises ResourceError where nobody answers in time."""
    if endpoint.startswith("ipc://") and not listening(endpoint):
        raise _silent(endpoint, "nobody listens")
    limits = replace(CONTROL_LIMITS, linger_s=0.0)
    asker = open_socket(zmq.REQ, endpoint, bind=False, limits=limits, keys=keys)
    try:
        asker.send(encode(request), zmq.DONTWAIT)
        if not asker.poll(int(timeout_s * 1000)):
            raise _silent(endpoint, f"no answer in {timeout_s:g} s")
        reply = decode(asker.recv())
    except zmq.Again as error:
        raise _silent(endpoint, "no connection") from error
    finally:
        asker.close(linger=0)
    if not isinstance(reply, ControlReply):
        raise MessageError(f"a {type(reply).__name__} for an answer", where=endpoint, wanted="ControlReply")
    return reply


def _answer_parts(parts: list[bytes], answer: Answer) -> ControlReply:
    try:
        request = decode(parts[-1]) if parts else None
        if not isinstance(request, ControlRequest):
            raise MessageError(f"a {type(request).__name__} for a question", wanted="ControlRequest")
        return answer(request)
    except GaitwayError as error:
        return ControlReply(ok=False, error=str(error))


def _silent(endpoint: str, why: str) -> ResourceError:
    return ResourceError(
        f"no pipeline answers ({why})",
        where=endpoint,
        fix="Start one, or check the endpoint in pipeline.yaml",
    )
