"""ZeroMQ sockets from endpoint strings: ``inproc://``, ``ipc://`` and ``tcp://``.

A hop is one PUSH -> PULL pipe, the receiver bound, so that any sender that is started again finds it. Both
ends hold at most ``hwm`` messages. What happens when they are full is the sender's choice: a recorded
source's pipe waits, a live one's ``send`` returns False and the caller counts the drop. Sockets belong to one
thread; the ZeroMQ context is one per process.
"""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import zmq

from stream.errors import ConfigError, MessageError, ResourceError
from stream.messages import MAX_MESSAGE_BYTES, Message, decode, encode
from stream.stop import never

Socket = zmq.Socket[bytes]

MAX_IPC_PATH: Final = 107  # sockaddr_un on Linux, less the closing zero
_LOOK_FOR_STOP_MS: Final = 50
_TRANSPORTS: Final = ("inproc", "ipc", "tcp")


@dataclass(frozen=True)
class Limits:
    """What bounds a socket: messages queued at each end, bytes per message, seconds to hand over at close."""

    hwm: int = 16
    max_message_bytes: int = MAX_MESSAGE_BYTES
    linger_s: float = 30.0


@dataclass(frozen=True)
class CurveKeys:
    """CURVE keys in Z85. A binding socket is the server and needs no ``server``; a connecting one does."""

    public: bytes
    secret: bytes
    server: bytes | None = None


class Receiver(Protocol):
    """Where a stage's messages come from: an ``Inlet``, or a ``Merge`` of several."""

    def receive(self, timeout_s: float) -> Message | None:
        """The next message, or None after ``timeout_s``; raises MessageError for bytes that are none."""
        ...

    def sockets(self) -> list[Socket]:
        """What to poll while waiting."""
        ...

    def close(self) -> None:
        """Close the sockets."""
        ...


class Sender(Protocol):
    """Where a stage's messages go."""

    def send(self, message: Message, stopped: Callable[[], bool] = ...) -> bool:
        """Send one message; False where it was not sent, and the caller counts the drop."""
        ...

    def close(self) -> None:
        """Hand over what was sent, then close."""
        ...


class Outlet:
    """The sending end of a hop."""

    def __init__(
        self,
        endpoint: str,
        *,
        live: bool = False,
        limits: Limits = Limits(),
        keys: CurveKeys | None = None,
        bind: bool = False,
    ) -> None:
        self._live = live
        self._socket = open_socket(zmq.PUSH, endpoint, bind=bind, limits=limits, keys=keys)
        self.endpoint = bound_endpoint(self._socket) if bind else endpoint

    def send(self, message: Message, stopped: Callable[[], bool] = never) -> bool:
        """Send. When full, live outlets return False; others wait for room or until ``stopped()``."""
        data = encode(message)
        while True:
            try:
                self._socket.send(data, zmq.DONTWAIT)
            except zmq.Again:
                if self._live or stopped():
                    return False
                self._socket.poll(_LOOK_FOR_STOP_MS, zmq.POLLOUT)
            else:
                return True

    def close(self) -> None:
        """Close; what was sent is still handed over, within ``linger_s`` (``terminate`` waits for it)."""
        self._socket.close()


class Inlet:
    """The receiving end of a hop."""

    def __init__(
        self,
        endpoint: str,
        *,
        limits: Limits = Limits(),
        keys: CurveKeys | None = None,
        bind: bool = True,
    ) -> None:
        self._socket = open_socket(zmq.PULL, endpoint, bind=bind, limits=limits, keys=keys)
        self.endpoint = bound_endpoint(self._socket) if bind else endpoint

    def receive(self, timeout_s: float) -> Message | None:
        """The next message, or None after ``timeout_s``; raises MessageError for bytes that are none."""
        try:
            parts = self._socket.recv_multipart(zmq.DONTWAIT)
        except zmq.Again:
            if timeout_s <= 0 or not self._socket.poll(int(timeout_s * 1000)):
                return None
            parts = self._socket.recv_multipart(zmq.DONTWAIT)
        if len(parts) != 1:
            raise MessageError(f"a message of {len(parts)} parts", where=self.endpoint, wanted="one part")
        return decode(parts[0])

    def sockets(self) -> list[Socket]:
        """What to poll while waiting."""
        return [self._socket]

    def close(self) -> None:
        """Close; what was not received yet is gone."""
        self._socket.close(linger=0)


def open_socket(
    kind: int, endpoint: str, *, bind: bool, limits: Limits = Limits(), keys: CurveKeys | None = None
) -> Socket:
    """A bound or connected socket with every limit set; raises ConfigError or ResourceError."""
    check_endpoint(endpoint, bind=bind, keys=keys)
    made: Socket = zmq.Context.instance().socket(kind)
    try:
        _set_options(made, limits, keys, bind=bind)
        if bind:
            _clear_stale_ipc(endpoint)
            made.bind(endpoint)
        else:
            made.connect(endpoint)
    except zmq.ZMQError as error:
        made.close(linger=0)
        raise _refused(endpoint, error, bind=bind) from error
    except (ResourceError, ConfigError):
        made.close(linger=0)
        raise
    return made


def bound_endpoint(bound: Socket) -> str:
    """The endpoint a socket is bound to, its port known where port 0 was asked for."""
    value = bound.getsockopt_string(zmq.LAST_ENDPOINT)
    return value.rstrip("\0")


def terminate() -> None:
    """At the end of a process, all sockets closed: wait until each handed over what it held."""
    zmq.Context.instance().term()


def check_endpoint(endpoint: str, *, bind: bool, keys: CurveKeys | None = None) -> None:
    """Raise ConfigError for an endpoint that is wrong, or that would open this host without keys."""
    transport, found, address = endpoint.partition("://")
    if not found or transport not in _TRANSPORTS or not address:
        raise ConfigError(
            f"endpoint {endpoint!r}", wanted="inproc://NAME, ipc://PATH or tcp://HOST:PORT", where="stream"
        )
    if transport == "ipc" and len(os.fsencode(address)) > MAX_IPC_PATH:
        raise ConfigError(
            f"the path of {endpoint} has {len(os.fsencode(address))} bytes",
            wanted=f"at most {MAX_IPC_PATH}",
            fix="Set stream.runtime_folder to a shorter path",
        )
    if transport == "tcp":
        _check_tcp(endpoint, address, bind=bind, keys=keys)
    elif keys is not None:
        raise ConfigError(f"keys given for {endpoint}", wanted="tcp:// with CURVE keys")


def _check_tcp(endpoint: str, address: str, *, bind: bool, keys: CurveKeys | None) -> None:
    host, _, port = address.rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or not (0 if bind else 1) <= int(port) <= 65535:
        raise ConfigError(f"endpoint {endpoint!r}", wanted="tcp://HOST:PORT, a port of at most 65535")
    if bind and keys is None and not is_loopback(host):
        raise ConfigError(
            f"{endpoint} would listen beyond this host without keys",
            wanted="127.0.0.1, or CURVE keys",
            fix="Bind to tcp://127.0.0.1, or give the keys",
        )


def is_loopback(host: str) -> bool:
    """True for a host that only this machine can reach."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _set_options(made: Socket, limits: Limits, keys: CurveKeys | None, *, bind: bool) -> None:
    made.sndhwm = made.rcvhwm = limits.hwm
    made.linger = int(limits.linger_s * 1000)
    made.maxmsgsize = limits.max_message_bytes
    made.ipv6 = True
    made.reconnect_ivl, made.reconnect_ivl_max = 10, 500  # ms: a stage that was restarted is found at once
    made.heartbeat_ivl, made.heartbeat_timeout = 2000, 10000  # ms: a peer whose machine is gone is noticed
    if keys is None:
        return
    try:
        made.curve_publickey, made.curve_secretkey = keys.public, keys.secret
        if bind:
            made.curve_server = True
        elif keys.server is not None:
            made.curve_serverkey = keys.server
        else:
            raise ConfigError("CURVE keys without the server's public key", wanted="CurveKeys.server")
    except zmq.ZMQError as error:
        raise ConfigError(
            f"CURVE keys refused ({error.strerror})", wanted="40 characters of Z85 each"
        ) from error


def _clear_stale_ipc(endpoint: str) -> None:
    """ZeroMQ would take an ipc path over from a living owner without a word; ask first."""
    if not endpoint.startswith("ipc://"):
        return
    path = Path(endpoint.removeprefix("ipc://"))
    if not path.parent.is_dir():
        raise ResourceError(f"{endpoint}: there is no folder {path.parent}", fix="Create it")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except OSError:  # nobody listens: absent, or left behind by a dead owner
            if path.is_socket():
                path.unlink(missing_ok=True)
            return
    raise _in_use(endpoint)


def _in_use(endpoint: str) -> ResourceError:
    return ResourceError(
        f"{endpoint} is in use",
        fix="Another pipeline is running: stop it, or give this one other endpoints (--id, stream.tcp_port)",
    )


def _refused(endpoint: str, error: zmq.ZMQError, *, bind: bool) -> ResourceError:
    if error.errno == zmq.EADDRINUSE:
        return _in_use(endpoint)
    verb = "listen at" if bind else "connect to"
    return ResourceError(
        f"cannot {verb} {endpoint} ({error.strerror})", fix="Check the endpoint in pipeline.yaml"
    )
